"""A page and a JSON object for one song: a song_id comes in, what is like it goes out.

The page stands in place of Datasette's bare row page. The object, at
``/segue/songs/<song_id>/recommendations.json``, is described in ``docs/data-dictionary.md``.
"""

# mypy: disable-error-code="untyped-decorator"

import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any

from datasette.app import Datasette
from datasette.database import Database
from datasette.hookspecs import hookimpl
from datasette.utils import tilde_decode, tilde_encode
from datasette.utils.asgi import Request, Response
from markupsafe import Markup

from warehouse.contracts import MEASUREMENTS
from warehouse.describe import DATABASE, query

Row = dict[str, Any]

SPOTIFY_ID = re.compile(r"[0-7][0-9A-Za-z]{21}")  # 128 bits in base 62
PITCHES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
SHARES = tuple(c for c in MEASUREMENTS if c.unit == "0 to 1")

# Where a song is named: its title in the table, its label in the canned queries.
NAMES = (("songs", "title"), (None, "song"))
IDS = ("recommended_song_id", "song_id")

# The two songs of a row, as the join of song_recommendations.sql names their columns.
OF_SONG = ("song_id", "title", "artist", "year")
OF_RECOMMENDED = {
    "rank": "rank",
    "song_id": "recommended_song_id",
    "title": "recommended_title",
    "artist": "recommended_artist",
    "year": "recommended_year",
    "distance": "distance",
    "similarity": "similarity",
    "reason": "reason",
}


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    """Take the row page of a song; its ``.json`` and ids with a percent sign stay Datasette's."""
    song = rf"^/{DATABASE}/songs/(?P<song_id>[^/.%]+)"
    return [(rf"{song}/recommendations\.json$", song_json), (rf"{song}$", song_page)]


@hookimpl
def render_cell(
    row: sqlite3.Row, value: object, column: str, table: str | None, datasette: Datasette
) -> str | None:
    """Link songs from their ids and titles, and show reals as people read them.

    Ids that are foreign keys are links with a label already, and come here as a dictionary.
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if (table, column) in NAMES:
        song_id = next((row[name] for name in IDS if name in row.keys()), None)  # noqa: SIM118
        return _link(datasette, song_id, str(value)) if song_id else None
    if column in IDS and isinstance(value, str):
        return _link(datasette, value, value)
    return None


@hookimpl
def extra_template_vars(datasette: Datasette) -> dict[str, Any]:
    """Offer ``starting_points()``, ``song_url(song_id)`` and ``tone_of(key)`` to templates."""

    async def starting_points() -> list[Row]:
        return await _rows(datasette, "starting_points")

    return {
        "starting_points": starting_points,
        "song_url": _song_url(datasette),
        "tone_of": tone,
    }


async def song_json(datasette: Datasette, request: Request) -> Response:
    """Return the song and its recommendations, nearest first; 404 for an unknown id."""
    rows = await _rows(datasette, "song_recommendations", song_id=_song_id(request))
    if not rows:
        missing = {"ok": False, "error": "No song has this song_id", "status": 404}
        return Response.json(missing, status=404)
    body = json.dumps(as_object(rows), ensure_ascii=False, separators=(",", ":"))
    return Response(
        body, content_type="application/json; charset=utf-8", headers=_lasting(datasette)
    )


async def song_page(datasette: Datasette, request: Request) -> Response:
    """Return the page of one song; where the id is unknown, one that helps to find it."""
    song_id = _song_id(request)

    def everything(connection: sqlite3.Connection) -> dict[str, list[Row]]:
        parts = ("song", "song_recommendations", "song_versions", "song_recommended_by")
        return {name: _fetched(connection, name, {"song_id": song_id}) for name in parts}

    found = await _database(datasette).execute_fn(everything)
    if not found["song"]:
        context: dict[str, Any] = {"song_id": song_id}
        page = await datasette.render_template("song_missing.html", context, request)
        return Response.html(page, status=404)
    context = page_context(found)
    page = await datasette.render_template("song.html", context, request, view_name="row")
    return Response.html(page, headers=_lasting(datasette))


def as_object(rows: list[Row]) -> dict[str, Any]:
    """Return the published JSON object of one song.

    Args:
        rows: of ``song_recommendations.sql``, at least one, in order of rank.
    """
    song: dict[str, Any] = {name: rows[0][name] for name in OF_SONG}
    song["recommendations"] = [
        {name: row[source] for name, source in OF_RECOMMENDED.items()}
        for row in rows
        if row["rank"] is not None
    ]
    return song


def page_context(found: dict[str, list[Row]]) -> dict[str, Any]:
    """Return what ``song.html`` shows.

    Args:
        found: the rows of each of the song's queries, by the name of the query.
    """
    song = found["song"][0]
    return {
        "song": song,
        "credits": json.loads(song["artists"]),
        "genres": json.loads(song["genres"]),
        "tone": tone(song["key"]),
        "facts": facts(song),
        "shares": [(c.name, song[c.name], c.about) for c in SHARES if song[c.name] is not None],
        "recommendations": [
            {
                **row,
                "tone": tone(row["recommended_key"]),
                "key_name": key_name(row["recommended_key"], row["recommended_mode"]),
            }
            for row in found["song_recommendations"]
            if row["rank"] is not None
        ],
        "versions": found["song_versions"],
        "recommended_by": found["song_recommended_by"],
        "spotify": spotify_url(song["song_id"]),
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


def _link(datasette: Datasette, song_id: str, text: str) -> str:
    return Markup('<a href="{}">{}</a>').format(_song_url(datasette)(song_id), text)


def _song_url(datasette: Datasette) -> Callable[[str], str]:
    def song_url(song_id: str) -> str:
        return str(datasette.urls.row(DATABASE, "songs", tilde_encode(song_id)))

    return song_url


def _song_id(request: Request) -> str:
    return str(tilde_decode(request.url_vars["song_id"]))


def _database(datasette: Datasette) -> Database:
    return datasette.get_database(DATABASE)


async def _rows(datasette: Datasette, name: str, **parameters: str) -> list[Row]:
    def rows(connection: sqlite3.Connection) -> list[Row]:
        return _fetched(connection, name, parameters)

    fetched: list[Row] = await _database(datasette).execute_fn(rows)
    return fetched


def _fetched(connection: sqlite3.Connection, name: str, parameters: dict[str, str]) -> list[Row]:
    return [dict(row) for row in connection.execute(query(name), parameters)]


def _lasting(datasette: Datasette) -> dict[str, str]:
    return {"cache-control": f"max-age={datasette.setting('default_cache_ttl')}"}
