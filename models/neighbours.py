"""Exact nearest neighbours: vectors come in, indices and distances of the nearest others go out.

The songs are laid out in boxes of a few hundred that lie close together. A box is compared with
the others from the nearest on, by matrix products, until no box that is left can hold anything
nearer than what was found. Matrix products are in single precision; what they bring up is measured
again in double, and a song for which rounding could have hidden a neighbour is searched
again in double. Memory grows with the answer, not with the square of the songs.
"""

from collections.abc import Callable

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

FloatMatrix = NDArray[np.float64]
IndexMatrix = NDArray[np.int64]
Advance = Callable[[int], None]

BOX_SONGS = 512
FIRST_BOXES = 4
NEXT_BOXES = 16
SPARE = 12
CHUNK_BYTES = 2**26


def ignore(_: int) -> None:
    """Take a count of finished songs and do nothing with it."""


class Neighbours:
    """Vectors laid out for search; rows keep their numbers.

    Args:
        points: shape ``(n_songs, n_columns)``, finite.
        workers: threads; each answers whole boxes on its own, so that the result is the same
            for any number.
    """

    def __init__(self, points: FloatMatrix, workers: int = -1) -> None:
        self._points = points
        self._workers = workers
        single = _principal(points).astype(np.float32)
        self._boxes = _boxes(single, BOX_SONGS)
        self._order = np.concatenate(self._boxes)
        self._single = np.ascontiguousarray(single[self._order])
        self._square = np.einsum("ij,ij->i", self._single, self._single)
        ones = np.ones_like(self._square)
        self._right = np.column_stack([self._single, self._square, ones])
        self._stops = np.cumsum([len(box) for box in self._boxes])
        self._starts = self._stops - [len(box) for box in self._boxes]
        spans = [slice(a, b) for a, b in zip(self._starts, self._stops, strict=True)]
        self._low = np.array([self._single[span].min(axis=0) for span in spans])
        self._high = np.array([self._single[span].max(axis=0) for span in spans])

    def nearest_others(
        self, k: int, rows: IndexMatrix | None = None, advance: Advance = ignore
    ) -> tuple[IndexMatrix, FloatMatrix]:
        """Find each row's ``k`` nearest other rows, nearest first.

        A row is left out of its own answer by its number. Dropping the first column instead
        would drop the wrong row wherever two songs share a position (scikit-learn issue 16512).

        Args:
            k: neighbours per row; at least 1 and less than ``n_songs``.
            rows: numbers of the rows to answer for; all of them by default.
            advance: told how many rows are done, as they are.

        Returns:
            ``(indices, distances)``, both of shape ``(len(rows), k)``. Distances are Euclidean
            and ascend along each row; equal ones are in the order of the index.

        Raises:
            ValueError: ``k`` does not leave room for that many other rows.
        """
        songs = len(self._points)
        if not 1 <= k < songs:
            raise ValueError(f"k={k}: expected from 1 to {songs - 1} with {songs} songs")
        wanted = np.arange(songs) if rows is None else rows
        place = np.full(songs, -1)
        place[wanted] = np.arange(len(wanted))
        indices = np.empty((len(wanted), k), dtype=np.int64)
        distances = np.empty((len(wanted), k))
        jobs = Parallel(self._workers, backend="threading", return_as="generator_unordered")
        with threadpool_limits(1, "blas"):
            for asked, near, far in jobs(
                delayed(self._answer)(number, place, k) for number in range(len(self._boxes))
            ):
                indices[place[asked]], distances[place[asked]] = near, far
                advance(len(asked))
        return indices, distances

    def _answer(
        self, box: int, place: IndexMatrix, k: int
    ) -> tuple[IndexMatrix, IndexMatrix, FloatMatrix]:
        """Answer for the rows of one box that are asked for."""
        inside = np.arange(self._starts[box], self._stops[box])
        inside = inside[place[self._order[inside]] >= 0]
        asked = self._order[inside]
        if not len(asked):
            return asked, np.empty((0, k), np.int64), np.empty((0, k))
        found, furthest = self._candidates(box, inside, k + SPARE)
        near, far = self._measured(asked, self._order[found], found < 0, k)
        slack = self._rounding(inside, far[:, -1])
        for row in np.flatnonzero(far[:, -1] ** 2 + slack >= furthest):
            reach = far[row, -1] ** 2 + slack[row]
            near[row], far[row] = self._within(inside[row], reach, k)
        return asked, near, far

    def _within(
        self, position: int, reach: float, k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Measure, in double precision, every song in a box that begins within ``reach``."""
        query = self._single[position]
        gaps = np.maximum(0, np.maximum(self._low - query, query - self._high))
        boxes = np.flatnonzero(np.einsum("ij,ij->i", gaps, gaps) <= reach)
        rows = np.concatenate([self._boxes[box] for box in boxes])
        own = self._order[position]
        rows = rows[rows != own]
        squares = np.square(self._points[rows] - self._points[own]).sum(axis=1)
        order = np.lexsort((rows, squares))[:k]
        return rows[order], np.sqrt(squares[order])

    def _candidates(
        self, box: int, inside: IndexMatrix, most: int
    ) -> tuple[IndexMatrix, NDArray[np.float32]]:
        """Return the positions of the ``most`` nearest in single precision, and how far they go.

        Every position that is not returned is, in single precision, at least as far (squared) as
        the second value says; it is infinite where everything was returned.
        """
        queries = self._single[inside]
        left = np.column_stack([-2 * queries, np.ones(len(inside)), self._square[inside]])
        left = left.astype(np.float32)  # times _right: the square of each distance, at once
        gaps = np.maximum(0, np.maximum(self._low - self._high[box], self._low[box] - self._high))
        bounds = np.einsum("ij,ij->i", gaps, gaps)
        bounds[box] = -1
        order = np.argsort(bounds, kind="stable")
        found = np.full((len(inside), most), -1, dtype=np.int64)
        far = np.full((len(inside), most), np.inf, dtype=np.float32)
        most_boxes = max(FIRST_BOXES, NEXT_BOXES)
        scratch = np.empty(len(inside) * BOX_SONGS * most_boxes, dtype=np.float32)
        start, stop = 0, FIRST_BOXES
        while start < len(order) and bounds[order[start]] <= far[:, -1].max():
            boxes, rows = self._worth_a_look(order[start:stop], queries, far[:, -1])
            if len(boxes) and len(rows):
                columns = np.concatenate(
                    [np.arange(self._starts[b], self._stops[b]) for b in boxes]
                )
                squares = scratch[: len(rows) * len(columns)].reshape(len(rows), len(columns))
                np.matmul(left[rows], self._right[columns].T, out=squares)
                if start == 0:
                    squares[inside[rows, None] == columns] = np.inf
                _keep_nearest(found, far, rows, columns, squares)
            start, stop = stop, stop + NEXT_BOXES
        return found, far[:, -1]

    def _worth_a_look(
        self, boxes: IndexMatrix, queries: NDArray[np.float32], reach: NDArray[np.float32]
    ) -> tuple[IndexMatrix, IndexMatrix]:
        """Return the boxes that can hold a neighbour, and the rows that it can belong to."""
        over = queries[:, None, :] - self._high[boxes]
        under = self._low[boxes] - queries[:, None, :]
        gaps = np.maximum(0, np.maximum(over, under))
        near = np.einsum("ijk,ijk->ij", gaps, gaps) <= reach[:, None]
        return boxes[near.any(axis=0)], np.flatnonzero(near.any(axis=1))

    def _measured(
        self, asked: IndexMatrix, candidates: IndexMatrix, absent: NDArray[np.bool_], k: int
    ) -> tuple[IndexMatrix, FloatMatrix]:
        """Measure candidates in double precision and return the ``k`` nearest in order."""
        apart = self._points[candidates] - self._points[asked][:, None, :]
        distances = np.sqrt(np.square(apart).sum(axis=2))
        distances[absent] = np.inf
        order = np.lexsort((candidates, distances), axis=1)[:, :k]
        return (
            np.take_along_axis(candidates, order, axis=1),
            np.take_along_axis(distances, order, axis=1),
        )

    def _rounding(self, inside: IndexMatrix, reach: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bound the error of a squared distance up to ``reach`` in single precision.

        A sum of products of length d is off by at most d units of rounding times the sum of the
        absolute products (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). Here one
        such sum gives the squared lengths and another, two terms longer, the distance; the points
        themselves were rounded before. A point within ``reach`` of a query is at most that much
        longer than the query.
        """
        lengths = 2 * np.sqrt(self._square[inside], dtype=np.float64) + reach
        unit = np.finfo(np.float32).eps / 2
        return np.asarray((2 * self._single.shape[1] + 6) * unit * lengths**2)


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


def _principal(points: FloatMatrix) -> FloatMatrix:
    """Turn the points onto their principal axes, which keeps every distance."""
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ axes[:, ::-1])


def _boxes(points: NDArray[np.float32], most: int) -> list[IndexMatrix]:
    """Split the points at the median of their widest axis until no part holds over ``most``."""
    done, waiting = [], [np.arange(len(points))]
    while waiting:
        part = waiting.pop()
        if len(part) <= most:
            done.append(part)
            continue
        axis = int(np.argmax(points[part].var(axis=0)))
        half = len(part) // 2
        order = np.argpartition(points[part, axis], half)
        waiting += [part[order[:half]], part[order[half:]]]
    return done


def _keep_nearest(
    found: IndexMatrix,
    far: NDArray[np.float32],
    rows: IndexMatrix,
    columns: IndexMatrix,
    squares: NDArray[np.float32],
) -> None:
    """Merge a block of squared distances into the nearest found so far, in place."""
    most = found.shape[1]
    if np.isinf(far[rows, 0]).all() and len(columns) > most:
        nearest = np.argpartition(squares, most - 1, axis=1)[:, :most]
        values = np.take_along_axis(squares, nearest, axis=1)
        order = np.argsort(values, axis=1)
        far[rows] = np.take_along_axis(values, order, axis=1)
        found[rows] = columns[np.take_along_axis(nearest, order, axis=1)]
        return
    hits = np.flatnonzero(squares < far[rows, -1:])
    if not len(hits):
        return
    row, column = np.divmod(hits, len(columns))
    touched, owner = np.unique(row, return_inverse=True)
    owners = np.concatenate([np.repeat(np.arange(len(touched)), most), owner])
    values = np.concatenate([far[rows[touched]].ravel(), squares.ravel()[hits]])
    places = np.concatenate([found[rows[touched]].ravel(), columns[column]])
    order = np.lexsort((values, owners))
    firsts = np.concatenate([[0], np.cumsum(np.bincount(owners))[:-1]])
    kept = order[firsts[:, None] + np.arange(most)]
    far[rows[touched]], found[rows[touched]] = values[kept], places[kept]
