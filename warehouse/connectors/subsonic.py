"""OpenSubsonic servers such as Navidrome: a library and what is done with it come in, lists go out.

A server answers 200 whatever happens; what happened stands in the answer. Everything is asked by
POST, as addresses of some kilobytes are refused.
"""

import hashlib
import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse.connectors.http import Answer, Client, Service
from warehouse.connectors.listens import files
from warehouse.connectors.musicbrainz import EDITION_OF, MBIDS_HEADER, Song, folded
from warehouse.connectors.snapshots import (
    Fetched,
    Origin,
    Snapshot,
    as_csv,
    count_rows,
    moment,
    read_csv,
)
from warehouse.errors import InputError, ServiceError, Unanswered

logger = logging.getLogger(__name__)

API_VERSION = "1.16.1"
CLIENT = "segue"
PAGE = 500
WHOLE_EVERY = 86_400  # seconds; ratings change without leaving a trace elsewhere
TERMS = "your own library"
STARRED = 5.0
TRACKS_HEADER = (
    *("song_id", "title", "artists", "album", "year", "duration_ms", "genres", "tempo"),
    *("isrc", "recording_mbid"),
)
PLAYLIST_HEADER = ("playlist_id", "playlist_name", "track_id", "track_name", "artist_name")
REFUSED = {40, 41, 42, 43, 44, 50}


@dataclass(frozen=True)
class Login:
    """How somebody is let in: by name and password, or by a key alone."""

    user: str
    password: str
    api_key: str = ""

    def fields(self) -> dict[str, str]:
        """Return what goes with every question; the password itself does not."""
        common = {"v": API_VERSION, "c": CLIENT, "f": "json"}
        if self.api_key:
            return {"apiKey": self.api_key, **common}
        salt = secrets.token_hex(8)
        token = hashlib.md5((self.password + salt).encode(), usedforsecurity=False).hexdigest()
        return {"u": self.user, "t": token, "s": salt, **common}


def service(base: str) -> Service:
    """Return how one's own server wants to be asked."""
    return Service("the OpenSubsonic server", base.rstrip("/"))


@dataclass
class Server:
    """A server and who asks it."""

    client: Client
    login: Login

    def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        """Ask a question; it may be asked again."""
        form = {**self.login.fields(), **fields}
        return _answered(self.client.ask(f"/rest/{what}", form=form), what)

    def send(self, what: str, **fields: Any) -> dict[str, Any]:
        """Change something; it is sent once."""
        form = {**self.login.fields(), **fields}
        return _answered(self.client.send("POST", f"/rest/{what}", form=form), what)


def _answered(answer: Answer, what: str) -> dict[str, Any]:
    """Return the answer's body.

    Raises:
        InputError: who asks is not let in.
        ServiceError: it fails otherwise.
    """
    value = answer.value.get("subsonic-response") if isinstance(answer.value, dict) else None
    if answer.status != 200 or not isinstance(value, dict):
        raise ServiceError(
            f"Expected an OpenSubsonic server, got {answer.status} for {what}. Check "
            "SEGUE_SUBSONIC_URL: it is the part before /rest."
        )
    if value.get("status") == "ok":
        return value
    error = value.get("error") or {}
    said = " ".join(str(error.get("message") or "no reason given").split())[:200]
    if error.get("code") in REFUSED:
        raise InputError(
            f"The OpenSubsonic server refuses: {said}. Check SEGUE_SUBSONIC_USER and "
            "SEGUE_SUBSONIC_PASSWORD, or SEGUE_SUBSONIC_API_KEY."
        )
    raise ServiceError(f"The OpenSubsonic server could not do {what}: {said}.")


def fetch_library(server: Server, home: Path) -> list[Fetched]:
    """Fetch a library and what its owner does with it; the files that builds read follow from it.

    Whether anything changed is asked by three short questions: when the library was scanned, what
    is starred and what was played last. Once a day all is read whatever they say.
    """
    client, now = server.client, server.client.clock.now()
    before = client.sent
    library = Snapshot(home, "subsonic", "all", "library.csv")
    state = _state(server)
    known = library.origin
    fresh = known is not None and now - float(known.state["whole_at"]) < WHOLE_EVERY
    if known is not None and fresh and known.state["seen"] == state:
        library.touch(now, client.sent - before)
        lists = _fetch_playlists(server, home, now)
        return [Fetched(library.path, known.rows, client.sent - before, changed=False), lists]
    first = library.last_page()
    if first is not None and first["seen"]["scan"] != state["scan"]:
        library.drop_pages()  # the library has changed under a fetch that was cut short
    songs = list(_songs(server, library, state))
    rows = _lines(songs)
    facts = _origin(client, now, client.sent - before, len(songs), {"seen": state, "whole_at": now})
    _derive(server, home, songs, now)
    library.publish(rows, facts)
    done = Fetched(library.path, len(songs), client.sent - before, changed=True)
    return [done, _fetch_playlists(server, home, now)]


def _state(server: Server) -> dict[str, Any]:
    scan = server.ask("getScanStatus").get("scanStatus") or {}
    starred = (server.ask("getStarred2").get("starred2") or {}).get("song") or []
    recent = server.ask("getAlbumList2", type="recent", size=1).get("albumList2") or {}
    last = (recent.get("album") or [{}])[0]
    return {
        "scan": [scan.get("count"), scan.get("lastScan")],
        "starred": sorted(f"{song.get('id')} {song.get('starred')}" for song in starred),
        "played": [last.get("id"), last.get("played"), last.get("playCount")],
    }


def _songs(server: Server, library: Snapshot, state: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every song of the library, a page at a time; pages that are there are not asked for."""
    last = library.last_page()
    while last is None or not last["done"]:
        offset = last["offset"] if last else 0
        found = server.ask(
            *("search3",),
            query="",
            songCount=PAGE,
            songOffset=offset,
            artistCount=0,
            albumCount=0,
        )
        given = (found.get("searchResult3") or {}).get("song") or []
        rows = [row for row in (_song(song) for song in given) if row]
        last = {"offset": offset + len(given), "done": len(given) < PAGE, "seen": state}
        library.add({**last, "rows": rows})
    for page in library.pages():
        yield from page["rows"]


def _song(song: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is read of a song; what is a video or has no name is none."""
    title, artist = song.get("title"), song.get("artist") or song.get("displayArtist")
    if not song.get("id") or not title or not artist or song.get("isVideo"):
        return None
    named = [one["name"] for one in song.get("artists") or [] if one.get("name")]
    genres = [one["name"] for one in song.get("genres") or [] if one.get("name")]
    isrc = song.get("isrc") or []
    return {
        "song_id": str(song["id"]),
        "title": str(title),
        "artist": str(named[0] if named else artist),
        "artists": named or [str(artist)],
        "album": song.get("album"),
        "year": song.get("year") or None,
        "duration_ms": 1000 * song["duration"] if song.get("duration") else None,
        "genres": genres or ([song["genre"]] if song.get("genre") else []),
        "tempo": song.get("bpm") or None,
        "isrc": isrc if isinstance(isrc, list) else [isrc],
        "recording_mbid": song.get("musicBrainzId") or None,
        "rating": song.get("userRating") or None,
        "starred": bool(song.get("starred")),
        "plays": song.get("playCount") or 0,
        "played": song.get("played"),
    }


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return as_csv(("song_id", "title", "artist", "recording_mbid", "isrc"), rows)


def _origin(
    client: Client, now: float, requests: int, rows: int, state: Mapping[str, Any]
) -> Origin:
    return Origin(
        *("OpenSubsonic", client.service.base, moment(now), "open", TERMS, requests, rows, ""),
        state=state,
    )


def _derive(server: Server, home: Path, songs: Sequence[Mapping[str, Any]], now: float) -> None:
    """Write the catalogue, the ratings and the recordings of a library."""
    mbids = [
        {**song, "confidence": 1.0, "how": "tags of the library"}
        for song in songs
        if song["recording_mbid"]
    ]
    texts = {
        "tracks.csv": (as_csv(TRACKS_HEADER, songs), len(songs)),
        "mbids.csv": (as_csv(MBIDS_HEADER, mbids), len(mbids)),
    }
    for name, (text, rows) in texts.items():
        Snapshot(home, "subsonic", "all", name).publish(
            text, _origin(server.client, now, 0, rows, {})
        )
    user = server.login.user or "me"
    marks = [{"user": user, "stars": _stars(s), "mbid": s["recording_mbid"], **s} for s in songs]
    plays = [{"user": user, "mbid": s["recording_mbid"], "last": 0, **s} for s in songs]
    with files(
        (), (m for m in marks if m["stars"] is not None), (p for p in plays if p["plays"])
    ) as (_, ratings):
        rows = count_rows(ratings)
        Snapshot(home, "subsonic", "all", "ratings.csv").publish(
            ratings, _origin(server.client, now, 0, rows, {})
        )


def _stars(song: Mapping[str, Any]) -> float | None:
    """Return what somebody said of a song: their rating, else all stars for what is starred."""
    return float(song["rating"]) if song["rating"] else STARRED if song["starred"] else None


def _fetch_playlists(server: Server, home: Path, now: float) -> Fetched:
    """Fetch the playlists, each only where it was changed since; lists of Segue's are left out."""
    snapshot = Snapshot(home, "subsonic", "all", "playlists.csv")
    before = server.client.sent
    listed = [one for one in playlists(server) if not str(one.get("comment")).startswith(MARK)]
    state = {str(one["id"]): str(one.get("changed")) for one in listed}
    known = snapshot.origin
    if known and known.state == state:
        snapshot.touch(now, server.client.sent - before)
        return Fetched(snapshot.path, known.rows, server.client.sent - before, changed=False)
    there = {page["id"]: page["changed"] for page in snapshot.pages()}
    for one in listed:
        if there.get(str(one["id"])) == state[str(one["id"])]:
            continue
        found = server.ask("getPlaylist", id=one["id"])["playlist"]
        rows = [_entry(song, found) for song in found.get("entry") or []]
        snapshot.add({"id": str(one["id"]), "changed": state[str(one["id"])], "rows": rows})
    newest = {page["id"]: page["rows"] for page in snapshot.pages()}
    rows = [row for name in state for row in newest.get(name, [])]
    sent = server.client.sent - before
    snapshot.publish(
        as_csv(PLAYLIST_HEADER, rows), _origin(server.client, now, sent, len(rows), state)
    )
    return Fetched(snapshot.path, len(rows), sent, changed=True)


def playlists(server: Server) -> list[dict[str, Any]]:
    """Return the playlists of a server."""
    return (server.ask("getPlaylists").get("playlists") or {}).get("playlist") or []


def _entry(song: Mapping[str, Any], playlist: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "playlist_id": playlist["id"],
        "playlist_name": playlist.get("name"),
        "track_id": song.get("id"),
        "track_name": song.get("title"),
        "artist_name": song.get("artist"),
    }


MARK = "segue:"  # begins the comment of a playlist that Segue wrote


@dataclass(frozen=True)
class Pushed:
    """What became of a list.

    Args:
        playlist: its id at the service.
        songs: how many it holds.
        missing: songs that the service does not have.
    """

    playlist: str
    songs: int
    missing: tuple[Song, ...]


def matched(
    songs: Sequence[Song], mbids: Mapping[str, str], library: Sequence[Mapping[str, str]]
) -> tuple[list[str], list[Song]]:
    """Find songs in a library: by id, recording, or title and artist; else without the edition.

    Args:
        songs: wanted, in order.
        mbids: the recording of songs, where it is known.
        library: ``song_id``, ``title``, ``artist`` and ``recording_mbid`` of what is there.

    Returns:
        The ids of what is there, in order, each once; and the songs that are not.
    """
    ids = {row["song_id"] for row in library}
    ways: list[dict[Any, str]] = [{}, {}, {}]
    for row in library:
        keys = (row["recording_mbid"] or None, *_names(row["title"], row["artist"]))
        for way, key in zip(ways, keys, strict=True):
            if key is not None:
                way.setdefault(key, row["song_id"])
    there, missing = dict[str, None](), list[Song]()
    for song in songs:
        keys = (mbids.get(song.song_id), *_names(song.title, song.artist))
        guesses = (way.get(key) for way, key in zip(ways, keys, strict=True) if key is not None)
        own = song.song_id if song.song_id in ids else None
        place = own or next((guess for guess in guesses if guess), None)
        if place is None:
            missing.append(song)
        else:
            there[place] = None
    return list(there), missing


def _names(title: str, artist: str) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    whole, bare = folded(title), folded(EDITION_OF.sub("", title))
    by = folded(artist)
    return ((whole, by) if whole and by else None), ((bare, by) if bare and by else None)


def push(
    server: Server, home: Path, title: str, songs: Sequence[Song], mbids: Mapping[str, str]
) -> Pushed:
    """Write a list as a playlist, once: pushed again, or after a kill, it replaces the same one.

    Raises:
        InputError: the library was not fetched, or has none of the songs.
    """
    library = Snapshot(home, "subsonic", "all", "library.csv").path
    if not library.exists():
        raise InputError("The library has not been fetched yet: run segue fetch subsonic first.")
    ids, missing = matched(songs, mbids, list(read_csv(library)))
    if not ids:
        raise InputError(f"The library has none of the {len(songs)} songs.")
    name = " ".join(title.split())
    place = _mine(server, name)
    if place is None:
        try:
            server.send("createPlaylist", name=name, songId=ids)
        except Unanswered:
            logger.info("the playlist may have been made: looking")
        place = _mine(server, name)
        if place is None:
            raise ServiceError("The OpenSubsonic server did not make the playlist. Push it again.")
    else:
        server.send("createPlaylist", playlistId=place, songId=ids)
    server.send("updatePlaylist", playlistId=place, comment=MARK + name)
    return Pushed(place, len(ids), tuple(missing))


def _mine(server: Server, name: str) -> str | None:
    """Return the playlist that Segue wrote under a name, or had yet to mark when it was killed."""
    listed = playlists(server)
    marked = [one for one in listed if one.get("comment") == MARK + name]
    named = [one for one in listed if one.get("name") == name and not one.get("comment")]
    return next((str(one["id"]) for one in (*marked, *named)), None)
