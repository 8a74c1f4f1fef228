"""What the site needs to show the whole at once: recommendations come in, map and sums go out."""

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
    """Give every song its place on the map, sum songs and lists up by what they share, and draw."""
    with store.opened(plan.home.pending_warehouse) as warehouse:
        songs = warehouse.frame(contracts.SONGS, SUMMED)
        recommended = warehouse.frame(contracts.RECOMMENDATIONS, LISTED)
        lists, _ = ratings.neighbours(recommended, songs["song_id"])
        with progress.stage("mapped", unit="songs") as advance:
            advance(_place(plan, warehouse, songs, lists))
        with progress.stage("summed", unit="rows") as advance:
            genres = (contracts.SONG_GENRES, contracts.ARTIST_GENRES)
            filed = tastes.genres_of(songs, *(warehouse.frame(table) for table in genres))
            for table, rows in sums(songs, recommended, lists, filed):
                advance(warehouse.replace(table, rows))
        with progress.stage("drawn", unit="charts") as advance:
            shown = {table.name: warehouse.frame(table, names) for table, names in charts.READ}
            advance(charts.draw(shown, plan.build / charts.FOLDER))


def _place(
    plan: Plan, warehouse: store.Warehouse, songs: pl.DataFrame, lists: groups.Indices
) -> int:
    vectors = cast(SingleMatrix, joblib.load(plan.build / "models" / "vectors.joblib"))
    found = places(vectors, numbered(songs["taste_id"]), lists)
    whole = warehouse.frame(contracts.SONGS)
    placed = whole.with_columns(map_x=pl.Series(found[:, 0]), map_y=pl.Series(found[:, 1]))
    return warehouse.replace(contracts.SONGS, placed)


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
