"""A playlist of what somebody saved: a published build and their list come in, songs go out.

Nothing is kept: the catalogue is only read, and what a visitor gives lives as long as the answer.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from flows.answers.bounds import (
    LONGEST_NAME,
    MOST_BYTES,
    MOST_PLACES,
    MOST_SONGS,
    require_short,
)
from flows.answers.catalogue import Tastes, keyed_songs, places, songs_of, tastes_of
from models import mix as model
from models.arrays import IndexMatrix
from transforms import matching, signals
from warehouse import contracts, export
from warehouse.errors import InputError, TooMuch
from warehouse.files import sources
from warehouse.files.lists import UNREAD, is_clear, listed_entries
from warehouse.files.playlists import WRITERS
from warehouse.published import Published

PLACES = 50
FILED = ("song_id", "title", "artist", "album", "year", "duration_ms")
LEAST_SURE = 0.5  # of a recording, to name a song by it
ABSENT = "not in the catalogue"


@dataclass(frozen=True, slots=True)
class SavedSongs:
    """What somebody saved, as a text or song by song, and the playlist that they wish.

    Args:
        text: links, URIs or ids of Spotify, lines "artist - title", a CSV such as Exportify's, or
            Spotify's YourLibrary.json.
        songs: each an id, an address or "artist - title"; in place of a text.
        name: what it is called in messages and in the title of the playlist.
        places: songs wanted.
    """

    text: str | None = None
    songs: list[str] | None = None
    name: Annotated[str, Field(max_length=LONGEST_NAME)] = "the list"
    places: Annotated[int, Field(ge=1, le=MOST_PLACES)] = PLACES


@dataclass(frozen=True, slots=True)
class PlaylistSongs:
    """Songs to write into a file, by their ids and in their order, and the playlist's title."""

    songs: Annotated[list[str], Field(max_length=MOST_PLACES)]
    name: Annotated[str, Field(max_length=LONGEST_NAME)] = "Playlist"


@dataclass(frozen=True, slots=True)
class PlaylistSong:
    """A song as lists show it."""

    song_id: str
    title: str
    artist: str
    album: str | None
    year: int | None
    duration_ms: int | None
    key: int | None
    mode: int | None
    taste: str
    label: str


@dataclass(frozen=True, slots=True)
class NearestSaved:
    """The saved song that another lies nearest to."""

    song_id: str
    label: str


@dataclass(frozen=True, slots=True)
class MixSong:
    """A song of the playlist."""

    song_id: str
    title: str
    artist: str
    album: str | None
    year: int | None
    duration_ms: int | None
    key: int | None
    mode: int | None
    taste: str
    near: NearestSaved


@dataclass(frozen=True, slots=True)
class TasteShare:
    """How many songs of a taste were saved and are played, and their shares, 0 to 1."""

    taste_id: str
    taste: str
    saved: int
    played: int
    saved_share: float
    played_share: float


@dataclass(frozen=True, slots=True)
class UnmatchedLine:
    """What stands for no song: the line, the reason, and the row as it was given."""

    line: int
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class MixedPlaylist:
    """A playlist and how it came about.

    Args:
        songs: in the order to play them.
        tastes: of what was saved or is played, those of most saved songs first.
        unmatched: by line.
        saved: how many songs of the catalogue were found, each counted once.
        share_distance: half the sum of the differences between the shares of the tastes, 0 to 1.
    """

    songs: list[MixSong]
    tastes: list[TasteShare]
    unmatched: list[UnmatchedLine]
    saved: int
    share_distance: float


@dataclass(frozen=True, slots=True)
class MixOffer:
    """What can be mixed.

    Args:
        example: well-known songs of the build, each of another taste.
        places: songs of a playlist where none are wished.
        most_places: songs of the longest one.
        most_songs: that are looked at.
        most_bytes: that are read.
        formats: of a file with the playlist.
    """

    example: list[PlaylistSong]
    places: int
    most_places: int
    most_songs: int
    most_bytes: int
    formats: list[str]


def offer(build: Published) -> MixOffer:
    """Return what can be mixed, with an example of this build's songs."""
    return MixOffer(build.once(_example), PLACES, MOST_PLACES, MOST_SONGS, MOST_BYTES, [*WRITERS])


def mixed(build: Published, saved: SavedSongs) -> MixedPlaylist:
    """Make a playlist for somebody who saved these songs.

    Raises:
        TooMuch: more than ``MOST_BYTES`` or ``MOST_SONGS``.
        InputError: it cannot be read, or holds nothing.
        Unknown: the build has no tastes.
    """
    if (saved.text is None) == (saved.songs is None):
        raise InputError("Expected either text or songs, got both or neither.")
    if not 1 <= saved.places <= MOST_PLACES:
        raise InputError(f"Expected 1 to {MOST_PLACES} places, got {saved.places}.")
    parts = saved.songs if saved.text is None else [saved.text]
    require_short(sum(len(part.encode("utf-8", "ignore")) for part in parts or ()), saved.name)
    rows, unread = (
        listed_entries(saved.songs or ())
        if saved.text is None
        else sources.entries(saved.text, saved.name)
    )
    return _playlist(build, rows, unread, saved.name, saved.places)


def described(build: Published, song_ids: Sequence[str]) -> list[PlaylistSong]:
    """Return songs in the order of their ids; what the build does not have is left out."""
    return [PlaylistSong(**row) for row in build.rows("songs_of", song_ids=json.dumps([*song_ids]))]


def written(
    build: Published, songs: Sequence[PlaylistSong | MixSong], form: str, title: str
) -> str:
    """Return songs as a file.

    Args:
        build: that they are of.
        songs: in order.
        form: one of ``WRITERS``.
        title: of the playlist.

    Raises:
        InputError: the form is another.
    """
    if form not in WRITERS:
        raise InputError(f"Expected one of {', '.join(WRITERS)} as format, got {form!r}.")
    columns = {name: [getattr(song, name) for song in songs] for name in FILED}
    schema = {name: contracts.SONGS[name].dtype for name in FILED}
    listed = pl.DataFrame(columns, schema=schema)
    if form == "jspf":
        known = recordings(build)
        mbids = [known.get(song.song_id) for song in songs]
        listed = listed.with_columns(recording_mbid=pl.Series(mbids, dtype=pl.String))
    return WRITERS[form](listed, title)


def recordings(build: Published) -> dict[str, str]:
    """Return the recording at MusicBrainz of every song of which it is known and likely."""
    if contracts.SONG_MBIDS.name not in build.manifest.counts:
        return {}
    columns = ("song_id", "recording_mbid", "confidence")
    rows = export.rows(build.file, contracts.SONG_MBIDS, columns)
    return {song_id: mbid for song_id, mbid, sure in rows if sure >= LEAST_SURE}


def _shelves(build: Published) -> model.Shelves:
    """Return the songs by taste; their vectors stay on disk."""
    return model.Shelves(build.vectors, tastes_of(build).of_song, songs_of(build).sameness)


def _example(build: Published) -> list[PlaylistSong]:
    return described(build, [row["song_id"] for row in build.rows("mix_example")])


def _playlist(
    build: Published, rows: pl.DataFrame, unread: pl.DataFrame, name: str, wanted: int
) -> MixedPlaylist:
    given = rows.height + unread.height
    if not given:
        raise InputError(f"{name} holds no songs. Give ids, links or lines: artist - title.")
    if given > MOST_SONGS:
        raise TooMuch(f"{name} holds {given:,} songs; the limit is {MOST_SONGS:,}. Send fewer.")
    tastes = tastes_of(build)
    saved, unmatched = _matched(build, rows, name)
    made = model.mix(build.once(_shelves), saved, wanted)
    lost = [UnmatchedLine(**row) for row in _both(unread, unmatched).iter_rows(named=True)]
    shares = _shares(tastes, saved, made.songs)
    apart = sum(abs(taste.saved_share - taste.played_share) for taste in shares) / 2
    return MixedPlaylist(_played(build, made), shares, lost, len(saved), apart)


def _matched(build: Published, rows: pl.DataFrame, name: str) -> tuple[IndexMatrix, pl.DataFrame]:
    """Return the numbers of the songs that are meant, ascending, and the entries of no song.

    What is told by its id needs no keys of titles, which take longer than all the rest.
    """
    cleaned = signals.cleaned_entries(rows, name, name)
    ids = songs_of(build).ids
    given_ids = cleaned.readings["track_id"].fill_null("")
    is_id = pl.Series(places(ids, given_ids) >= 0)
    song_ids, rest = given_ids.filter(is_id), cleaned.readings.filter(~is_id)
    lost = rest.select("line", reason=pl.lit(ABSENT)).clear()
    if rest.height:
        named = matching.matched_among(rest, keyed_songs(build))
        song_ids = pl.concat([song_ids, named["song_id"].drop_nulls()])
        lost = named.filter(pl.col("song_id").is_null()).select("line", reason=pl.lit(ABSENT))
    given = _both(lost.join(rows.select("line", "row"), on="line"), cleaned.nameless)
    unclear = pl.Series([not is_clear(row) for row in given["row"]], dtype=pl.Boolean)
    given = given.with_columns(reason=pl.when(unclear).then(pl.lit(UNREAD)).otherwise("reason"))
    return places(ids, song_ids.unique().sort()), _both(given, cleaned.rejected)


def _both(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([one, other], how="vertical_relaxed").sort("line", maintain_order=True)


def _played(build: Published, made: model.Mix) -> list[MixSong]:
    ids, near = (songs_of(build).ids[numbers] for numbers in (made.songs, made.near))
    named = {song.song_id: song for song in described(build, [*{*ids, *near}])}
    shown = [f.name for f in fields(MixSong) if f.name != "near"]
    return [
        MixSong(
            **{name: getattr(named[song_id], name) for name in shown},
            near=NearestSaved(close, named[close].label),
        )
        for song_id, close in zip(ids, near, strict=True)
    ]


def _shares(tastes: Tastes, saved: IndexMatrix, played: IndexMatrix) -> list[TasteShare]:
    number = len(tastes.names)
    counts = (np.bincount(tastes.of_song[rows], minlength=number) for rows in (saved, played))
    rows = zip(*tastes.names, *(count.tolist() for count in counts), strict=True)
    shares = [
        TasteShare(taste_id, label, ours, theirs, ours / len(saved), theirs / max(1, len(played)))
        for taste_id, label, ours, theirs in rows
        if ours + theirs
    ]
    return sorted(shares, key=lambda taste: (-taste.saved, taste.taste_id))
