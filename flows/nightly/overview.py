"""What the site needs for its overviews: recommendations come in, the map and sums go out."""

from typing import cast

import joblib
import polars as pl

from flows.nightly.plan import Plan
from flows.nightly.progress import Progress
from models.arrays import SingleMatrix
from models.map import places
from transforms import ratings, tastes
from transforms import sums as groups
from transforms.arrays import numbered
from warehouse import contracts, store
from warehouse.site import charts

SUMMED = ("song_id", "artist", "family_id", "taste_id", *contracts.AVERAGED)
LISTED = ("song_id", "rank", "recommended_song_id", "distance", "similarity")


def map_songs(plan: Plan, progress: Progress) -> None:
    """Give every song its place on the map, sum up songs and lists, and draw the charts."""
    with store.opened(plan.home.pending_warehouse) as warehouse:
        songs = _with_tastes(warehouse)
        recommended = warehouse.frame(contracts.RECOMMENDATIONS, LISTED)
        lists, _ = ratings.neighbours(recommended, songs["song_id"])
        with progress.stage("mapped", unit="songs") as advance:
            placed = _placed(plan, songs, lists)
            advance(warehouse.replace(contracts.SONGS, placed))
        songs = songs.select(SUMMED)
        with progress.stage("summed", unit="rows") as advance:
            genres = (contracts.SONG_GENRES, contracts.ARTIST_GENRES)
            filed = tastes.genres_of(songs, *(warehouse.frame(table) for table in genres))
            for table, rows in sums(songs, recommended, lists, filed):
                advance(warehouse.replace(table, rows))
        with progress.stage("drawn", unit="charts") as advance:
            shown = {table.name: warehouse.frame(table, names) for table, names in charts.READ}
            advance(charts.draw(shown, plan.build / charts.FOLDER))


def _with_tastes(warehouse: store.Warehouse) -> pl.DataFrame:
    """Read the merged songs, each with its taste; by ``song_id``."""
    songs, tastes_of = (
        warehouse.frame(table) for table in (contracts.MERGED_SONGS, contracts.SONG_TASTES)
    )
    return songs.with_columns(tastes_of["taste_id"])


def _placed(plan: Plan, songs: pl.DataFrame, lists: groups.Indices) -> pl.DataFrame:
    """Return the rows of ``songs`` with each song's place on the map."""
    vectors = cast(SingleMatrix, joblib.load(plan.build / "models" / "vectors.joblib"))
    spots = places(vectors, numbered(songs["taste_id"]), lists)
    placed = songs.with_columns(map_x=pl.Series(spots[:, 0]), map_y=pl.Series(spots[:, 1]))
    return placed.select(contracts.SONGS.schema.keys())


def sums(
    songs: pl.DataFrame, recommended: pl.DataFrame, lists: groups.Indices, filed: pl.DataFrame
) -> list[tuple[contracts.Table, pl.DataFrame]]:
    """Return each table that sums songs or lists up, with its rows.

    Args:
        songs: the columns of ``SUMMED``, by ``song_id``.
        recommended: ``rank`` and ``distance`` of every recommendation.
        lists: shape ``(n_songs, k)``, the rows that are recommended for each; -1 for none.
        filed: ``song_id`` and ``genre``, each pair once.
    """
    pairs = {
        "artist": songs.select("song_id", "artist"),
        "genre": filed,
        "taste": songs.select("song_id", "taste_id"),
        "year": songs.select("song_id", "year").drop_nulls(),
    }
    by = {name: groups.groups(songs["song_id"], pair) for name, pair in pairs.items()}
    return [
        (contracts.ARTISTS, groups.artist_rows(songs, by["artist"])),
        (contracts.GENRES, groups.genre_rows(songs, filed, by["genre"])),
        (contracts.FEATURE_YEARS, groups.year_rows(songs, by["year"])),
        (contracts.HUB_COUNTS, groups.hub_rows(lists)),
        (contracts.DISTANCE_COUNTS, groups.distance_rows(recommended)),
        *(
            (table, groups.best_known(table, songs, pairs[name]))
            for table, name in ((contracts.GENRE_SONGS, "genre"), (contracts.TASTE_SONGS, "taste"))
        ),
        *(
            (table, groups.related(table, by[name], lists))
            for table, name in (
                (contracts.RELATED_ARTISTS, "artist"),
                (contracts.RELATED_GENRES, "genre"),
                (contracts.RELATED_TASTES, "taste"),
            )
        ),
    ]
