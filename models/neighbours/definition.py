"""Nearest neighbours by the definition: vectors and queries come in, the nearest of all go out.

Every distance is measured, in double precision: slow, and what every engine is held to.
"""

import numpy as np

from models.arrays import FloatMatrix, IndexMatrix

CHUNK_BYTES = 2**26


def nearest_by_definition(
    points: FloatMatrix, queries: FloatMatrix, k: int, leave_out: IndexMatrix | None = None
) -> tuple[IndexMatrix, FloatMatrix]:
    """Measure every distance in double precision and return the ``k`` least for each query.

    Args:
        points: shape ``(n_songs, n_columns)``.
        queries: shape ``(n_queries, n_columns)``.
        k: points per query; at most ``n_songs``, less one where one is left out.
        leave_out: for each query the number of a point that is not to be returned.

    Returns:
        ``(indices, distances)`` of shape ``(n_queries, k)``, nearest first, ties by index.
    """
    indices = np.empty((len(queries), k), dtype=np.int64)
    distances = np.empty((len(queries), k))
    step = max(1, CHUNK_BYTES // (8 * len(points)))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        squares = np.zeros((len(queries[part]), len(points)))
        for column in range(points.shape[1]):
            squares += np.square(queries[part, column, None] - points[:, column])
        if leave_out is not None:
            squares[np.arange(len(squares)), leave_out[part]] = np.inf
        reach = np.partition(squares, k - 1, axis=1)[:, k - 1]
        for row, limit in enumerate(reach):
            tied = np.flatnonzero(squares[row] <= limit)
            order = np.lexsort((tied, squares[row, tied]))[:k]
            indices[start + row] = tied[order]
            distances[start + row] = np.sqrt(squares[row, tied[order]])
    return indices, distances
