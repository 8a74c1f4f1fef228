"""Measure lists against held-out playlists: queries and lists come in, measures go out.

Offline accuracy as the field measures it: binary gain, the whole catalogue ranked (sampled
candidates do not keep the order of two models; Krichene and Rendle, KDD 2020), an artist filter
because finding the same artist is easy (Pampalk, Flexer and Widmer, ISMIR 2005).
"""

from typing import NamedTuple

import numpy as np

from models.arrays import Flags, FloatMatrix, IndexMatrix
from models.judging.queries import SEED, Catalogue, Queries

TOP = 5
DEPTH = 100
RESAMPLES = 1000
CATALOGUE = "catalogue"
HEADLINE = "NDCG@5-AF"
METRICS = (HEADLINE, "NDCG@5", "hit rate@5-AF", "recall@100-AF")
DISCOUNT = 1 / np.log2(np.arange(2, TOP + 2))


class Measure(NamedTuple):
    """One row of the table ``evaluation``; no interval where none is defined."""

    metric: str
    model: str
    split: str
    value: float
    low: float | None
    high: float | None
    n: int


def measured(
    catalogue: Catalogue, queries: Queries, lists: IndexMatrix, model: str
) -> list[Measure]:
    """Return the mean of each metric over all, warm and cold queries.

    Where the playlists were learnt from, the split is ``learnt`` and nothing else: such numbers
    are never held out.

    Args:
        catalogue: the songs.
        queries: what is asked.
        lists: shape ``(n_queries, depth)``, songs nearest first, -1 for none. ``DEPTH`` songs
            are needed: with fewer, the artist filter leaves less than is judged.
        model: whose lists they are.
    """
    scores = accuracy(catalogue, queries, lists)
    everything = np.ones(len(scores), dtype=bool)
    splits = {"all": everything, "warm": queries.warm, "cold": ~queries.warm}
    if queries.learnt:
        splits = {"learnt": everything}
    return [
        measure
        for split, chosen in splits.items()
        if chosen.any()
        for measure in _means(scores[chosen], queries.playlists[chosen], model, split)
    ]


def accuracy(catalogue: Catalogue, queries: Queries, lists: IndexMatrix) -> FloatMatrix:
    """Return what each query scores, shape ``(n_queries, len(METRICS))``, in that order.

    A list is judged as one of families: its own and those that it has named already are passed
    over. AF (artist filter) also passes over families that share a credited artist with the
    query, both among those recommended and among those that are relevant.

    NDCG divides by the best that ``TOP`` or, if fewer, all relevant families could give (Järvelin
    and Kekäläinen 2002). Recall divides by ``DEPTH`` where more are relevant, so that a perfect
    list always has 1.
    """
    rows = np.arange(len(queries.songs))
    keys = catalogue.keys(rows[:, None], catalogue.families[lists])
    own = catalogue.keys(rows, catalogue.families[queries.songs])
    named = _first(np.where(lists < 0, -1, keys)) & (lists >= 0) & (keys != own[:, None])
    relevant = np.isin(keys, queries.relevant)
    filtered = named & ~np.isin(keys, queries.by_same_artist)
    apart = np.setdiff1d(queries.relevant, queries.by_same_artist, assume_unique=True)
    size, size_apart = (_sizes(catalogue, found, len(rows)) for found in (queries.relevant, apart))
    gains = _gains(filtered, relevant)
    return np.column_stack(
        [
            _ndcg(gains, size_apart),
            _ndcg(_gains(named, relevant), size),
            gains[:, :TOP].any(axis=1),
            gains.sum(axis=1) / np.minimum(size_apart, DEPTH),
        ]
    )


def interval(values: FloatMatrix, clusters: IndexMatrix) -> tuple[FloatMatrix, FloatMatrix] | None:
    """Return the 95 % interval of the mean of each column, or nothing for a single cluster.

    Queries of one playlist share their answers, so whole playlists are drawn again with
    replacement: the cluster bootstrap, whose variance is consistent under random effects of the
    clusters (Field and Welsh, J. R. Statist. Soc. B 69, 2007). A cluster-robust standard error
    would cost less, but its symmetric interval leaves the range of a metric that is nearly 0.

    Args:
        values: shape ``(n_queries, n_columns)``.
        clusters: shape ``(n_queries,)``, the playlist of each query.

    Returns:
        ``(low, high)``, each of shape ``(n_columns,)``: the 2.5th and 97.5th percentile of
        ``RESAMPLES`` means from a fixed seed.
    """
    _, cluster, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return None
    sums = np.column_stack([np.bincount(cluster, weights=column) for column in values.T])
    drawn = np.random.default_rng(SEED).integers(len(sizes), size=(RESAMPLES, len(sizes)))
    drawn += np.arange(RESAMPLES)[:, None] * len(sizes)
    times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
    low, high = np.percentile((times @ sums) / (times @ sizes)[:, None], [2.5, 97.5], axis=0)
    return low, high


def sample_mean(metric: str, model: str, values: FloatMatrix) -> Measure:
    """Return a mean over sampled songs with its interval."""
    found = interval(values[:, None], np.arange(len(values)))
    low, high = (None, None) if found is None else (float(bound[0]) for bound in found)
    return Measure(metric, model, CATALOGUE, float(values.mean()), low, high, len(values))


def fell(now: Measure, last: Measure, tolerance: float, same_queries: bool) -> bool:
    """Return whether the headline fell under the last build's by more than may be.

    It fell if it lies more than ``tolerance``, a share of the last value, under the last one.
    Where both builds answered the same queries, that decides: the interval says what other
    playlists would have given, and that part of the error is common to both. Where the queries
    differ, the fall must also exceed the noise of a difference, the root of the summed squares of
    both half intervals; without intervals the tolerance decides alone.

    Args:
        now: the headline (``HEADLINE``, split ``all``) of this build.
        last: the same of the last one.
        tolerance: 0 to 1.
        same_queries: whether both were measured on the same playlists and as many queries.
    """
    fall = last.value - now.value
    noise = 0.0 if same_queries else float(np.hypot(_half(now), _half(last)))
    return fall > tolerance * last.value and fall > noise


def _half(measure: Measure) -> float:
    if measure.low is None or measure.high is None:
        return 0.0
    return (measure.high - measure.low) / 2


def _means(scores: FloatMatrix, playlists: IndexMatrix, model: str, split: str) -> list[Measure]:
    found = interval(scores, playlists)
    lows, highs = ([None] * len(METRICS),) * 2 if found is None else map(np.ndarray.tolist, found)
    return [
        Measure(metric, model, split, value, low, high, len(scores))
        for metric, value, low, high in zip(
            METRICS, scores.mean(axis=0).tolist(), lows, highs, strict=True
        )
    ]


def _first(keys: IndexMatrix) -> Flags:
    """Return where a key stands for the first time; a key is of one row only, -1 excepted."""
    first = np.zeros(keys.size, dtype=bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return first.reshape(keys.shape)


def _gains(named: Flags, relevant: Flags) -> Flags:
    """Close up what is named and return which of the first ``DEPTH`` are relevant."""
    rank = np.cumsum(named, axis=1) - 1
    gains = np.zeros((len(named), DEPTH), dtype=bool)
    row, column = np.nonzero(named & relevant & (rank < DEPTH))
    gains[row, rank[row, column]] = True
    return gains


def _ndcg(gains: Flags, relevant: IndexMatrix) -> FloatMatrix:
    ideal = np.cumsum(DISCOUNT)[np.minimum(relevant, TOP) - 1]
    return np.asarray(gains[:, :TOP] @ DISCOUNT / ideal)


def _sizes(catalogue: Catalogue, keys: IndexMatrix, rows: int) -> IndexMatrix:
    return np.bincount(keys // len(catalogue.first_songs), minlength=rows)
