"""Group songs into tastes: vectors come in, the taste of each song and its history go out.

Mini-batch k-means (Sculley, WWW 2010) finds the tastes, and k-means over all songs settles them: a
mini-batch fit alone would move songs from night to night. A fit from scratch draws its borders
differently every time, so each night starts from yesterday's tastes: from the means, in today's
vectors, of the songs that they held. So vectors that were fitted again, with other axes, change
nothing by themselves. Everything is seeded and on one thread, so that equal input gives equal
tastes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.metrics import pairwise_distances_argmin, silhouette_score
from threadpoolctl import threadpool_limits

from models.arrays import IndexMatrix, Points

NUMBERS = (12, 16, 24, 32, 48, 64)
SMALLEST = 50
TRIED_ON = 20_000
JUDGED_ON = 4_000
NEAR_BEST = 0.8
GOOD_ENOUGH = 0.75
SAME_TASTE = 1 / 3
BATCH = 4096
FITS = 5
MOST_PASSES = 200
SEED = 20261121


@dataclass(frozen=True, slots=True)
class Tastes:
    """What songs were grouped into.

    Args:
        of_song: shape ``(n_songs,)``, the taste of each song, numbered from 0 by size, the
            largest first.
        before: shape ``(n_tastes,)``, the number that the taste had yesterday, -1 for a new one.
    """

    of_song: IndexMatrix
    before: IndexMatrix


def tastes(points: Points, yesterday: IndexMatrix | None = None) -> Tastes:
    """Group the songs, keeping yesterday's tastes as far as they still fit.

    Yesterday's number of tastes is kept as long as it separates songs at least ``GOOD_ENOUGH``
    times as well as the best number does; otherwise ``how_many`` gives the number and the fit
    starts again.

    Args:
        points: shape ``(n_songs, n_columns)``, finite; rows sorted by id.
        yesterday: shape ``(n_songs,)``, the taste that each of today's songs had yesterday, -1
            for a song that was not there.
    """
    with threadpool_limits(1):
        start = _start(points, yesterday)
        labels = _labels(points, start)
    of_song = _by_size(labels)
    nothing = np.full(len(points), -1)
    return Tastes(of_song, same_tastes(of_song, nothing if yesterday is None else yesterday))


def possible(songs: int) -> Sequence[int]:
    """Return those of ``NUMBERS`` that leave ``SMALLEST`` songs per taste, or one that does."""
    fitting = [number for number in NUMBERS if number * SMALLEST <= songs]
    return fitting or [max(1, songs // SMALLEST)]


def how_many(separation: Mapping[int, float]) -> int:
    """Return the fewest tastes that separate songs nearly as well as the best number does.

    Music has no sharp borders: beyond a dozen tastes the silhouette hardly changes. Among nearly
    equal numbers the smallest is taken, as people can tell a few tastes apart, and their shares
    work out even in a playlist of fifty.

    Args:
        separation: mean silhouette of songs for each number of tastes.
    """
    best = max(separation.values())
    bound = best - (1 - NEAR_BEST) * abs(best)
    return min(number for number, score in separation.items() if score >= bound)


class Sample:
    """Two samples, drawn once: one to fit every number of tastes on, one to judge the fits."""

    def __init__(self, points: Points) -> None:
        drawn = np.random.default_rng(SEED).permutation(len(points))
        judged = min(JUDGED_ON, len(points) // 2)
        self._judged = points[np.sort(drawn[:judged])]
        self.tried = points[np.sort(drawn[judged : judged + TRIED_ON])]

    def separation(self, means: Points) -> float:
        """Return the mean silhouette of the songs when each belongs to its nearest mean.

        Returns:
            -1 to 1; -1 for a single taste, or for as many tastes as songs.
        """
        nearest = pairwise_distances_argmin(self._judged, means.astype(self._judged.dtype))
        if len(np.unique(nearest)) in (1, len(nearest)):
            return -1.0
        return float(silhouette_score(self._judged, nearest))


def same_tastes(today: IndexMatrix, yesterday: IndexMatrix) -> IndexMatrix:
    """Return, for each of today's tastes, the one of yesterday that it continues, -1 for none.

    The pairs are those that share the most songs in total (Hungarian assignment on the Jaccard
    index, over the songs of both nights). Two tastes are the same if their index is at least a
    third, which means half of the songs if both are equally large.

    Args:
        today: shape ``(n_songs,)``, numbers from 0 without gaps.
        yesterday: shape ``(n_songs,)``, -1 for a new song.
    """
    stayed = yesterday >= 0
    shape = int(today.max(initial=-1)) + 1, int(yesterday.max(initial=-1)) + 1
    shared = np.zeros(shape)
    np.add.at(shared, (today[stayed], yesterday[stayed]), 1)
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
    jaccard = shared / np.maximum(either, 1)
    rows, columns = linear_sum_assignment(-jaccard)
    same = jaccard[rows, columns] >= SAME_TASTE
    before = np.full(shape[0], -1, dtype=np.int64)
    before[rows[same]] = columns[same]
    return before


def _start(points: Points, yesterday: IndexMatrix | None) -> Points:
    """Return the means to start from: yesterday's if they separate well, otherwise new ones."""
    numbers = possible(len(points))
    means = None if yesterday is None else _means(points, yesterday)
    if len(numbers) == 1:
        if means is not None and len(means) == numbers[0]:
            return means
        return _centres(points, numbers[0], FITS)
    sample = Sample(points)
    scores = {number: sample.separation(_centres(sample.tried, number)) for number in numbers}
    if means is not None and sample.separation(means) >= GOOD_ENOUGH * max(scores.values()):
        return means
    few = sample.tried if len(points) > TRIED_ON else points
    return _centres(few, how_many(scores), FITS)


def _means(points: Points, of_song: IndexMatrix) -> Points | None:
    """Return the mean of each taste that has songs, or None if no song has a taste."""
    numbers = np.unique(of_song[of_song >= 0])
    members = (points[of_song == number] for number in numbers)
    return np.array([m.mean(axis=0, dtype=np.float64) for m in members]) if len(numbers) else None


def _centres(points: Points, number: int, fits: int = 1) -> Points:
    """Return the means of the best of several fits, the one with the least inertia.

    A single fit ends in the nearest optimum, where one mean may cover two tastes, or two means one.
    """
    how = {"n_init": 3, "batch_size": BATCH}
    models = (MiniBatchKMeans(number, random_state=SEED + n, **how) for n in range(fits))
    best = min((model.fit(points) for model in models), key=attrgetter("inertia_"))
    return np.asarray(best.cluster_centers_)


def _labels(points: Points, means: Points) -> IndexMatrix:
    """Return the taste of each song once k-means, starting from these means, moves nothing."""
    start = means.astype(points.dtype)
    how = "elkan" if len(means) > 1 else "lloyd"
    model = KMeans(len(means), init=start, n_init=1, max_iter=MOST_PASSES, algorithm=how)
    return np.asarray(model.fit(points).labels_, dtype=np.int64)


def _by_size(labels: IndexMatrix) -> IndexMatrix:
    """Number the tastes that have songs, the largest first; ties go by their first song."""
    _, first, compact, size = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -size))
    return np.asarray(np.argsort(order)[compact])
