"""The step from vectors to tastes: a pending warehouse comes in and goes out with tastes."""

from dataclasses import dataclass

import polars as pl

from flows.nightly.plan import Plan, last_build
from models.arrays import SingleMatrix
from models.tastes import tastes
from transforms import tastes as named
from warehouse import contracts, export, store
from warehouse.manifest import read_manifest

WANTED = ("song_id", "artist", *contracts.AVERAGED)
MEMBERS = ("song_id", "taste_id")
LABELS = ("taste_id", "label")


@dataclass(frozen=True)
class Yesterday:
    """The tastes of the build that is served.

    Args:
        members: ``song_id`` and ``taste_id``.
        labels: the label of each id.
        same: whether that build has the id of the planned one: the same sources, code and settings.
    """

    members: pl.DataFrame
    labels: dict[str, str]
    same: bool


def find_tastes(plan: Plan, warehouse: store.Warehouse, vectors: SingleMatrix) -> int:
    """Group the songs into tastes, name them, and write both; return the number of songs.

    Yesterday's tastes are the start of today's, so they are an input, like the earlier builds in
    the table ``builds``. A build that is made again must not start from itself: it reuses its own
    tastes, or its bytes would differ.

    Args:
        plan: of the build.
        warehouse: holds the songs and their genres.
        vectors: shape ``(n_songs, n_columns)``, in the order of ``song_id``.
    """
    songs = warehouse.frame(contracts.MERGED_SONGS, WANTED)
    last = yesterday(plan)
    numbers, ids = named.yesterday_numbers(songs["song_id"], last.members)
    if last.same:
        of_song, names = numbers, tuple(last.labels[taste] for taste in ids)
    else:
        found = tastes(vectors, numbers)
        of_song = found.of_song
        kept = [last.labels[ids[n]] if n >= 0 else None for n in found.before.tolist()]
        ids = named.taste_ids(songs["song_id"], of_song, found.before, ids)
        names = named.labels(songs, of_song, _genres(warehouse, songs), kept)
    warehouse.replace(contracts.TASTES, named.taste_rows(songs, of_song, ids, names))
    members = songs.select("song_id", taste_id=pl.Series(ids).gather(of_song))
    return warehouse.replace(contracts.SONG_TASTES, members)


def yesterday(plan: Plan) -> Yesterday:
    """Read the tastes of the build being served; empty before the first build with tastes."""
    served = last_build(plan.home)
    manifest = read_manifest(served) if served else None
    if served is None or manifest is None or contracts.TASTES.name not in manifest.counts:
        none = pl.DataFrame(schema={name: contracts.SONGS[name].dtype for name in MEMBERS})
        return Yesterday(none, {}, same=False)
    file = served / export.FILE
    return Yesterday(
        export.frame(file, contracts.SONGS, MEMBERS),
        dict(export.rows(file, contracts.TASTES, LABELS)),
        same=manifest.build_id == plan.build_id,
    )


def _genres(warehouse: store.Warehouse, songs: pl.DataFrame) -> pl.DataFrame:
    filed = (warehouse.frame(table) for table in (contracts.SONG_GENRES, contracts.ARTIST_GENRES))
    return named.genres_of(songs, *filed)
