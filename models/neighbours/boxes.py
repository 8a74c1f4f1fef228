"""Exact nearest neighbours: vectors come in, indices and distances of the nearest others go out.

The songs are laid out in boxes of a few hundred that lie close together. A box is compared with
those around it, and then with every other box that can hold anything nearer than what was found,
by matrix products. Where vectors are long, a product of their leading principal axes and of the
lengths of the rest, which never overstates a distance, picks what the whole product is taken of.
Matrix products are in single precision; what they bring up is measured again in double, and a
song for which rounding could have hidden a neighbour is searched again in double. Memory grows
with the answer, not with the square of the songs.
"""

from collections.abc import Iterator

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.arrays import Flags, FloatMatrix, IndexMatrix, SingleMatrix
from models.neighbours.engine import Block, Engine, places, require_room

Keys = NDArray[np.uint64]

BOX_SONGS = 256
FIRST_BOXES = 16
NEXT_BOXES = 32
LEADING = 16
HEAD = 32
SPARE = 12
CHUNK_BYTES = 2**26
MEASURED_BYTES = 2**20
POSITION_BITS, SQUARE_BITS = 24, 31  # of a key's 64; the other 9 hold a row of up to 512


class Boxes(Engine):
    """Vectors laid out in boxes on one machine; the answer is that of the definition.

    Args:
        points: shape ``(n_songs, n_columns)``, finite, in single or double precision; what is
            exact is exact for these numbers, measured in double.
        workers: threads; each answers whole boxes on its own, so that the result is the same
            for any number.

    Raises:
        ValueError: more songs than ``POSITION_BITS`` can number.
    """

    def __init__(self, points: FloatMatrix | SingleMatrix, workers: int = -1) -> None:
        if len(points) > 2**POSITION_BITS:
            raise ValueError(f"{len(points)} songs: expected at most {2**POSITION_BITS}")
        self._points = points
        self._workers = workers
        with threadpool_limits(1, "blas"):
            turned = _principal(points)
        boxes = _boxes(turned[:, :LEADING], BOX_SONGS)
        self._order = np.concatenate([np.arange(0), *boxes])
        sizes = np.array([len(box) for box in boxes], dtype=np.int64)
        self._stops = np.cumsum(sizes)
        self._starts = self._stops - sizes
        self._whole = _with_squares(turned[self._order])
        self._single = self._whole[:, :-2]
        self._square = self._whole[:, -2]
        self._head = _shortened(self._whole)
        self._low = np.minimum.reduceat(self._single, self._starts)
        self._high = np.maximum.reduceat(self._single, self._starts)

    def __len__(self) -> int:
        return len(self._points)

    def blocks(self, k: int, rows: IndexMatrix | None = None) -> Iterator[Block]:
        """Yield the nearest others of the rows of one box after the other, as they are done."""
        require_room(k, len(self))
        asked = places(rows, len(self)) >= 0
        jobs = Parallel(self._workers, backend="threading", return_as="generator_unordered")
        with threadpool_limits(1, "blas"):
            yield from jobs(
                delayed(self._answer)(box, inside, k) for box, inside in self._asked(asked)
            )

    def runs(self, boxes: int, rows: IndexMatrix | None = None) -> list[IndexMatrix]:
        """Divide the rows that are asked for into those of so many neighbouring boxes each."""
        asked = places(rows, len(self)) >= 0
        inside = [self._order[positions] for _, positions in self._asked(asked)]
        parts = range(0, len(inside), boxes)
        return [np.concatenate(inside[start : start + boxes]) for start in parts]

    def _asked(self, asked: Flags) -> Iterator[tuple[int, IndexMatrix]]:
        """Yield each box that holds rows that are asked for, and the positions of these."""
        for box, (start, stop) in enumerate(zip(self._starts, self._stops, strict=True)):
            inside = start + np.flatnonzero(asked[self._order[start:stop]])
            if len(inside):
                yield box, inside

    def _answer(self, box: int, inside: IndexMatrix, k: int) -> Block:
        """Answer for some positions of one box."""
        asked = self._order[inside]
        found, furthest = self._candidates(box, inside, k + SPARE)
        near, far = self._measured(asked, np.where(found < 0, -1, self._order[found]), k)
        slack = self._rounding(inside, far[:, -1])
        for row in np.flatnonzero(far[:, -1] ** 2 + slack >= furthest):
            reach = far[row, -1] ** 2 + slack[row]
            near[row], far[row] = self._within(inside[row], reach, k)
        return Block(asked, near, far)

    def _within(self, position: int, reach: float, k: int) -> tuple[IndexMatrix, FloatMatrix]:
        """Measure, in double precision, every song within ``reach`` in single precision."""
        query = self._single[position]
        bounds = _gaps(self._low, self._high, query, query)
        near = self._inside(np.flatnonzero(bounds <= reach))
        squares = self._whole[near] @ _asking(self._whole[[position]])[0]
        own = self._order[position]
        rows = self._order[near[squares <= reach]]
        rows = rows[rows != own]
        found, far = self._measured(np.array([own]), rows[None, :], k)
        return found[0], far[0]

    def _inside(self, boxes: IndexMatrix) -> IndexMatrix:
        """Return the positions that ``boxes`` hold, box by box."""
        sizes = self._stops[boxes] - self._starts[boxes]
        before = np.cumsum(sizes) - sizes
        return np.repeat(self._starts[boxes] - before, sizes) + np.arange(sizes.sum())

    def _candidates(
        self, box: int, inside: IndexMatrix, most: int
    ) -> tuple[IndexMatrix, SingleMatrix]:
        """Return the positions of the ``most`` nearest in single precision, and how far they go.

        Every position that is not returned is, in single precision, at least as far (squared) as
        the second value says; it is infinite where everything was returned.
        """
        whole, head = _asking(self._whole[inside]), _asking(self._head[inside])
        first, rest = self._around(box)
        columns = self._inside(first)
        squares = whole @ self._whole[columns].T
        squares[inside[:, None] == columns] = np.inf
        kept = _Kept(columns, squares, most)
        rest, bounds = self._within_reach(box, rest, self._single[inside], kept.reach)
        scratch = np.empty(BOX_SONGS * NEXT_BOXES * len(inside), dtype=np.float32)
        for start in range(0, len(rest), NEXT_BOXES):
            part = slice(start, start + NEXT_BOXES)
            near = bounds[:, part] <= kept.reach[:, None]
            rows, columns = _crossing(near)
            columns = self._inside(rest[part][columns])
            if self._head is not self._whole:
                squares = _product(head, self._head, rows, columns, scratch)
                passed, others = _crossing(squares < kept.reach[rows, None])
                rows, columns = rows[passed], columns[others]
            if len(columns):
                kept.add(rows, columns, _product(whole, self._whole, rows, columns, scratch))
        return kept.positions(), kept.reach

    def _around(self, box: int) -> tuple[IndexMatrix, IndexMatrix]:
        """Return a box and those whose middles are closest to its own, and all others."""
        middles = self._low + self._high
        apart = np.square(middles - middles[box]).sum(axis=1)
        apart[box] = -1
        order = np.argsort(apart, kind="stable")
        return order[:FIRST_BOXES], order[FIRST_BOXES:]

    def _within_reach(
        self, box: int, others: IndexMatrix, queries: SingleMatrix, reach: SingleMatrix
    ) -> tuple[IndexMatrix, SingleMatrix]:
        """Return the boxes that can hold a neighbour, nearest first, and a bound for each query.

        The bounds are of shape ``(n_queries, n_boxes)``: no song of the box is nearer (squared).
        They look at the leading axes only, one after the other, since most of what keeps boxes
        apart is there.
        """
        bounds = _gaps(self._low[others], self._high[others], self._low[box], self._high[box])
        order = np.argsort(bounds, kind="stable")
        others = others[order[bounds[order] <= reach.max()]]
        total = np.zeros((len(queries), len(others)), dtype=np.float32)
        gaps = np.empty_like(total)
        lows, highs = (side[others, :LEADING].T.copy() for side in (self._low, self._high))
        for query, low, high in zip(queries[:, :LEADING].T[:, :, None], lows, highs, strict=True):
            np.maximum(query, low, out=gaps)
            np.minimum(gaps, high, out=gaps)
            np.subtract(gaps, query, out=gaps)
            total += np.square(gaps, out=gaps)
        return others, total

    def _measured(
        self, asked: IndexMatrix, candidates: IndexMatrix, k: int
    ) -> tuple[IndexMatrix, FloatMatrix]:
        """Measure candidates in double precision and return the ``k`` nearest in order.

        A negative candidate is none, and infinitely far.
        """
        distances = np.empty(candidates.shape)
        step = max(1, MEASURED_BYTES // (8 * candidates.shape[1] * self._points.shape[1]))
        for start in range(0, len(asked), step):
            part = slice(start, start + step)
            others = self._points[candidates[part]].astype(np.float64, copy=False)
            others -= self._points[asked[part], None]
            distances[part] = np.sqrt(np.square(others, out=others).sum(axis=2))
        distances[candidates < 0] = np.inf
        order = np.lexsort((candidates, distances), axis=1)[:, :k]
        return (
            np.take_along_axis(candidates, order, axis=1),
            np.take_along_axis(distances, order, axis=1),
        )

    def _rounding(self, inside: IndexMatrix, reach: FloatMatrix) -> FloatMatrix:
        """Bound the error of a squared distance up to ``reach`` in single precision.

        A sum of products of length d is off by at most d units of rounding times the sum of the
        absolute products (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). Here one
        such sum gives the squared lengths and another, two terms longer, the distance; the points
        themselves were rounded before, and so were the lengths that stand for the axes beyond the
        head, where the sum is no longer. A point within ``reach`` of a query is at most that much
        longer than the query.
        """
        lengths = 2 * np.sqrt(self._square[inside], dtype=np.float64) + reach
        unit = np.finfo(np.float32).eps / 2
        return np.asarray((2 * self._single.shape[1] + 8) * unit * lengths**2)


class _Kept:
    """The nearest positions found so far for each query of a box.

    Each is one whole number: the query's row, then the bits of the squared distance, which for
    numbers from zero up are in the order of the numbers, then the position. One sort of such
    numbers, the fastest there is in NumPy, puts all rows in order at once.

    Args:
        columns: positions of the first songs.
        squares: shape ``(n_queries, len(columns))``: their squared distances, infinite where a
            song is not to be found.
        most: positions to keep for each query.
    """

    def __init__(self, columns: IndexMatrix, squares: SingleMatrix, most: int) -> None:
        self._rows = np.arange(len(squares), dtype=np.uint64) << np.uint64(
            POSITION_BITS + SQUARE_BITS
        )
        none = np.full((len(squares), most), np.inf, dtype=np.float32)
        self._keys: Keys = self._rows[:, None] | _bits(none)
        self._new: list[Keys] = []
        self.reach = none[:, -1]
        if len(columns) > most:
            last = np.partition(squares, most - 1, axis=1)[:, most - 1]
            self.reach = np.nextafter(last, np.float32(np.inf))
        self.add(np.arange(len(squares)), columns, squares)
        self._merge()

    def add(self, rows: IndexMatrix, columns: IndexMatrix, squares: SingleMatrix) -> None:
        """Take note of those of ``squares`` that are within the reach of their row."""
        hits = np.flatnonzero(squares < self.reach[rows, None])
        row, column = np.divmod(hits, len(columns))
        keys = _bits(squares.ravel()[hits])
        keys |= self._rows[rows[row]]
        keys |= columns[column].astype(np.uint64)
        self._new.append(keys)
        if sum(map(len, self._new)) > self._keys.size:
            self._merge()

    def positions(self) -> IndexMatrix:
        """Return the positions kept, nearest first, shape ``(n_queries, most)``; -1 is none."""
        self._merge()
        positions = (self._keys & np.uint64(2**POSITION_BITS - 1)).astype(np.int64)
        positions[np.isinf(_squares(self._keys))] = -1
        return positions

    def _merge(self) -> None:
        """Keep the nearest of what was kept and what is new, and shorten the reach."""
        new = np.concatenate([self._keys.ravel(), *self._new])
        new.sort()
        counts = np.bincount((new >> (POSITION_BITS + SQUARE_BITS)).astype(np.int64))
        starts = np.cumsum(counts) - counts
        self._keys = new[starts[:, None] + np.arange(self._keys.shape[1])]
        self._new = []
        self.reach = _squares(self._keys[:, -1])


def _bits(squares: SingleMatrix) -> Keys:
    """Return squared distances in their place in a key, less the sign that rounding may leave."""
    bits = squares.view(np.uint32) & np.uint32(2**SQUARE_BITS - 1)
    return np.asarray(bits.astype(np.uint64) << np.uint64(POSITION_BITS))


def _squares(keys: Keys) -> SingleMatrix:
    """Return the squared distances of keys."""
    bits = (keys >> np.uint64(POSITION_BITS)).astype(np.uint32) & np.uint32(2**SQUARE_BITS - 1)
    return bits.view(np.float32)


def _principal(points: FloatMatrix | SingleMatrix) -> SingleMatrix:
    """Turn the points onto their principal axes, widest first, which keeps every distance.

    They are turned in double precision and then rounded, in parts that need little memory.
    """
    middle = points.sum(axis=0, dtype=np.float64) / max(len(points), 1)
    step = max(1, CHUNK_BYTES // (8 * points.shape[1]))
    parts = [slice(start, start + step) for start in range(0, len(points), step)]
    spread = np.zeros((points.shape[1], points.shape[1]))
    for part in parts:
        centred = points[part] - middle
        spread += centred.T @ centred
    axes = np.linalg.eigh(spread)[1][:, ::-1]
    turned = np.empty(points.shape, dtype=np.float32)
    for part in parts:
        turned[part] = (points[part] - middle) @ axes
    return turned


def _boxes(points: SingleMatrix, most: int) -> list[IndexMatrix]:
    """Split the points at the median of their widest axis until no part holds over ``most``."""
    done: list[IndexMatrix] = []
    waiting = [np.arange(len(points))] if len(points) else []
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


def _with_squares(points: SingleMatrix) -> SingleMatrix:
    """Return points with two columns more: their squared lengths, and ones."""
    squares = np.einsum("ij,ij->i", points, points)
    return np.column_stack([points, squares, np.ones_like(squares)])


def _shortened(whole: SingleMatrix) -> SingleMatrix:
    """Return points of ``_with_squares`` with one length in place of all columns beyond the head.

    Distances between such points are no longer than between the whole ones, as the lengths of two
    vectors differ by no more than their distance. Points that are short already come as they are.
    """
    if whole.shape[1] - 2 <= HEAD + 1:
        return whole
    tail = whole[:, HEAD:-2]
    lengths = np.sqrt(np.einsum("ij,ij->i", tail, tail, dtype=np.float64)).astype(np.float32)
    return np.column_stack([whole[:, :HEAD], lengths, whole[:, -2:]])


def _asking(points: SingleMatrix) -> SingleMatrix:
    """Turn points of ``_with_squares`` so that a product with others gives squared distances."""
    asking = -2 * points
    asking[:, -2], asking[:, -1] = 1, points[:, -2]
    return asking


def _product(
    asking: SingleMatrix,
    points: SingleMatrix,
    rows: IndexMatrix,
    columns: IndexMatrix,
    scratch: SingleMatrix,
) -> SingleMatrix:
    """Multiply some rows by some points into ``scratch``, which is large enough and flat."""
    product = scratch[: len(rows) * len(columns)].reshape(len(rows), len(columns))
    np.matmul(asking[rows], points.take(columns, axis=0).T, out=product)
    return product


def _crossing(marks: Flags) -> tuple[IndexMatrix, IndexMatrix]:
    """Return the rows and the columns in which anything is marked."""
    return np.flatnonzero(marks.any(axis=1)), np.flatnonzero(marks.any(axis=0))


def _gaps(
    low: SingleMatrix, high: SingleMatrix, other_low: SingleMatrix, other_high: SingleMatrix
) -> SingleMatrix:
    """Return the squared distances between boxes and another box, or a point as one."""
    gaps = np.maximum(0, np.maximum(low - other_high, other_low - high))
    return np.asarray(np.einsum("ij,ij->i", gaps, gaps))
