"""Exact nearest neighbours: vectors come in, indices and distances of the nearest others go out.

The songs are divided among centres, and those of a centre into boxes by how far they are from it: a
box is a part of a shell. A box is compared with those around it, and then with every other box that
can hold anything nearer than what was found, by matrix products. Where vectors are long, a product
of their leading principal axes and of the lengths of the rest, which never overstates a distance,
picks what the whole product is taken of. Matrix products are in single precision; what they bring
up is measured again in double, and a song for which rounding could have hidden a neighbour is
searched again in double. Memory grows with the answer, not with the square of the songs.
"""

from collections.abc import Iterator

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from models.arrays import Flags, FloatMatrix, IndexMatrix, SingleMatrix
from models.neighbours.engine import Block, Engine, places, require_room

Keys = NDArray[np.uint64]

BOX_SONGS = 192
CENTRE_SONGS = 512
MOST_CENTRES = 1024
SAMPLED = 48  # songs for each centre
PASSES = 4
FIRST_BOXES = 20
NEXT_BOXES = 32
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
            self._centres = _centres(turned)
            group, radius = _nearest_centre(turned, self._centres)
        self._order = np.lexsort((radius, group))
        self._starts, self._stops = _pieces(np.bincount(group), BOX_SONGS)
        self._group, radius = group[self._order][self._starts], radius[self._order]
        self._from, self._to = radius[self._starts], radius[self._stops - 1]
        self._apart = np.sqrt(_squared(self._centres, self._centres))
        self._whole = _with_squares(turned[self._order])
        self._single = self._whole[:, :-2]
        self._square = self._whole[:, -2]
        self._head = _shortened(self._whole)
        self._doubt = 2 * self._unsure(2 * np.sqrt(self._square.max(initial=0), dtype=np.float64))

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
        bounds = self._bounds(np.array([position]), np.arange(len(self._starts)))[0]
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
        rest, bounds = self._within_reach(inside, rest, kept.reach)
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
        """Return a box and those whose centres are closest to its own, and all others."""
        apart = self._apart[self._group[box], self._group]
        apart[box] = -1
        order = np.argsort(apart, kind="stable")
        return order[:FIRST_BOXES], order[FIRST_BOXES:]

    def _within_reach(
        self, inside: IndexMatrix, others: IndexMatrix, reach: SingleMatrix
    ) -> tuple[IndexMatrix, FloatMatrix]:
        """Return the boxes that can hold a neighbour, nearest first, and a bound for each query.

        The bounds are of shape ``(n_queries, n_boxes)``: no song of the box is nearer (squared).
        """
        bounds = self._bounds(inside, others)
        least = bounds.min(axis=0)
        order = np.argsort(least, kind="stable")
        order = order[(bounds[:, order] <= reach[:, None]).any(axis=0)]
        return others[order], bounds[:, order]

    def _bounds(self, inside: IndexMatrix, boxes: IndexMatrix) -> FloatMatrix:
        """Return what no song of a box is nearer than (squared), shape ``(n_queries, n_boxes)``.

        By the triangle inequality a song whose distance to its centre is from ``a`` to ``b`` is at
        least ``d - b`` and ``a - d`` from a query whose distance to that centre is ``d``. And since
        it is no nearer to the query's own centre than to its own, it lies beyond the plane midway
        between the two (Hamerly, SDM 2010). That it is nearer is sure up to rounding alone, which
        ``_doubt`` bounds.

        Args:
            inside: positions of the queries, all of one centre.
            boxes: numbers of the boxes.
        """
        own = self._group[np.searchsorted(self._stops, inside[0], side="right")]
        squares = _squared(self._single[inside].astype(np.float64), self._centres)
        apart = np.where(self._apart[own] ** 2 > self._doubt, 2 * self._apart[own], np.inf)
        beyond = (squares - squares[:, own, None] - self._doubt) / apart
        away = np.sqrt(squares)[:, self._group[boxes]]
        bounds = np.maximum(away - self._to[boxes], self._from[boxes] - away)
        np.maximum(bounds, beyond[:, self._group[boxes]], out=bounds)
        return np.square(np.maximum(bounds, 0, out=bounds), out=bounds)

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
        return self._unsure(2 * np.sqrt(self._square[inside], dtype=np.float64) + reach)

    def _unsure(self, lengths: FloatMatrix) -> FloatMatrix:
        """Bound the error of a squared distance between points of ``lengths`` together."""
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


def _centres(points: SingleMatrix) -> FloatMatrix:
    """Return points in the middle of many: some passes of k-means over an even sample."""
    number = min(max(len(points) // CENTRE_SONGS, 1), MOST_CENTRES, len(points))
    sampled = min(number * SAMPLED, len(points))
    sample = points[np.linspace(0, max(len(points) - 1, 0), sampled).astype(np.int64)]
    centres = sample[np.linspace(0, max(sampled - 1, 0), number).astype(np.int64)]
    for _ in range(PASSES if number > 1 else 0):
        nearest = (np.square(centres).sum(axis=1) / 2 - sample @ centres.T).argmin(axis=1)
        ones = np.ones(sampled, dtype=np.float32)
        of = csr_array((ones, (nearest, np.arange(sampled))), shape=(number, sampled))
        sizes = np.bincount(nearest, minlength=number)[:, None]
        centres = np.where(sizes > 0, (of @ sample) / np.maximum(sizes, 1), centres)
        centres = centres.astype(np.float32)
    return centres.astype(np.float64)


def _nearest_centre(points: SingleMatrix, centres: FloatMatrix) -> tuple[IndexMatrix, FloatMatrix]:
    """Return each point's nearest centre, by single precision, and its distance in double."""
    group, radius = np.zeros(len(points), dtype=np.int64), np.empty(len(points))
    single = centres.astype(np.float32)
    lengths = np.einsum("ij,ij->i", single, single) / 2
    step = max(1, CHUNK_BYTES // (8 * max(*centres.shape, 1)))
    for start in range(0, len(points), step):
        part = slice(start, start + step)
        group[part] = (lengths - points[part] @ single.T).argmin(axis=1)
        gaps = points[part] - centres[group[part]]
        radius[part] = np.sqrt(np.einsum("ij,ij->i", gaps, gaps))
    return group, radius


def _pieces(sizes: IndexMatrix, most: int) -> tuple[IndexMatrix, IndexMatrix]:
    """Cut runs of these sizes into even pieces of at most ``most``: where they start and stop."""
    ends = np.cumsum(sizes)
    counts = -(-sizes // most)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    cuts = np.repeat(ends - sizes, counts) + number * np.repeat(sizes, counts) // np.repeat(
        np.maximum(counts, 1), counts
    )
    return cuts, np.append(cuts[1:], ends[-1:])


def _squared(points: FloatMatrix, centres: FloatMatrix) -> FloatMatrix:
    """Return the squared distances between points and centres, from 0 up."""
    squares = np.square(points).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)
    squares -= 2 * (points @ centres.T)
    return np.asarray(np.maximum(squares, 0, out=squares))


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
