"""The signal files that Segue can read: a header comes in, the format that it belongs to comes out.

Pure data, as ``formats`` is for tracks. Nobody agrees on the names of these columns, so each of
Segue's has several, the surest first; case, spaces and punctuation do not matter.
"""

import re
from collections.abc import Sequence

from warehouse.errors import InputError
from warehouse.files.formats import Format, require_once, shown

ARTIST = ("artistname", "artistnames", "artist", "artists", "trackartist", "name")
GENRES = ("genres", "genre", "artistgenres", "artistgenre")

PLAYLIST = ("playlistid", "playlisturi", "playlisturl", "pid", "sessionid", "session")
PLAYLIST_NAME = ("playlist", "playlistname")
LISTENER = ("userid", "user", "username", "listenerid", "listener")
TRACK_ID = (
    *("trackid", "trackuri", "trackurl", "spotifytrackid", "spotifytrackuri", "spotifyid"),
    *("spotifyuri", "songid", "uri", "url", "id"),
)
TITLE = ("trackname", "tracktitle", "songname", "songtitle", "title", "track", "song", "name")
RATER = (*LISTENER, "member", "reviewer", "person")
RATING = ("rating", "userrating", "ratingvalue", "stars", "score")
RATED_AT = (
    *("ratedat", "ratingtimestamp", "ratingdate", "timestamp", "datetime", "date", "time"),
    *("addedat", "updatedat", "createdat"),
)
EXPORTIFY = ("trackuri", "spotifyid", "spotifyuri")


def genre_format(header: Sequence[str], file: str) -> Format:
    """Return how a file of artist genres names its two columns.

    Raises:
        InputError: one of them is missing, or named twice.
    """
    artists, genres = _first(header, ARTIST), _first(header, GENRES)
    if artists is None or genres is None:
        raise InputError(
            f"{file}: not known as a file of artist genres. Expected a column of artists ('artist' "
            f"or 'artists') and one of genres ('genres' or 'genre'). Found: {shown(header)}. "
            "Rename the columns."
        )
    require_once(header, (artists, genres), file)
    return Format(
        name="artist-genres",
        about="artists and their genres",
        renamed={"artists": artists},
        same=(),
        artists="one name",
        genres=(genres,),
    )


def playlist_format(header: Sequence[str], file: str) -> Format:
    """Return how a file of playlists names its columns.

    A playlist is named by its id, else by its name and owner, else by its owner alone. An export
    of Exportify names none: the file is the playlist.

    Raises:
        InputError: no column tells the playlist or the track, or one is named twice.
    """
    track = _track(header)
    list_id, name, owner = (_first(header, names) for names in (PLAYLIST, PLAYLIST_NAME, LISTENER))
    whose = {"playlist": list_id or name or owner, "owner": None if list_id or not name else owner}
    exported = bool(_first(header, EXPORTIFY) and track["title"] and track["artists"])
    if not _told(track) or not (exported or any(whose.values())):
        raise InputError(_unknown(header, file))
    renamed = {ours: theirs for ours, theirs in {**whose, **track}.items() if theirs}
    require_once(header, tuple(renamed.values()), file)
    alone = not any(whose.values())
    return Format(
        name="exportify" if alone else "playlists",
        about="one playlist, exported by Exportify" if alone else "playlists or listeners",
        renamed=renamed,
        same=(),
        artists="one name",
    )


def rating_format(header: Sequence[str], file: str) -> Format:
    """Return how a file of ratings names its columns; when one was given may be left out.

    A title whose artist no column names is taken for an id.

    Raises:
        InputError: no column tells the user, the rating or the song, or one is named twice.
    """
    user, rating = _first(header, RATER), _first(header, RATING)
    track = _track(header)
    if not track["song_id"] and not track["artists"]:
        track = {"song_id": track["title"], "title": None, "artists": None}
    if not (user and rating and _told(track)):
        raise InputError(
            f"{file}: not known as a file of ratings. Expected a column of the user ('user_id'), "
            "of the rating, 1 to 5 ('rating'), and of the song: its id ('song_id', 'track_uri'), "
            f"or title and artist. Found: {shown(header)}. Rename the columns."
        )
    given = {"user": user, "rating": rating, "rated_at": _first(header, RATED_AT), **track}
    renamed = {ours: theirs for ours, theirs in given.items() if theirs}
    require_once(header, tuple(renamed.values()), file)
    return Format(
        name="ratings",
        about="who rated which song how",
        renamed=renamed,
        same=(),
        artists="one name",
    )


def _track(header: Sequence[str]) -> dict[str, str | None]:
    """Return the header's names for a track's id, title and artist."""
    return {
        "song_id": _first(header, TRACK_ID),
        "title": _first(header, TITLE),
        "artists": _first(header, tuple(name for name in ARTIST if name != "name")),
    }


def _told(track: dict[str, str | None]) -> bool:
    """Whether these columns tell one track from another."""
    return bool(track["song_id"] or (track["title"] and track["artists"]))


def _first(header: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the header's name for the first of ``names`` that it has."""
    known: dict[str, str] = {}
    for theirs in header:
        known.setdefault(re.sub(r"[^a-z0-9]", "", theirs.lower()), theirs)
    return next((known[name] for name in names if name in known), None)


def _unknown(header: Sequence[str], file: str) -> str:
    return (
        f"{file}: not known as a file of playlists. Expected a column of the playlist "
        "('playlist_id', 'playlist_name') or of the listener ('user_id'), and of the track: its id "
        "('track_id', 'track_uri'), or title and artist ('track_name', 'artist_name'); or a "
        "playlist exported by Exportify ('Track URI', 'Track Name', 'Artist Name(s)'). "
        f"Found: {shown(header)}. Rename the columns."
    )
