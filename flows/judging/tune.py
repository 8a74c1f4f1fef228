"""Search for the recipe: a catalogue with playlists comes in, trials and the best one go out.

Playlists are split three ways. Those that builds hold out are left alone. Of the others, one in ten
judges the trials and the vectors learn from the rest, so what chose a recipe never reports on it.
"""

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import optuna
from sklearn.base import BaseEstimator, clone

from flows.judging import measures as evaluating
from flows.nightly import recommend as recommending
from flows.nightly.plan import begin, held, planned
from flows.nightly.progress import Progress
from flows.nightly.run import STEPS
from flows.settings import Settings
from models import ranking
from models.arrays import FloatMatrix
from models.companions import Companions, companions
from models.encoder import pipeline as encoder
from models.encoder.listening_blocks import Listening
from models.encoder.pipeline import Recipe, Weights
from models.judging import evaluation, exposure
from models.judging.queries import Catalogue, Entries, Queries, drawn_queries, leaked
from models.neighbours.boxes import Boxes
from models.songs import Songs
from transforms import evaluation as laid_out
from transforms.arrays import Indices
from warehouse import store
from warehouse.errors import InputError

VALIDATION = 0.1
PLACES = 2 * ranking.PAGE  # enough for five where an artist has two at most
MOST_SKEWED, MOST_UNHEARD = 1.0, 0.05
LIGHTEST, HEAVIEST = 0.05, 32.0
MOST_BONUS = 1.5
HUB_CAPS = (8, 20)
DIMENSIONS = {"genre": (32, 48, 64, 96), "artists": (16, 24, 32, 48), "playlists": (32, 64, 96)}
BROKEN = "broken"

Advance = Callable[..., None]


@dataclass(frozen=True)
class Trial:
    """One recipe and how it did.

    Args:
        recipe: weights and bonus.
        dimensions: columns of the blocks of ``DIMENSIONS`` that take part.
        hub_cap: as in the settings.
        score: the headline on the validation playlists.
        skewness: N5 skewness of the lists.
        never: share of the songs that are never recommended.
        seconds: how long it took.
    """

    recipe: Recipe
    dimensions: dict[str, int]
    hub_cap: int
    score: float = 0.0
    skewness: float = 0.0
    never: float = 0.0
    seconds: float = 0.0

    @property
    def breaches(self) -> tuple[float, float]:
        """By how much the bounds are exceeded; at most 0 if they are kept."""
        return self.skewness - MOST_SKEWED, self.never - MOST_UNHEARD

    @property
    def allowed(self) -> bool:
        """Whether the bounds are kept."""
        return max(self.breaches) <= 0


@dataclass(frozen=True)
class Case:
    """What trials are judged by.

    Args:
        songs: a sample of the catalogue.
        listening: what is learnt from; none where the playlists only judge.
        popularity: shape ``(n_songs,)``, NaN where unknown.
        heard: what stands in the same playlists; none where they only judge.
        catalogue: the same songs, as the queries see them.
        queries: from the validation playlists.
    """

    songs: Songs
    listening: Listening | None
    popularity: FloatMatrix
    heard: Companions | None
    catalogue: Catalogue
    queries: Queries


def case(settings: Settings, songs: int, learn: bool, progress: Progress) -> Case:
    """Read the files and choose the songs and the playlists of the search.

    Trials are judged on a sample: all songs of the validation playlists, then half of it the most
    played songs and half drawn from the rest. Scores are therefore higher than on the whole
    catalogue; they serve for comparison.

    Args:
        settings: with the files; the home is not touched.
        songs: size of the sample; all songs of the validation playlists are taken in any case.
        learn: whether the vectors may learn from playlists; else these only judge.
        progress: shows the stages.

    Raises:
        InputError: a file cannot be used, or the playlists are too few to judge by.
    """
    with TemporaryDirectory(prefix="segue-tune-") as home:
        plan = planned(settings.model_copy(update={"home": Path(home)}))
        with held(plan.home):
            plan = begin(plan)
            for step in STEPS["ingest"]:
                step(plan, progress)
        with store.opened(plan.home.pending_warehouse) as warehouse:
            told = recommending.known(warehouse)
    return _case(told, songs, learn)


def _case(told: recommending.Known, most: int, learn: bool) -> Case:
    judging = np.isin(told.playlists, _validation(told.playlists[~told.held_out]))
    learning = ~told.held_out & ~judging
    sample = _sample(told, judging, learning, most)
    place = np.full(len(told.songs), -1)
    place[sample] = np.arange(len(sample))
    few, number = _part(told.songs, sample)
    catalogue = Catalogue(few.families, *laid_out.credits(told.rows[sample]))
    playlists, (song, family, artist) = told.playlists, told.entries.T
    asked, learnt = judging & (song >= 0), learning & (place[song] >= 0) & (song >= 0)
    training = Entries(playlists[learnt], place[song[learnt]])
    copies = leaked(catalogue, Entries(playlists[asked], place[song[asked]]), training)
    asked &= ~np.isin(playlists, copies)
    validation = Entries(playlists[asked], place[song[asked]])
    queries = drawn_queries(catalogue, validation, training)
    if not len(queries.songs):
        raise InputError("The playlists are too few or too short to judge by. Give more of them.")
    listening = Listening(playlists[learning], family[learning], artist[learning])
    popularity = laid_out.popularity(told.rows)[sample]
    families = np.where(listening.families < 0, -1, number[listening.families])
    again = replace(listening, families=families)
    if not learn:
        return Case(few, None, popularity, None, catalogue, queries)
    heard = companions(again, few.families, few.artists, popularity)
    return Case(few, again, popularity, heard, catalogue, queries)


def _validation(playlists: Indices) -> Indices:
    """Draw the playlists to judge by."""
    known = np.unique(playlists)
    number = round(VALIDATION * len(known))
    return np.random.default_rng(0).choice(known, number, replace=False)


def _sample(
    told: recommending.Known,
    judging: np.ndarray[Any, np.dtype[np.bool_]],
    learning: np.ndarray[Any, np.dtype[np.bool_]],
    most: int,
) -> Indices:
    number = len(told.songs)
    held, heard = (told.entries[part, 0] for part in (judging, learning))
    wanted = np.unique(held[held >= 0])
    counts = np.bincount(heard[heard >= 0], minlength=number).astype(float)
    counts[wanted] = -1
    room = max(0, min(most, number) - len(wanted))
    listened = np.argsort(-counts, kind="stable")[: room // 2]
    rest = np.setdiff1d(np.arange(number), np.union1d(wanted, listened))
    drawn = np.random.default_rng(0).choice(rest, min(len(rest), room - len(listened)), False)
    return np.unique(np.concatenate([wanted, listened, drawn]))


def _part(songs: Songs, rows: Indices) -> tuple[Songs, Indices]:
    """Return some songs, and new numbers of all families: first those that the songs have."""
    own = np.unique(songs.families[rows])
    others = np.setdiff1d(np.arange(songs.families.max() + 1), own)
    number = np.empty(len(own) + len(others), dtype=np.int64)
    number[np.concatenate([own, others])] = np.arange(len(number))
    families = number[songs.families[rows]]
    part = Songs(songs.measurements[rows], songs.genres[rows], songs.artists[rows], families)
    return part, number


def tried(known: Case, trial: Trial) -> Trial:
    """Return the trial with its scores."""
    start = time.perf_counter()
    blocks: dict[str, BaseEstimator] = {
        name: clone(block).set_params(dimensions=trial.dimensions[name])
        if name in trial.dimensions
        else block
        for name, block in encoder.BLOCKS.items()
    }
    _, vectors = encoder.fitted(known.songs, trial.recipe.weights, known.listening, blocks)
    rules = ranking.Rules(
        known.songs.families,
        known.songs.artists,
        ranking.listened_to(known.popularity, known.heard),
        trial.recipe.bonus,
        trial.hub_cap,
        ranking.audience(known.popularity, known.songs.families, known.heard),
        known.heard,
    )
    lists = ranking.recommended(Boxes(vectors), vectors, rules, PLACES).songs
    catalogue, asked = known.catalogue, known.queries
    scores = evaluation.accuracy(catalogue, asked, lists[asked.songs])
    spread = {m.metric: m.value for m in exposure.coverage(catalogue, lists, evaluating.SEGUE)}
    return Trial(
        trial.recipe,
        trial.dimensions,
        trial.hub_cap,
        float(scores[:, evaluation.METRICS.index(evaluation.HEADLINE)].mean()),
        spread["N5 skewness"],
        spread["never recommended"],
        time.perf_counter() - start,
    )


def searched(
    known: Case, start: Trial, trials: int, log: Path, advance: Advance = lambda: None
) -> list[Trial]:
    """Try recipes, the start first, then what a tree-structured Parzen estimator proposes.

    Bergstra et al., Algorithms for hyper-parameter optimization, NIPS 2011, as Optuna does it
    with the bounds as constraints, from a fixed seed.

    Args:
        known: what trials are judged by.
        start: the first trial; weights of 0 stay 0.
        trials: how many.
        log: every trial is added to this file as a line of JSON as soon as it is done.
        advance: told of each trial.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=0, constraints_func=lambda trial: trial.user_attrs[BROKEN]
        )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(_parameters(start))
    done: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        done.append(tried(known, _proposed(trial, start)))
        trial.set_user_attr(BROKEN, done[-1].breaches)
        with log.open("a", encoding="utf-8") as file:
            line = {"trial": trial.number, **asdict(done[-1]), "allowed": done[-1].allowed}
            file.write(json.dumps(line) + "\n")
        advance()
        return done[-1].score

    study.optimize(objective, n_trials=trials)
    return done


def started(known: Case, hub_cap: int | None) -> Trial:
    """Return the recipe in use, untried."""
    own = encoder.recipe_for(known.songs, known.listening)
    shaped = [name for name in DIMENSIONS if getattr(own.weights, name) > 0]
    blocks: dict[str, Any] = encoder.BLOCKS
    sizes = {name: blocks[name].get_params()["dimensions"] for name in shaped}
    return Trial(own, sizes, own.hub_cap if hub_cap is None else hub_cap)


def best(trials: list[Trial]) -> Trial:
    """Return the best trial within the bounds or, if there is none, the one closest to them."""
    allowed = [trial for trial in trials if trial.allowed]
    if allowed:
        return max(allowed, key=lambda trial: trial.score)
    return min(trials, key=lambda trial: max(trial.breaches))


def in_words(trial: Trial) -> str:
    """Return a recipe as ``models/encoder/pipeline.py`` writes it, with its settings elsewhere."""
    weights = ", ".join(f"{weight:.3g}" for weight in asdict(trial.recipe.weights).values())
    sizes = ", ".join(f"{name} {size}" for name, size in trial.dimensions.items()) or "none"
    return (
        f"Recipe(Weights({weights}), bonus={trial.recipe.bonus:.3g}, hub_cap={trial.hub_cap})\n"
        f"# dimensions in BLOCKS: {sizes}"
    )


def _parameters(trial: Trial) -> dict[str, Any]:
    weights = {name: w for name, w in asdict(trial.recipe.weights).items() if w > 0}
    sizes = {f"{name} dimensions": size for name, size in trial.dimensions.items()}
    return {**weights, **sizes, "bonus": trial.recipe.bonus, "hub cap": trial.hub_cap}


def _proposed(trial: optuna.Trial, start: Trial) -> Trial:
    used = [f.name for f in fields(Weights) if getattr(start.recipe.weights, f.name) > 0]
    weights = dict.fromkeys((f.name for f in fields(Weights)), 0.0)
    for name in used:
        weights[name] = trial.suggest_float(name, LIGHTEST, HEAVIEST, log=True)
    sizes = {
        name: trial.suggest_categorical(f"{name} dimensions", sorted({*DIMENSIONS[name], size}))
        for name, size in start.dimensions.items()
    }
    bonus = trial.suggest_float("bonus", 0.0, MOST_BONUS)
    cap = trial.suggest_int("hub cap", *HUB_CAPS)
    return Trial(Recipe(Weights(**weights), bonus), sizes, cap)
