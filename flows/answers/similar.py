"""Match one song with a published build: an id, a title or its features come in, songs go out."""

import difflib
import reprlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from flows.answers.catalogue import nearest, songs_of
from flows.answers.song import FeatureMeans, feature_profile
from models.encoder import pipeline as encoder
from transforms import arrays as features
from transforms import families
from warehouse import contracts, export
from warehouse.errors import InputError, Unknown
from warehouse.published import Published

KNOWN_TITLES = 5
MOST_TOLD = 20  # breaches
MOST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class SimilarSong:
    """One song that is like the one asked for."""

    rank: int
    song_id: str
    title: str
    artist: str
    year: int | None
    distance: float
    similarity: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class SimilarList:
    """The songs like one, nearest first.

    Args:
        song: its label.
        feature_profile: its audio features beside their means, where they are asked for.
    """

    song: str
    similar: list[SimilarSong]
    feature_profile: list[FeatureMeans] | None


def similar(
    build: Published, song: str, k: int | None = None, profile: bool = False
) -> SimilarList:
    """Return what is recommended for a song of the catalogue.

    Args:
        build: a published build.
        song: a ``song_id``, or a title that belongs to one song.
        k: how many to return; all of them unless told.
        profile: say how the list sounds beside the song, too.

    Raises:
        Unknown: no song answers to it.
        InputError: several do, or the build holds fewer than ``k``.
    """
    values = build.rows("song", song_id=_song_id(build.database, song))[0]
    rows = build.rows("song_recommendations", song_id=values["song_id"])
    matches = [SimilarSong(**{name: row[name] for name in SimilarSong.__slots__}) for row in rows]
    if k is not None and k > len(matches):
        raise InputError(
            f"The build holds {len(matches)} recommendations for {values['label']}, not {k}. "
            f"To build more: segue build --neighbours {k}"
        )
    shown = matches[:k]
    return SimilarList(values["label"], shown, _profile(build, values, shown) if profile else None)


def like_features(
    build: Published, song: Mapping[str, Any], k: int, profile: bool = False
) -> SimilarList:
    """Return the songs like a new one, as ``matched`` does."""
    matches = matched(build, song, k)
    label = _writable(song.get("title") or "the given song")[:200]
    return SimilarList(label, matches, _profile(build, song, matches) if profile else None)


def _profile(
    build: Published, song: Mapping[str, Any], matches: Sequence[SimilarSong]
) -> list[FeatureMeans]:
    return feature_profile(build, song, [match.song_id for match in matches])


def _song_id(database: sqlite3.Connection, song: str) -> str:
    song = _writable(song)
    by_id = database.execute("select song_id, label from songs where song_id = ?", [song])
    matches = by_id.fetchall() or _titled(database, song)
    if len(matches) == 1:
        return str(matches[0][0])
    quoted = reprlib.repr(song)
    if not matches:
        raise Unknown(f"No song has the id or title {quoted}. To look it up: segue search")
    shown = "\n".join(f"  {song_id}  {label}" for song_id, label in matches[:KNOWN_TITLES])
    more = f"\n  and {len(matches) - KNOWN_TITLES} more" if len(matches) > KNOWN_TITLES else ""
    raise InputError(
        f"{len(matches)} songs are called {quoted}. Give the id of one:\n{shown}{more}"
    )


def _titled(database: sqlite3.Connection, title: str) -> list[tuple[str, str]]:
    words = " ".join(_writable(title).replace('"', " ").replace("\0", " ").split())
    if not words:
        return []
    rows = database.execute(
        "select song_id, label, songs.title from songs_fts join songs on songs.rowid = "
        "songs_fts.rowid where songs_fts match ? order by popularity desc, song_id limit 10000",
        [f'title : "{words}"'],
    )
    wanted = _fold(title)
    return [(song_id, label) for song_id, label, found in rows if _fold(found) == wanted]


def _fold(text: str) -> str:
    return str(pl.select(families.folded(pl.lit(text))).item())


def matched(build: Published, song: Mapping[str, Any], k: int) -> list[SimilarSong]:
    """Encode a song that need not be in the catalogue and return the ``k`` songs nearest to it.

    The rules are those of the recommendations; a family is left out where ``title`` and
    ``artist`` are given.

    Args:
        build: a published build; its models are loaded if they are as it says.
        song: any of ``COMPARED`` in the units of the ``songs`` table, ``title``, ``artist`` and
            ``genres``, a list.
        k: how many songs to return.

    Raises:
        InputError: an unknown name or genre, or a value outside its contract; says all of them.
    """
    query_row = _one_song(song)
    catalogue = songs_of(build)
    stranger = encoder.stranger(
        build.encoder,
        features.measurements(query_row),
        catalogue.artist(features.artists(query_row)[0]),
        _genres(build, song.get("genres") or []),
    )
    vector = encoder.encoded(build.encoder, stranger)
    nearby = nearest(build, vector, _versions(catalogue.songs, query_row), k)
    named = catalogue.songs[nearby.songs].select("song_id", "title", "artist", "year")
    return [
        SimilarSong(rank, **row, distance=apart, similarity=1 / (1 + apart), reason=None)
        for rank, (row, apart) in enumerate(
            zip(named.iter_rows(named=True), nearby.distances.tolist(), strict=True), start=1
        )
    ]


def _genres(build: Published, given: Sequence[str]) -> csr_array | None:
    """Return genres as the encoder takes them, none where none are given.

    Raises:
        InputError: the build compares no genres, or does not know all of these.
    """
    if not given:
        return None
    numbers = build.once(_genre_numbers)
    if not numbers:
        raise InputError("This build does not use genres, so none can be given.")
    wanted = {genre.strip().lower() for genre in given}
    unknown = sorted(wanted - numbers.keys())
    if unknown:
        near = [n for u in unknown[:3] for n in difflib.get_close_matches(u[:40], numbers, n=2)]
        raise InputError(
            f"Expected genres of the catalogue, got {reprlib.repr(unknown)}."
            + (f" Similar names: {', '.join(near)}." if near else "")
        )
    columns = [numbers[genre] for genre in sorted(wanted)]
    ones = np.ones(len(columns), dtype=np.int8)
    return csr_array((ones, ([0] * len(columns), columns)), shape=(1, len(numbers)))


def _genre_numbers(build: Published) -> dict[str, int]:
    """Return the number that the encoder knows each genre by, none where it compares none."""
    if "genre" not in build.encoder.named_steps:
        return {}
    tables = (contracts.SONG_GENRES, contracts.ARTIST_GENRES)
    filed = pl.concat([export.frame(build.file, table, ("genre",)) for table in tables])
    return {genre: number for number, genre in enumerate(filed["genre"].unique().sort())}


def _versions(songs: pl.DataFrame, song: pl.DataFrame) -> list[int]:
    """Return a row of the family of the catalogue that a song belongs to, or no row.

    Whether two songs called "Intro" are one depends on the artist's others, so it is found among
    those, not from the name alone.
    """
    own = features.artists(song)[0]
    by_artist = songs.with_row_index("row").filter(features.artists(songs) == own)
    names = ("song_id", "title", "artist", "duration_ms")
    grouped = families.with_families(pl.concat([by_artist.select(names), song.select(names)]))
    same = by_artist.filter(grouped["family_id"].head(-1) == grouped["family_id"][-1])
    return same["row"].head(1).to_list()


def _one_song(song: Mapping[str, Any]) -> pl.DataFrame:
    """Return a frame of one row with every column of ``COMPARED``, null where not given."""
    texts = ("title", "artist")
    expected = (*contracts.COMPARED, *texts, "genres")
    breaches = [
        f"{reprlib.repr(name)} is not a known name" for name in song if name not in expected
    ]
    breaches += [b for name in contracts.COMPARED for b in _breaches(name, song.get(name))]
    breaches += [
        f"{name} is {reprlib.repr(song[name])}, expected text"
        for name in texts
        if not isinstance(song.get(name) or "", str)
    ]
    if not _all_text(song.get("genres") or []):
        breaches.append(f"genres is {reprlib.repr(song['genres'])}, expected a list of strings")
    if not any(song.get(name) is not None for name in contracts.COMPARED):
        breaches.append("no feature is given")
    if breaches:
        more = f"; and {len(breaches) - MOST_TOLD:,} more" if len(breaches) > MOST_TOLD else ""
        raise InputError(
            f"The song cannot be encoded: {'; '.join(breaches[:MOST_TOLD])}{more}. "
            f"Expected a JSON object with any of: {', '.join(expected)}."
        )
    values = {
        "song_id": "",
        **{name: _writable(song.get(name) or "\0") for name in texts},
        **{name: song.get(name) for name in contracts.COMPARED},
    }
    schema = {name: contracts.SONGS[name].dtype for name in values}
    return pl.DataFrame([values], schema=schema, strict=False)


def _all_text(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _writable(text: str) -> str:
    """Return text without what no file can hold, half of a pair of surrogates."""
    return text.encode("utf-8", "ignore").decode()


def _breaches(name: str, value: object) -> list[str]:
    column = contracts.SONGS[name]
    if value is None:
        return []
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [f"{name} is {reprlib.repr(value)}, expected a number"]
    if column.dtype == pl.Int64 and value != value // 1:
        return [f"{name} is {value!r}, expected a whole number"]
    low = column.low if column.low is not None else -MOST_NUMBER
    high = column.high if column.high is not None else MOST_NUMBER
    if not low <= value <= high:
        return [f"{name} is {reprlib.repr(value)}, expected {column.bounds or 'less'}"]
    return []
