"""Pick what is recommended: vectors and rules come in, ``k`` others for each song go out.

The nearest others of a song are ordered by squared distance less a bonus for songs that are much
listened to, and taken in that order, leaving out the song's own family, a second song of any
family, what would be too many songs by one artist, and songs that stand in enough lists already.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from models.arrays import Flags, FloatMatrix, IndexMatrix
from models.encoder.listening_blocks import Listening
from models.lists import OpenList, Sameness, allowed
from models.neighbours.engine import Advance, Engine, ignore

PAGE = 5
DEPTH = 100
DEEPER = 4
DEEPEST = 1600
WORKED_ON = 2**19
HELD = 2**24
HARDLY_HEARD = 0.1


@dataclass(frozen=True, slots=True)
class Rules:
    """What the lists must keep to.

    Args:
        families: shape ``(n_songs,)``, the namesakes of ``Sameness``.
        artists: shape ``(n_songs,)``, as ``Sameness`` has them.
        listened: shape ``(n_songs,)``, from 0 for a song that nobody is known to hear to 1.
        bonus: what is taken off the squared distance to a song with ``listened`` 1.
        hub_cap: in how many lists a song may stand among the first ``PAGE`` places.
    """

    families: IndexMatrix
    artists: IndexMatrix
    listened: FloatMatrix
    bonus: float
    hub_cap: int

    @property
    def sameness(self) -> Sameness:
        """Which songs stand in each other's way in a list."""
        return Sameness(self.families, self.artists)


@dataclass(frozen=True, slots=True)
class Lists:
    """What is recommended, a row for each song.

    Args:
        songs: shape ``(n_songs, k)``, best first; -1 where a list is short.
        distances: shape ``(n_songs, k)``, Euclidean; infinite where a list is short.
    """

    songs: IndexMatrix
    distances: FloatMatrix


def listened_to(
    popularity: FloatMatrix, families: IndexMatrix, listening: Listening | None
) -> FloatMatrix:
    """Say how much each song is listened to, from 0 to 1.

    Args:
        popularity: shape ``(n_songs,)``, as the catalogue has it, NaN where unknown.
        families: shape ``(n_songs,)``, a number from 0 up for each song's family.
        listening: playlists, where there are any.

    Returns:
        Where there are playlists the logarithm of those that hold the family, as a share of the
        highest; else the fourth power of the rank by popularity, so that only a few stand out.
    """
    if listening is not None:
        number = int(families.max(initial=-1)) + 1
        plays = np.zeros(number)
        counted = listening.matrix("families").sum(axis=0)
        plays[: len(counted)] = counted
        heard = np.log1p(plays)[families]
        return np.asarray(heard / max(heard.max(initial=0), np.finfo(float).tiny))
    known = np.isfinite(popularity)
    if not known.any():
        return np.zeros(len(popularity))
    filled = np.where(known, popularity, np.median(popularity[known]))
    return np.asarray((rankdata(filled) / len(filled)) ** 4)


def recommended(search: Engine, rules: Rules, k: int, advance: Advance = ignore) -> Lists:
    """Choose the ``k`` songs that are recommended for every song.

    The first ``PAGE`` places are those that are looked at: the songs most listened to choose
    first, as many look at their lists, and no song stands there too often. A list that its
    ``DEPTH`` nearest songs cannot fill is searched deeper, in the end without the hub cap. Each
    song that no list holds takes the last place of a list near it. A longer list goes on, without
    the hub cap, from the same first places.

    Args:
        search: among the vectors of all songs; rows sorted by id, so that ties go by id.
        rules: what the lists keep to.
        k: songs per list.
        advance: told how many songs are done.
    """
    songs = len(search)
    shelf = _Shelf(rules, k)
    if songs < 2:
        return shelf.lists
    chooser = np.argsort(-rules.listened, kind="stable")
    near, far = search.nearest_others(_depth(k, songs), chooser, advance)
    first = min(k, PAGE)
    depth = _depth(first, songs)
    candidates = _candidates(rules, chooser, near[:, :depth], far[:, :depth])
    shelf.fill(candidates, first, rules.hub_cap)
    _fill_deeper(shelf, search, chooser, first, rules.hub_cap)
    shelf.adopt(candidates, first)
    if k > PAGE:
        shelf.fill(_candidates(rules, chooser, near, far), k, songs)
        _fill_deeper(shelf, search, chooser, k, songs)
    return shelf.lists


@dataclass(frozen=True, slots=True)
class _Candidates:
    """What lists are filled from.

    Args:
        rows: shape ``(n_rows,)``, the songs, in the order in which they choose.
        near: shape ``(n_rows, depth)``, their nearest others.
        far: shape ``(n_rows, depth)``, the distances.
        order: shape ``(n_rows, depth)``, columns of ``near`` in the order in which they are
            wanted.
    """

    rows: IndexMatrix
    near: IndexMatrix
    far: FloatMatrix
    order: NDArray[np.int32]


def _depth(places: int, songs: int) -> int:
    """Return from how many nearest songs so many places are filled at first."""
    return min(max(DEPTH, DEEPER * places), songs - 1)


def _candidates(
    rules: Rules, rows: IndexMatrix, near: IndexMatrix, far: FloatMatrix
) -> _Candidates:
    order = np.empty(near.shape, dtype=np.int32)
    for part in _parts(len(rows), WORKED_ON // near.shape[1]):
        score = np.square(far[part]) - rules.bonus * rules.listened[near[part]]
        order[part] = np.argsort(score, axis=1, kind="stable")
    return _Candidates(rows, near, far, order)


def _parts(length: int, most: int) -> Iterator[slice]:
    step = max(1, most)
    return (slice(start, start + step) for start in range(0, length, step))


def _fill_deeper(
    shelf: "_Shelf", search: Engine, chooser: IndexMatrix, stop: int, hub_cap: int
) -> None:
    """Fill what is left short from deeper candidates; beyond ``DEEPEST`` without the hub cap."""
    last = len(chooser) - 1
    depth = _depth(stop, len(chooser))
    waiting = chooser[shelf.short(chooser, stop)]
    more = True
    while len(waiting) and more:
        cap = hub_cap if depth < min(DEEPEST, last) else len(chooser)
        depth = min(depth * DEEPER, last)
        for part in _parts(len(waiting), HELD // depth):
            rows = waiting[part]
            nearest = search.nearest_others(depth, rows)
            shelf.fill(_candidates(shelf.rules, rows, *nearest), stop, cap)
        waiting = waiting[shelf.short(waiting, stop)]
        more = depth < last or cap < len(chooser)


class _Shelf:
    """The lists as they fill, and in how many of them each song stands already."""

    def __init__(self, rules: Rules, k: int) -> None:
        songs = len(rules.families)
        self.rules = rules
        self._namesakes = rules.families.tolist()
        self._artists = rules.artists.tolist()
        self._listed = [0] * songs
        self.lists = Lists(np.full((songs, k), -1, dtype=np.int64), np.full((songs, k), np.inf))

    def short(self, rows: IndexMatrix, stop: int) -> Flags:
        """Return which of the lists have less than ``stop`` songs."""
        return np.asarray(self.lists.songs[rows, stop - 1] < 0)

    def fill(self, candidates: _Candidates, stop: int, hub_cap: int) -> None:
        """Fill lists one after the other.

        Args:
            candidates: the lists to fill, in this order, and from what.
            stop: places to fill.
            hub_cap: lists that may hold a song.
        """
        near, far, order = candidates.near, candidates.far, candidates.order
        for part in _parts(len(near), WORKED_ON // near.shape[1]):
            wanted = np.take_along_axis(near[part], order[part], axis=1)
            for place, row in enumerate(candidates.rows[part].tolist(), part.start):
                before = [song for song in self.lists.songs[row].tolist() if song >= 0]
                chosen = self._chosen((row, *before), wanted[place - part.start], stop, hub_cap)
                columns = order[place, chosen]
                new = slice(len(before), len(before) + len(chosen))
                self.lists.songs[row, new] = near[place, columns]
                self.lists.distances[row, new] = far[place, columns]

    def _chosen(
        self, held: tuple[int, ...], wanted: IndexMatrix, stop: int, hub_cap: int
    ) -> list[int]:
        """Return the places among the wanted songs of those that are added to a list.

        Args:
            held: the song whose list it is, and the songs that stand in it.
            wanted: shape ``(depth,)``, the most wanted first, each once.
            stop: places of the list.
            hub_cap: lists that may hold a song.
        """
        namesakes, artists, listed = self._namesakes, self._artists, self._listed
        songs = wanted.tolist()
        free = (
            (place, namesakes[song], artists[song])
            for place, song in enumerate(songs)
            if listed[song] < hub_cap
        )
        chosen = self._open(*held).take(free, stop - len(held[1:]))
        for place in chosen:
            listed[songs[place]] += 1
        return chosen

    def _open(self, own: int, *held: int) -> OpenList:
        """Return the list of a song as it stands."""
        opened = OpenList([self._namesakes[own]])
        for song in held:
            opened.add(self._namesakes[song], self._artists[song])
        return opened

    def adopt(self, candidates: _Candidates, stop: int) -> None:
        """Give each song that stands in no list the last place of a list near it.

        The song that stood there must stand in another list, too. Lists of songs that are hardly
        heard give way before others, and each gives one place at most.

        Args:
            candidates: of every song.
            stop: places of a list.
        """
        listed = self._listed
        heard = self.rules.listened >= HARDLY_HEARD
        spent: set[int] = set()
        for place, song in enumerate(candidates.rows.tolist()):
            if listed[song]:
                continue
            hosts = candidates.near[place]
            for column in np.argsort(heard[hosts], kind="stable").tolist():
                host = int(hosts[column])
                if host not in spent and self._gives_way(host, song, stop):
                    spent.add(host)
                    listed[int(self.lists.songs[host, stop - 1])] -= 1
                    listed[song] += 1
                    self.lists.songs[host, stop - 1] = song
                    self.lists.distances[host, stop - 1] = candidates.far[place, column]
                    break

    def _gives_way(self, host: int, song: int, stop: int) -> bool:
        """Return whether the last place of a list can be given to a song under the rules."""
        *kept, last = self.lists.songs[host, :stop].tolist()
        return (
            last >= 0
            and self._listed[last] > 1
            and self._open(host, *kept).admits(self._namesakes[song], self._artists[song])
        )


def continued(
    search: Engine, rules: Rules, rows: IndexMatrix, lists: IndexMatrix, depth: int
) -> IndexMatrix:
    """Go on with some lists in the order in which songs are wanted, to look deeper than readers do.

    Families and artists keep to the rules. The hub cap does not: it is for the places that are
    published. A list is gone on with from the ``DEEPER`` times ``depth`` nearest songs, and is
    short where they do not suffice.

    Args:
        search: among the vectors of all songs, at least two.
        rules: what the lists keep to.
        rows: shape ``(n_rows,)``, the songs whose lists they are, each once.
        lists: shape ``(n_rows, k)``, the published lists, -1 where one is short.
        depth: songs per list.

    Returns:
        Shape ``(n_rows, depth)``, -1 where a list is short.
    """
    deep = np.full((len(rows), depth), -1, dtype=np.int64)
    if len(rows):
        nearest = min(DEEPER * depth, len(rules.families) - 1)
        found = _candidates(rules, rows, *search.nearest_others(nearest, rows))
        wanted = np.hstack([lists, np.take_along_axis(found.near, found.order, axis=1)])
        for place, row in enumerate(rows):
            others = wanted[place][wanted[place] >= 0]
            chosen = allowed(others, {int(rules.families[row])}, rules.sameness, depth)
            deep[place, : len(chosen)] = others[chosen]
    return deep
