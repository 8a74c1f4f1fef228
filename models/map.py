"""Lay songs out on a plane: vectors and recommendations come in, a position for each goes out.

t-SNE (van der Maaten and Hinton, JMLR 2008) places landmarks, some of every taste. Every other
song is placed among its nearest landmarks and then pulled a little towards its recommendations,
which separates songs that share landmarks. Everything is seeded and summed on one thread, so that
equal input gives an equal map.
"""

import numpy as np
from joblib import Parallel, delayed
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from models.arrays import Flags, FloatMatrix, IndexMatrix, SingleMatrix

LANDMARKS = 2_400
PERPLEXITY = 30
PASSES = 500
ANGLE = 0.5
AMONG = 3
ROUNDS = 8
BLOCK = 4096
DIGITS = 5
SEED = 20261121


def places(points: SingleMatrix, tastes: IndexMatrix, lists: IndexMatrix) -> FloatMatrix:
    """Return a position for each song, such that similar songs are close to each other.

    Args:
        points: shape ``(n_songs, n_columns)``, finite.
        tastes: shape ``(n_songs,)``, a number for each song's taste.
        lists: shape ``(n_songs, k)``, the rows recommended for each; -1 for none.

    Returns:
        Shape ``(n_songs, 2)``, from 0 to 1; one scale for both axes.
    """
    marks = landmarks(tastes)
    with threadpool_limits(1):
        placed = _embedded(points[marks])
    if len(marks) == len(points):
        return _fitted(placed)
    spots = _among(points, points[marks], placed)
    spots[marks] = placed
    return _fitted(_drawn(spots, lists, marks))


def landmarks(tastes: IndexMatrix, number: int = LANDMARKS) -> IndexMatrix:
    """Return the rows of ``number`` songs, each taste by its share, in ascending order."""
    songs = len(tastes)
    if songs <= number:
        return np.arange(songs)
    mixed = np.lexsort((np.random.default_rng(SEED).permutation(songs), tastes))
    return np.sort(mixed[np.linspace(0, songs - 1, number).astype(np.int64)])


def _embedded(points: SingleMatrix) -> FloatMatrix:
    """Return shape ``(n_points, 2)`` by t-SNE, starting from the first two principal components.

    A handful of points, or points that are all the same, have nothing to unfold.
    """
    flat = np.zeros((len(points), 2))
    columns = min(2, *points.shape)
    if len(points) > 1:
        flat[:, :columns] = PCA(columns, svd_solver="full").fit_transform(points)
    spread = flat[:, 0].std()
    if len(points) <= AMONG or spread == 0:
        return flat
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    start = (flat / spread * 1e-4).astype(np.float32)
    how = {"init": start, "max_iter": PASSES, "angle": ANGLE, "random_state": SEED, "n_jobs": 1}
    return np.asarray(TSNE(2, perplexity=perplexity, **how).fit_transform(points), np.float64)


def _among(points: SingleMatrix, marks: SingleMatrix, placed: FloatMatrix) -> FloatMatrix:
    """Return for each point the mean position of its nearest landmarks, weighted by distance^-4."""
    squares = np.einsum("ij,ij->i", marks, marks)

    def block(start: int) -> FloatMatrix:
        some = points[start : start + BLOCK]
        apart = squares - 2 * (some @ marks.T)
        apart += np.einsum("ij,ij->i", some, some)[:, None]
        rows = np.arange(len(some))
        nearest, distance = np.empty((2, AMONG, len(some)))
        for place in range(AMONG):
            nearest[place] = mark = apart.argmin(axis=1)
            distance[place] = apart[rows, mark]
            apart[rows, mark] = np.inf
        weight = np.maximum(distance, 1e-6) ** -2
        weight /= weight.sum(axis=0)
        at = placed[nearest.astype(np.int64)]
        return np.asarray(np.einsum("kn,knd->nd", weight, at))

    jobs = Parallel(-1, backend="threading")
    with threadpool_limits(1, "blas"):
        blocks = jobs(delayed(block)(start) for start in range(0, len(points), BLOCK))
    return np.concatenate(list(blocks))


def _drawn(spots: FloatMatrix, lists: IndexMatrix, marks: IndexMatrix) -> FloatMatrix:
    """Move songs halfway to the mean of their recommendations, again and again.

    Landmarks stay where they are; otherwise everything would shrink to a point.
    """
    valid: Flags = np.asarray(lists >= 0)
    share = valid / np.maximum(valid.sum(axis=1, keepdims=True), 1)
    moves: Flags = np.asarray(valid.any(axis=1))
    moves[marks] = False
    for _ in range(ROUNDS):
        middle = np.einsum("nk,nkd->nd", share, spots[lists])
        spots = np.where(moves[:, None], (spots + middle) / 2, spots)
    return spots


def _fitted(spots: FloatMatrix) -> FloatMatrix:
    """Scale the plane to fit the unit square, centred, without changing its shape."""
    low, high = spots.min(axis=0), spots.max(axis=0)
    side = float((high - low).max()) or 1.0
    return np.asarray(np.round(0.5 + (spots - (low + high) / 2) / side, DIGITS))
