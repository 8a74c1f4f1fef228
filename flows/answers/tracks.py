"""A track as a music server knows it comes in; songs like it go out, as servers match them again.

Servers such as Navidrome ask an agent for similar songs and find what it names in their own
library, by the recording's MBID, else by title and artist.
"""

from dataclasses import dataclass

import polars as pl

from flows.answers.catalogue import keyed_songs, nearest, songs_of
from flows.answers.playlists import described, recordings
from transforms import matching
from warehouse.contracts import PLAYLIST_READINGS
from warehouse.errors import InputError, Unknown
from warehouse.published import Published

MOST = 500


@dataclass(frozen=True, slots=True)
class Track:
    """A track by what music servers match with.

    Args:
        mbid: of its recording at MusicBrainz, where it is known.
        similarity: to the track asked for, from 0 to 1.
    """

    song_id: str
    title: str
    artist: str
    album: str | None
    duration_ms: int | None
    mbid: str | None
    similarity: float


@dataclass(frozen=True, slots=True)
class SimilarTracks:
    """The song that a track was taken for, and those like it, nearest first."""

    song_id: str
    title: str
    artist: str
    tracks: list[Track]


def similar_tracks(
    build: Published, mbid: str | None, title: str | None, artist: str | None, count: int
) -> SimilarTracks:
    """Return songs like a track: none is another version of it, and two by an artist at most.

    Args:
        build: a published build.
        mbid: of its recording; tried first.
        title: with ``artist``, tried where the recording is not known.
        artist: as above.
        count: how many are wanted.

    Raises:
        InputError: neither a recording nor title and artist are given.
        Unknown: the catalogue does not have it.
    """
    known = build.once(recordings)
    song_id = _by_mbid(known, mbid) if mbid else None
    if song_id is None and title and artist:
        song_id = _by_name(build, title, artist)
    elif song_id is None and not mbid:
        raise InputError("Expected mbid, or title and artist, of a track.")
    if song_id is None:
        raise Unknown("The catalogue does not have this track.")
    table = songs_of(build)
    (row,) = table.rows([song_id])
    found = nearest(build, build.vectors[[row]], [int(row)], count)
    ids = table.ids[found.songs].to_list()
    songs = {song.song_id: song for song in described(build, ids)}
    tracks = [
        Track(
            *(near, songs[near].title, songs[near].artist, songs[near].album),
            songs[near].duration_ms,
            known.get(near),
            1 / (1 + float(distance)),
        )
        for near, distance in zip(ids, found.distances, strict=True)
    ]
    (asked,) = described(build, [song_id])
    return SimilarTracks(song_id, asked.title, asked.artist, tracks)


def _by_mbid(known: dict[str, str], mbid: str) -> str | None:
    return next((song_id for song_id, other in known.items() if other == mbid.lower()), None)


def _by_name(build: Published, title: str, artist: str) -> str | None:
    row = {"source": "", "line": 1, "playlist": "", "track_id": None}
    reading = pl.DataFrame([{**row, "title": title, "artist": artist}], PLAYLIST_READINGS.schema)
    found: str | None = matching.matched_among(reading, keyed_songs(build))["song_id"][0]
    return found
