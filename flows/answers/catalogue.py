"""The songs of a build, read once for all answers: a published build comes in, songs go out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import IndexMatrix
from models.lists import Sameness, allowed
from models.neighbours.around import Around, around
from models.ranking import DEEPER
from transforms import arrays, matching
from warehouse import contracts
from warehouse.errors import Unknown
from warehouse.published import Published

COLUMNS = ("song_id", "title", "artist", "year", "duration_ms", "popularity", "key", "mode")
TASTES = ("taste_id", "label")


@dataclass(frozen=True, slots=True)
class SongTable:
    """The songs in the order of ``song_id``, which is that of the vectors.

    Args:
        songs: ``COLUMNS``.
        sameness: which of them stand in each other's way in a list, as for the published lists.
        artist_names: of the primary artists, folded and in the order of the encoder's numbers.
    """

    songs: pl.DataFrame
    sameness: Sameness
    artist_names: pl.Series

    @property
    def ids(self) -> pl.Series:
        """The ``song_id`` of each, ascending."""
        return self.songs["song_id"]

    def rows(self, song_ids: Collection[str]) -> IndexMatrix:
        """Return the row of each song, -1 where there is none of this id."""
        return places(self.ids, pl.Series(song_ids, dtype=pl.String))

    def artist(self, name: str) -> int:
        """Return the encoder's number of an artist by the folded name, -1 of one without songs."""
        return int(places(self.artist_names, pl.Series([name]))[0])

    def labels(self, rows: IndexMatrix) -> list[str]:
        """Return what tells each of some songs from others of its title."""
        return self.songs[rows].select(arrays.label()).to_series().to_list()


@dataclass(frozen=True, slots=True)
class Tastes:
    """The tastes of a build.

    Args:
        names: ``taste_id`` and ``label``, by ``taste_id``.
        of_song: shape ``(n_songs,)``, the place of each song's taste in ``names``.
    """

    names: pl.DataFrame
    of_song: IndexMatrix


def places(ordered: pl.Series, wanted: pl.Series) -> IndexMatrix:
    """Return where each value stands in a series that ascends, -1 where it does not."""
    if not len(wanted) or not len(ordered):
        return np.full(len(wanted), -1)
    rows = ordered.search_sorted(wanted).clip(0, len(ordered) - 1)
    return np.where(ordered[rows] == wanted, rows.to_numpy().astype(np.int64), -1)


def table(build: Published, name: contracts.Table, columns: Sequence[str] = ()) -> pl.DataFrame:
    """Return a published table, or some of its columns, in the order of its key."""
    path = build.folder / "parquet" / f"{name.name}.parquet"
    return pl.read_parquet(path, columns=list(columns or name.schema))


def songs_of(build: Published) -> SongTable:
    """Return the songs; they are read when they are first asked for."""
    return build.once(_songs)


def tastes_of(build: Published) -> Tastes:
    """Return the tastes; they are read when they are first asked for.

    Raises:
        Unknown: the build is older than tastes.
    """
    return build.once(_tastes)


def keyed_songs(build: Published) -> pl.DataFrame:
    """Return the songs with what titles and artists are compared by."""
    return build.once(_keyed)


def nearest(
    build: Published, queries: NDArray[np.floating], barred: Collection[int], k: int
) -> Around:
    """Return the ``k`` songs nearest to any of some vectors that a list may hold.

    Args:
        build: a published build.
        queries: shape ``(n_queries, n_columns)``, one at least.
        barred: rows of songs that are left out with all that look the same.
        k: fewer are returned where the rules allow no more.
    """
    catalogue = songs_of(build)
    namesakes = set(catalogue.sameness.namesakes[list(barred)].tolist())
    depth = 8 * k + 64 + len(barred)
    while True:
        nearby = around(build.vectors, queries, depth)
        chosen = allowed(nearby.songs, namesakes, catalogue.sameness, k)
        if len(chosen) == k or depth >= len(catalogue.songs):
            return Around(nearby.songs[chosen], nearby.distances[chosen], nearby.nearest[chosen])
        depth *= DEEPER


def _songs(build: Published) -> SongTable:
    songs = table(build, contracts.SONGS, (*COLUMNS, "family_id"))
    sameness = Sameness(*arrays.sameness(songs))
    return SongTable(songs.select(COLUMNS), sameness, arrays.artists(songs).unique().sort())


def _tastes(build: Published) -> Tastes:
    if contracts.TASTES.name not in build.manifest.counts:
        raise Unknown(f"{build.folder.name} has no tastes. Build again: segue build")
    names = table(build, contracts.TASTES, TASTES)
    of_song = table(build, contracts.SONGS, ("taste_id",)).to_series()
    return Tastes(names, places(names["taste_id"], of_song))


def _keyed(build: Published) -> pl.DataFrame:
    wanted = ("song_id", "title", "artist", "popularity")
    return matching.with_keys(songs_of(build).songs.select(wanted))
