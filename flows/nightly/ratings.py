"""Learn from ratings: a pending warehouse comes in; factors of songs and lists of users go out."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from flows.nightly.plan import Plan
from flows.nightly.progress import Progress
from models.arrays import FloatMatrix, IndexMatrix
from models.judging.evaluation import CATALOGUE, Measure
from models.lists import Sameness
from models.ratings import visitors
from models.ratings.factorisation import Factors, Recipe, fitted
from models.ratings.prediction import errors_in_folds, with_fallback
from transforms import arrays as features
from transforms import evaluation
from transforms import ratings as laid_out
from warehouse import contracts, store

SONGS_EACH = 20
FOLDS = 5
RATING_ERROR = "rating error"
MODELS = {"factors": "segue", "biases": "biases of user and song", "song means": "song means"}
JUDGED_ON = 100_000
USERS_AT_ONCE = 2_000


def fit_ratings(plan: Plan, progress: Progress) -> None:
    """Learn from all ratings; write what they say about songs, and a list for every user.

    Nothing is written if there are no ratings.
    """
    if not any(source.kind == "ratings" for source in plan.signals):
        return
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("rated", unit="ratings") as advance,
    ):
        wanted = ("song_id", "title", "artist", "family_id")
        rows = warehouse.frame(contracts.MERGED_SONGS, wanted)
        ratings = warehouse.frame(contracts.RATINGS)
        users, user, song, stars = laid_out.numbers(ratings, rows["song_id"])
        recipe = Recipe(factors=contracts.FACTORS)
        own, people = fitted(user, song, stars, (len(users), rows.height), recipe)
        wanted = ("song_id", "rank", "recommended_song_id", "similarity")
        others = warehouse.frame(contracts.RECOMMENDATIONS, wanted)
        lent = with_fallback(own, *laid_out.neighbours(others, rows["song_id"]))
        said = np.flatnonzero((lent.ratings > 0) | (lent.bias != 0) | lent.vectors.any(axis=1))
        sameness = Sameness(*features.sameness(rows)).of(said)
        factors = visitors.part(lent, said)
        _publish(warehouse, rows["song_id"].gather(said), factors)
        shelf = visitors.shelved(factors, sameness, sameness.namesakes)
        warehouse.clear(contracts.USER_RECOMMENDATIONS)
        given = (user, np.searchsorted(said, song), stars)
        for lists in _lists(users, rows["song_id"].gather(said), shelf, people, given):
            warehouse.append(contracts.USER_RECOMMENDATIONS, lists)
        _write_measures(warehouse, measures(user, song, stars))
        advance(ratings.height)


def _publish(warehouse: store.Warehouse, songs: pl.Series, factors: Factors) -> None:
    """Write what is known of songs."""
    facts = (factors.ratings, factors.bias, factors.noise, factors.vectors)
    warehouse.replace(contracts.RATING_FACTORS, laid_out.factor_rows(songs, *facts))
    parameters = laid_out.parameter_rows(factors.mean, factors.spread)
    warehouse.replace(contracts.RATING_PARAMETERS, parameters)


def _lists(
    users: pl.Series,
    songs: pl.Series,
    shelf: visitors.Shelf,
    people: FloatMatrix,
    given: tuple[IndexMatrix, IndexMatrix, FloatMatrix],
) -> Iterator[pl.DataFrame]:
    """Yield ``user_recommendations``, ``USERS_AT_ONCE`` users at a time.

    Args:
        users: everyone who rated.
        songs: those of the shelf.
        shelf: what can be recommended.
        people: shape ``(n_users, 1 + n_factors)``.
        given: user, song of the shelf and stars of each rating, sorted by user.
    """
    user, song, stars = given
    ends = np.searchsorted(user, np.arange(len(users) + 1))

    def listed(place: int) -> laid_out.List:
        own = slice(ends[place], ends[place + 1])
        picks = visitors.picked(shelf, people[place], song[own], stars[own], SONGS_EACH)
        led = picks.because >= 0
        because = np.where(led, song[own][picks.because], -1)
        return picks.songs, picks.ratings, because, np.where(led, stars[own][picks.because], np.nan)

    for start in range(0, len(users), USERS_AT_ONCE):
        part = range(start, min(start + USERS_AT_ONCE, len(users)))
        lists = [listed(place) for place in part]
        yield laid_out.list_rows(users[part.start : part.stop], songs, lists)


def measures(user: IndexMatrix, song: IndexMatrix, stars: FloatMatrix) -> list[Measure]:
    """Measure the error of predictions on held-out ratings, beside simpler models.

    With more than ``JUDGED_ON`` ratings, only those of some users are used, drawn from a fixed
    seed, so that a night's work stays limited.

    Args:
        user: shape ``(n_ratings,)``, numbers from 0 up.
        song: shape ``(n_ratings,)``, numbers from 0 up.
        stars: shape ``(n_ratings,)``.

    Returns:
        An empty list if there are too few ratings for ``FOLDS`` folds.
    """
    shape = (int(user.max()) + 1, int(song.max()) + 1)
    order = np.random.default_rng(0).permutation(shape[0])
    counts = np.cumsum(np.bincount(user)[order])
    drawn = order[: np.searchsorted(counts, JUDGED_ON) + 1]
    judged = np.isin(user, drawn)
    if judged.sum() < FOLDS:
        return []
    errors = errors_in_folds(user[judged], song[judged], stars[judged], shape, FOLDS)
    return [
        Measure(RATING_ERROR, MODELS[name], CATALOGUE, error, None, None, int(judged.sum()))
        for name, error in errors.items()
    ]


def _write_measures(warehouse: store.Warehouse, found: list[Measure]) -> None:
    """Add measures to the table ``evaluation``, in place of those of a try before this one."""
    others = warehouse.frame(contracts.EVALUATION).filter(pl.col("metric") != RATING_ERROR)
    rows = pl.concat([others, evaluation.evaluation_rows(found)]).sort(contracts.EVALUATION.key)
    warehouse.replace(contracts.EVALUATION, rows)
