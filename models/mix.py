"""Make a playlist from saved songs: numbers of songs come in, others go out in playing order.

Each taste gets places in proportion to the saved songs, filled with the songs nearest to those
saved in it: to the songs themselves, as the mean of a taste may be where nobody has saved anything.
No saved song is played, nor a version of one, and at most two songs by one artist.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatMatrix, IndexMatrix, Points
from models.lists import OpenList, Sameness

MOST_COMPARED = 128
REACH = 10
GROUPS = 50
SHORTER = 1e-9


@dataclass(frozen=True, slots=True)
class Mix:
    """A playlist and where it comes from.

    Args:
        songs: shape ``(n_places,)``, in playing order.
        near: shape ``(n_places,)``, the saved song that each is nearest to.
        quotas: shape ``(n_tastes,)``, the places of each taste by its share of the saved songs.
        short: shape ``(n_tastes,)``, how many of these places the taste's songs could not fill:
            they went to the next nearest tastes, or to none if no song was left.
    """

    songs: IndexMatrix
    near: IndexMatrix
    quotas: IndexMatrix
    short: IndexMatrix


class Shelves:
    """The catalogue as a mix sees it: songs by taste, with what tells them apart.

    Args:
        points: shape ``(n_songs, n_columns)``; may be on disk (``np.memmap``), as only the
            tastes that a mix needs are read.
        tastes: shape ``(n_songs,)``, numbers from 0 up.
        sameness: which songs stand in each other's way in a playlist.
        flow: shape ``(n_songs, n_others)``, what should change little from song to song, such as
            tempo and energy beside the vectors; the vectors alone if not given.
    """

    def __init__(
        self,
        points: Points,
        tastes: IndexMatrix,
        sameness: Sameness,
        flow: Points | None = None,
    ) -> None:
        self.points, self.tastes, self.sameness = points, tastes, sameness
        self.flow = points if flow is None else flow
        self.number = int(tastes.max(initial=-1)) + 1
        order = np.argsort(tastes, kind="stable")
        self._songs: list[IndexMatrix] = np.split(
            order, np.cumsum(np.bincount(tastes, minlength=self.number))[:-1]
        )

    def candidates(self, taste: int, without: IndexMatrix) -> IndexMatrix:
        """Return the songs of a taste, ascending, except those that look like some others."""
        songs = self._songs[taste]
        others: IndexMatrix = songs[~np.isin(self.sameness.namesakes[songs], without)]
        return others

    def nearest(self, taste: int, saved: IndexMatrix) -> IndexMatrix:
        """Return the other tastes, ordered by how close their means are to the saved songs."""
        middle = self.points[saved].mean(axis=0, dtype=np.float64)
        means = [self.points[songs].mean(axis=0, dtype=np.float64) for songs in self._songs]
        apart = np.sqrt(((np.array(means) - middle) ** 2).sum(axis=1))
        apart[taste] = np.inf
        return np.asarray(np.argsort(apart, kind="stable")[:-1])


def quotas(counts: IndexMatrix, places: int) -> IndexMatrix:
    """Deal out places by largest remainder, at least one to each count above 0 if they suffice.

    A count too small for a place takes one from the count that got most beyond its share, so that
    the shares of the places stay as close as possible to those of the counts. With fewer places
    than counts, the largest get one each. Ties go to the first.

    Args:
        counts: shape ``(n_tastes,)``, saved songs of each.
        places: in total.

    Returns:
        Shape ``(n_tastes,)``; the sum is ``places``, or 0 if nothing was saved.
    """
    present = np.flatnonzero(counts)
    if len(present) >= places or not len(present):
        largest = present[np.argsort(-counts[present], kind="stable")][:places]
        return np.isin(np.arange(len(counts)), largest).astype(np.int64)
    exact = places * counts / counts.sum()
    dealt: IndexMatrix = np.floor(exact).astype(np.int64)
    dealt[np.argsort(dealt - exact, kind="stable")[: places - dealt.sum()]] += 1
    for small in present[dealt[present] == 0]:
        dealt[np.where(dealt > 1, dealt - exact, -np.inf).argmax()] -= 1
        dealt[small] = 1
    return dealt


def mix(shelves: Shelves, saved: IndexMatrix, places: int = 50) -> Mix:
    """Return a playlist for someone who saved these songs.

    Tastes with few places choose first, so that larger ones cannot use up an artist on whom a small
    taste depends. Places that the songs of a taste cannot fill are filled from the next nearest
    tastes, with the songs nearest to those saved in the first.

    Args:
        shelves: the catalogue.
        saved: numbers of songs; repeated and unknown ones (-1) are left out.
        places: how many songs to return; fewer if the rules leave no more.
    """
    saved = np.unique(saved[(saved >= 0) & (saved < len(shelves.tastes))])
    dealt = quotas(np.bincount(shelves.tastes[saved], minlength=shelves.number), places)
    short = np.zeros_like(dealt)
    picks = _Picks(shelves, saved)
    for taste in np.argsort(dealt, kind="stable").tolist():
        there = saved[shelves.tastes[saved] == taste]
        short[taste] = picks.take(taste, there, int(dealt[taste]))
    for taste in np.flatnonzero(short).tolist():
        there = saved[shelves.tastes[saved] == taste]
        missing = int(short[taste])
        for other in shelves.nearest(taste, there).tolist():
            missing = picks.take(other, there, missing)
    songs = np.array(picks.songs, dtype=np.int64)
    if not len(songs):
        return Mix(songs, songs, dealt, short)
    songs = songs[in_order(shelves.flow[songs])]
    near = saved[_squared(shelves.points[songs], shelves.points[saved]).argmin(axis=1)]
    return Mix(songs, near, dealt, short)


class _Picks:
    """The songs picked so far, to apply the rules to the whole playlist."""

    def __init__(self, shelves: Shelves, saved: IndexMatrix) -> None:
        self.songs: list[int] = []
        self._shelves = shelves
        self._own = shelves.sameness.namesakes[saved]
        self._list = OpenList(self._own.tolist())

    def take(self, taste: int, there: IndexMatrix, places: int) -> int:
        """Pick the songs of a taste nearest to the saved ones; return the places left empty."""
        if not places:
            return 0
        candidates = self._shelves.candidates(taste, self._own)
        ranked = candidates[nearest_first(self._shelves.points, candidates, there)]
        few = self._shelves.sameness.of(ranked)
        columns = (ranked.tolist(), few.namesakes.tolist(), few.artists.tolist())
        taken = self._list.take(zip(*columns, strict=True), places)
        self.songs += taken
        return places - len(taken)


def nearest_first(points: Points, candidates: IndexMatrix, saved: IndexMatrix) -> IndexMatrix:
    """Return the order of the candidates by how close they are to the saved songs.

    Closeness is a sum of Gaussian kernels around the saved songs, each as wide as the distance to
    its ``REACH``-th nearest candidate. So being close to several beats being close to one, songs in
    sparse regions count, and distant ones do not, as they would in a mean.

    Of many saved songs, ``MOST_COMPARED`` are used, evenly spaced by number: ids say nothing about
    the music, so this is a fair sample, and a sum over hundreds needs no more.

    Args:
        points: all vectors.
        candidates: numbers of songs.
        saved: numbers of songs, at least one.

    Returns:
        Shape of ``candidates``; ties go to the nearest to a single song, then to the first.
    """
    if not len(candidates):
        return candidates
    spaced = np.linspace(0, len(saved) - 1, min(len(saved), MOST_COMPARED)).round()
    compared = np.asarray(points[saved[spaced.astype(np.int64)]], dtype=np.float32)
    squared = _squared(compared, np.asarray(points[candidates], dtype=np.float32))
    nearest = squared.min(axis=0)
    squared /= -_widths(squared)[:, None]
    density = np.exp(squared, out=squared).sum(axis=0)
    return np.lexsort((nearest, -density))


def _widths(squared: Points) -> Points:
    """Return, for each row, roughly its ``REACH``-th smallest value, never 0.

    It is sought among the minima of several hundred groups, which takes one pass and is inexact
    only where two of the smallest values share a group.
    """
    group = max(1, squared.shape[1] // (GROUPS * REACH))
    smallest = np.minimum.reduceat(squared, np.arange(0, squared.shape[1], group), axis=1)
    place = min(REACH, smallest.shape[1]) - 1
    widths = np.partition(smallest, place, axis=1)[:, place]
    return np.asarray(np.maximum(widths, np.finfo(squared.dtype).tiny))


def in_order(points: Points) -> IndexMatrix:
    """Return an order in which each song is close to the one before it.

    A short open path: starting at the song furthest from all others, always on to the nearest one
    left, then 2-opt with the best reversal each time, until none shortens the path (Croes,
    Operations Research 6, 1958). A stop at distance 0 from all others closes the path, so that its
    ends are free.

    Args:
        points: shape ``(n_songs, n_columns)``.
    """
    songs = len(points)
    if not songs:
        return np.arange(0)
    apart = np.zeros((songs + 1, songs + 1))
    apart[1:, 1:] = np.sqrt(_squared(points.astype(np.float64), points.astype(np.float64)))
    tour = _greedy(apart)
    while songs > 2:
        ahead = np.roll(tour, -1)
        legs = apart[tour, ahead]
        gain = legs[:, None] + legs - apart[np.ix_(tour, tour)] - apart[np.ix_(ahead, ahead)]
        start, stop = np.unravel_index(np.triu(gain, 1).argmax(), gain.shape)
        if gain[start, stop] <= SHORTER * legs.sum():
            break
        tour[start + 1 : stop + 1] = tour[start + 1 : stop + 1][::-1]
    return np.asarray(tour[tour > 0] - 1)


def _greedy(apart: FloatMatrix) -> IndexMatrix:
    """Return a tour of all stops from stop 0, each time on to the nearest one left."""
    left = apart.copy()
    left[:, 0] = np.inf
    tour = [0]
    at = 1 + int(apart[1:].sum(axis=1).argmax())
    while len(tour) < len(apart):
        tour.append(at)
        left[:, at] = np.inf
        at = int(left[at].argmin())
    return np.array(tour)


def _squared(points: Points, others: Points) -> Points:
    """Return squared distances, shape ``(n_points, n_others)``."""
    lengths = np.einsum("ij,ij->i", points, points)[:, None]
    product = points @ others.T
    product *= -2
    product += lengths
    product += np.einsum("ij,ij->i", others, others)
    return np.maximum(product, 0, out=product)
