"""Use what was learnt from ratings: a few ratings come in, predictions and questions go out.

A visitor is a vector, bias first, then factors: a row of what ``factorisation`` learnt, or folded
in from ratings that it never saw. Nothing here depends on what other visitors sent.
"""

from dataclasses import replace

import numpy as np

from models.arrays import FloatMatrix, IndexMatrix
from models.ratings.factorisation import (
    HIGHEST,
    LOWEST,
    Factors,
    Recipe,
    fitted,
    require_ratings,
)

ENOUGH_RATINGS = 5.0
ASKED_AMONG = 100


def folded_in(factors: Factors, songs: IndexMatrix, ratings: FloatMatrix) -> FloatMatrix:
    """Return a visitor's vector from a few ratings, leaving the songs' factors as they are.

    It solves the regularised least squares that a fit solves for each person: squared errors
    divided by the songs' noise, plus the squared vector divided by the people's spread.

    Args:
        factors: of all songs.
        songs: shape ``(n_ratings,)``, numbers of the songs.
        ratings: shape ``(n_ratings,)``, 1 to 5, NaN for "don't know it", which does not count.

    Returns:
        Shape ``(1 + n_factors,)``; zeros, the average person, if there is no rating.

    Raises:
        ValueError: a song is not one of the factors', or a rating is not from 1 to 5.
    """
    songs, ratings = _given(factors, songs, ratings)
    return np.asarray(_pulls(factors, songs) @ (ratings - factors.mean - factors.bias[songs]))


def predicted(factors: Factors, visitors: FloatMatrix, songs: IndexMatrix) -> FloatMatrix:
    """Return how each visitor would rate a song, from 1 to 5.

    Args:
        factors: of all songs.
        visitors: shape ``(n, 1 + n_factors)``, or one vector.
        songs: shape ``(n,)``, the song for each visitor.
    """
    products = np.einsum("...k,...k->...", visitors[..., 1:], factors.vectors[songs])
    ratings = factors.mean + visitors[..., 0] + factors.bias[songs] + products
    return np.asarray(np.clip(ratings, LOWEST, HIGHEST))


def contributions(
    factors: Factors, songs: IndexMatrix, ratings: FloatMatrix, others: IndexMatrix
) -> FloatMatrix:
    """Return how much each of a visitor's ratings moved the prediction for each other song.

    The fold-in is linear in the ratings, so this is exact: a row adds up to the product of the
    visitor's factors and the other song's, the only part of a prediction that depends on both.

    Args:
        factors: of all songs.
        songs: shape ``(n_ratings,)``, the songs that the visitor rated.
        ratings: shape ``(n_ratings,)``; NaN moves nothing.
        others: shape ``(n_others,)``, the songs to explain.

    Returns:
        Shape ``(n_others, n_ratings)``, in stars.

    Raises:
        ValueError: as for ``folded_in``.
    """
    answered = ~np.isnan(ratings)
    songs, ratings = _given(factors, songs, ratings)
    moved = np.zeros((len(others), len(answered)))
    pulls = _pulls(factors, songs)[1:] * (ratings - factors.mean - factors.bias[songs])
    moved[:, answered] = factors.vectors[others] @ pulls
    return moved


def with_fallback(
    factors: Factors,
    neighbours: IndexMatrix,
    weights: FloatMatrix,
    enough: float = ENOUGH_RATINGS,
) -> Factors:
    """Lend songs with few ratings the factors of their neighbours.

    A fit shrinks a song with n ratings towards zero, by about ``enough / (n + enough)``; that share
    of its neighbours' weighted mean is added, which shrinks it towards them instead. A neighbour
    counts by its own ``n / (n + enough)``. How far to trust neighbours is measured on the songs
    with ratings: bias and vectors are scaled by the slope, from 0 to 1, of a song's own values on
    what it would be lent. So neighbours that say nothing about taste lend nothing.

    Args:
        factors: of all songs.
        neighbours: shape ``(n_songs, k)``, numbers of songs, -1 for none.
        weights: shape ``(n_songs, k)``, at least 0.
        enough: number of ratings after which a song's own count as much as what it is lent.

    Returns:
        The same with other ``bias`` and ``vectors``; a song whose neighbours have no ratings
        keeps its own.
    """
    own = np.column_stack([factors.bias, factors.vectors])
    share = factors.ratings / (factors.ratings + enough)
    lent, total = np.zeros_like(own), np.zeros(len(own))
    for others, weight in zip(neighbours.T, weights.T, strict=True):
        pull = np.where(others >= 0, weight * share[others], 0)
        lent += pull[:, None] * own[others]
        total += pull
    lent[total > 0] /= total[total > 0, None]
    for part in (slice(0, 1), slice(1, None)):
        fit = (share[:, None] * lent[:, part] * own[:, part]).sum()
        size = (share[:, None] * lent[:, part] ** 2).sum()
        lent[:, part] *= np.clip(fit / size, 0, 1) if size > 0 else 0
    mixed = own + (1 - share[:, None]) * lent
    return replace(factors, bias=mixed[:, 0], vectors=mixed[:, 1:])


def worth_asking(
    factors: Factors,
    known: FloatMatrix,
    tastes: IndexMatrix,
    answered: IndexMatrix,
    k: int = 5,
) -> IndexMatrix:
    """Choose the songs whose rating would say most about a visitor, among well-known ones.

    Greedily picks the song with the highest ``sqrt(known) * variance``, the variance of what this
    visitor may think of it, given the answers so far. So songs that divide opinion come first, and
    songs that would repeat an answer do not. One of each taste, as long as there are others.

    Args:
        factors: of all songs.
        known: shape ``(n_songs,)``, how likely a visitor knows each song, or any number in
            proportion; 0 for songs not to ask about, such as those asked before.
        tastes: shape ``(n_songs,)``, a number for each song's taste.
        answered: numbers of the songs that the visitor has rated.
        k: how many songs to ask about.

    Returns:
        Shape ``(k,)``, or fewer if no more can be asked; in the order of choice, ties by number.
    """
    best_known = np.argsort(-known, kind="stable")[: ASKED_AMONG + len(answered)]
    pool = best_known[(known[best_known] > 0) & ~np.isin(best_known, answered)][:ASKED_AMONG]
    pool = np.sort(pool)
    designs, doubt = _designs(factors, pool), _doubt(factors, answered)
    chosen: list[int] = []
    for _ in range(min(k, len(pool))):
        worth = np.sqrt(known[pool]) * np.einsum("nk,kl,nl->n", designs, doubt, designs)
        free = ~np.isin(pool, chosen)
        fresh = free & ~np.isin(tastes[pool], tastes[chosen])
        song = pool[np.argmax(np.where(fresh if fresh.any() else free, worth, -1))]
        chosen.append(int(song))
        doubt = _doubt(factors, np.append(answered, chosen).astype(np.int64))
    return np.array(chosen, dtype=np.int64)


def errors_in_folds(
    users: IndexMatrix,
    songs: IndexMatrix,
    ratings: FloatMatrix,
    shape: tuple[int, int],
    folds: int = 5,
) -> dict[str, float]:
    """Return how far off each model is on ratings that it has not seen, each held out once.

    The folds are drawn from a fixed seed; the order of the ratings does not matter.

    Args:
        users: shape ``(n_ratings,)``, as for ``fitted``.
        songs: shape ``(n_ratings,)``.
        ratings: shape ``(n_ratings,)``.
        shape: number of users and of songs.
        folds: how many times a model is fitted, on all but one part of the ratings; at least 2.

    Returns:
        Root mean square error in stars of ``song means``, ``biases`` (of people and songs) and
        ``factors``, the model that serves.

    Raises:
        ValueError: there are fewer ratings than folds, or one is not from 1 to 5.
    """
    if len(ratings) < folds:
        raise ValueError(f"expected at least {folds} ratings for as many folds, got {len(ratings)}")
    order = np.lexsort((songs, users))
    users, songs, ratings = users[order], songs[order], ratings[order]
    fold = np.random.default_rng(0).permutation(len(ratings)) % folds
    squares = dict.fromkeys(("song means", "biases", "factors"), 0.0)
    for number in range(folds):
        seen, held = fold != number, fold == number
        count = np.bincount(songs[seen], minlength=shape[1])
        total = np.bincount(songs[seen], ratings[seen], shape[1])
        means = np.where(count > 0, total / np.maximum(count, 1), ratings[seen].mean())
        guesses = {"song means": means[songs[held]]}
        for name, recipe in {"biases": Recipe(factors=0), "factors": Recipe()}.items():
            factors, people = fitted(users[seen], songs[seen], ratings[seen], shape, recipe)
            guesses[name] = predicted(factors, people[users[held]], songs[held])
        for name, guess in guesses.items():
            squares[name] += float(np.square(guess - ratings[held]).sum())
    return {name: float(np.sqrt(square / len(ratings))) for name, square in squares.items()}


def _given(
    factors: Factors, songs: IndexMatrix, ratings: FloatMatrix
) -> tuple[IndexMatrix, FloatMatrix]:
    """Return the rated songs with their ratings, or raise if one is not usable."""
    answered = ~np.isnan(ratings)
    songs, ratings = songs[answered], ratings[answered]
    strange = songs[(songs < 0) | (songs >= len(factors.bias))]
    if len(strange):
        raise ValueError(f"expected songs from 0 to {len(factors.bias) - 1}, got {strange[0]}")
    require_ratings(ratings)
    return songs, ratings


def _designs(factors: Factors, songs: IndexMatrix) -> FloatMatrix:
    """Return what a person's vector is multiplied by for each song: 1, then its factors."""
    return np.column_stack([np.ones(len(songs)), factors.vectors[songs]])


def _doubt(factors: Factors, songs: IndexMatrix) -> FloatMatrix:
    """Return the covariance of a visitor's vector once these songs have any rating."""
    designs = _designs(factors, songs)
    precision = np.diag(1 / factors.spread)
    precision += (designs / factors.noise[songs, None]).T @ designs
    return np.asarray(np.linalg.inv(precision))


def _pulls(factors: Factors, songs: IndexMatrix) -> FloatMatrix:
    """Return how each star above expectation moves a visitor's vector, one column per rating."""
    weighted = _designs(factors, songs) / factors.noise[songs, None]
    return np.asarray(_doubt(factors, songs) @ weighted.T)
