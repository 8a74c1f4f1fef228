"""Read what Spotify sends of one's own data: a JSON file comes in, playlist entries go out as text.

The files of "Download your data" on the privacy page of an account: saved tracks, playlists, and
the listening history, short or extended. Which one it is shows in its shape, not in its name.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import polars as pl
from pydantic import AliasPath, BaseModel, Field, NonNegativeInt, ValidationError, field_validator

from warehouse.errors import InputError
from warehouse.files.content import Content
from warehouse.files.records import MALFORMED_SCHEMA, SURROGATE

COLUMNS = ("playlist", "song_id", "title", "artists", "ended_at", "played_ms")
ROWS_SCHEMA = {"line": pl.Int64, "row": pl.String, **dict.fromkeys(COLUMNS, pl.String)}
SAVED = "saved tracks"
EPISODE = "spotify:episode:"
LOCAL = "spotify:local:"


class _Entry(BaseModel):
    """What of an entry is read; all else, such as addresses of a listener, is left in the file."""

    title: str | None = None
    artists: str | None = None
    song_id: str | None = None
    ended_at: str | None = None
    played_ms: NonNegativeInt | None = None

    @field_validator("*", mode="after")
    @classmethod
    def _unicode(cls, value: object) -> object:
        return SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


class _Saved(_Entry):
    title: str | None = Field(None, alias="track")
    artists: str | None = Field(None, alias="artist")
    song_id: str | None = Field(None, alias="uri")


class _Listed(_Entry):
    title: str | None = Field(None, validation_alias=AliasPath("track", "trackName"))
    artists: str | None = Field(None, validation_alias=AliasPath("track", "artistName"))
    song_id: str | None = Field(None, validation_alias=AliasPath("track", "trackUri"))


class _Played(_Entry):
    title: str | None = Field(None, alias="trackName")
    artists: str | None = Field(None, alias="artistName")
    ended_at: str = Field(alias="endTime")
    played_ms: NonNegativeInt = Field(alias="msPlayed")


class _PlayedFully(_Entry):
    title: str | None = Field(None, alias="master_metadata_track_name")
    artists: str | None = Field(None, alias="master_metadata_album_artist_name")
    song_id: str | None = Field(None, alias="spotify_track_uri")
    ended_at: str = Field(alias="ts")
    played_ms: NonNegativeInt = Field(alias="ms_played")


@dataclass(frozen=True)
class _Export:
    """One kind of file: how to know it, where its entries are and what each must hold.

    Args:
        name: what it is.
        about: how to know it.
        entries: returns playlist and entry for each, or None where the file is of another kind.
    """

    name: str
    about: str
    model: type[_Entry]
    entries: Callable[[Any], list[tuple[str | None, Any]] | None]


def recognised(content: Content) -> str | None:
    """Return what export of Spotify's a content is, or None where it is none.

    Raises:
        InputError: it is not JSON, or holds no entries.
    """
    opened = _opened(content)
    if opened is None:
        return None
    export, found = opened
    if not found:
        raise InputError(f"{content.name}: holds no entries ({export.about}). Export it again.")
    return export.name


def entries(content: Content) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what can be read of every entry of an export, and the malformed ones.

    Returns:
        The first follows ``ROWS_SCHEMA``, the second ``MALFORMED_SCHEMA``; ``line`` is the
        position of the entry in the file, from 1.

    Raises:
        InputError: it is not JSON, or no export of Spotify's.
    """
    opened = _opened(content)
    if opened is None:
        raise InputError(f"{content.name}: is no export of Spotify's.")
    return _read(*opened)


def _read(
    export: _Export, found: list[tuple[str | None, Any]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows, malformed = [], []
    for line, (playlist, value) in enumerate(found, start=1):
        try:
            read = export.model.model_validate(_plain(value))
        except ValidationError as error:
            malformed.append((line, _reason(error), json.dumps(_read_of(value, export.model))))
            continue
        known = {"playlist": playlist, **read.model_dump(exclude_none=True)}
        text = json.dumps(known, ensure_ascii=False)
        rows.append({"line": line, "row": text, **{k: str(v) for k, v in known.items() if v}})
    return (
        pl.DataFrame(rows, schema=ROWS_SCHEMA, orient="row"),
        pl.DataFrame(malformed, schema=MALFORMED_SCHEMA, orient="row"),
    )


def _opened(content: Content) -> tuple[_Export, list[tuple[str | None, Any]]] | None:
    value = parsed(content)
    for export in EXPORTS:
        found = export.entries(value)
        if found is not None:
            return export, found
    return None


def parsed(content: Content) -> Any:
    """Return the value that a JSON file holds.

    Raises:
        InputError: it is not JSON.
    """
    try:
        return json.loads(content.plain().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{content.name}: cannot be read as JSON in UTF-8: {error}. It is damaged or cut "
            "short: fetch it again."
        ) from error


def unknown(content: Content) -> InputError:
    """Return what to say of JSON that holds no table and is no export of Spotify's."""
    return InputError(
        f"{content.name}: not known as one of Spotify's own exports, nor as an array of objects "
        f"with titles and artists. Expected {', '.join(export.about for export in EXPORTS)}. "
        f"Found {_shape(parsed(content))}. Other playlists can be given as CSV."
    )


def _shape(value: object) -> str:
    if isinstance(value, list):
        return f"an array of {len(value)}" + (f", first {_shape(value[0])}" if value else "")
    if isinstance(value, dict):
        names = ", ".join(repr(name[:40]) for name in list(value)[:10])
        return f"an object with {names}" if names else "an empty object"
    return "null" if value is None else f"a value {str(value)[:40]!r}"


def _plain(value: Any) -> Any:
    """Say of an entry without a track what it is instead: an episode, or a file of one's own."""
    if not isinstance(value, dict):
        return value
    other = ("episode", "audiobook", "spotify_episode_uri", "audiobook_uri", "episodeName")
    if any(value.get(name) for name in other):
        return {**value, "track": {"trackUri": EPISODE}, "spotify_track_uri": EPISODE}
    local = value.get("localTrack")
    parts = str(local.get("uri")).split(":") if isinstance(local, dict) else []
    if len(parts) > 4:  # spotify:local:<artist>:<album>:<title>:<seconds>
        names = {"artistName": unquote_plus(parts[2]), "trackName": unquote_plus(parts[4])}
        return {"track": names}
    return value


def _read_of(value: Any, model: type[_Entry]) -> Any:
    """Leave out of an entry what is not read, as it may be nobody's business."""
    if not isinstance(value, dict):
        return value
    aliases = [field.validation_alias for field in model.model_fields.values()]
    used = {a.path[0] if isinstance(a, AliasPath) else a for a in aliases}
    return {name: value[name] for name in value if name in used}


def _reason(error: ValidationError) -> str:
    breaches = []
    for breach in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in breach["loc"]) or "the entry"
        said = breach["msg"].removeprefix("Value error, ").removeprefix("Input ")
        known = {"missing": "is missing", "model_type": "is not an object"}
        breaches.append(f"{where} {known.get(breach['type'], said)}")
    return "; ".join(breaches)


def _saved(value: Any) -> list[tuple[str | None, Any]] | None:
    tracks = value.get("tracks") if isinstance(value, dict) else None
    if not isinstance(tracks, list):
        return None
    names = {name for entry in tracks if isinstance(entry, dict) for name in entry}
    return [(SAVED, entry) for entry in tracks] if not names or "track" in names else None


def _listed(value: Any) -> list[tuple[str | None, Any]] | None:
    """Return the items of every playlist; of two that share a name the second is numbered."""
    playlists = value.get("playlists") if isinstance(value, dict) else None
    if not isinstance(playlists, list):
        return None
    found: list[tuple[str | None, Any]] = []
    times: Counter[str] = Counter()
    for playlist in playlists:
        items = playlist.get("items") if isinstance(playlist, dict) else None
        if not isinstance(items, list):
            found.append((None, {"track": playlist}))
            continue
        name = SURROGATE.sub("\ufffd", str(playlist.get("name") or "untitled"))
        times[name] += 1
        label = name if times[name] == 1 else f"{name} ({times[name]})"
        found += [(label, item) for item in items]
    return found


def _history(mark: str) -> Callable[[Any], list[tuple[str | None, Any]] | None]:
    def entries(value: Any) -> list[tuple[str | None, Any]] | None:
        if not isinstance(value, list):
            return None
        known = any(isinstance(entry, dict) and mark in entry for entry in value)
        return [(None, entry) for entry in value] if known else None

    return entries


EXPORTS = (
    _Export(
        "Spotify library",
        "saved tracks (YourLibrary.json: an object with 'tracks')",
        _Saved,
        _saved,
    ),
    _Export(
        "Spotify playlists",
        "playlists (Playlist1.json: an object with 'playlists')",
        _Listed,
        _listed,
    ),
    _Export(
        "Spotify history",
        "listening history (StreamingHistory*.json: an array of objects with 'msPlayed')",
        _Played,
        _history("msPlayed"),
    ),
    _Export(
        "Spotify extended history",
        "extended history (Streaming_History_Audio_*.json: an array with 'ms_played')",
        _PlayedFully,
        _history("ms_played"),
    ),
)
