"""Hold a search to the definition: candidates come in, the share of right ones goes out."""

import numpy as np

from models.arrays import Flags, FloatMatrix, IndexMatrix, SingleMatrix
from models.judging.evaluation import Measure, sample_mean
from models.judging.queries import SEED

CHUNK_BYTES = 2**26
EXACTNESS = "exactness"
SAMPLED = 2000
SLACK = 1e-9


def sampled_songs(songs: int, most: int = SAMPLED) -> IndexMatrix:
    """Return the rows of at most ``most`` songs, ascending, from a fixed seed."""
    drawn = np.random.default_rng(SEED).choice(songs, min(songs, most), replace=False)
    return np.sort(drawn).astype(np.int64)


def exactness(
    vectors: FloatMatrix | SingleMatrix, songs: IndexMatrix, candidates: IndexMatrix, model: str
) -> list[Measure]:
    """Return the share of candidates that are among as many nearest by the definition.

    Every song is compared in double precision. A candidate as far as the last of the nearest, to
    a relative ``SLACK``, is right: which of several equal ones is named does not matter here.

    Args:
        vectors: shape ``(n_songs, n_columns)``, finite, in single or double precision; what is
            right is right for these numbers, measured in double.
        songs: shape ``(n_rows,)``, such as ``sampled_songs``.
        candidates: shape ``(n_rows, k)``, the nearest others that the search found, before any
            rule; -1 for none, which is wrong.
        model: whose candidates they are.
    """
    found = np.full(candidates.shape, np.inf)
    row, column = np.nonzero((candidates >= 0) & (candidates != songs[:, None]))
    found[row, column] = _apart(vectors[candidates[row, column]], vectors[songs[row]])
    found[~distinct(candidates)] = np.inf
    reach = _reach(vectors, songs, found.max(axis=1), candidates.shape[1])
    right = np.isfinite(found) & (found <= reach[:, None] * (1 + SLACK))
    return [sample_mean(EXACTNESS, model, right.mean(axis=1))]


def distinct(values: IndexMatrix) -> Flags:
    """Return where a value stands for the first time in its row."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    fresh = np.ones(values.shape, dtype=bool)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    distinct = np.empty_like(fresh)
    np.put_along_axis(distinct, order, fresh, axis=1)
    return distinct


def _reach(
    vectors: FloatMatrix | SingleMatrix, songs: IndexMatrix, far: FloatMatrix, depth: int
) -> FloatMatrix:
    """Return how far the ``depth``-th nearest other song is, given that it is at most ``far``.

    Products find the songs that can lie within ``far``. If they are no more than ``depth``, it is
    right; otherwise they are measured again by their differences, in double precision. A product
    of rows of length d is off by at most d units of rounding times the product of their lengths
    (Higham, Accuracy and Stability of Numerical Algorithms, 3.1), so nothing is missed.
    """
    squares = np.einsum("ij,ij->i", vectors, vectors)
    lengths = 2 * np.sqrt(squares[songs]) + far
    slack = (2 * vectors.shape[1] + 6) * np.finfo(vectors.dtype).eps * lengths**2
    bounds = (far**2 - squares[songs] + slack).astype(vectors.dtype)
    reach = far.copy()
    step = max(1, CHUNK_BYTES // (vectors.itemsize * len(vectors)))
    for start in range(0, len(songs), step):
        asked = songs[start : start + step]
        apart = (-2 * vectors[asked]) @ vectors.T
        apart += squares
        apart[np.arange(len(asked)), asked] = np.nan
        within = apart <= bounds[start : start + step, None]
        for row in np.flatnonzero(within.sum(axis=1) > depth):
            exact = _apart(vectors[within[row]], vectors[asked[row]])
            reach[start + row] = np.partition(exact, depth - 1)[depth - 1]
    return reach


def _apart(one: FloatMatrix | SingleMatrix, other: FloatMatrix | SingleMatrix) -> FloatMatrix:
    """Return how far rows are apart, measured in double precision."""
    gaps = one.astype(np.float64) - other
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", gaps, gaps)))
