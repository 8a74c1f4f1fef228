"""Songs told line by line: lines of a file or a box come in, playlist entries go out.

A line is an address, an id, or "artist - title"; what else it may be is for the catalogue to say,
as any text without a break may be an id of it.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from warehouse.errors import InputError
from warehouse.files.records import MALFORMED_SCHEMA

LINES = "lines of text"
ADDRESS = re.compile(r"(?:spotify:|https?://)\S+", re.IGNORECASE)
BETWEEN = re.compile(r"(?<!\s)\s+[-–—]\s+|\t+")  # tried once a run of blanks: linear
LONGEST_LINE = 2_000  # characters
TOO_LONG = f"the line has more than {LONGEST_LINE:,} characters"
EXTENDED = re.compile(r"^#EXTINF:[^,]*,")
NUMBERED = re.compile(r"^\d{1,5}[.)]\s+")
AN_ID = re.compile(r"[0-9A-Za-z]{22}|[^\s,;|]*\d[^\s,;|]*")
A_FILE = re.compile(
    r"^(?!https?://open\.spotify).*[/\\].*\.\w{2,4}\s*$|^[^/\\]+\.(?:mp3|flac|m4a|ogg|wav)\s*$"
)
TRACK = ("song_id", "title", "artists")
UNREAD = "neither an id, nor an address, nor artist - title"
LEAST_SHARE = 0.2  # of lines that look like songs, below which a text is none of songs
SHOWN = 60


def is_lines(text: str) -> bool:
    """Whether most lines of a text tell a song each, so that it is no table without a header."""
    lines = _told(text.split("\n"))
    return sum(_looks_like_a_song(line) for line in lines) * 2 > len(lines)


def listed_entries(lines: Iterable[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read songs that are told one by one: an id, an address, or "artist - title" each.

    Returns:
        The entries: ``line``, ``row`` and what is known of ``song_id``, ``title`` and
        ``artists``; the first song is line 1. And the lines that are endless, as malformed.
        Empty lines and comments are left out, and of an M3U the paths of files that it names.
    """
    rows: list[dict[str, Any]] = []
    endless, named = [], False
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_LINE:
            endless.append((number, TOO_LONG, f"{line[:LONGEST_LINE].strip()}..."))
            continue
        entry = "" if named and A_FILE.search(line) else _entry(line)
        named = bool(EXTENDED.match(line))
        if entry:
            rows.append({"line": number, "row": entry, **_known(entry)})
    schema = {"line": pl.Int64, "row": pl.String, **dict.fromkeys(TRACK, pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row"), pl.DataFrame(
        endless, schema=MALFORMED_SCHEMA, orient="row"
    )


def require_songs(text: str, name: str) -> None:
    """Refuse a text that is no list of songs, so that prose is not taken for titles.

    Raises:
        InputError: it is empty, or too few of its lines look like songs.
    """
    lines = _told(text.split("\n"))
    if not lines:
        raise InputError(f"{name} holds no songs. Give ids, addresses or lines: artist - title.")
    songs = [line for line in lines if _looks_like_a_song(line)]
    if len(songs) < LEAST_SHARE * len(lines):
        strange = next(line for line in lines if not _looks_like_a_song(line))
        raise InputError(
            f"{name} holds no songs that can be made out: {len(songs)} of its {len(lines)} lines "
            f"look like one; line {_place(text, strange)} is {strange[:SHOWN]!r}. Expected ids or "
            "addresses of Spotify, lines such as 'Queen - Innuendo', or a table whose header names "
            "the track: its id ('track_id', 'Track URI'), or title and artist ('Track Name', "
            "'Artist Name'). Put a hyphen with blanks between artist and title, or add a header."
        )


def is_clear(entry: str) -> bool:
    """Whether a line looks like a song, and is not only an id for want of anything else."""
    return _looks_like_a_song(entry) or not re.search(r"\s", entry)


def _place(text: str, entry: str) -> int:
    return next(i for i, line in enumerate(text.split("\n"), start=1) if entry in line)


def _told(lines: Sequence[str]) -> list[str]:
    return [entry for line in lines if (entry := _entry(line))]


def _entry(line: str) -> str:
    """Return what a line says of a song; nothing where it is empty or a comment."""
    entry = EXTENDED.sub("", line).strip()
    return "" if entry.startswith("#") and entry[1:2] in {"", " ", "E", "P"} else entry


def _looks_like_a_song(entry: str) -> bool:
    plain = NUMBERED.sub("", entry)
    if ADDRESS.search(plain) or AN_ID.fullmatch(plain):
        return True
    return len(plain) < 300 and '"' not in plain[:1] and len(BETWEEN.split(plain)) > 1


def _known(entry: str) -> dict[str, str]:
    """Return what a line tells of a track: its id or address, else artist and title."""
    plain = NUMBERED.sub("", entry)
    if address := ADDRESS.search(plain):
        return {"song_id": address[0]}
    artist, *title = BETWEEN.split(plain, maxsplit=1)
    if title and artist and title[0]:
        return {"artists": artist, "title": title[0]}
    return {"song_id": plain}
