"""`segue tune`: trials are logged, keep apart what judges, and find a better recipe."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.judging import tune
from flows.nightly import recommend as recommending
from flows.nightly.progress import Progress
from flows.settings import settings
from models.encoder.pipeline import SOUND_ALONE, WITH_GENRES, WITH_PLAYLISTS, Recipe, Weights
from warehouse.errors import InputError

pytestmark = pytest.mark.slow

BAD = Recipe(Weights(0.05, 0.05, 0.05, 20, 0.05, 0.05, 0.05, 0.05), bonus=0)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in [n for n in os.environ if n.upper().startswith("SEGUE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def known():
    """Return what trials on a part of the demo are held against."""
    return tune.case(settings(), songs=1200, learn=True, progress=Progress())


@pytest.fixture(scope="module")
def done(known, tmp_path_factory):
    """Return the trials of a search from a bad start, and their log."""
    log = tmp_path_factory.mktemp("tune") / "log.jsonl"
    start = replace(tune.started(known, 13), recipe=BAD)
    return tune.searched(known, start, 14, log), log


def test_the_best_trial_beats_a_bad_start(done):
    trials, _ = done
    assert trials[0].recipe == BAD
    assert tune.best(trials).score > 1.05 * trials[0].score  # companions are found by no recipe


def test_every_trial_is_logged_with_all_that_it_was(done):
    trials, log = done
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["trial"] for line in lines] == list(range(14)) == list(range(len(trials)))
    for line, trial in zip(lines, trials, strict=True):
        assert line["score"] == trial.score
        assert line["recipe"]["weights"] == {
            name: getattr(trial.recipe.weights, name) for name in line["recipe"]["weights"]
        }
        assert line["allowed"] is trial.allowed
        assert line["dimensions"].keys() == {"genre", "artists", "playlists"}
        assert line["seconds"] > 0


def test_the_same_search_again_tries_the_same(known, done, tmp_path):
    start = replace(tune.started(known, 13), recipe=BAD)
    again = tune.searched(known, start, 2, tmp_path / "log.jsonl")
    untimed = [replace(trial, seconds=0) for trial in done[0][:2]]
    assert [replace(trial, seconds=0) for trial in again] == untimed


def test_what_judges_is_neither_held_out_nor_learnt_from(known, monkeypatch):
    seen = []
    whole = recommending.known

    def watched(warehouse):
        seen.append(whole(warehouse))
        return seen[0]

    monkeypatch.setattr(recommending, "known", watched)
    tune.case(settings(), songs=1200, learn=True, progress=Progress())
    held_out = set(seen[0].playlists[seen[0].held_out].tolist())
    learnt = set(known.listening.playlists.tolist())
    judging = set(known.queries.playlists.tolist())
    assert len(judging) > 20
    assert not judging & (held_out | learnt)
    assert not learnt & held_out


def test_the_sample_has_all_that_answers_and_no_more_than_asked(known):
    assert len(known.songs) == 1200
    _, answers = np.divmod(known.queries.relevant, len(known.catalogue.first_songs))
    assert answers.max() < len(known.catalogue.first_songs)
    assert known.listening.families.max() >= known.songs.families.max()


def test_playlists_that_only_judge_are_not_learnt_from(tmp_path):
    known = tune.case(settings(), songs=600, learn=False, progress=Progress())
    start = tune.started(known, 13)
    assert known.listening is None
    assert start.recipe == WITH_GENRES
    (trial,) = tune.searched(known, start, 1, tmp_path / "log.jsonl")
    assert trial.recipe == WITH_GENRES
    assert set(trial.dimensions) == {"genre"}
    assert 0 < trial.score < 1


def test_too_few_playlists_to_judge_by_are_refused(tmp_path):
    rows = ["playlist_id,track_id"]
    rows += [f"p{n},demo7RGqsPlwrrqVgobPRc" for n in range(30)]
    (tmp_path / "few.csv").write_text("\n".join(rows))
    with pytest.raises(InputError, match="too few or too short"):
        tune.case(
            settings(playlists=[tmp_path / "few.csv"]), songs=600, learn=True, progress=Progress()
        )


def trial(score, skewness=0.5, never=0.01):
    return tune.Trial(SOUND_ALONE, {}, 13, score, skewness, never)


def test_the_bounds_come_before_the_score():
    fine, buried, skewed = trial(0.1), trial(0.3, never=0.2), trial(0.2, skewness=1.3)
    assert tune.best([buried, fine, skewed]) is fine
    assert tune.best([buried, skewed]) is buried


def test_the_recipe_is_told_as_the_encoder_writes_it():
    told = tune.in_words(tune.Trial(WITH_PLAYLISTS, {"genre": 64}, 12))
    assert eval(told.splitlines()[0]) == replace(WITH_PLAYLISTS, hub_cap=12)
    assert "genre 64" in told


def test_the_command_prints_the_best_and_leaves_the_home_alone(tmp_path):
    words = ["tune", "--trials", "1", "--songs", "500", "--log", str(tmp_path / "log.jsonl")]
    result = CliRunner().invoke(app, words, env={"SEGUE_HOME": str(tmp_path / "var")})
    assert result.exit_code == 0, result.output
    assert "in use" in result.stdout
    assert "Recipe(Weights(" in result.stdout
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1
    assert not (tmp_path / "var").exists()
