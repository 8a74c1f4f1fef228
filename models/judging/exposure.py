"""Measure what needs no playlists: lists and what is known of songs come in, measures go out.

What a whole set of published lists does to a catalogue (coverage, hubness, popularity, diversity),
and the proxies that stand in where there are no playlists.
"""

from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_array

from models.arrays import FloatMatrix, IndexMatrix, SingleMatrix
from models.judging.evaluation import CATALOGUE, DEPTH, TOP, Measure, sample_mean
from models.judging.exactness import distinct, sampled_songs
from models.judging.queries import SEED, Catalogue

RANDOM_PAIRS = 200_000


def coverage(catalogue: Catalogue, lists: IndexMatrix, model: str) -> list[Measure]:
    """Return how the first ``TOP`` places of all lists are spread over the catalogue.

    N5 is how often a song stands in them. Its skewness above about 1.2 is marked hubness; lists
    drawn at random have 0.45, a Gini of 0.25 and 0.7 % never recommended (N5 is then Poisson
    with mean 5). Skewness as Radovanović, Nanopoulos and Ivanović, JMLR 11, 2010. Coverage is the
    share of families of which a song is recommended. All of the catalogue is counted, so there is
    no interval.

    Args:
        catalogue: the songs.
        lists: shape ``(n_songs, k)``, the published lists, -1 for none.
        model: whose lists they are.
    """
    top = lists[:, :TOP]
    counts = np.bincount(top[top >= 0], minlength=len(lists))
    reached = np.unique(catalogue.families[counts > 0])
    spread = (counts - counts.mean()) / max(counts.std(), 1e-9)
    values = {
        "catalogue coverage": len(reached) / len(catalogue.first_songs),
        "never recommended": (counts == 0).mean(),
        "N5 skewness": (spread**3).mean(),
        "N5 Gini": gini(counts),
        "N5 maximum": counts.max(),
    }
    return [_whole(metric, model, float(value), len(lists)) for metric, value in values.items()]


def gini(counts: IndexMatrix) -> float:
    """Return 0 where all counts are equal, up to nearly 1 where one song has them all."""
    ordered, size = np.sort(counts).astype(np.float64), len(counts)
    if not ordered.sum():
        return 0.0
    return float((2 * np.arange(1, size + 1) - size - 1) @ ordered / (size * ordered.sum()))


def popularity_drift(lists: IndexMatrix, popularity: FloatMatrix, model: str) -> list[Measure]:
    """Return how much more popular lists are than their songs, and how far they follow them.

    The drift is the mean, over the songs, of the mean popularity of the list less the song's own;
    the correlation is Pearson's between the two. Songs without a popularity, or whose list has
    none, are left out.

    Args:
        lists: shape ``(n_songs, k)``, -1 for none.
        popularity: shape ``(n_songs,)``, 0 to 100, NaN where unknown.
        model: whose lists they are.
    """
    top = lists[:, :TOP]
    given = np.where(top < 0, np.nan, popularity[top])
    known = ~np.isnan(given)
    fine = known.any(axis=1) & ~np.isnan(popularity)
    if not fine.any():
        return []
    listed = np.nansum(given[fine], axis=1) / known[fine].sum(axis=1)
    drift = float((listed - popularity[fine]).mean())
    measures = [_whole("popularity drift", model, drift, int(fine.sum()))]
    if min(np.ptp(listed), np.ptp(popularity[fine])) > 0:
        follows = float(np.corrcoef(listed, popularity[fine])[0, 1])
        measures.append(_whole("popularity correlation", model, follows, int(fine.sum())))
    return measures


def intra_list_similarity(
    lists: IndexMatrix, vectors: FloatMatrix | SingleMatrix, model: str
) -> list[Measure]:
    """Return the mean similarity, 1 / (1 + distance), between two songs of one list.

    Lower is more diverse (Ziegler et al., WWW 2005, with the similarity that is published in
    place of theirs). Lists of two songs or more are sampled.

    Args:
        lists: shape ``(n_lists, k)``, -1 for none.
        vectors: shape ``(n_songs, n_columns)``.
        model: whose lists they are.
    """
    top = lists[:, :TOP]
    top = top[(top >= 0).sum(axis=1) > 1]
    if not len(top):
        return []
    top = top[sampled_songs(len(top))]
    first, second = np.triu_indices(top.shape[1], 1)
    apart = np.linalg.norm(vectors[top[:, first]] - vectors[top[:, second]], axis=2).astype(float)
    there = (top[:, first] >= 0) & (top[:, second] >= 0)
    values = np.where(there, 1 / (1 + apart), 0).sum(axis=1) / there.sum(axis=1)
    return [sample_mean("intra-list similarity", model, values)]


def genre_lift(
    catalogue: Catalogue, lists: IndexMatrix, genres: csr_array, model: str
) -> list[Measure]:
    """Return how much oftener a recommended pair shares a genre than a random pair does.

    Only for vectors that hold no genre: otherwise it measures what was put in. Pairs that share a
    credited artist are left out on both sides, as where genres are an artist's such pairs share
    them by definition; so are songs without a genre. The interval is that of the random pairs, a
    sample; the recommended pairs are all counted.

    Args:
        catalogue: the songs.
        lists: shape ``(n_songs, k)``, -1 for none.
        genres: shape ``(n_songs, n_genres)``, 0 or 1.
        model: whose lists they are.
    """
    tagged = np.flatnonzero(np.diff(genres.indptr))
    if len(tagged) < 2:
        return []
    song, column = np.nonzero(lists[:, :TOP] >= 0)
    other = lists[song, column]
    both = np.isin(song, tagged) & np.isin(other, tagged)
    listed = _shared_genre(catalogue, genres, song[both], other[both])
    drawn = np.random.default_rng(SEED).choice(tagged, (2, RANDOM_PAIRS))
    by_chance = _shared_genre(catalogue, genres, *drawn)
    if not len(listed) or not by_chance.any():
        return []
    share, chance = float(listed.mean()), float(by_chance.mean())
    error = 1.96 * (chance * (1 - chance) / len(by_chance)) ** 0.5
    high = share / (chance - error) if chance > error else None
    low = share / (chance + error)
    return [Measure("genre lift", model, CATALOGUE, share / chance, low, high, len(listed))]


def proxies(
    catalogue: Catalogue,
    labels: Mapping[str, IndexMatrix],
    songs: IndexMatrix,
    lists: IndexMatrix,
    model: str,
) -> list[Measure]:
    """Return the recall of songs with the same label, the best that is left without playlists.

    For the song's album or primary artist as label. It says whether the vectors hold what such
    songs have in common, not whether anyone would follow the recommendation: the artist filter
    removes exactly these pairs from the headline. It means nothing where the label is in the
    vectors, as an artist's genres or vector are. The lists must be the nearest others before the
    rules, which allow two songs by one artist. Compare it with the same from random lists.

    Args:
        catalogue: the songs.
        labels: by name, such as ``same album``, an array of shape ``(n_songs,)``: a number from 0
            up for each song's label, -1 where unknown.
        songs: shape ``(n_rows,)``, such as ``sampled_songs``.
        lists: shape ``(n_rows, depth)``, nearest first, -1 for none; ``DEPTH`` are looked at.
        model: whose lists they are.

    Returns:
        For each label the mean over the songs whose label stands on another family, if any.
    """
    recalls = {name: _recall(catalogue, label, songs, lists) for name, label in labels.items()}
    found = {name: recall for name, recall in recalls.items() if len(recall)}
    return [sample_mean(f"proxy: {name}", model, recall) for name, recall in found.items()]


def _recall(
    catalogue: Catalogue, labels: IndexMatrix, songs: IndexMatrix, lists: IndexMatrix
) -> FloatMatrix:
    """Return for each song with others of its label the share of their families in its list."""
    pairs = np.unique(np.column_stack([labels, catalogue.families])[labels >= 0], axis=0)
    sizes = np.bincount(pairs[:, 0], minlength=int(labels.max(initial=-1)) + 2)
    others = np.where(labels[songs] < 0, 0, sizes[labels[songs]] - 1)
    asked = others > 0
    songs, lists = songs[asked], lists[asked, :DEPTH]
    same = (lists >= 0) & (labels[lists] == labels[songs][:, None])
    families = np.where(same, catalogue.families[lists], -1)
    hits = same & (families != catalogue.families[songs][:, None]) & distinct(families)
    return np.asarray(hits.sum(axis=1) / np.minimum(others[asked], DEPTH))


def _shared_genre(
    catalogue: Catalogue, genres: csr_array, song: IndexMatrix, other: IndexMatrix
) -> FloatMatrix:
    """Return 1 or 0 for each pair that no artist shares: whether they share a genre."""
    families = catalogue.families
    kept = (families[song] != families[other]) & ~catalogue.share_artist(
        families[song], families[other]
    )
    shared = genres[song[kept]].multiply(genres[other[kept]]).sum(axis=1)
    return (np.asarray(shared).ravel() > 0).astype(np.float64)


def _whole(metric: str, model: str, value: float, size: int) -> Measure:
    """Return a measure of the whole catalogue, which has no interval."""
    return Measure(metric, model, CATALOGUE, value, None, None, size)
