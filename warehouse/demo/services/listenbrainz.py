"""A stand-in for ListenBrainz: listens, feedback, playlists and look-ups, within its limits."""

import math
import re
import uuid
from typing import Any

from warehouse.connectors.http import Clock
from warehouse.demo.services import facts
from warehouse.demo.services.server import Fake, Reply, Request, Window

CONTACT = re.compile(r"[\w.-]+/[\w.-]+ \( ?\S*[@:]\S* ?\)")
RECORDING = re.compile(r"https://musicbrainz\.org/recording/([0-9a-f-]{36})")
JSPF = "https://musicbrainz.org/doc/jspf#playlist"


class MetaBrainz(Fake):
    """What MusicBrainz and ListenBrainz share: who does not say whom to write to is shut out."""

    banned_until = 0.0

    def entered(self, request: Request) -> Reply | None:
        """Drop connections of those without a contact, and for a while after."""
        now = self.clock.now()
        if not CONTACT.fullmatch(request.headers.get("user-agent", "")):
            self.banned_until = now + facts.BAN_SECONDS
        if now < self.banned_until:
            return Reply(0, dropped=True)
        return None


class ListenBrainz(MetaBrainz):
    """A ListenBrainz with the people, recordings and tokens that it is given.

    ``listens`` are by user, each with ``listened_at``, ``artist``, ``title`` and perhaps
    ``release``, ``msid`` and ``mbid``; ``feedback`` is by user, each a listen's song and a score;
    ``playlists`` by MBID in JSPF; ``recordings`` holds what a look-up finds, by folded names.
    """

    service = facts.LISTENBRAINZ

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.listens: dict[str, list[dict[str, Any]]] = {}
        self.feedback: dict[str, list[dict[str, Any]]] = {}
        self.playlists: dict[str, dict[str, Any]] = {}
        self.recordings: dict[tuple[str, str], dict[str, Any]] = {}
        self.artists: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.exported: list[tuple[str, str]] = []
        self._windows = {
            False: Window(facts.LB_WINDOW, facts.LB_REQUESTS),
            True: Window(facts.LB_WINDOW, facts.LB_REQUESTS_WITH_TOKEN),
        }

    def entered(self, request: Request) -> Reply | None:
        """Refuse who has no contact, asks too often, or has no token where one is needed."""
        dropped = super().entered(request)
        if dropped:
            return dropped
        self._user = self.tokens.get(
            request.headers.get("authorization", "").removeprefix("Token ")
        )
        free, left, reset = self._windows[self._user is not None].take(self.clock.now())
        limit = facts.LB_REQUESTS_WITH_TOKEN if self._user else facts.LB_REQUESTS
        self._limits = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset-In": str(math.ceil(reset)),
            "X-RateLimit-Reset": str(math.ceil(self.clock.now() + reset)),
        }
        if not free:
            return self._said(429, {"code": 429, "error": "You have exceeded your rate limit."})
        if request.fact and request.fact.scope and self._user is None:
            return self._said(401, {"code": 401, "error": "Invalid authorization token."})
        return None

    def _said(self, status: int, value: Any) -> Reply:
        return Reply(status, value, self._limits)

    def _bad(self, what: str, status: int = 400) -> Reply:
        return self._said(status, {"code": status, "error": what})

    def answer(self, request: Request) -> Reply:
        """Return what the service would answer."""
        assert request.fact is not None  # noqa: S101 - seen to by Fake
        answers = {
            "/1/user/{user}/listens": self._listens,
            "/1/user/{user}/listen-count": self._count,
            "/1/feedback/user/{user}/get-feedback": self._feedback,
            "/1/user/{user}/playlists": self._lists,
            "/1/playlist/{playlist}": self._list,
            "/1/validate-token": self._valid,
            "/1/metadata/lookup/": self._lookup,
            "/1/metadata/artist/": self._artists,
            "/1/metadata/recording/": self._recordings,
            "/1/playlist/create": self._create,
            "/1/playlist/{playlist}/item/add": self._add,
            "/1/playlist/{playlist}/item/delete": self._delete,
            "/1/playlist/{playlist}/export/{to}": self._export,
        }
        return answers[request.fact.path](request)

    def _listens(self, request: Request) -> Reply:
        mine = self.listens.get(request.places["user"])
        if mine is None:
            return self._bad(f"Cannot find user: {request.places['user']}", 404)
        until, since = request.one("max_ts"), request.one("min_ts")
        if until and since:
            return self._bad("You should only specify one of min_ts or max_ts.")
        inside = [
            listen
            for listen in mine
            if (not until or listen["listened_at"] < int(until))
            and (not since or listen["listened_at"] > int(since))
        ]
        newest = sorted(inside, key=lambda one: -one["listened_at"])
        page = newest[-request.size :] if since else newest[: request.size]
        times = [listen["listened_at"] for listen in mine]
        payload = {
            "count": len(page),
            "user_id": request.places["user"],
            "latest_listen_ts": max(times, default=0),
            "oldest_listen_ts": min(times, default=0),
            "listens": [_listen(listen) for listen in page],
        }
        return self._said(200, {"payload": payload})

    def _count(self, request: Request) -> Reply:
        mine = self.listens.get(request.places["user"], [])
        return self._said(200, {"payload": {"count": len(mine)}})

    def _feedback(self, request: Request) -> Reply:
        mine = self.feedback.get(request.places["user"])
        if mine is None:
            return self._bad("User is not found.", 404)
        wanted = [f for f in mine if request.one("score") in {"", str(f["score"])}]
        first = int(request.one("offset", "0"))
        page = wanted[first : first + request.size]
        rows = [
            {
                "recording_mbid": one.get("mbid"),
                "recording_msid": one.get("msid"),
                "score": one["score"],
                "created": one.get("created", 0),
                "track_metadata": {"artist_name": one["artist"], "track_name": one["title"]},
            }
            for one in page
        ]
        value = {
            "feedback": rows,
            "count": len(rows),
            "total_count": len(wanted),
            "offset": first,
        }
        return self._said(200, value)

    def _lists(self, request: Request) -> Reply:
        mine = [
            {"playlist": {**p["playlist"], "track": []}}
            for p in self.playlists.values()
            if p["playlist"]["creator"] == request.places["user"]
            and (p["playlist"]["extension"][JSPF]["public"] or self._user == request.places["user"])
        ]
        first = int(request.one("offset", "0"))
        page = mine[first : first + request.size]
        value = {
            "playlists": page,
            "count": len(page),
            "offset": first,
            "playlist_count": len(mine),
        }
        return self._said(200, value)

    def _list(self, request: Request) -> Reply:
        found = self.playlists.get(request.places["playlist"])
        return self._said(200, found) if found else self._bad("Cannot find playlist", 404)

    def _valid(self, _: Request) -> Reply:
        return self._said(200, {"code": 200, "valid": True, "user_name": self._user})

    def _lookup(self, request: Request) -> Reply:
        asked = (request.json or {}).get("recordings")
        if not isinstance(asked, list):
            return self._bad("recordings: expected a list")
        if len(asked) > facts.LOOKUPS_A_CALL:
            return self._bad(f"number of recordings cannot exceed {facts.LOOKUPS_A_CALL}")
        rows = []
        for index, one in enumerate(asked):
            artist, title = one.get("artist_name", ""), one.get("recording_name", "")
            if len(artist) + len(title) > facts.LOOKUP_CHARACTERS:
                return self._bad("the names are too long")
            found = self.recordings.get((artist.casefold(), title.casefold()), {})
            given = {"artist_name_arg": artist, "recording_name_arg": title, "index": index}
            rows.append({**given, **found})
        return self._said(200, rows)

    def _artists(self, request: Request) -> Reply:
        mbids = request.one("artist_mbids").split(",")
        rows = []
        for mbid in mbids:
            found = self.artists.get(mbid)
            if found:
                tags = [
                    {"tag": tag, "count": count, **({"genre_mbid": genre} if genre else {})}
                    for tag, count, genre in found["tags"]
                ]
                name = found["name"]
                rows.append({"artist_mbid": mbid, "name": name, "tag": {"artist": tags}})
        return self._said(200, rows)

    def _recordings(self, request: Request) -> Reply:
        mbids = (request.json or {}).get("recording_mbids", [])
        if len(mbids) > facts.RECORDINGS_A_CALL:
            return self._bad("too many recording_mbids")
        known = {one["recording_mbid"]: one for one in self.recordings.values()}
        return self._said(200, {mbid: known[mbid] for mbid in mbids if mbid in known})

    def _create(self, request: Request) -> Reply:
        playlist = (request.json or {}).get("playlist", {})
        public = playlist.get("extension", {}).get(JSPF, {}).get("public")
        if not playlist.get("title"):
            return self._bad("JSPF playlist must contain a title element.")
        if not isinstance(public, bool):
            return self._bad("JSPF playlist.extension must contain public field.")
        refused = self._refused(playlist.get("track", []))
        if refused:
            return refused
        mbid = str(uuid.UUID(int=len(self.playlists) + 1))
        kept = {**playlist, "creator": self._user, "track": list(playlist.get("track", []))}
        kept["identifier"] = f"https://listenbrainz.org/playlist/{mbid}"
        kept.setdefault("annotation", "")
        self.playlists[mbid] = {"playlist": kept}
        return self._said(200, {"status": "ok", "playlist_mbid": mbid})

    def _add(self, request: Request) -> Reply:
        tracks = (request.json or {}).get("playlist", {}).get("track", [])
        playlist = self.playlists.get(request.places["playlist"])
        if playlist is None:
            return self._bad("Cannot find playlist", 404)
        if len(tracks) > facts.ITEMS_A_CALL:
            return self._bad(f"You may only add {facts.ITEMS_A_CALL} recordings per call.")
        refused = self._refused(tracks)
        if refused:
            return refused
        playlist["playlist"]["track"] += tracks
        return self._said(200, {"status": "ok"})

    def _delete(self, request: Request) -> Reply:
        playlist = self.playlists.get(request.places["playlist"])
        wanted = request.json or {}
        if playlist is None:
            return self._bad("Cannot find playlist", 404)
        first = wanted["index"]
        del playlist["playlist"]["track"][first : first + wanted["count"]]
        return self._said(200, {"status": "ok"})

    def _export(self, request: Request) -> Reply:
        self.exported.append((request.places["playlist"], request.places["to"]))
        return self._said(200, {"external_url": f"https://example.org/{request.places['to']}/1"})

    def _refused(self, tracks: list[dict[str, Any]]) -> Reply | None:
        """Refuse a list with any track that is not told by its recording."""
        for place, track in enumerate(tracks):
            told = track.get("identifier")
            told = told[0] if isinstance(told, list) and told else told
            if not isinstance(told, str) or not RECORDING.fullmatch(told):
                return self._bad(
                    f"JSPF playlist track {place} must contain an identifier field: {told}"
                )
        return None


def _listen(listen: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "artist_name": listen["artist"],
        "track_name": listen["title"],
        "release_name": listen.get("release"),
        "additional_info": {"recording_msid": listen.get("msid", "")},
    }
    if listen.get("mbid"):
        metadata["mbid_mapping"] = {"recording_mbid": listen["mbid"]}
    return {
        "listened_at": listen["listened_at"],
        "inserted_at": listen["listened_at"],
        "recording_msid": listen.get("msid", ""),
        "user_name": listen.get("user"),
        "track_metadata": metadata,
    }
