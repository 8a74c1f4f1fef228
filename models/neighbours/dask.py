"""Neighbours by many machines: boxes go to the workers of a Dask cluster, their answers come in.

The boxes are laid out once, here, and scattered to every worker. A shard is a run of boxes; its
answer is its rows with their neighbours. A worker computes as this machine would, so that shards,
workers and who dies in between change nothing of the answer; it is the same to the last bit where
the processors are of one kind.
"""

from collections.abc import Iterator

import numpy as np
from distributed import Client, as_completed

from models.arrays import IndexMatrix, Points
from models.neighbours.boxes import Boxes
from models.neighbours.engine import Block, Engine, require_room

SHARD_BOXES = 16


class Cluster(Engine):
    """A search in boxes that the workers of a cluster share.

    Args:
        points: shape ``(n_songs, n_columns)``, finite, in single or double precision.
        client: of the cluster. A worker that is lost loses its shards to others; that shards are
            given up after several workers were lost with them is Dask's setting
            (``distributed.scheduler.allowed-failures``).
        shard_boxes: boxes of a shard.
    """

    def __init__(self, points: Points, client: Client, shard_boxes: int = SHARD_BOXES) -> None:
        self._layout = Boxes(points, workers=1)
        self._client = client
        self._shard_boxes = shard_boxes
        # Every worker has it: while one of them lives, nothing is lost with the others.
        self._held = client.scatter(self._layout, broadcast=True, hash=False)

    def __len__(self) -> int:
        return len(self._layout)

    def blocks(self, k: int, rows: IndexMatrix | None = None) -> Iterator[Block]:
        """Yield the nearest others of the rows of each shard, as workers are done with it."""
        require_room(k, len(self))
        shards = self._layout.runs(self._shard_boxes, rows)
        futures = self._client.map(
            _answer, shards, layout=self._held, k=k, pure=False, retries=1, key="neighbours"
        )
        for future in as_completed(futures):
            yield future.result()
            future.release()


def _answer(shard: IndexMatrix, layout: Boxes, k: int) -> Block:
    """Answer for the rows of a shard, on a worker."""
    blocks = list(layout.blocks(k, shard))
    return Block(
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.near for block in blocks]),
        np.concatenate([block.far for block in blocks]),
    )
