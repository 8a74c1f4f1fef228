"""Learn from ratings: who rated what comes in, factors of songs and vectors of people go out.

A rating is the mean of all, plus a bias of the person and one of the song, plus the product of
their factors, plus noise. The fit is variational Bayes (Lim and Teh, Variational Bayesian Approach
to Movie Rating Prediction, 2007): each vector is a normal belief with a covariance, and the
spread of the vectors and the scatter of the ratings are learnt with them. People and songs that
scatter more count less (Lakshminarayanan et al., Robust Bayesian Matrix Factorisation, 2011).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from models.arrays import FloatMatrix, IndexMatrix

LOWEST, HIGHEST = 1.0, 5.0
LEAST_NOISE = 0.5**2 / 12  # the variance of rounding to half stars
LEAST_SPREAD = 1e-6
FIRST_SPREAD = 0.3
BLOCK_BYTES = 2**24


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a fit is made; the same recipe and ratings give the same bytes.

    ``even_ratings`` is the number of ratings after which a person's or song's own scatter weighs as
    much as everybody's.
    """

    factors: int = 8
    sweeps: int = 20
    even_ratings: float = 20.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Factors:
    """What was learnt about songs: all that is needed to fold in a visitor's ratings.

    Args:
        mean: the mean rating.
        spread: shape ``(1 + n_factors,)``, variance of people's vectors.
        bias: shape ``(n_songs,)``, how much higher than the mean a song is rated.
        vectors: shape ``(n_songs, n_factors)``.
        noise: shape ``(n_songs,)``, variance of a song's ratings around the predictions.
        ratings: shape ``(n_songs,)``, how many ratings a song has.
    """

    mean: float
    spread: FloatMatrix
    bias: FloatMatrix
    vectors: FloatMatrix
    noise: FloatMatrix
    ratings: IndexMatrix


@dataclass(slots=True)
class _Side:
    """The beliefs about the people, or about the songs.

    A row is ``(person's bias, song's bias, factors)``. The column ``fixed`` is 1, to
    be multiplied by the other side's bias; the columns ``free`` are learnt.
    """

    fixed: int
    means: FloatMatrix
    covariances: FloatMatrix
    spread: FloatMatrix
    scatter: FloatMatrix

    @property
    def free(self) -> IndexMatrix:
        """The columns that are learnt, bias first."""
        return np.delete(np.arange(self.means.shape[1]), self.fixed)

    @property
    def squares(self) -> FloatMatrix:
        """The expected outer product of each row with itself, laid flat."""
        outer = self.means[:, :, None] * self.means[:, None, :]
        return np.asarray((outer + self.covariances).reshape(len(outer), -1))


def fitted(
    users: IndexMatrix,
    songs: IndexMatrix,
    ratings: FloatMatrix,
    shape: tuple[int, int],
    recipe: Recipe | None = None,
) -> tuple[Factors, FloatMatrix]:
    """Learn the factors of songs and the vectors of people, whatever the order of the ratings.

    Working memory is about ``3 * 8 * (n_factors + 2) ** 2`` bytes for each person and each song
    that has ratings, and the ratings themselves.

    Args:
        users: shape ``(n_ratings,)``, numbers from 0 up.
        songs: shape ``(n_ratings,)``, numbers from 0 up; each pair of user and song once.
        ratings: shape ``(n_ratings,)``, 1 to 5.
        shape: number of users and of songs; those without ratings get a vector of zeros.
        recipe: how the fit is made.

    Returns:
        The factors of all songs, and the users' vectors, shape ``(n_users, 1 + n_factors)``.

    Raises:
        ValueError: there are no ratings, or one is not from 1 to 5.
    """
    if not len(ratings):
        raise ValueError("expected at least one rating, got none")
    require_ratings(ratings)
    recipe = recipe or Recipe()
    order = np.lexsort((songs, users))
    users_with_ratings, row = np.unique(users[order], return_inverse=True)
    songs_with_ratings, column = np.unique(songs[order], return_inverse=True)
    mean = float(ratings[order].mean())
    with threadpool_limits(1, "blas"):
        people, works, noise = _learnt(row, column, ratings[order] - mean, recipe)
    vectors = np.zeros((shape[0], 1 + recipe.factors))
    vectors[users_with_ratings] = people.means[:, people.free]
    learnt = np.zeros((shape[1], 1 + recipe.factors))
    learnt[songs_with_ratings] = works.means[:, works.free]
    noises = np.full(shape[1], noise)
    noises[songs_with_ratings] *= works.scatter
    counts = np.bincount(songs, minlength=shape[1])
    factors = Factors(mean, people.spread, learnt[:, 0], learnt[:, 1:], noises, counts)
    return factors, vectors


def require_ratings(ratings: FloatMatrix) -> None:
    """Raise if a rating is not from 1 to 5.

    Raises:
        ValueError: says how many are not, and the first of them.
    """
    wrong = ratings[~((ratings >= LOWEST) & (ratings <= HIGHEST))]
    if len(wrong):
        raise ValueError(f"expected ratings from 1 to 5, got {len(wrong)} others: {wrong[0]:g}")


def _learnt(
    row: IndexMatrix, column: IndexMatrix, gaps: FloatMatrix, recipe: Recipe
) -> tuple[_Side, _Side, float]:
    """Return the beliefs about people and songs after all sweeps, and the common noise.

    Args:
        row: number of each rating's person, without gaps.
        column: number of each rating's song, without gaps.
        gaps: the ratings minus their mean.
        recipe: how the fit is made.
    """
    people = _beginning(int(row.max()) + 1, recipe.factors, fixed=1)
    songs = _beginning(int(column.max()) + 1, recipe.factors, fixed=0)
    random = np.random.default_rng(recipe.seed)
    songs.means[:, 2:] = random.normal(scale=FIRST_SPREAD, size=songs.means[:, 2:].shape)
    shape, noise = (len(people.means), len(songs.means)), max(float(gaps.var()), LEAST_NOISE)
    for _ in range(recipe.sweeps):
        weights = 1 / (noise * people.scatter[row] * songs.scatter[column])
        seen = csr_array((weights, (row, column)), shape=shape)
        pulled = csr_array((weights * gaps, (row, column)), shape=shape)
        _believe(people, songs, seen, pulled)
        _believe(songs, people, seen.T.tocsr(), pulled.T.tocsr())
        errors = np.maximum(_squared_errors(people, songs, row, column, gaps), LEAST_NOISE)
        noise = float((errors / people.scatter[row] / songs.scatter[column]).mean())
        noise = max(noise, LEAST_NOISE)
        songs.scatter = _scatter(column, errors / noise / people.scatter[row], recipe)
        people.scatter = _scatter(row, errors / noise / songs.scatter[column], recipe)
    return people, songs, noise


def _beginning(count: int, factors: int, fixed: int) -> _Side:
    width = factors + 2
    means = np.zeros((count, width))
    means[:, fixed] = 1
    spread = np.full(width - 1, FIRST_SPREAD)
    return _Side(fixed, means, np.zeros((count, width, width)), spread, np.ones(count))


def _believe(side: _Side, other: _Side, seen: csr_array, pulled: csr_array) -> None:
    """Set one side's means, covariances and spread to their optimum, given the other side.

    Args:
        side: the beliefs to set.
        other: the beliefs that explain its ratings.
        seen: shape ``(n_side, n_other)``, one over the variance of each rating.
        pulled: the same, times the rating minus the mean.
    """
    free, width = side.free, side.means.shape[1]
    evidence = (seen @ other.squares).reshape(-1, width, width)
    precision = evidence[:, free[:, None], free]
    diagonal = np.arange(len(free))
    precision[:, diagonal, diagonal] += 1 / side.spread
    covariance = np.linalg.inv(precision)
    target = (pulled @ other.means)[:, free] - evidence[:, free, side.fixed]
    side.means[:, free] = np.einsum("nij,nj->ni", covariance, target)
    side.covariances[:, free[:, None], free] = covariance
    squares = side.means[:, free] ** 2 + covariance[:, diagonal, diagonal]
    side.spread = np.maximum(squares.mean(axis=0), LEAST_SPREAD)


def _squared_errors(
    people: _Side, songs: _Side, row: IndexMatrix, column: IndexMatrix, gaps: FloatMatrix
) -> FloatMatrix:
    """Return the squared error of each rating to expect under the beliefs."""
    rows, columns = np.triu_indices(people.means.shape[1])
    twice = np.where(rows == columns, 1, 2)  # as the outer products are symmetric
    places = rows * people.means.shape[1] + columns
    left, right = twice * people.squares[:, places], songs.squares[:, places]
    errors = gaps * (gaps - 2 * np.einsum("nk,nk->n", people.means[row], songs.means[column]))
    step = max(1, BLOCK_BYTES // (8 * left.shape[1]))
    for start in range(0, len(gaps), step):
        part = slice(start, start + step)
        errors[part] += np.einsum("nk,nk->n", left[row[part]], right[column[part]])
    return np.asarray(errors)


def _scatter(owner: IndexMatrix, errors: FloatMatrix, recipe: Recipe) -> FloatMatrix:
    """Return each owner's mean error relative to everybody's, shrunk towards 1."""
    even = recipe.even_ratings
    return np.asarray((np.bincount(owner, errors) + even) / (np.bincount(owner) + even))
