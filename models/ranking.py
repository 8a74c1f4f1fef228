"""Pick what is recommended: vectors and rules come in, ``k`` others for each song go out.

The nearest others of a song, and where there are playlists its companions in them, are ordered by
how much they are wanted: by nearness, by how much they are listened to, and by the playlists in
common. They are taken in that order, leaving out the song's own family, a second song of any
family, what would be too many songs by one artist, and songs that stand in enough lists already.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from models.arrays import Flags, FloatMatrix, IndexMatrix, SingleMatrix
from models.companions import VERSIONS, Companions
from models.lists import OpenList, Sameness, allowed
from models.neighbours.engine import Advance, Engine, ignore

PAGE = 5
DEPTH = 100
DEEPER = 4
DEEPEST = 1600
WORKED_ON = 2**19
HELD = 2**24
HARDLY_HEARD = 0.1
MEASURED = 4096
TOGETHER = 15.0  # what one whole playlist in common counts, beside the root of the playlists
UNPLAYED = 0.02  # what stands for that root where no playlist holds a song
CURIOSITY = 8.0  # playlists that the most popular of the songs in none is expected to stand in


@dataclass(frozen=True, slots=True)
class Rules:
    """What the lists must keep to.

    Args:
        families: shape ``(n_songs,)``, the namesakes of ``Sameness``.
        artists: shape ``(n_songs,)``, as ``Sameness`` has them.
        listened: shape ``(n_songs,)``, from 0 for a song that nobody is known to hear to 1.
        bonus: what is taken off the squared distance to a song with ``listened`` 1.
        hub_cap: in how many lists a song may stand among the first ``PAGE`` places; 0 for any
            number, and then no list gives way to a song that stands in none.
        audience: shape ``(n_songs,)``, how often each list is expected to be looked at: who has
            more chooses first. As much as the song is listened to by default.
        companions: what stands in the same playlists; none where there are none.
    """

    families: IndexMatrix
    artists: IndexMatrix
    listened: FloatMatrix
    bonus: float
    hub_cap: int
    audience: FloatMatrix | None = None
    companions: Companions | None = None

    @property
    def chooser(self) -> IndexMatrix:
        """The songs in the order in which they choose."""
        expected = self.listened if self.audience is None else self.audience
        return np.argsort(-expected, kind="stable")

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


def listened_to(popularity: FloatMatrix, companions: Companions | None) -> FloatMatrix:
    """Say how much each song is listened to, from 0 to 1.

    Args:
        popularity: shape ``(n_songs,)``, as the catalogue has it, NaN where unknown.
        companions: of playlists, where there are any.

    Returns:
        The fourth power of the rank by popularity, so that only a few stand out. Where there are
        playlists the logarithm of those that hold the family, as a share of the highest; songs
        in none then have ``HARDLY_HEARD`` of what they would have without playlists.
    """
    popular = _rank(popularity) ** 4
    if companions is None:
        return np.asarray(popular)
    heard = np.log1p(companions.plays.astype(np.float64))
    heard /= max(heard.max(initial=0), np.finfo(float).tiny)
    return np.where(heard > 0, heard, HARDLY_HEARD * popular)


def audience(
    popularity: FloatMatrix, families: IndexMatrix, companions: Companions | None
) -> FloatMatrix:
    """Say how often each list is expected to be looked at, in numbers that only compare.

    In as many playlists as hold the song, and a few for the most popular of the others; versions
    share what is asked of a family, each the less the more there are.

    Args:
        popularity: shape ``(n_songs,)``, NaN where unknown.
        families: shape ``(n_songs,)``, a number from 0 up for each song's family.
        companions: of playlists, where there are any.
    """
    plays = 0.0 if companions is None else companions.plays.astype(np.float64)
    return (plays + CURIOSITY * _rank(popularity) ** 8) / np.sqrt(np.bincount(families)[families])


def _rank(popularity: FloatMatrix) -> FloatMatrix:
    """Return each song's rank by popularity from 0 to 1, unknown at the median; 0 if all are."""
    known = np.isfinite(popularity)
    if not known.any():
        return np.zeros(len(popularity))
    filled = np.where(known, popularity, np.median(popularity[known]))
    return np.asarray(rankdata(filled) / len(filled))


def recommended(
    search: Engine, points: SingleMatrix, rules: Rules, k: int, advance: Advance = ignore
) -> Lists:
    """Choose the ``k`` songs that are recommended for every song.

    The first ``PAGE`` places are those that are looked at: the songs whose lists are expected to
    be looked at most choose first, and no song stands there too often. A list that its
    ``DEPTH`` nearest songs cannot fill is searched deeper, in the end without the hub cap. Each
    song that no list holds takes the last place of a list near it. A longer list goes on, without
    the hub cap, from the same first places.

    Args:
        search: among the vectors of all songs.
        points: the vectors; rows sorted by id, so that ties go by id.
        rules: what the lists keep to.
        k: songs per list.
        advance: told how many songs are done.
    """
    songs = len(search)
    shelf = _Shelf(points, rules, k)
    if songs < 2:
        return shelf.lists
    chooser = rules.chooser
    near, far = search.nearest_others(_depth(k, songs), chooser, advance)
    first = min(k, PAGE)
    depth = _depth(first, songs)
    candidates = Candidates(chooser, near[:, :depth], far[:, :depth])
    shelf.fill(candidates, first, rules.hub_cap or songs)
    _fill_deeper(shelf, search, chooser, first, rules.hub_cap or songs)
    if rules.hub_cap:
        shelf.adopt(candidates, first)
        _adopt_from_afar(shelf, search, chooser, first)
    if k > PAGE:
        shelf.fill(Candidates(chooser, near, far), k, songs)
        _fill_deeper(shelf, search, chooser, k, songs)
    return shelf.measured()


@dataclass(frozen=True, slots=True)
class Candidates:
    """What lists are filled from.

    Args:
        rows: shape ``(n_rows,)``, the songs, in the order in which they choose.
        near: shape ``(n_rows, depth)``, their nearest others.
        far: shape ``(n_rows, depth)``, the distances.
    """

    rows: IndexMatrix
    near: IndexMatrix
    far: FloatMatrix


def _depth(places: int, songs: int) -> int:
    """Return from how many nearest songs so many places are filled at first."""
    return min(max(DEPTH, DEEPER * places), songs - 1)


def _parts(length: int, most: int) -> Iterator[slice]:
    step = max(1, most)
    return (slice(start, start + step) for start in range(0, length, step))


def _wanted(
    points: SingleMatrix, rules: Rules, candidates: Candidates
) -> Iterator[tuple[IndexMatrix, IndexMatrix, FloatMatrix]]:
    """Yield the songs that each list is filled from, the most wanted first, a part at a time.

    A song is worth ``(root of plays + UNPLAYED) * exp(bonus * listened - squared distance)``, and
    a companion ``TOGETHER`` times what it has in common besides. Without playlists the order is
    that of distance and bonus. A companion that is near, too, comes twice.

    Yields:
        The part's rows, and for each its songs, -1 for none, and their distances: of a companion
        one that is only about right and negative, to tell it from those that were searched.
    """
    for part in _parts(len(candidates.rows), WORKED_ON // candidates.near.shape[1]):
        rows, songs, far = candidates.rows[part], candidates.near[part], candidates.far[part]
        if rules.companions is None:
            worth = rules.bonus * rules.listened[songs] - np.square(far)
        else:
            songs, far, together = _with_companions(points, rules.companions, rows, songs, far)
            loved = np.sqrt(rules.companions.plays[songs]) + UNPLAYED
            worth = loved * np.exp(rules.bonus * rules.listened[songs] - np.square(far))
            worth += TOGETHER * together
            worth[songs < 0] = -1
        order = np.argsort(-worth, axis=1, kind="stable")
        yield rows, np.take_along_axis(songs, order, 1), np.take_along_axis(far, order, 1)


def _with_companions(
    points: SingleMatrix,
    known: Companions,
    rows: IndexMatrix,
    near: IndexMatrix,
    far: FloatMatrix,
) -> tuple[IndexMatrix, FloatMatrix, SingleMatrix]:
    """Return near songs and companions, their distances, and what each has in common.

    All versions of a companion are taken to be as far as the first of them.
    """
    others, together = known.of(rows)
    first = others[:, ::VERSIONS]
    row, column = np.nonzero(first >= 0)
    squares = np.zeros(first.shape, dtype=np.float32)
    for part in _parts(len(row), MEASURED):
        some, other = row[part], column[part]
        gaps = points[first[some, other]] - points[rows[some]]
        squares[some, other] = np.einsum("ij,ij->i", gaps, gaps)
    apart = -np.sqrt(np.repeat(squares, VERSIONS, axis=1), dtype=np.float64)
    return (
        np.hstack([near, others]),
        np.hstack([far, apart]),
        np.hstack([known.shared(rows, near), together]),
    )


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
            shelf.fill(Candidates(rows, *nearest), stop, cap)
        waiting = waiting[shelf.short(waiting, stop)]
        more = depth < last or cap < len(chooser)


def _adopt_from_afar(shelf: "_Shelf", search: Engine, chooser: IndexMatrix, stop: int) -> None:
    """Find a place for what stands in no list yet among songs that are less near."""
    depth = _depth(stop, len(chooser))
    last = min(DEEPEST, len(chooser) - 1)
    while depth < last:
        depth = min(depth * DEEPER, last)
        waiting = chooser[~shelf.listed(chooser)]
        for part in _parts(len(waiting), HELD // depth):
            rows = waiting[part]
            shelf.adopt(Candidates(rows, *search.nearest_others(depth, rows)), stop)


class _Shelf:
    """The lists as they fill, and in how many of them each song stands already."""

    def __init__(self, points: SingleMatrix, rules: Rules, k: int) -> None:
        songs = len(rules.families)
        self.points = points
        self.rules = rules
        self._namesakes = rules.families.tolist()
        self._artists = rules.artists.tolist()
        self._listed = [0] * songs
        self._spent: set[int] = set()
        self.lists = Lists(np.full((songs, k), -1, dtype=np.int64), np.full((songs, k), np.inf))

    def short(self, rows: IndexMatrix, stop: int) -> Flags:
        """Return which of the lists have less than ``stop`` songs."""
        return np.asarray(self.lists.songs[rows, stop - 1] < 0)

    def listed(self, rows: IndexMatrix) -> Flags:
        """Return which songs stand in a list."""
        return np.asarray(np.array(self._listed)[rows] > 0)

    def fill(self, candidates: Candidates, stop: int, hub_cap: int) -> None:
        """Fill lists one after the other.

        Args:
            candidates: the lists to fill, in this order, and from what.
            stop: places to fill.
            hub_cap: lists that may hold a song.
        """
        for rows, wanted, far in _wanted(self.points, self.rules, candidates):
            for place, row in enumerate(rows.tolist()):
                before = [song for song in self.lists.songs[row].tolist() if song >= 0]
                chosen = self._chosen((row, *before), wanted[place], stop, hub_cap)
                new = slice(len(before), len(before) + len(chosen))
                self.lists.songs[row, new] = wanted[place, chosen]
                self.lists.distances[row, new] = far[place, chosen]

    def measured(self) -> Lists:
        """Return the lists, all distances in double precision."""
        row, place = np.nonzero(self.lists.distances < 0)
        other = self.lists.songs[row, place]
        for part in _parts(len(row), MEASURED):
            gaps = self.points[row[part]].astype(np.float64) - self.points[other[part]]
            self.lists.distances[row[part], place[part]] = np.linalg.norm(gaps, axis=1)
        return self.lists

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
            if song >= 0 and listed[song] < hub_cap
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

    def adopt(self, candidates: Candidates, stop: int) -> None:
        """Give each song that stands in no list the last place of a list near it.

        The song that stood there must stand in another list, too. Lists of songs that are hardly
        heard give way before others, and each gives one place at most.

        Args:
            candidates: of the songs that may need a place.
            stop: places of a list.
        """
        listed = self._listed
        heard = self.rules.listened >= HARDLY_HEARD
        spent = self._spent
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
    points: SingleMatrix, rules: Rules, candidates: Candidates, lists: IndexMatrix, depth: int
) -> IndexMatrix:
    """Go on with some lists in the order in which songs are wanted, to look deeper than readers do.

    Families and artists keep to the rules. The hub cap does not: it is for the places that are
    published. A list is short where the candidates do not suffice.

    Args:
        points: the vectors.
        rules: what the lists keep to.
        candidates: of the songs whose lists they are, each once.
        lists: shape ``(n_rows, k)``, the published lists, -1 where one is short.
        depth: songs per list.

    Returns:
        Shape ``(n_rows, depth)``, -1 where a list is short.
    """
    deep = np.full((len(candidates.rows), depth), -1, dtype=np.int64)
    place = 0
    for rows, wanted, _ in _wanted(points, rules, candidates):
        for row, songs in zip(rows, wanted, strict=True):
            others = np.concatenate([lists[place], songs])
            others = others[others >= 0]
            chosen = allowed(others, {int(rules.families[row])}, rules.sameness, depth)
            deep[place, : len(chosen)] = others[chosen]
            place += 1
    return deep
