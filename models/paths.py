"""The shortest path between songs: recommendations come in, the songs on the path go out in order.

Shortest in steps, then in distance. The search runs from both ends at once, a whole level at a
time, so that only the surroundings of the two songs are visited.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.arrays import IndexMatrix, Points, SingleMatrix

MOST_STEPS = 20
UNSEEN = -1

Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Links:
    """Where each song leads; the links of song ``i`` are ``starts[i]:starts[i + 1]``.

    Args:
        starts: shape ``(n_songs + 1,)``.
        ends: shape ``(n_links,)``, numbers of songs.
        lengths: shape ``(n_links,)``.
    """

    starts: IndexMatrix
    ends: Numbers
    lengths: SingleMatrix

    @classmethod
    def of(cls, number: int, sources: IndexMatrix, ends: IndexMatrix, lengths: Points) -> Self:
        """Return the links of ``number`` songs; all three arrays have shape ``(n_links,)``."""
        order = np.argsort(sources, kind="stable")
        starts = np.zeros(number + 1, dtype=np.int64)
        np.cumsum(np.bincount(sources, minlength=number), out=starts[1:])
        return cls(starts, ends[order].astype(np.int32), lengths[order].astype(np.float32))

    def from_songs(self, songs: IndexMatrix) -> tuple[IndexMatrix, Numbers, SingleMatrix]:
        """Return source, end and length of every link of the songs."""
        counts = self.starts[songs + 1] - self.starts[songs]
        before = np.cumsum(counts) - counts
        places = np.repeat(self.starts[songs] - before, counts) + np.arange(counts.sum())
        return np.repeat(songs, counts), self.ends[places], self.lengths[places]


@dataclass(frozen=True, slots=True)
class Roads:
    """The links between all songs, to follow forwards and backwards; threads may share it."""

    forwards: Links
    back: Links

    @classmethod
    def of(cls, number: int, sources: IndexMatrix, ends: IndexMatrix, lengths: Points) -> Self:
        """Return the roads between ``number`` songs; all three arrays have shape ``(n_links,)``."""
        return cls(
            Links.of(number, sources, ends, lengths), Links.of(number, ends, sources, lengths)
        )

    def lead(self, song: int, other: int) -> bool:
        """Return whether a link leads from one song to the other."""
        links = self.forwards
        return other in links.ends[links.starts[song] : links.starts[song + 1]]


def way(roads: Roads, song: int, other: int, either: bool = False) -> list[int] | None:
    """Return the songs on the shortest path from one to the other, both ends included.

    Among paths with equally few steps it is the one with the least distance, then with lower
    numbers.

    Args:
        roads: the links; lengths are not negative.
        song: number of the first song.
        other: number of the last song.
        either: follow links in both directions.

    Returns:
        None if no path has at most ``MOST_STEPS`` steps.
    """
    if song == other:
        return [song]
    both = (roads.forwards, roads.back)
    here = _Side(song, both if either else (roads.forwards,))
    there = _Side(other, both if either else (roads.back,))
    for _ in range(MOST_STEPS):
        nearer, further = (here, there) if len(here.level) <= len(there.level) else (there, here)
        met = nearer.step(further)
        if met is not None:
            return [*reversed(here.trail(met)), *there.trail(met)[1:]]
        if not len(nearer.level):
            return None
    return None


class _Side:
    """What can be reached from one end, level by level.

    Args:
        song: the end.
        links: those to follow from it.
    """

    def __init__(self, song: int, links: tuple[Links, ...]) -> None:
        number = len(links[0].starts) - 1
        self.level = np.array([song])
        self.before = np.full(number, UNSEEN, dtype=np.int32)
        self.lengths = np.empty(number)
        self.before[song], self.lengths[song] = song, 0.0
        self._links = links

    def step(self, further: "_Side") -> int | None:
        """Go one level further; return the best song at which the two sides meet, if they do."""
        parts = [links.from_songs(self.level) for links in self._links]
        sources, ends, lengths = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        new = self.before[ends] == UNSEEN
        sources, ends = sources[new], ends[new]
        reached = self.lengths[sources] + lengths[new]
        order = np.lexsort((sources, reached, ends))
        ends = ends[order]
        first = np.append(True, ends[1:] != ends[:-1]) if len(ends) else np.empty(0, dtype=bool)
        self.level, order = ends[first].astype(np.int64), order[first]
        self.before[self.level], self.lengths[self.level] = sources[order], reached[order]
        met = self.level[further.before[self.level] != UNSEEN]
        if not len(met):
            return None
        return int(met[np.argmin(self.lengths[met] + further.lengths[met])])

    def trail(self, song: int) -> list[int]:
        """Return the songs from a song reached back to the end, both included."""
        songs = [song]
        while (last := int(self.before[songs[-1]])) != songs[-1]:
            songs.append(last)
        return songs
