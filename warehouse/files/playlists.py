"""Lists of songs as people have them: text of a file or a box comes in, entries go out, and back.

In: addresses, URIs or ids of Spotify, lines of "artist - title", a CSV with a header such as
Exportify's, or Spotify's own JSON. Out: the formats that players and other services read. Nothing
is written here: text comes in and text goes out.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from xml.etree import ElementTree as Xml

import polars as pl

from warehouse.errors import InputError
from warehouse.files import spotify
from warehouse.files.signals import playlist_format

XSPF = "http://xspf.org/ns/0/"
JSPF = "https://musicbrainz.org/doc/jspf#playlist"  # what ListenBrainz adds to it
SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")
ADDRESS = re.compile(r"(?:spotify:|https?://)\S+", re.IGNORECASE)
BETWEEN = re.compile(r"(?<!\s)\s+[-–—]\s+|\t+")  # tried once a run of blanks: linear
LONGEST_LINE = 2_000  # characters
EXTENDED = re.compile(r"^#EXTINF:[^,]*,")
NUMBERED = re.compile(r"^\d{1,5}[.)]\s+")
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LISTED = "playlist"  # stands in where the header names none, as the whole file is one list
TRACK = ("song_id", "title", "artists")
UNREAD = "neither an id, nor an address, nor artist - title"
TOO_LONG = f"the line has more than {LONGEST_LINE:,} characters"
MISTAKEN = "the row has other columns than the header"


def entries(text: str, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read a list of songs in whichever way it is written.

    Args:
        text: what was given; how long it may be is for the caller to say.
        name: what messages call it.

    Returns:
        The entries, ``line``, ``row`` and what is known of ``song_id``, ``title`` and ``artists``
        as ``transforms.signals.cleaned_entries`` takes them, with ``playlist`` and times where the
        file has them; and what cannot be read: ``line``, ``reason`` and ``row``.

    Raises:
        InputError: the text is JSON, but not such as Spotify sends.
    """
    text = text.removeprefix("\ufeff").replace("\x00", " ")
    if text.lstrip()[:1] in {"{", "["}:
        return spotify.entries_in(text, name)
    header = text.partition("\n")[0]
    known = None if ADDRESS.match(header) else _columns(header, name)
    return listed_entries(text.splitlines()) if known is None else _records(text, known)


def _columns(header: str, name: str) -> dict[str, str] | None:
    """Return the header's names for what tells a track, or None where it is no header."""
    try:
        names = [found for found in next(csv.reader([header.strip()]), []) if found]
    except csv.Error:
        return None
    for whole in ((), (LISTED,)):
        try:
            known = playlist_format([*names, *whole], name).columns
        except InputError:
            continue
        return {ours: known[ours] for ours in TRACK if ours in known} if len(names) > 1 else None
    return None


def _records(text: str, columns: dict[str, str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows, unread = [], []
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [column.strip() for column in next(reader)]
    places = {ours: header.index(theirs.strip()) for ours, theirs in columns.items()}
    try:
        for record in reader:
            row = json.dumps(record, ensure_ascii=False)
            if len(record) == len(header):
                known = {ours: record[place] or None for ours, place in places.items()}
                rows.append({"line": reader.line_num, "row": row, **known})
            elif record:
                unread.append((reader.line_num, MISTAKEN, row))
    except csv.Error as error:
        unread.append((reader.line_num, f"no CSV from here on: {error}", ""))
    return _frames(rows, unread)


def listed_entries(lines: Iterable[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read songs that are told one by one: an id, an address, or "artist - title" each.

    Returns:
        As ``entries`` does; the first song is line 1. Empty lines and comments are left out.
    """
    rows, unread = [], []
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_LINE:
            unread.append((number, TOO_LONG, f"{line[:LONGEST_LINE].strip()}..."))
            continue
        entry = EXTENDED.sub("", line).strip()
        if not entry or entry.startswith("#"):
            continue
        known = _told(NUMBERED.sub("", entry))
        if known is None:
            unread.append((number, UNREAD, entry))
        else:
            rows.append({"line": number, "row": entry, **known})
    return _frames(rows, unread)


def _told(entry: str) -> dict[str, str] | None:
    """Return what a line tells of a track: its id or address, else artist and title."""
    if address := ADDRESS.search(entry):
        return {"song_id": address[0]}
    artist, *title = BETWEEN.split(entry, maxsplit=1)
    if title and artist and title[0]:
        return {"artists": artist, "title": title[0]}
    return None if re.search(r"\s", entry) else {"song_id": entry}


def _frames(
    rows: list[dict[str, Any]], unread: list[tuple[int, str, str]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    schema = {"line": pl.Int64, "row": pl.String, **dict.fromkeys(TRACK, pl.String)}
    return (
        pl.DataFrame(rows, schema=schema, orient="row"),
        pl.DataFrame(unread, schema=spotify.MALFORMED_SCHEMA, orient="row"),
    )


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
