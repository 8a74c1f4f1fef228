"""`segue evaluate`: a build is scored on playlists that it has not seen, and says what it has."""

import json
import re
import shutil

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.cli import app
from flows.judging.score import scored
from models.judging.evaluation import HEADLINE, METRICS
from models.neighbours.boxes import Boxes
from models.ranking import Candidates, Rules, continued
from warehouse.errors import DamagedBuild
from warehouse.release import Home, published

MODELS = {"segue", "random", "popular", "same genre", "z-scored audio", "co-occurrence"}


@pytest.fixture(scope="module")
def home(demo, tmp_path_factory):
    """Return the home of a demo that learnt from nine in ten of its playlists."""
    home = tmp_path_factory.mktemp("score") / "var"
    return shutil.copytree(demo.parents[1], home, symlinks=True)


@pytest.fixture(scope="module")
def entries(home):
    return pl.read_csv(home / "demo" / "playlists.csv", infer_schema_length=0)


def segue(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="segue")


def answer(home, *words):
    result = segue("evaluate", "--json", "--home", home, *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


def headline(answered, split="all"):
    rows = [r for r in answered["evaluation"] if r["metric"] == HEADLINE and r["split"] == split]
    return {row["model"]: row for row in rows}


def test_without_playlists_a_build_says_what_it_published(home):
    told, _ = answer(home)
    assert told["build"] == published(Home(home)).name
    assert headline(told).keys() == MODELS
    assert "exactness" in {row["metric"] for row in told["evaluation"]}
    shown = segue("evaluate", "--home", home).stdout
    value = headline(told)["segue"]
    assert f"{value['value']:.4f}" in shown
    assert f"{value['low']:.4f} to {value['high']:.4f}" in shown


def test_playlists_that_were_learnt_from_are_left_out_with_a_warning(home):
    told, warned = answer(home, "--playlists", home / "demo" / "playlists.csv")
    own, _ = answer(home)
    assert re.search(r"\b6[0-9]{2} of 700 playlists were learnt from", warned)
    assert headline(told)["segue"]["n"] == headline(own)["segue"]["n"]
    assert headline(told).keys() == MODELS
    assert told["found"] < told["entries"]


def test_what_was_learnt_is_never_called_held_out(home, entries, tmp_path):
    numbers = pl.col("playlist_id").str.slice(4).cast(pl.Int64)
    few = entries.filter(numbers <= 60)
    few.write_csv(tmp_path / "few.csv")
    first = scored(published(Home(home)), [tmp_path / "few.csv"])
    held = 60 - first.asked.copied
    assert 0 < held < 20
    names = few["playlist_id"].unique(maintain_order=True).to_list()
    for name in names:
        few.filter(pl.col("playlist_id") == name).write_csv(tmp_path / "one.csv")
        one = scored(published(Home(home)), [tmp_path / "one.csv"])
        if one.asked.learnt:
            break
    assert {measure.split for measure in one.measures} == {"learnt"}
    told, warned = answer(home, "--playlists", tmp_path / "one.csv")
    assert "All usable playlists were learnt from" in warned
    assert headline(told) == {}
    assert headline(told, "learnt").keys() == MODELS


def test_new_playlists_are_found_by_name_and_score_as_the_protocol_says(home, tmp_path):
    told, warned = answer(home, "--playlists", new_playlists(home, tmp_path))
    assert warned == ""
    assert headline(told)["segue"]["n"] > 20
    assert headline(told)["segue"]["value"] > 3 * headline(told)["random"]["value"]


def new_playlists(home, tmp_path):
    """Mix the two halves of playlists of one circle, by title and artist alone."""
    lists = pl.read_csv(home / "demo" / "playlists.csv", infer_schema_length=0)
    named = lists.drop_nulls("track_name").filter(pl.col("track_name") != "")
    sizes = named.group_by("playlist_id", maintain_order=True).agg("track_name", "artist_name")
    halves = []
    for row in sizes.filter(pl.col("track_name").list.len() > 24).head(8).iter_rows():
        halves += [(f"new {row[0]}", *pair) for pair in list(zip(*row[1:], strict=True))[::2]]
    frame = pl.DataFrame(halves, ["playlist_id", "track_name", "artist_name"], orient="row")
    frame.write_csv(tmp_path / "new.csv")
    return tmp_path / "new.csv"


def test_playlists_that_are_too_short_ask_nothing(home, entries, tmp_path):
    entries.head(4).write_csv(tmp_path / "short.csv")
    told, warned = answer(home, "--playlists", tmp_path / "short.csv")
    assert told["evaluation"] == []
    assert "no playlist has 10 to 200 songs" in warned


def test_an_unknown_build_and_a_file_of_something_else_are_told(home):
    for words, message in (
        (("--build", "yesterday"), "There is no build yesterday"),
        (("--playlists", home / "demo" / "artists.csv"), "not known as a file of playlists"),
        (("--playlists", "nowhere.csv"), "no such file"),
    ):
        result = segue("evaluate", "--home", home, *words)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stdout == ""


def test_a_named_build_is_the_one_that_is_scored(home):
    name = published(Home(home)).name
    told, _ = answer(home, "--build", name)
    assert told["build"] == name


def test_rules_that_were_changed_after_the_build_are_not_loaded(home, entries, tmp_path):
    file = published(Home(home)) / "models" / "rules.joblib"
    whole = file.read_bytes()
    entries.head(40).write_csv(tmp_path / "some.csv")
    try:
        file.write_bytes(whole + b"x")
        with pytest.raises(DamagedBuild):
            scored(published(Home(home)), [tmp_path / "some.csv"])
    finally:
        file.write_bytes(whole)


# Going on with a list


def rules(points, families, artists, bonus=0.0):
    heard = np.linspace(0, 1, len(points))
    return Rules(np.array(families), np.array(artists), heard, bonus, hub_cap=5)


def gone_on(points, own, rows, lists, depth):
    near = np.empty((0, 4), int), np.empty((0, 4))
    if len(rows):
        near = Boxes(points).nearest_others(min(4 * depth, len(points) - 1), rows)
    return continued(points, own, Candidates(rows, *near), lists, depth)


def test_a_list_goes_on_where_the_published_one_ends():
    points = np.arange(8, dtype=np.float32)[:, None]
    own = rules(points, range(8), range(8))
    lists = np.array([[5, 1, -1]])
    deep = gone_on(points, own, np.array([0]), lists, 6)
    assert deep.tolist() == [[5, 1, 2, 3, 4, 6]]


def test_the_bonus_counts_beyond_the_published_places():
    points = np.arange(6, dtype=np.float32)[:, None]
    own = rules(points, range(6), range(6), bonus=100.0)
    deep = gone_on(points, own, np.array([0]), np.array([[1]]), 5)
    assert deep.tolist() == [[1, 5, 4, 3, 2]]


@given(st.data())
@examples(max_examples=60, deadline=None)
def test_families_and_artists_keep_to_the_rules_however_deep(data):
    size = data.draw(st.integers(2, 25))
    numbers = st.lists(st.integers(0, 6), min_size=size, max_size=size)
    families, artists = data.draw(numbers), data.draw(numbers)
    points = np.array(data.draw(numbers), dtype=np.float32)[:, None]
    song = data.draw(st.integers(0, size - 1))
    none = np.full((1, 2), -1)
    own = rules(points, families, artists, bonus=data.draw(st.sampled_from([0.0, 2.0])))
    (deep,) = gone_on(points, own, np.array([song]), none, 12)
    listed = deep[deep >= 0].tolist()
    assert deep[len(listed) :].tolist() == [-1] * (12 - len(listed))
    found = [families[other] for other in listed]
    assert families[song] not in found
    assert len(set(found)) == len(found)
    assert all([artists[o] for o in listed].count(artist) <= 2 for artist in set(artists))
    left = [
        other
        for other in range(size)
        if families[other] not in {families[song], *found}
        and [artists[o] for o in listed].count(artists[other]) < 2
    ]
    assert not left or len(listed) == 12


def test_no_rows_are_gone_on_with_where_nothing_is_asked():
    points = np.zeros((3, 1), dtype=np.float32)
    own = rules(points, range(3), range(3))
    none = np.empty(0, dtype=np.int64)
    assert gone_on(points, own, none, np.empty((0, 5), int), 4).shape == (0, 4)


def test_the_metrics_are_shown_in_one_line_for_each_model(home):
    shown = segue("evaluate", "--home", home).stdout.splitlines()
    head = next(line for line in shown if line.startswith("model"))
    assert all(metric in head for metric in METRICS)
    assert sum(" all " in line for line in shown) == len(MODELS)
