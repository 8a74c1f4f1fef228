"""What every search for neighbours promises: vectors go in, the nearest others of each come out.

An engine is made of the vectors of a catalogue and asked as often as need be. Which one answers is
nobody's business but its maker's: rows, distances and their order are the same for all that are
exact.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.arrays import FloatMatrix, IndexMatrix

Advance = Callable[[int], None]


def ignore(_: int) -> None:
    """Take a count of finished songs and do nothing with it."""


@dataclass(frozen=True, slots=True)
class Block:
    """The nearest others of some rows.

    Args:
        rows: shape ``(n_rows,)``, numbers of the rows.
        near: shape ``(n_rows, k)``, their nearest others. Distances ascend along each row; equal
            ones are in the order of the number.
        far: shape ``(n_rows, k)``, the Euclidean distances.
    """

    rows: IndexMatrix
    near: IndexMatrix
    far: FloatMatrix


class Engine(Protocol):
    """A search among the vectors of a catalogue; rows keep their numbers.

    A row is left out of its own answer by its number. Dropping the first column instead would drop
    the wrong row wherever two songs share a position (scikit-learn issue 16512).
    """

    def __len__(self) -> int:
        """Return how many rows there are."""
        ...

    def blocks(self, k: int, rows: IndexMatrix | None = None) -> Iterator[Block]:
        """Yield the answer of ``nearest_others`` in parts, so that nobody has to hold it whole.

        Args:
            k: neighbours per row; at least 1 and less than the number of rows.
            rows: numbers of the rows to answer for, each once; all of them by default.

        Yields:
            Blocks of any number of rows, in any order; together they have each row once.

        Raises:
            ValueError: ``k`` does not leave room for that many other rows.
        """
        ...

    def nearest_others(
        self, k: int, rows: IndexMatrix | None = None, advance: Advance = ignore
    ) -> tuple[IndexMatrix, FloatMatrix]:
        """Find each row's ``k`` nearest other rows, nearest first.

        Args:
            k: as in ``blocks``.
            rows: as in ``blocks``.
            advance: called with how many rows were done, each time some are.

        Returns:
            ``(near, far)`` of ``Block``, both of shape ``(len(rows), k)``, in the order of
            ``rows``.

        Raises:
            ValueError: as in ``blocks``.
        """
        require_room(k, len(self))
        wanted = np.arange(len(self)) if rows is None else rows
        near = np.empty((len(wanted), k), dtype=np.int64)
        far = np.empty((len(wanted), k))
        place = places(wanted, len(self))
        for block in self.blocks(k, rows):
            at = place[block.rows]
            near[at], far[at] = block.near, block.far
            advance(len(block.rows))
        return near, far


def places(rows: IndexMatrix | None, songs: int) -> IndexMatrix:
    """Return where each song stands in ``rows``, -1 for those that do not; all by default."""
    if rows is None:
        return np.arange(songs)
    place = np.full(songs, -1)
    place[rows] = np.arange(len(rows))
    return place


def require_room(k: int, songs: int) -> None:
    """Hold ``k`` to the number of songs.

    Raises:
        ValueError: ``k`` does not leave room for that many other rows.
    """
    if not 1 <= k < songs:
        raise ValueError(f"k={k}: expected from 1 to {songs - 1} with {songs} songs")
