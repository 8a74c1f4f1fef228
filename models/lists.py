"""What one list may hold: songs come in, the most wanted first, and those that it takes go out.

Every list of recommendations, published or made for a visitor, keeps to this one rule. What tells
which songs look the same, and who a song is by, is ``transforms.arrays.sameness``.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from models.arrays import IndexMatrix

ARTIST_CAP = 2  # songs by one artist that a list may hold


@dataclass(frozen=True, slots=True)
class Sameness:
    """Which songs stand in each other's way in a list.

    Args:
        namesakes: shape ``(n_songs,)``, a number from 0 up for all songs that look the same in a
            list, such as the versions of a family; a list holds one of them.
        artists: shape ``(n_songs,)``, a number from 0 up for each primary artist, however the
            name is spelt; a list holds ``ARTIST_CAP`` songs of each.
    """

    namesakes: IndexMatrix
    artists: IndexMatrix

    def of(self, songs: IndexMatrix) -> "Sameness":
        """Return the same of some songs, in the order given."""
        return Sameness(self.namesakes[songs], self.artists[songs])


class OpenList:
    """A list as it fills: what it holds says what else it may hold.

    Args:
        barred: namesakes of which it may hold none, such as those of the song whose list it is.
    """

    __slots__ = ("_by", "_held")

    def __init__(self, barred: Iterable[int] = ()) -> None:
        self._held = set(barred)
        self._by: dict[int, int] = {}

    def admits(self, namesake: int, artist: int) -> bool:
        """Return whether it may hold another song that looks like this and is by this artist."""
        return namesake not in self._held and self._by.get(artist, 0) < ARTIST_CAP

    def add(self, namesake: int, artist: int) -> None:
        """Hold another song."""
        self._held.add(namesake)
        self._by[artist] = self._by.get(artist, 0) + 1

    def take(self, wanted: Iterable[tuple[int, int, int]], places: int) -> list[int]:
        """Take what it may hold, until so many places are filled.

        Args:
            wanted: place, namesake and artist of each song, the most wanted first; no more are
                drawn than are needed.
            places: to fill.

        Returns:
            The places of the songs taken, in order; fewer where the rule allows no more.
        """
        taken: list[int] = []
        if places > 0:
            for place, namesake, artist in wanted:
                if self.admits(namesake, artist):
                    self.add(namesake, artist)
                    taken.append(place)
                    if len(taken) == places:
                        break
        return taken


def allowed(
    candidates: IndexMatrix, barred: Collection[int], sameness: Sameness, places: int
) -> IndexMatrix:
    """Return the places of the first candidates that one list may hold.

    Args:
        candidates: shape ``(n_candidates,)``, numbers of songs, the most wanted first.
        barred: namesakes of which the list may hold none.
        sameness: of all songs.
        places: to fill; fewer are returned where the candidates do not suffice.
    """
    few = sameness.of(candidates)
    wanted = zip(range(len(candidates)), few.namesakes.tolist(), few.artists.tolist(), strict=True)
    return np.array(OpenList(barred).take(wanted, places), dtype=np.int64)
