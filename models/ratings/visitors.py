"""Ask visitors about songs and recommend others: ratings come in, songs of a shelf go out.

A visitor is known only by what they have rated so far; nothing is kept.
"""

from dataclasses import dataclass, replace

import numpy as np

from models.arrays import FloatMatrix, IndexMatrix
from models.lists import Sameness, allowed
from models.ratings.factorisation import HIGHEST, LOWEST, Factors
from models.ratings.prediction import ASKED_AMONG, contributions, folded_in, worth_asking

DEPTH = 200  # roughly how many songs are sorted for one list
EVERY = 16  # step of the sample that tells where the highest scores begin
DEEPER = 4


@dataclass(frozen=True, slots=True)
class Shelf:
    """The songs that can be asked about and recommended; get it from ``shelved``.

    Args:
        factors: of all songs.
        sameness: which of them stand in each other's way in a list.
        tastes: shape ``(n_songs,)``, a number for each song's taste.
        known: shape ``(n_songs,)``, how many know a song; 0 for all but one that looks the same.
        best_known: shape ``(n_songs,)``, the songs, best known first.
    """

    factors: Factors
    sameness: Sameness
    tastes: IndexMatrix
    known: FloatMatrix
    best_known: IndexMatrix


@dataclass(frozen=True, slots=True)
class Picks:
    """Recommendations for one person, best first.

    Args:
        songs: shape ``(n,)``.
        ratings: shape ``(n,)``, how they would rate it, 1 to 5.
        because: shape ``(n,)``, the place, among their ratings, of the one that speaks most for it:
            one above what most people give if any of those speaks for it, otherwise any; -1 if none
            does, and it is recommended because people like it.
    """

    songs: IndexMatrix
    ratings: FloatMatrix
    because: IndexMatrix


def shelved(factors: Factors, sameness: Sameness, tastes: IndexMatrix) -> Shelf:
    """Return the shelf of these songs, once for all visitors; people know what they rated."""
    namesakes = sameness.namesakes
    first = np.lexsort((np.arange(len(namesakes)), -factors.ratings))
    _, places = np.unique(namesakes[first], return_index=True)
    known = np.zeros(len(namesakes))
    known[first[places]] = factors.ratings[first[places]]
    return Shelf(factors, sameness, tastes, known, np.argsort(-known, kind="stable"))


def part(factors: Factors, songs: IndexMatrix) -> Factors:
    """Return the factors of some songs, in the order given."""
    return replace(
        factors,
        bias=factors.bias[songs],
        vectors=factors.vectors[songs],
        noise=factors.noise[songs],
        ratings=factors.ratings[songs],
    )


def asked(shelf: Shelf, rated: IndexMatrix, passed: IndexMatrix, k: int = 5) -> IndexMatrix:
    """Choose the songs to ask about next: well known, from several tastes, and telling.

    Args:
        shelf: of the build.
        rated: songs that the visitor has rated.
        passed: songs asked about and not rated; neither they nor their versions come again.
        k: how many songs to ask about.

    Returns:
        Shape ``(k,)``, or fewer if fewer are left, as ``worth_asking`` would choose among all
        songs.
    """
    done = np.concatenate([rated, passed])
    pool = shelf.best_known[: ASKED_AMONG + len(done)]
    rows = np.union1d(pool, rated)
    fresh = ~np.isin(shelf.sameness.namesakes[rows], shelf.sameness.namesakes[done])
    answered = np.searchsorted(rows, rated)
    few = part(shelf.factors, rows)
    chosen = worth_asking(few, shelf.known[rows] * fresh, shelf.tastes[rows], answered, k)
    return np.asarray(rows[chosen])


def recommended(shelf: Shelf, songs: IndexMatrix, ratings: FloatMatrix, k: int = 3) -> Picks:
    """Fold a visitor in and choose the songs that they would rate highest.

    Args:
        shelf: of the build.
        songs: shape ``(n_ratings,)``, the songs that the visitor rated.
        ratings: shape ``(n_ratings,)``, 1 to 5, NaN for "don't know it".
        k: songs to recommend.

    Raises:
        ValueError: a song is not on the shelf, or a rating is not from 1 to 5.
    """
    return picked(shelf, folded_in(shelf.factors, songs, ratings), songs, ratings, k)


def picked(
    shelf: Shelf, person: FloatMatrix, songs: IndexMatrix, ratings: FloatMatrix, k: int
) -> Picks:
    """Choose the songs that a person would rate highest, and say which rating led to each.

    Args:
        shelf: of the build.
        person: shape ``(1 + n_factors,)``, their vector.
        songs: shape ``(n_ratings,)``, the songs that they rated.
        ratings: shape ``(n_ratings,)``.
        k: songs to choose.
    """
    listed, scores = highest(shelf, person, songs[~np.isnan(ratings)], k)
    moved = contributions(shelf.factors, songs, ratings, listed)
    liked = ratings > shelf.factors.mean + shelf.factors.bias[songs]
    because = _most(np.where(liked, moved, 0))
    because = np.where(because >= 0, because, _most(moved))
    return Picks(listed, np.clip(scores, LOWEST, HIGHEST), because)


def _most(moved: FloatMatrix) -> IndexMatrix:
    """Return the place of the highest value above 0 in each row, -1 if there is none."""
    with_none = np.column_stack([np.zeros(len(moved)), moved])
    return np.asarray(with_none.argmax(axis=1) - 1)


def highest(
    shelf: Shelf, person: FloatMatrix, rated: IndexMatrix, k: int
) -> tuple[IndexMatrix, FloatMatrix]:
    """Return the ``k`` songs that a person would rate highest, among those not rated yet.

    Never a song that was rated, nor another version of it, nor two versions of one song,
    nor more than ``lists.ARTIST_CAP`` by one artist. Equal songs score equal to the last bit,
    which a matrix product would not promise; ties go by number.

    Returns:
        Songs and scores, highest first; fewer if the rules leave fewer. Scores are predicted
        ratings that may be below 1 or above 5.
    """
    factors = shelf.factors
    products = np.einsum("nk,k->n", factors.vectors, person[1:])
    scores = (factors.mean + person[0]) + (factors.bias + products)
    sample, place = np.sort(scores[::EVERY]), 1 + (DEPTH + len(rated)) // EVERY
    barred = set(shelf.sameness.namesakes[rated].tolist())
    while True:
        limit = sample[-place] if place <= len(sample) else -np.inf
        best = np.flatnonzero(scores >= limit)
        best = best[np.argsort(-scores[best], kind="stable")]
        listed = best[allowed(best, barred, shelf.sameness, k)]
        if len(listed) == k or len(best) == len(scores):
            return listed, scores[listed]
        place *= DEEPER
