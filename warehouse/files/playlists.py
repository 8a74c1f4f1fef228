"""Write playlists in the formats that players and services read: songs come in, text goes out."""

import json
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as Xml

import polars as pl

XSPF = "http://xspf.org/ns/0/"
JSPF = "https://musicbrainz.org/doc/jspf#playlist"  # what ListenBrainz adds to it
SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_csv(songs: pl.DataFrame, title: str) -> str:
    """Return the songs under the names of Exportify's columns, which other services read."""
    return songs.select(
        pl.Series("Track URI", [_uri(song) or song for song in songs["song_id"]], pl.String),
        pl.col("title").alias("Track Name"),
        pl.col("album").alias("Album Name"),
        pl.col("artist").alias("Artist Name(s)"),
        pl.col("duration_ms").alias("Track Duration (ms)"),
    ).write_csv()


def as_m3u8(songs: pl.DataFrame, title: str) -> str:
    """Return an extended M3U; a song that Spotify does not have stands under its own id."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(title)}"]
    for song in songs.iter_rows(named=True):
        seconds = -1 if song["duration_ms"] is None else round(song["duration_ms"] / 1000)
        lines.append(f"#EXTINF:{seconds},{_one_line(song['artist'])} - {_one_line(song['title'])}")
        lines.append(_address(song["song_id"]) or _one_line(song["song_id"]))
    return "\n".join(lines) + "\n"


def as_xspf(songs: pl.DataFrame, title: str) -> str:
    """Return XSPF 1 (xspf.org/spec)."""
    playlist = Xml.Element("playlist", version="1", xmlns=XSPF)
    Xml.SubElement(playlist, "title").text = NOT_XML.sub("", title)
    tracks = Xml.SubElement(playlist, "trackList")
    for song in songs.iter_rows(named=True):
        track = Xml.SubElement(tracks, "track")
        for name, value in _track(song).items():
            Xml.SubElement(track, name).text = NOT_XML.sub("", str(value))
    return Xml.tostring(playlist, encoding="unicode", xml_declaration=True) + "\n"


def as_jspf(songs: pl.DataFrame, title: str) -> str:
    """Return JSPF, which is XSPF as JSON (xspf.org/jspf): places and identifiers are lists.

    A song whose recording at MusicBrainz is known is named by it, which is how ListenBrainz takes
    songs; ``recording_mbid`` may be a column of the songs.
    """
    tracks = [
        {k: [v] if k in {"location", "identifier"} else v for k, v in _track(song).items()}
        for song in songs.iter_rows(named=True)
    ]
    private = {JSPF: {"public": False}}
    return _json({"playlist": {"title": title, "track": tracks, "extension": private}})


def as_uris(songs: pl.DataFrame, title: str) -> str:
    """Return one URI a line, to paste into a playlist of Spotify's; other songs are left out."""
    uris = [_uri(song) for song in songs["song_id"]]
    return "".join(f"{uri}\n" for uri in uris if uri)


def as_json(songs: pl.DataFrame, title: str) -> str:
    """Return the title and the songs with all of their columns."""
    return _json({"title": title, "songs": songs.to_dicts()})


# Each takes the songs in order, with song_id, title, artist, album and duration_ms, and a title.
WRITERS: dict[str, Callable[[pl.DataFrame, str], str]] = {
    "csv": as_csv,
    "m3u8": as_m3u8,
    "xspf": as_xspf,
    "jspf": as_jspf,
    "uris": as_uris,
    "json": as_json,
}


# What a file of each is called on the web, and how its name ends.
MEDIA_TYPES: dict[str, tuple[str, str]] = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "m3u8": ("audio/x-mpegurl; charset=utf-8", "m3u8"),
    "xspf": ("application/xspf+xml; charset=utf-8", "xspf"),
    "jspf": ("application/json", "jspf"),
    "uris": ("text/plain; charset=utf-8", "txt"),
    "json": ("application/json", "json"),
}


def _track(song: dict[str, Any]) -> dict[str, Any]:
    """Return what XSPF and JSPF say of a song, in the order of their elements."""
    told = {
        "location": _address(song["song_id"]),
        "identifier": _recording(song) or _uri(song["song_id"]),
        "title": song["title"],
        "creator": song["artist"],
        "album": song["album"],
        "duration": song["duration_ms"],
    }
    return {name: value for name, value in told.items() if value is not None}


def _recording(song: dict[str, Any]) -> str | None:
    mbid = song.get("recording_mbid")
    return f"https://musicbrainz.org/recording/{mbid}" if mbid else None


def _uri(song_id: str) -> str | None:
    return f"spotify:track:{song_id}" if SPOTIFY_ID.fullmatch(song_id) else None


def _address(song_id: str) -> str | None:
    return f"https://open.spotify.com/track/{song_id}" if SPOTIFY_ID.fullmatch(song_id) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
