"""Songs nearest to any of several: vectors and questions come in, the nearest songs go out."""

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatMatrix, IndexMatrix, Points, SingleMatrix

BLOCK = 8192  # songs that are compared at once
SPARE = 32  # more than asked for, as single precision may put equals in any order


@dataclass(frozen=True, slots=True)
class Around:
    """What lies around some vectors, nearest first.

    Args:
        songs: shape ``(depth,)``.
        distances: shape ``(depth,)``, Euclidean, to the nearest of the vectors.
        nearest: shape ``(depth,)``, the number of that vector.
    """

    songs: IndexMatrix
    distances: FloatMatrix
    nearest: IndexMatrix


def around(points: SingleMatrix, queries: Points, depth: int) -> Around:
    """Return the ``depth`` songs whose distance to the nearest query is least.

    Every song is compared with every query by matrix products in single precision; what they bring
    up is measured again in double.

    Args:
        points: shape ``(n_songs, n_columns)``; may lie on disk (``np.memmap``).
        queries: shape ``(n_queries, n_columns)``, one at least.
        depth: fewer are returned where there are fewer songs.
    """
    single = np.ascontiguousarray(queries, dtype=np.float32)
    lengths = np.einsum("ij,ij->i", single, single)
    least = np.empty(len(points), dtype=np.float32)
    for start in range(0, len(points), BLOCK):
        block = np.asarray(points[start : start + BLOCK])
        squares = block @ single.T
        squares *= -2
        squares += lengths
        least[start : start + BLOCK] = squares.min(axis=1) + np.einsum("ij,ij->i", block, block)
    found = np.arange(len(points))
    if depth + SPARE < len(points):
        found = np.sort(np.argpartition(least, depth + SPARE - 1)[: depth + SPARE])
    distances, nearest = _measured(points, found, queries)
    order = np.lexsort((found, distances))[:depth]
    return Around(found[order], distances[order], nearest[order])


def _measured(
    points: SingleMatrix, songs: IndexMatrix, queries: Points
) -> tuple[FloatMatrix, IndexMatrix]:
    """Return the distance of each song to its nearest query, in double, and which that is."""
    wanted = queries.astype(np.float64)
    distances, nearest = np.empty(len(songs)), np.empty(len(songs), dtype=np.int64)
    for place, song in enumerate(songs.tolist()):
        apart = wanted - points[song]
        squares = np.einsum("ij,ij->i", apart, apart)
        nearest[place] = squares.argmin()
        distances[place] = np.sqrt(squares[nearest[place]])
    return distances, nearest
