"""Sum up songs by artist, genre, taste and year: songs and lists come in, rows of tables go out.

A group is a name and the songs that have it; a song may have several genres. Sums are taken in the
order of the songs on one thread, so that the last digit is the same every time.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from warehouse.contracts import (
    ARTISTS,
    AVERAGED,
    DISTANCE_COUNTS,
    FEATURE_YEARS,
    GENRES,
    HUB_COUNTS,
    Table,
)

Indices = NDArray[np.int64]

RELATED = 8
BEST_KNOWN = 24
BY_ONE_ARTIST = 2
STEP = 0.05


@dataclass(frozen=True, slots=True)
class Groups:
    """The songs of each group.

    Args:
        names: of the groups, ascending.
        members: shape ``(n_songs, n_groups)``, 1 if a song is in a group.
    """

    names: pl.Series
    members: csr_array


def groups(songs: pl.Series, pairs: pl.DataFrame) -> Groups:
    """Return the groups of some songs.

    Args:
        songs: every ``song_id``, in the order of the rows.
        pairs: ``song_id`` and, as the other column, the group; each pair once, no nulls.
    """
    column = next(name for name in pairs.columns if name != "song_id")
    names = pairs[column].unique().sort()
    rows, places = (
        pl.DataFrame({name: values, "at": np.arange(len(values))})
        for name, values in (("song_id", songs), (column, names))
    )
    numbered_pairs = pairs.join(rows, on="song_id").join(places, on=column, suffix=" of group")
    at = numbered_pairs["at"].to_numpy(), numbered_pairs["at of group"].to_numpy()
    return Groups(
        names, csr_array((np.ones(len(numbered_pairs)), at), shape=(len(songs), len(names)))
    )


def artist_rows(songs: pl.DataFrame, artists: Groups) -> pl.DataFrame:
    """Return the table ``artists``.

    Args:
        songs: ``artist``, ``family_id``, ``year``, ``popularity`` and the columns of ``AVERAGED``.
        artists: of these songs, in their order.
    """
    counted = songs.group_by("artist").agg(
        songs=pl.len(),
        families=pl.col("family_id").n_unique(),
        first_year=pl.col("year").min(),
        last_year=pl.col("year").max(),
        best_popularity=pl.col("popularity").max(),
    )
    return _laid_out(ARTISTS, counted, songs, artists)


def genre_rows(songs: pl.DataFrame, filed: pl.DataFrame, genres: Groups) -> pl.DataFrame:
    """Return the table ``genres``.

    Args:
        songs: ``song_id``, ``artist`` and the columns of ``AVERAGED``.
        filed: ``song_id`` and ``genre``, each pair once.
        genres: the same, in the order of the songs.
    """
    counted = (
        filed.join(songs.select("song_id", "artist"), on="song_id")
        .group_by("genre")
        .agg(songs=pl.len(), artists=pl.col("artist").n_unique())
    )
    return _laid_out(GENRES, counted, songs, genres)


def year_rows(songs: pl.DataFrame, years: Groups) -> pl.DataFrame:
    """Return the table ``feature_years``.

    Args:
        songs: ``year`` and the columns of ``AVERAGED``.
        years: of these songs, in their order.
    """
    counted = songs.drop_nulls("year").group_by("year").agg(songs=pl.len())
    return _laid_out(FEATURE_YEARS, counted, songs, years)


def related(table: Table, named: Groups, lists: Indices) -> pl.DataFrame:
    """Return the ``RELATED`` groups that the lists of each group lead to most strongly.

    The strength is the other's part in the Kullback-Leibler divergence (1951) of where the group
    leads from where all songs lead: the share of its songs that lead there, times the logarithm of
    how much more often that is than among all songs outside the other.

    Args:
        table: ``related_artists`` or one of the same kind.
        named: the groups.
        lists: shape ``(n_songs, k)``, the rows recommended for each; -1 for none.
    """
    row, place = np.nonzero(lists >= 0)
    shape = (len(lists), len(lists))
    leads = csr_array((np.ones(len(row)), (row, lists[row, place])), shape=shape)
    reached = leads @ named.members
    reached.data[:] = 1  # a song leads there or not, no matter how often
    both = (named.members.T @ reached).tocoo()
    own = named.members.sum(axis=0)
    arriving = reached.sum(axis=0) - both.tocsr().diagonal()
    by_chance = own[both.row] * (arriving / np.maximum(len(lists) - own, 1))[both.col]
    stronger = (both.row != both.col) & (both.data > by_chance) & (by_chance > 0)
    pairs = pl.DataFrame(
        {
            "group": both.row[stronger],
            "other": both.col[stronger],
            "songs": both.data[stronger].astype(np.int64),
            "by_chance": by_chance[stronger],
        }
    ).with_columns(share=pl.col("songs") / pl.Series(own[both.row[stronger]]))
    strength = pl.col("share") * (pl.col("songs") / pl.col("by_chance")).log()
    ranked = (
        pairs.with_columns(strength=strength)
        .sort("group", "strength", "other", descending=[False, True, False])
        .with_columns(rank=_place_in("group"))
        .filter(pl.col("rank") <= RELATED)
    )
    group, other = (named.names.gather(ranked[name]) for name in ("group", "other"))
    columns = (group, ranked["rank"], other, ranked["songs"], ranked["by_chance"])
    return pl.DataFrame(dict(zip(table.schema, columns, strict=True))).sort(table.key)


def best_known(table: Table, songs: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the best known songs of each group: one of each family, at most two by one artist.

    Args:
        table: ``genre_songs`` or ``taste_songs``.
        songs: ``song_id``, ``artist``, ``family_id`` and ``popularity``.
        pairs: ``song_id`` and the group, each pair once.
    """
    group = table.key[0]
    facts = songs.select("song_id", "artist", "family_id", "popularity")
    return (
        pairs.join(facts, on="song_id")
        .sort("popularity", "song_id", descending=[True, False], nulls_last=True)
        .unique([group, "family_id"], keep="first", maintain_order=True)
        .filter(_place_in(group, "artist") <= BY_ONE_ARTIST)
        .with_columns(rank=_place_in(group))
        .filter(pl.col("rank") <= BEST_KNOWN)
        .select(table.schema.keys())
        .sort(table.key)
    )


def hub_rows(lists: Indices) -> pl.DataFrame:
    """Return the table ``hub_counts``.

    Args:
        lists: shape ``(n_songs, k)``, the rows recommended for each; -1 for none.
    """
    times = np.bincount(lists[lists >= 0], minlength=len(lists))
    songs = np.bincount(times)
    rows = pl.DataFrame({"lists": np.arange(len(songs)), "songs": songs}, HUB_COUNTS.schema)
    return rows.filter(pl.col("songs") > 0)


def distance_rows(recommendations: pl.DataFrame) -> pl.DataFrame:
    """Return the table ``distance_counts``.

    Args:
        recommendations: ``rank`` and ``distance``.
    """
    begins = ((pl.col("distance") / STEP).floor() * STEP).round(2)
    counted = recommendations.group_by("rank", distance=begins).agg(recommendations=pl.len())
    return _in_order(DISTANCE_COUNTS, counted)


def _place_in(*group: str) -> pl.Expr:
    """Return the position of each row within its group, from 1."""
    return pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(group)


def _laid_out(
    table: Table, counted: pl.DataFrame, songs: pl.DataFrame, named: Groups
) -> pl.DataFrame:
    """Return the counts beside the means, in the table's columns and order."""
    key = table.key[0]
    means = {name: _means(songs[name], named) for name in AVERAGED if name not in counted.columns}
    rows = pl.DataFrame({key: named.names, **means}, nan_to_null=True)
    return _in_order(table, counted.join(rows, on=key))


def _means(values: pl.Series, named: Groups) -> NDArray[np.float64]:
    """Return the mean of each group, NaN if no value is known."""
    numbers = values.cast(pl.Float64).to_numpy()
    present = ~np.isnan(numbers)
    count = named.members.T @ present.astype(np.float64)
    total = named.members.T @ np.where(present, numbers, 0.0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _in_order(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    columns = [pl.col(name).cast(dtype) for name, dtype in table.schema.items()]
    return rows.select(columns).sort(table.key)
