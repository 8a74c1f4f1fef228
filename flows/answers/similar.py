"""Match one song with a published build: an id, a title or its features come in, songs go out."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from flows.answers.published import Published, Unknown
from models import encoder, neighbours, ranking
from transforms import families, features
from warehouse import contracts, export
from warehouse.errors import InputError
from warehouse.manifest import load_model

KNOWN_TITLES = 5


@dataclass(frozen=True, slots=True)
class Match:
    """One song that is like the one asked for."""

    rank: int
    song_id: str
    title: str
    artist: str
    year: int | None
    distance: float
    similarity: float
    reason: str | None


def recommended(build: Published, song: str, k: int | None = None) -> tuple[str, list[Match]]:
    """Return the label of a song of the catalogue and its published recommendations.

    Args:
        build: a published build.
        song: a ``song_id``, or a title that belongs to one song.
        k: how many to return; all of them unless told.

    Raises:
        Unknown: no song answers to it.
        InputError: several do, or the build holds fewer than ``k``.
    """
    song_id, label = _named(build.database, song)
    rows = build.rows("song_recommendations", song_id=song_id)
    matches = [Match(**{name: row[name] for name in Match.__slots__}) for row in rows]
    if k is not None and k > len(matches):
        raise InputError(
            f"The build holds {len(matches)} recommendations for {label}, not {k}. "
            f"Build more: segue build --neighbours {k}"
        )
    return label, matches[:k]


def _named(database: sqlite3.Connection, song: str) -> tuple[str, str]:
    by_id = database.execute("select song_id, label from songs where song_id = ?", [song])
    found = by_id.fetchall() or _titled(database, song)
    if len(found) == 1:
        return found[0][0], found[0][1]
    if not found:
        raise Unknown(f"No song has the id or the title {song!r}. Look it up: segue search.")
    shown = "\n".join(f"  {song_id}  {label}" for song_id, label in found[:KNOWN_TITLES])
    more = f"\n  and {len(found) - KNOWN_TITLES} more" if len(found) > KNOWN_TITLES else ""
    raise InputError(f"{len(found)} songs are called {song!r}. Give the id of one:\n{shown}{more}")


def _titled(database: sqlite3.Connection, title: str) -> list[tuple[str, str]]:
    phrase = '"' + title.replace('"', '""') + '"'
    rows = database.execute(
        "select song_id, label, songs.title from songs_fts join songs on songs.rowid = "
        "songs_fts.rowid where songs_fts match ? order by popularity desc, song_id limit 10000",
        [f"title : {phrase}"],
    )
    wanted = _fold(title)
    return [(song_id, label) for song_id, label, found in rows if _fold(found) == wanted]


def _fold(text: str) -> str:
    return str(pl.select(families.folded(pl.lit(text))).item())


def matched(build: Path, song: Mapping[str, Any], k: int) -> list[Match]:
    """Encode a song that need not be in the catalogue and return the ``k`` songs nearest to it.

    The rules are those of the recommendations; a family is left out where ``title`` and
    ``artist`` are given.

    Args:
        build: folder of a published build; its models are loaded if they are as it says.
        song: any of ``COMPARED`` in the units of the ``songs`` table, ``title`` and ``artist``.
        k: how many songs to return.

    Raises:
        InputError: an unknown name or a value outside its contract; says all of them.
    """
    query_row = _one_song(song)
    pipeline = load_model(build, "encoder")
    vectors = np.asarray(load_model(build, "vectors"))
    songs = _songs(build).with_columns(by=families.folded(pl.col("artist")))
    artist = _artist(songs, query_row)
    stranger = encoder.stranger(pipeline, features.measurements(query_row), artist)
    query_vector = encoder.encoded(pipeline, stranger).astype(np.float64)
    rows, distances = _nearest(vectors, query_vector, songs, _family(songs, query_row), k)
    return [
        Match(rank, row["song_id"], row["title"], row["artist"], row["year"], d, 1 / (1 + d), None)
        for rank, (row, d) in enumerate(
            zip(songs[rows].iter_rows(named=True), distances, strict=True), start=1
        )
    ]


def _nearest(
    vectors: neighbours.FloatMatrix,
    query: neighbours.FloatMatrix,
    songs: pl.DataFrame,
    own: str,
    k: int,
) -> tuple[list[int], list[float]]:
    """Return rows and distances of the ``k`` nearest songs that the rules allow."""
    ids = features.numbered(pl.concat([songs["family_id"], pl.Series([own])]))
    artists = features.numbered(songs["by"])
    depth = 8 * k + 64
    while True:
        depth = min(depth, len(vectors))
        near, far = neighbours.nearest_by_definition(vectors, query, depth)
        picked = ranking.allowed(near[0], {ids[-1]}, ids[:-1], artists, k)
        if len(picked) == k or depth == len(vectors):
            return near[0][picked].tolist(), far[0][picked].tolist()
        depth *= ranking.DEEPER


def _artist(songs: pl.DataFrame, song: pl.DataFrame) -> int:
    """Return the number that the encoder knows an artist by, -1 for one it does not know."""
    known = songs["by"].unique().sort()
    place = known.index_of(features.artists(song)[0])
    return -1 if place is None else place


def _family(songs: pl.DataFrame, song: pl.DataFrame) -> str:
    """Return the family of the catalogue that a song belongs to, or a new one.

    Whether two songs called "Intro" are one depends on the artist's others, so it is found among
    those, not from the name alone.
    """
    by_artist = songs.join(song.select(by=families.folded(pl.col("artist"))), on="by", how="semi")
    names = ("song_id", "title", "artist", "duration_ms")
    found = families.with_families(pl.concat([by_artist.select(names), song.select(names)]))
    own = found["family_id"][-1]
    known = by_artist.filter(found["family_id"].head(-1) == own)
    return str(known["family_id"][0] if known.height else own)


def _songs(build: Path) -> pl.DataFrame:
    names = ("song_id", "title", "artist", "year", "duration_ms", "family_id")
    return export.frame(build / export.FILE, contracts.SONGS, names).sort("song_id")


def _one_song(song: Mapping[str, Any]) -> pl.DataFrame:
    """Return a frame of one row with every column of ``COMPARED``, null where not given."""
    known = (*contracts.COMPARED, "title", "artist")
    breaches = [f"{name} is not known" for name in song if name not in known]
    breaches += [b for name in contracts.COMPARED for b in _breaches(name, song.get(name))]
    if not any(song.get(name) is not None for name in contracts.COMPARED):
        breaches.append("no feature is given")
    if breaches:
        raise InputError(
            f"The song cannot be encoded: {'; '.join(breaches)}. "
            f"Expected a JSON object with any of: {', '.join(known)}."
        )
    values = {
        "song_id": "",
        "title": str(song.get("title") or "\0"),
        "artist": str(song.get("artist") or "\0"),
        **{name: song.get(name) for name in contracts.COMPARED},
    }
    schema = {name: contracts.SONGS[name].dtype for name in values}
    return pl.DataFrame([values], schema=schema, strict=False)


def _breaches(name: str, value: object) -> list[str]:
    column = contracts.SONGS[name]
    if value is None:
        return []
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [f"{name} is {value!r}, expected a number"]
    if column.dtype == pl.Int64 and value != value // 1:
        return [f"{name} is {value!r}, expected a whole number"]
    low = column.low if column.low is not None else -np.inf
    high = column.high if column.high is not None else np.inf
    if not low <= value <= high:
        return [f"{name} is {value!r}, expected {column.bounds}"]
    return []
