"""Approximate neighbours: vectors come in, nearly all that is nearest goes out.

An inverted file of faiss: k-means divides the songs into lists, and a song is compared with those
of the lists nearest to it. What that finds is measured again in double precision, so that distances
and their order are exact among what was found; how much of what is nearest that is, an evaluation
has to say.
"""

from collections.abc import Iterator

import faiss
import numpy as np

from models.arrays import FloatMatrix, IndexMatrix, Points, SingleMatrix
from models.neighbours.definition import nearest_by_definition
from models.neighbours.engine import Block, Engine, require_room

PROBES = 32
SPARE = 12
ASKED = 4096
TRAINED_ON = 64  # songs for each list
SONGS_OF_A_LIST = 300
SEED = 20261129


class InvertedFile(Engine):
    """A search in those lists of songs that are nearest.

    Args:
        points: shape ``(n_songs, n_columns)``, finite, in single or double precision.
        probes: lists that are searched for each song. All of them find all that is nearest, up
            to the rounding of single precision.
    """

    def __init__(self, points: Points, probes: int = PROBES) -> None:
        self._points = points
        self._single: SingleMatrix = np.ascontiguousarray(points, dtype=np.float32)
        lists = max(1, min(len(points) // SONGS_OF_A_LIST, int(4 * np.sqrt(len(points)))))
        columns = points.shape[1]
        self._index = faiss.IndexIVFFlat(faiss.IndexFlatL2(columns), columns, lists)
        self._index.own_fields = False
        self._index.cp.seed = SEED
        self._index.cp.max_points_per_centroid = TRAINED_ON
        self._index.cp.min_points_per_centroid = 1
        self._index.nprobe = min(probes, lists)
        self._index.train(self._single)
        self._index.add(self._single)

    def __len__(self) -> int:
        return len(self._points)

    def blocks(self, k: int, rows: IndexMatrix | None = None) -> Iterator[Block]:
        """Yield what is found near some rows after the other, in the order in which they come."""
        require_room(k, len(self))
        wanted = np.arange(len(self)) if rows is None else rows
        for start in range(0, len(wanted), ASKED):
            yield self._answer(wanted[start : start + ASKED], k)

    def _answer(self, rows: IndexMatrix, k: int) -> Block:
        most = min(k + 1 + SPARE, len(self))
        _, found = self._index.search(self._single[rows], most)
        found = found.astype(np.int64)
        found[found == rows[:, None]] = -1
        near, far = self._measured(rows, found, k)
        short = np.flatnonzero(np.isinf(far[:, -1]))
        if len(short):  # the lists that were searched do not hold as many songs
            exact = self._points.astype(np.float64)
            own = rows[short]
            near[short], far[short] = nearest_by_definition(exact, exact[own], k, own)
        return Block(rows, near, far)

    def _measured(
        self, rows: IndexMatrix, found: IndexMatrix, k: int
    ) -> tuple[IndexMatrix, FloatMatrix]:
        """Measure what was found in double precision; -1 is nothing, and infinitely far."""
        far = np.empty(found.shape)
        for place in range(0, len(rows), 256):
            part = slice(place, place + 256)
            gaps = self._points[found[part]].astype(np.float64)
            gaps -= self._points[rows[part], None]
            far[part] = np.sqrt(np.square(gaps, out=gaps).sum(axis=2))
        far[found < 0] = np.inf
        order = np.lexsort((found, far), axis=1)[:, :k]
        return np.take_along_axis(found, order, 1), np.take_along_axis(far, order, 1)
