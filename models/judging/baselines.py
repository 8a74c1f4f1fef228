"""Answer queries by simple means, to measure against: queries come in, lists of songs go out.

Every list has the shape ``(n_queries, DEPTH)``, best first, -1 for none. Only the first song of a
family is named, and never the query's own, so that the rules of a recommendation that concern
families hold. Equal scores go by the song's row.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.sparse import csr_array, diags_array

from models.arrays import FloatMatrix, IndexMatrix
from models.judging.evaluation import DEPTH
from models.judging.queries import SEED, Catalogue, Entries, Queries
from models.neighbours.boxes import Boxes

BLOCK = 64


def random(catalogue: Catalogue, queries: Queries) -> IndexMatrix:
    """Name families at random, from a fixed seed: what chance gives."""
    own = catalogue.families[queries.songs]
    size = len(catalogue.first_songs)
    depth = min(DEPTH, size - 1)
    lists = np.full((len(own), DEPTH), -1)
    for row, family in enumerate(own):
        drawn = np.random.default_rng((SEED, row)).choice(size - 1, depth, replace=False)
        lists[row, :depth] = catalogue.first_songs[drawn + (drawn >= family)]
    return lists


def popular(
    catalogue: Catalogue, queries: Queries, training: Entries, popularity: FloatMatrix
) -> IndexMatrix:
    """Name the same favourites to everyone.

    Args:
        catalogue: the songs.
        queries: what is asked.
        training: playlists whose counts say what is popular.
        popularity: shape ``(n_songs,)``, NaN where unknown; decides where there are no playlists
            and between families that stand in as many.
    """
    best = np.argsort(-standing(catalogue, training, popularity), kind="stable")[: DEPTH + 1]
    own = catalogue.families[queries.songs]
    lists = np.where(best == own[:, None], -1, catalogue.first_songs[best])
    return _closed_up(lists)


def same_genre(
    catalogue: Catalogue,
    queries: Queries,
    training: Entries,
    popularity: FloatMatrix,
    genres: csr_array,
) -> IndexMatrix:
    """Name the favourites among the families that share a genre with the query.

    Args:
        catalogue: the songs.
        queries: what is asked.
        training: as for ``popular``.
        popularity: as for ``popular``.
        genres: shape ``(n_songs, n_genres)``, 0 or 1.
    """
    tags = csr_array(genres[catalogue.first_songs], dtype=np.float32)
    order = np.argsort(-standing(catalogue, training, popularity), kind="stable")
    place = 1 - np.argsort(order) / len(order)

    def scores(families: IndexMatrix) -> csr_array:
        shared = (tags[families] @ tags.T).tocsr()
        shared.data = place[shared.indices].astype(np.float64)
        return shared

    return _best(catalogue, queries, scores)


def zscored_audio(catalogue: Catalogue, queries: Queries, audio: FloatMatrix) -> IndexMatrix:
    """Name the nearest by audio features alone, as most published projects do.

    Args:
        catalogue: the songs.
        queries: what is asked.
        audio: shape ``(n_songs, n_features)``, NaN where unknown: the median is taken.
    """
    values = audio[catalogue.first_songs].astype(np.float64)
    values = values[:, ~np.isnan(values).all(axis=0)]
    values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    points = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    asked, which = np.unique(catalogue.families[queries.songs], return_inverse=True)
    depth = min(DEPTH, len(points) - 1)
    near, _ = Boxes(points).nearest_others(depth, asked)
    lists = np.full((len(which), DEPTH), -1)
    lists[:, :depth] = catalogue.first_songs[near[which]]
    return lists


def co_occurrence(catalogue: Catalogue, queries: Queries, training: Entries) -> IndexMatrix:
    """Name what stands in the same training playlists most often: weighted counts.

    A playlist counts for one over the root of its length, so that long ones do not decide
    (Deshpande and Karypis, ACM TOIS 22, 2004, normalise users likewise). The counts are not divided
    by how common a family is: undivided they score three times as high, and bury nearly all of
    the catalogue. A cold query has none.
    """
    held = catalogue.matrix(training)
    held = held[np.diff(held.indptr) > 1].astype(np.float64)
    weighted = diags_array(np.maximum(held.sum(axis=1), 1) ** -0.5) @ held
    by_family = held.T.tocsr()
    return _best(catalogue, queries, lambda families: (by_family[families] @ weighted).tocsr())


def standing(catalogue: Catalogue, training: Entries, popularity: FloatMatrix) -> FloatMatrix:
    """Return how popular each family is: training playlists, then the best of its songs."""
    known = np.full(len(catalogue.first_songs), -1.0)
    np.maximum.at(known, catalogue.families, np.nan_to_num(popularity, nan=-1.0))
    counts = np.bincount(catalogue.matrix(training).indices, minlength=len(known))
    return np.asarray(counts + (known + 1) / (known.max(initial=0) + 2))


def _best(
    catalogue: Catalogue, queries: Queries, scores: Callable[[IndexMatrix], csr_array]
) -> IndexMatrix:
    """Return the ``DEPTH`` families of the highest score for each query, own family left out."""
    own = catalogue.families[queries.songs]
    lists = np.full((len(own), DEPTH), -1)
    for start in range(0, len(own), BLOCK):
        part = own[start : start + BLOCK]
        for row, (families, values) in enumerate(_rows(scores(part)), start):
            named = _highest(values[families != own[row]], families[families != own[row]])
            lists[row, : len(named)] = catalogue.first_songs[named]
    return lists


def _highest(values: FloatMatrix, families: IndexMatrix) -> IndexMatrix:
    """Return the at most ``DEPTH`` families of the highest values, in order."""
    if len(values) > DEPTH:
        kept = values >= np.partition(values, -DEPTH)[-DEPTH]
        values, families = values[kept], families[kept]
    return families[np.lexsort((families, -values))[:DEPTH]]


def _rows(matrix: csr_array) -> Iterator[tuple[IndexMatrix, FloatMatrix]]:
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        yield matrix.indices[start:stop], matrix.data[start:stop]


def _closed_up(lists: IndexMatrix) -> IndexMatrix:
    """Move gaps to the end and return ``DEPTH`` columns."""
    order = np.argsort(lists < 0, axis=1, kind="stable")
    closed = np.full((len(lists), DEPTH), -1)
    kept = np.take_along_axis(lists, order, axis=1)[:, :DEPTH]
    closed[:, : kept.shape[1]] = kept
    return closed
