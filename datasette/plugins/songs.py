"""How songs look wherever they are named: links, colours, lengths and keys.

Values of the ``songs`` table come in; what templates and table cells show goes out.
"""

# mypy: disable-error-code="untyped-decorator"

import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from datasette.utils import tilde_encode
from markupsafe import Markup

from warehouse.site.describe import DATABASE

Row = Mapping[str, Any]

SPOTIFY_ID = re.compile(r"[0-7][0-9A-Za-z]{21}")  # 128 bits in base 62
PITCHES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")

# Where a song is named: its title in the table, its label in the canned queries.
NAMES = (("songs", "title"), (None, "song"))
IDS = ("recommended_song_id", "song_id")

# What has a page of its own, and where that lies: foreign keys, and the artist of a song.
OWN = {
    "taste_id": "/tastes/",
    "related_taste_id": "/tastes/",
    "genre": "/genres/",
    "related_genre": "/genres/",
    "artist": "/artists/",
    "related_artist": "/artists/",
}


@hookimpl
def render_cell(
    row: sqlite3.Row, value: object, column: str, table: str | None, datasette: Datasette
) -> str | None:
    """Link songs from their ids and titles, groups from their keys, and show reals for readers.

    Ids that are foreign keys come here as a dictionary with a label; Datasette links songs' itself.
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if column in OWN and (isinstance(value, dict) or (table, column) == ("songs", "artist")):
        key, label = (value["value"], value["label"]) if isinstance(value, dict) else (value, value)
        return _linked(_url(datasette, OWN[column])(str(key)), str(label))
    if (table, column) in NAMES:
        song_id = next((row[name] for name in IDS if name in row.keys()), None)  # noqa: SIM118
        return _linked(_song_url(datasette)(song_id), str(value)) if song_id else None
    if column in IDS and isinstance(value, str):
        return _linked(_song_url(datasette)(value), value)
    return None


@hookimpl
def extra_template_vars(datasette: Datasette) -> dict[str, Any]:
    """Offer templates the addresses of songs and of what they belong to, and their values."""
    return {
        "song_url": _song_url(datasette),
        "artist_url": _url(datasette, "/artists/"),
        "genre_url": _url(datasette, "/genres/"),
        "taste_url": _url(datasette, "/tastes/"),
        "spotify_url": spotify_url,
        "tone_of": tone,
        "key_name": key_name,
        "facts_of": facts,
        "typical_of": typical,
        "because_of": because,
        "by_name": by_name,
        "says": says,
    }


def facts(song: Row) -> list[tuple[str, str]]:
    """Return what a listener would call the song's vital data, those that are known."""
    told = (
        ("Length", _minutes(song["duration_ms"])),
        ("Tempo", f"{song['tempo']:.0f} BPM" if song["tempo"] else ""),
        ("Key", key_name(song["key"], song["mode"])),
        ("Bar", f"{song['time_signature']} beats" if song["time_signature"] else ""),
        ("Loudness", f"{song['loudness']:.1f} dB" if song["loudness"] is not None else ""),
        ("Popularity", f"{song['popularity']} of 100" if song["popularity"] is not None else ""),
        ("Released", song["release_date"] or str(song["year"] or "")),
    )
    return [(name, text) for name, text in told if text]


def because(recommendations: list[Row]) -> list[str]:
    """Return the blocks of the recipe that bring a song near to any of those recommended."""
    return list(dict.fromkeys(block for other in recommendations for block in other["because"]))


def says(song: Row, query: str) -> bool:
    """Return whether title and artists have every word of a query, as it is written."""
    name = f"{song['title']} {' '.join(song['artists'])}".casefold()
    return all(word in name for word in query.casefold().split())


def by_name(songs: list[Row]) -> list[list[Row]]:
    """Return songs in their order, those that no reader could tell apart by name together."""
    alike: dict[tuple[object, ...], list[Row]] = {}
    for song in songs:
        name = tuple(song.get(column) for column in ("label", "title", "album", "year"))
        alike.setdefault(name, []).append(song)
    return list(alike.values())


def typical(means: Row) -> list[tuple[str, str]]:
    """Return what songs of a group are like on average, as far as it is known."""
    length, year = means["duration_ms"], means["year"]
    told = (
        ("Length", _minutes(None if length is None else round(length))),
        ("Tempo", f"{means['tempo']:.0f} BPM" if means["tempo"] else ""),
        ("Loudness", f"{means['loudness']:.1f} dB" if means["loudness"] is not None else ""),
        ("Year", f"{year:.0f}" if year else ""),
        ("Popularity", f"{means['popularity']:.0f}" if means["popularity"] is not None else ""),
    )
    return [(f"Mean {name.lower()}", text) for name, text in told if text]


def key_name(key: int | None, mode: int | None) -> str:
    """Return the key as musicians write it: ``A minor``; nothing where none was found."""
    if key is None:
        return ""
    return PITCHES[key] + {0: " minor", 1: " major", None: ""}[mode]


def tone(key: int | None) -> str:
    """Return the style class that colours a key; neighbours by a fifth get like colours."""
    return "tone-none" if key is None else f"tone-{key * 7 % 12}"


def spotify_url(song_id: str) -> str:
    """Return the song's address at Spotify, or nothing where the id is not one of theirs."""
    return f"https://open.spotify.com/track/{song_id}" if SPOTIFY_ID.fullmatch(song_id) else ""


def _minutes(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes}:{seconds:02d}"


def _linked(address: str, text: str) -> str:
    return Markup('<a href="{}">{}</a>').format(address, text)


def _song_url(datasette: Datasette) -> Callable[[str], str]:
    def song_url(song_id: str) -> str:
        return str(datasette.urls.row(DATABASE, "songs", tilde_encode(song_id)))

    return song_url


def _url(datasette: Datasette, path: str) -> Callable[[str], str]:
    def url(name: str) -> str:
        return str(datasette.urls.path(path + tilde_encode(name)))

    return url
