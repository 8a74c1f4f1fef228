"""Spotify, with a person's own client id: their library comes in for display, lists go out.

Since 2024 and 2026 its developer terms leave little: one song a request, some thousand requests a
day, no audio features, no genres, and nothing of it may be learnt from. So whatever comes from here
is ``display``: it is shown, and kept out of every build.
"""

import base64
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from warehouse.connectors.http import Answer, Client, Query, Service
from warehouse.connectors.musicbrainz import Cache, Song
from warehouse.connectors.secret_files import TokenFile, Tokens
from warehouse.connectors.snapshots import Fetched, Origin, Snapshot, as_csv, moment, read_csv
from warehouse.errors import InputError, Postponed, ServiceError, Unanswered

logger = logging.getLogger(__name__)

BASE = "https://api.spotify.com"
ACCOUNTS = "https://accounts.spotify.com"
TERMS = "https://developer.spotify.com/policy (III.14: not to be learnt from)"
SCOPES = ("user-library-read", "playlist-read-private", "playlist-modify-private")
GAP = 0.4
PAGE = 50
ALBUMS_A_PAGE = 10
ITEMS_A_CALL = 100
DAY = 86_400
WHOLE_EVERY = 30 * DAY
EARLY = 60  # seconds before its end an access token is renewed
SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")
REFERENCE = re.compile(r"(?:spotify:|/)(track|album|artist)[:/]([0-9A-Za-z]{22})\b")
SAVED_HEADER = (
    *("track_id", "track_name", "artist_name", "album", "isrc", "added_at"),
    *("playlist", "licence"),
)
PLAYLIST_HEADER = (
    *("playlist_id", "playlist_name", "track_id", "track_name", "artist_name", "licence"),
)
TRACKS_HEADER = (
    *("song_id", "title", "artists", "album", "release_date", "duration_ms", "explicit"),
    *("isrc", "licence"),
)
DISPLAY = "display"
MARK = "segue:"


def service(base: str = BASE) -> Service:
    """Return how Spotify's interface wants to be asked."""
    return Service("Spotify", base.rstrip("/"), GAP)


def accounts(base: str = ACCOUNTS) -> Service:
    """Return where people sign in and tokens are had."""
    return Service("Spotify's accounts", base.rstrip("/"))


@dataclass(frozen=True)
class Challenge:
    """What ties a sign-in to whoever began it (RFC 7636)."""

    verifier: str
    state: str

    @classmethod
    def new(cls) -> "Challenge":
        """Return one that nobody can guess."""
        return cls(secrets.token_urlsafe(64), secrets.token_urlsafe(32))

    @property
    def hashed(self) -> str:
        """What is sent ahead of the verifier."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def sign_in_address(
    base: str, client_id: str, redirect: str, challenge: Challenge, scopes: Sequence[str] = SCOPES
) -> str:
    """Return where a person agrees to what is asked."""
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect,
        "scope": " ".join(scopes),
        "state": challenge.state,
        "code_challenge_method": "S256",
        "code_challenge": challenge.hashed,
    }
    return f"{base.rstrip('/')}/authorize?{urlencode(query)}"


def exchanged(
    client: Client, client_id: str, code: str, challenge: Challenge, redirect: str
) -> Tokens:
    """Return the tokens for a code, of nobody yet: who it is, ``named`` asks.

    Raises:
        InputError: the code was used, is too old, or is of another sign-in.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "client_id": client_id,
        "code_verifier": challenge.verifier,
    }
    answer = client.send("POST", "/api/token", form=form)
    if answer.status != 200:
        raise InputError(f"Spotify did not take the sign-in{_why(answer)}. Begin again.")
    now, value = client.clock.now(), answer.value
    return Tokens(
        client_id=client_id,
        user_id="",
        scope=str(value.get("scope") or ""),
        refresh_token=str(value.get("refresh_token") or ""),
        access_token=str(value["access_token"]),
        expires_at=now + float(value.get("expires_in") or 0),
        consented_at=now,
    )


def named(client: Client, tokens: Tokens) -> Tokens:
    """Ask who signed in; only an answer to this says that somebody is connected.

    Raises:
        InputError: they are not among those whom the application may serve.
    """
    client.headers = lambda: {"Authorization": f"Bearer {tokens.access_token}"}
    answer = client.get("/v1/me")
    if answer.status == 401:
        raise InputError("Spotify does not take the token that it gave. Begin again.")
    return replace(tokens, user_id=str(_value(answer)["id"]))


class Budget:
    """How many requests went out within a day, by all processes; more than that are not sent."""

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most

    def claim(self, now: float) -> None:
        """Count a request.

        Raises:
            Postponed: the day's are used up; says from when there are some.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            times = [t for t in _times(os.pread(handle, 2**22, 0)) if now - t < DAY]
            if len(times) >= self._most:
                when = datetime.fromtimestamp(min(times) + DAY, UTC)
                raise Postponed(
                    f"The {self._most:,} requests a day (SEGUE_SPOTIFY_BUDGET) are used up. What "
                    f"was read is kept; run the same again after {when:%Y-%m-%d %H:%M:%S} UTC."
                )
            text = json.dumps([*times, now]).encode()
            os.pwrite(handle, text, 0)
            os.ftruncate(handle, len(text))
        finally:
            os.close(handle)


def _times(text: bytes) -> list[float]:
    try:
        return [float(value) for value in json.loads(text or b"[]")]
    except (ValueError, TypeError):
        return []


@dataclass
class Session:
    """A person who is connected: asks in their name, and renews the token when it ends."""

    api: Client
    accounts: Client
    file: TokenFile
    budget: Budget
    client_id: str

    def get(self, template: str, query: Query | None = None, **places: str) -> Answer:
        """Ask a question, once more with a new token where the old one does not count."""
        answer = self._once(template, query, places)
        if answer.status == 401:
            self._renew(self._tokens())
            answer = self._once(template, query, places)
        return answer

    def _once(self, template: str, query: Query | None, places: Mapping[str, str]) -> Answer:
        self._enter()
        return self.api.get(template, query, **places)

    def send(self, method: str, template: str, value: Any, **places: str) -> dict[str, Any]:
        """Change something, once."""
        self._enter()
        return _value(self.api.send(method, template, value, None, **places))

    @property
    def user_id(self) -> str:
        """Who is connected."""
        return self._tokens().user_id

    def _tokens(self) -> Tokens:
        known = self.file.read()
        if known is None or known.client_id != self.client_id:
            raise InputError("Nobody is connected: run segue connect spotify first.")
        return known

    def _enter(self) -> None:
        known, now = self._tokens(), self.api.clock.now()
        if known.expires_at - EARLY < now:
            known = self._renew(known)
        self.api.headers = lambda: {"Authorization": f"Bearer {known.access_token}"}
        self.budget.claim(now)

    def _renew(self, known: Tokens) -> Tokens:
        """Get a new access token; the refresh token stays unless another comes.

        Raises:
            InputError: the consent has ended: the tokens are forgotten.
        """
        form = {
            "grant_type": "refresh_token",
            "refresh_token": known.refresh_token,
            "client_id": known.client_id,
        }
        answer = self.accounts.send("POST", "/api/token", form=form)
        error = answer.value.get("error") if isinstance(answer.value, dict) else None
        if answer.status == 400 and error == "invalid_grant":
            self.file.forget()
            raise InputError(
                "Spotify's consent has ended, which it does after six months, or when it is taken "
                "back. Run segue connect spotify."
            )
        if answer.status != 200:
            raise ServiceError(f"Spotify did not renew the token ({answer.status}). Try again.")
        value = answer.value
        renewed = replace(
            known,
            access_token=str(value["access_token"]),
            expires_at=self.api.clock.now() + float(value.get("expires_in") or 0),
            refresh_token=str(value.get("refresh_token") or known.refresh_token),
        )
        self.file.keep(renewed)
        return renewed


def _value(answer: Answer) -> dict[str, Any]:
    """Return the object that was answered.

    Raises:
        InputError: the person or the application may not ask this.
        ServiceError: it fails otherwise.
    """
    text = answer.value if isinstance(answer.value, str) else ""
    if answer.status == 403 and "premium" in text.lower():
        raise InputError(
            "Spotify asks that the owner of the application have Premium. Nothing else helps."
        )
    if answer.status == 403 and "registered" in text.lower():
        raise InputError(
            "Spotify serves five named people for an application in development: its owner adds "
            "you under User Management at https://developer.spotify.com/dashboard."
        )
    if answer.status not in {200, 201} or not isinstance(answer.value, dict):
        raise ServiceError(f"Spotify answered {answer.status}{_why(answer)}.")
    return answer.value


def _why(answer: Answer) -> str:
    value = answer.value if isinstance(answer.value, dict) else {}
    error = value.get("error_description") or value.get("error")
    said = error.get("message") if isinstance(error, dict) else error
    return f": {' '.join(str(said).split())[:200]}" if said else ""


def _origin(url: str, now: float, requests: int, rows: int, state: Mapping[str, Any]) -> Origin:
    return Origin(
        "Spotify", url, moment(now), "display", TERMS, requests, rows, sha256="", state=state
    )


def fetch_saved(session: Session, home: Path) -> Fetched:
    """Fetch the saved tracks, fifty a request; where total and newest are as before, just one.

    What was saved since comes first. Where the total then fits, the rest is taken as it was; else,
    and once a month, all is read.
    """
    client, before = session.api, session.api.sent
    now = client.clock.now()
    snapshot = Snapshot(home, "spotify", "all", "saved.csv")
    pages = Snapshot(home, "spotify", "all", "saved.jsonl")
    known = snapshot.origin
    soon = known is not None and now - float(known.state["whole_at"]) < WHOLE_EVERY
    state = known.state if known and soon else None
    rows = [row for page in pages.pages() for row in page["rows"]]
    last, total, added = pages.last_page(), 0, None
    while last is None or last["offset"] < last["total"]:
        last = _saved_page(session, last["offset"] if last else 0)
        rows += last["rows"]
        added = _added(state, rows, last["total"])
        if known and added == 0:
            snapshot.touch(now, client.sent - before)
            return Fetched(snapshot.path, known.rows, client.sent - before, changed=False)
        if added is not None:
            break
        pages.add(last)
    total = last["total"]
    if added is not None:
        rows = [*rows[:added], *read_csv(snapshot.path)]
    rows = list({row["track_id"]: row for row in rows}.values())
    whole_at = state["whole_at"] if state and added is not None else now
    facts = {"total": total, "head": _head(rows), "whole_at": whole_at}
    url, sent = f"{client.service.base}/v1/me/tracks", client.sent - before
    snapshot.publish(as_csv(SAVED_HEADER, rows), _origin(url, now, sent, len(rows), facts))
    pages.drop_pages()
    return Fetched(snapshot.path, len(rows), sent, changed=True)


def _saved_page(session: Session, offset: int) -> dict[str, Any]:
    query: dict[str, str | int] = {"limit": PAGE, "offset": offset}
    found = _value(session.get("/v1/me/tracks", query))
    given = found.get("items") or []
    total = int(found.get("total") or 0)
    rows = [row for row in (_saved(item) for item in given) if row]
    return {"offset": offset + len(given) if given else total, "total": total, "rows": rows}


def _added(
    state: Mapping[str, Any] | None, rows: Sequence[Mapping[str, Any]], total: int
) -> int | None:
    """Return how many were saved since the last fetch, where nothing else can have changed."""
    if state is None or not state["head"]:
        return None
    now = [[row["track_id"], str(row["added_at"])] for row in rows]
    place = now.index(state["head"][0]) if state["head"][0] in now else None
    if place is None or total != state["total"] + place:
        return None
    seen = now[place : place + len(state["head"])]
    return place if seen == state["head"][: len(seen)] else None


def _head(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [[row["track_id"], str(row["added_at"])] for row in rows[:PAGE]]


def _saved(item: Mapping[str, Any]) -> dict[str, Any] | None:
    row = _track(item.get("track"))
    if row is None:
        return None
    listed = {"track_id": row["song_id"], "track_name": row["title"], "playlist": "saved tracks"}
    return {**listed, "artist_name": row["artists"], "added_at": item.get("added_at"), **row}


def _track(track: Any, album: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return what is read of a track; what is an episode, a local file or gone is none."""
    if not isinstance(track, dict) or not SPOTIFY_ID.fullmatch(str(track.get("id") or "")):
        return None
    if track.get("type", "track") != "track" or track.get("is_local"):
        return None
    of = album or track.get("album") or {}
    return {
        "song_id": track["id"],
        "title": track.get("name"),
        "artists": [one["name"] for one in track.get("artists") or [] if one.get("name")],
        "album": of.get("name"),
        "release_date": of.get("release_date"),
        "duration_ms": track.get("duration_ms"),
        "explicit": track.get("explicit"),
        "isrc": (track.get("external_ids") or {}).get("isrc"),
        "licence": DISPLAY,
    }


def fetch_playlists(session: Session, home: Path) -> Fetched:
    """Fetch the playlists that are the person's own or shared with them, where they changed."""
    client, before = session.api, session.api.sent
    now, me = client.clock.now(), session.user_id
    snapshot = Snapshot(home, "spotify", "all", "playlists.csv")
    listed = [
        one
        for one in my_playlists(session)
        if (one.get("owner") or {}).get("id") == me or one.get("collaborative")
    ]
    state = {one["id"]: one.get("snapshot_id") for one in listed}
    known = snapshot.origin
    url = f"{client.service.base}/v1/me/playlists"
    if known and known.state == state:
        snapshot.touch(now, client.sent - before)
        return Fetched(snapshot.path, known.rows, client.sent - before, changed=False)
    there = {page["id"]: page["changed"] for page in snapshot.pages()}
    for one in listed:
        if one["id"] not in there or there[one["id"]] != state[one["id"]]:
            rows = list(_items(session, one))
            snapshot.add({"id": one["id"], "changed": state[one["id"]], "rows": rows})
    newest = {page["id"]: page["rows"] for page in snapshot.pages()}
    rows = [row for place in state for row in newest.get(place, [])]
    sent = client.sent - before
    snapshot.publish(as_csv(PLAYLIST_HEADER, rows), _origin(url, now, sent, len(rows), state))
    return Fetched(snapshot.path, len(rows), sent, changed=True)


def my_playlists(session: Session) -> Iterator[dict[str, Any]]:
    """Yield what is listed for the person, their own and others'."""
    yield from _paged(session, "/v1/me/playlists")


def _paged(session: Session, template: str, size: int = PAGE, **places: str) -> Iterator[Any]:
    offset, total = 0, 1
    while offset < total:
        query: dict[str, str | int] = {"limit": size, "offset": offset}
        value = _value(session.get(template, query, **places))
        items = value.get("items") or []
        total = int(value.get("total") or 0) if items else 0
        offset += len(items)
        yield from items


def _items(session: Session, playlist: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in _paged(session, "/v1/playlists/{playlist}/items", playlist=playlist["id"]):
        row = _track(item.get("item") or item.get("track"))
        if row is not None:
            yield {
                "playlist_id": playlist["id"],
                "playlist_name": playlist.get("name"),
                "track_id": row["song_id"],
                "track_name": row["title"],
                "artist_name": row["artists"],
                "licence": DISPLAY,
            }


def references(lines: Iterable[str]) -> list[str]:
    """Read what is wanted: ``track:ID``, ``album:ID``, ``artist:ID`` or ``search:artist - title``.

    Raises:
        InputError: nothing is wanted.
    """
    found: dict[str, None] = {}
    for line in (text.strip() for text in lines):
        known = REFERENCE.search(line)
        if known:
            found[f"{known[1]}:{known[2]}"] = None
        elif SPOTIFY_ID.fullmatch(line):
            found[f"track:{line}"] = None
        elif line and not line.startswith("#"):
            found[f"search:{line}"] = None
    if not found:
        raise InputError(
            "Expected lines with an id, an address or a URI of a track, an album or an artist of "
            "Spotify, or artist - title; there are none."
        )
    return list(found)


@dataclass(frozen=True)
class Plan:
    """What a crawl takes, before it starts."""

    wanted: int
    requests: int
    budget: int

    @property
    def days(self) -> int:
        """Days that it takes within the budget."""
        return -(-self.requests // self.budget)

    def __str__(self) -> str:
        plural = "" if self.days == 1 else "s"
        return (
            f"{self.wanted:,} wanted, {self.requests:,} requests at least, "
            f"{self.days:,} day{plural} at {self.budget:,} a day"
        )


def crawl_cache(home: Path) -> Cache:
    """Return what was answered of tracks, albums, artists and searches."""
    return Cache(
        Snapshot(home, "spotify", "all", "tracks.csv").path.with_name("crawl.jsonl"), "ref"
    )


def planned(home: Path, wanted: Sequence[str], budget: int) -> Plan:
    """Return what a crawl takes: a request for each that was not answered yet."""
    cache = crawl_cache(home)
    return Plan(len(wanted), sum(ref not in cache.rows for ref in wanted), budget)


def crawl(session: Session, home: Path, wanted: Sequence[str]) -> Fetched:
    """Fetch the metadata of tracks, one at a time: of themselves, of an album or of an artist's.

    What was answered is kept, so that a crawl of many days goes on where it ended.
    """
    client, before = session.api, session.api.sent
    now = client.clock.now()
    cache = crawl_cache(home)
    queue, seen, rows = list(wanted), set(wanted), dict[str, dict[str, Any]]()
    for ref in queue:  # which grows: an artist leads to albums
        if ref not in cache.rows:
            cache.add([{"ref": ref, "asked_at": now, **_crawled(session, ref)}])
        answer = cache.rows[ref]
        rows.update({row["song_id"]: row for row in answer["rows"]})
        more = [other for other in answer["refs"] if other not in seen]
        seen.update(more)
        queue += more
    snapshot = Snapshot(home, "spotify", "all", "tracks.csv")
    sent = client.sent - before
    if not sent and snapshot.origin is not None and snapshot.origin.rows == len(rows):
        snapshot.touch(now, 0)
        return Fetched(snapshot.path, len(rows), 0, changed=False)
    facts = _origin(f"{client.service.base}/v1", now, sent, len(rows), {})
    snapshot.publish(as_csv(TRACKS_HEADER, rows.values()), facts)
    return Fetched(snapshot.path, len(rows), sent, changed=True)


def _crawled(session: Session, ref: str) -> dict[str, Any]:
    """Return the tracks that one reference stands for, and what it leads to."""
    kind, _, name = ref.partition(":")
    if kind == "search":
        query: dict[str, str | int] = {"q": name, "type": "track", "limit": 1}
        found = _value(session.get("/v1/search", query))
        items = (found.get("tracks") or {}).get("items") or []
        return {"rows": [row for row in map(_track, items) if row], "refs": []}
    if kind == "artist":
        albums = _paged(session, "/v1/artists/{artist}/albums", ALBUMS_A_PAGE, artist=name)
        return {"rows": [], "refs": [f"album:{album['id']}" for album in albums]}
    answer = session.get(f"/v1/{kind}s/{{place}}", place=name)
    if answer.status == 404:
        logger.warning("Spotify has no %s", ref)
        return {"rows": [], "refs": []}
    value = _value(answer)
    if kind == "track":
        row = _track(value)
        return {"rows": [row] if row else [], "refs": []}
    first = value.get("tracks") or {}
    tracks = list(first.get("items") or [])
    if int(first.get("total") or 0) > len(tracks):
        tracks = list(_paged(session, "/v1/albums/{album}/tracks", album=name))
    return {"rows": [row for row in (_track(t, value) for t in tracks) if row], "refs": []}


# What an application may ask, when it was closed to new ones, and one harmless question for each.
PROBES = (
    ("tracks", "", "/v1/tracks/{place}", "track"),
    ("artists", "", "/v1/artists/{place}", "artist"),
    ("audio features", "2024-11-27", "/v1/audio-features/{place}", "track"),
    ("related artists", "2024-11-27", "/v1/artists/{place}/related-artists", "artist"),
    ("recommendations", "2024-11-27", "/v1/recommendations", ""),
    ("top tracks of artists", "2026-03-09", "/v1/artists/{place}/top-tracks", "artist"),
)


def probe(session: Session, track: str, artist: str) -> list[tuple[str, str]]:
    """Ask for one thing of each kind and return what this application may have.

    Args:
        session: of whoever is connected.
        track: id of any track.
        artist: id of any artist.
    """
    ids = {"track": track, "artist": artist}
    said = []
    for name, closed, template, kind in PROBES:
        answer = session.get(template, None, **({"place": ids[kind]} if kind else {}))
        said.append((name, _may(answer, closed)))
        if name == "artists":
            genres = answer.value.get("genres") if isinstance(answer.value, dict) else None
            said.append(("genres of artists", "open" if genres else "closed: none are given"))
    return said


def _may(answer: Answer, closed: str) -> str:
    if answer.status == 200:
        return "open"
    if answer.status in {403, 404, 410} and closed:
        return f"closed to this application since {closed}"
    return f"answered {answer.status}{_why(answer)}"


def push(session: Session, title: str, songs: Sequence[Song]) -> tuple[str, list[Song]]:
    """Write a list as a private playlist, once: a later push under its title replaces it.

    Returns:
        The playlist's id, and the songs that are not Spotify's.

    Raises:
        InputError: none of them is.
    """
    uris = list(dict.fromkeys(f"spotify:track:{s.song_id}" for s in songs if _is_id(s.song_id)))
    missing = [song for song in songs if not _is_id(song.song_id)]
    if not uris:
        raise InputError("None of the songs has an id of Spotify's, so there is nothing to push.")
    name = " ".join(title.split())[:100]
    place = _mine(session, name)
    if place is None:
        value = {"name": name, "public": False, "description": MARK + name}
        try:
            place = str(session.send("POST", "/v1/me/playlists", value)["id"])
        except Unanswered:  # it may be there all the same
            place = _mine(session, name)
            if place is None:
                raise
    where = "/v1/playlists/{playlist}/items"
    session.send("PUT", where, {"uris": uris[:ITEMS_A_CALL]}, playlist=place)
    for first in range(ITEMS_A_CALL, len(uris), ITEMS_A_CALL):
        session.send("POST", where, {"uris": uris[first : first + ITEMS_A_CALL]}, playlist=place)
    return place, missing


def _is_id(song_id: str) -> bool:
    return bool(SPOTIFY_ID.fullmatch(song_id))


def _mine(session: Session, name: str) -> str | None:
    """Return the playlist that Segue wrote under a name."""
    listed = my_playlists(session)
    return next((p["id"] for p in listed if p.get("description") == MARK + name), None)
