"""The steps from songs to what is recommended for them: a pending warehouse comes in and goes out.

What the songs are known by is read here, handed to the models as arrays, and what they answer is
written as rows.
"""

from dataclasses import dataclass

import joblib
import numpy as np
import polars as pl
from sklearn.pipeline import Pipeline

from flows.judging import measures as evaluating
from flows.nightly.engines import engine
from flows.nightly.plan import Plan
from flows.nightly.progress import Progress
from flows.nightly.tastes import find_tastes
from models import ranking
from models.arrays import SingleMatrix
from models.companions import companions
from models.encoder import pipeline as encoder
from models.encoder.listening_blocks import Listening
from models.judging.queries import Entries
from models.neighbours.engine import Engine
from models.songs import Songs
from transforms import arrays as features
from transforms import evaluation, reasons, recommendations
from warehouse import contracts, store

WANTED = (
    *("song_id", "title", "artist", "artists", "album", "family_id", "popularity"),
    *contracts.COMPARED,
)


@dataclass(frozen=True)
class Known:
    """All that the models are told, in the order of ``song_id``.

    Args:
        rows: the songs with what ``WANTED`` names.
        songs: the same as arrays.
        genres: names of the columns of ``songs.genres``.
        playlists: number of the playlist of each entry.
        entries: shape ``(n_entries, 3)``: row, family and artist, -1 where there is none.
        held_out: shape ``(n_entries,)``, true where nothing may be learnt.
    """

    rows: pl.DataFrame
    songs: Songs
    genres: list[str]
    playlists: features.Indices
    entries: features.Indices
    held_out: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def listening(self) -> Listening | None:
        """What may be learnt from playlists; none where there is nothing."""
        learnt = ~self.held_out & (self.entries[:, 1] >= 0)
        if not learnt.any():
            return None
        kept = ~self.held_out
        return Listening(self.playlists[kept], self.entries[kept, 1], self.entries[kept, 2])

    @property
    def asked(self) -> Entries:
        """What is held out, to ask it."""
        held = self.held_out & (self.entries[:, 0] >= 0)
        return Entries(self.playlists[held], self.entries[held, 0])


def known(warehouse: store.Warehouse) -> Known:
    """Read what the models are told."""
    rows = warehouse.frame(contracts.MERGED_SONGS, WANTED)
    genres, filed = features.genres(
        rows, warehouse.frame(contracts.SONG_GENRES), warehouse.frame(contracts.ARTIST_GENRES)
    )
    songs = Songs(
        features.measurements(rows),
        filed,
        features.numbered(features.artists(rows)),
        features.numbered(rows["family_id"]),
    )
    found = warehouse.frame(contracts.PLAYLIST_ENTRIES)
    playlists, *entries = features.entries(found, rows)
    held_out = found["held_out"].to_numpy()
    return Known(rows, songs, genres, playlists, np.column_stack(entries), held_out)


def find_recommendations(plan: Plan, progress: Progress) -> None:
    """Fit the encoder, save it with the vectors, and write tastes and every song's list."""
    with store.opened(plan.home.pending_warehouse) as warehouse:
        with progress.stage("encoded", unit="songs") as advance:
            told = known(warehouse)
            recipe = encoder.recipe_for(told.songs, told.listening)
            pipeline, vectors = encoder.fitted(told.songs, recipe.weights, told.listening)
            _keep(plan, warehouse, pipeline, vectors)
            advance(len(told.songs))
        with progress.stage("grouped", unit="songs") as advance:
            advance(find_tastes(plan, warehouse, vectors))
        rules = _rules(plan, told, recipe)
        with engine(plan.settings, vectors) as search:
            with progress.stage("searched", total=len(told.songs), unit="songs") as advance:
                lists = ranking.recommended(
                    search, vectors, rules, plan.settings.neighbours, advance
                )
            with progress.stage("evaluated", unit="measures") as advance:
                judged = _judged(told, vectors, rules, search)
                genres = "genre" in pipeline.named_steps
                measured = _evaluate(plan, judged, told.asked, lists, genres)
                advance(warehouse.replace(contracts.EVALUATION, measured))
        with progress.stage("explained", unit="recommendations") as advance:
            space = reasons.Space(
                encoder.columns(pipeline),
                encoder.spans(pipeline),
                vectors,
                reasons.unknown_measurements(told.rows),
            )
            warehouse.clear(contracts.RECOMMENDATIONS)
            for rows in recommendations.recommendation_rows(
                _facts(told), space, lists.songs, lists.distances
            ):
                advance(warehouse.append(contracts.RECOMMENDATIONS, rows))


def _evaluate(
    plan: Plan,
    judged: evaluating.Judged,
    asked: Entries,
    lists: ranking.Lists,
    has_genres: bool,
) -> pl.DataFrame:
    """Keep what the lists can be judged by later, and return what they measure now."""
    joblib.dump(evaluating.kept(judged), plan.build / "models" / "rules.joblib")
    found = evaluating.measures(judged, asked, lists.songs, has_genres)
    return evaluation.evaluation_rows(found)


def _judged(
    told: Known, vectors: SingleMatrix, rules: ranking.Rules, search: Engine
) -> evaluating.Judged:
    return evaluating.Judged(
        told.rows,
        told.songs.families,
        told.songs.genres,
        vectors,
        rules,
        told.listening,
        search,
    )


def _keep(
    plan: Plan, warehouse: store.Warehouse, pipeline: Pipeline, vectors: SingleMatrix
) -> None:
    """Save the models, and publish the recipe of the distance."""
    warehouse.replace(contracts.FEATURES, features.recipe(encoder.recipe(pipeline, vectors)))
    folder = plan.build / "models"
    folder.mkdir(exist_ok=True)
    joblib.dump(pipeline, folder / "encoder.joblib")
    joblib.dump(vectors, folder / "vectors.joblib")


def _facts(told: Known) -> reasons.Facts:
    """Gather what reasons may speak of; of playlists only those that were learnt from."""
    learnt = ~told.held_out
    playlists = told.playlists[learnt]
    families, artists = (
        reasons.held(playlists, told.entries[learnt, column], int(numbers.max(initial=-1)) + 1)
        for column, numbers in ((1, told.songs.families), (2, told.songs.artists))
    )
    return reasons.Facts(
        told.rows,
        told.genres,
        told.songs.genres,
        told.songs.families,
        told.songs.artists,
        families,
        artists,
    )


def _rules(plan: Plan, told: Known, recipe: encoder.Recipe) -> ranking.Rules:
    popularity, families = evaluation.popularity(told.rows), told.songs.families
    cap = plan.settings.hub_cap
    heard = None
    if told.listening is not None:
        heard = companions(told.listening, families, told.songs.artists, popularity)
    return ranking.Rules(
        *features.sameness(told.rows),
        ranking.listened_to(popularity, heard),
        recipe.bonus,
        recipe.hub_cap if cap is None else cap,
        ranking.audience(popularity, families, heard),
        heard,
    )
