"""A stand-in for Spotify: people who agree or not, their libraries, and all that was closed."""

import base64
import hashlib
import math
import re
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from warehouse.connectors.http import Clock
from warehouse.demo.services import facts
from warehouse.demo.services.server import Fake, Reply, Request, Window

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
CODE_SECONDS = 600
NOT_REGISTERED = (
    "Check settings on developer.spotify.com/dashboard, the user may not be registered. "
    "User not registered in the Developer Dashboard"
)
NO_PREMIUM = "Active premium subscription required for the owner of the app."


class Spotify(Fake):
    """A Spotify with the applications, people and tracks that it is given.

    ``applications`` map a client id to its addresses of return; ``people`` an id to what they
    saved; ``tracks``, ``albums`` and ``artists`` ids to what is known. ``person`` is who is at the
    browser, ``agrees`` what they answer, ``renewal`` what a refresh brings for a new token.
    """

    service = facts.SPOTIFY

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.applications: dict[str, list[str]] = {}
        self.extended = False  # whether the application is of before November 2024
        self.owner_has_premium = True
        self.registered: set[str] = set()
        self.people: dict[str, list[dict[str, Any]]] = {}
        self.playlists: dict[str, dict[str, Any]] = {}
        self.tracks: dict[str, dict[str, Any]] = {}
        self.albums: dict[str, dict[str, Any]] = {}
        self.artists: dict[str, dict[str, Any]] = {}
        self.person = ""
        self.agrees = True
        self.renewal: str | None = None
        self.codes: dict[str, dict[str, Any]] = {}
        self.refresh: dict[str, dict[str, Any]] = {}
        self.access: dict[str, dict[str, Any]] = {}
        self.quota = Window(86_400, facts.SPOTIFY_QUOTA)
        self.pace = Window(facts.SPOTIFY_WINDOW, facts.SPOTIFY_REQUESTS)
        self._lists = 0

    def entered(self, request: Request) -> Reply | None:
        """Refuse who is not let in, asks too often, too much, or for what is closed."""
        if not request.path.startswith("/v1/"):
            return None
        now = self.clock.now()
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self._who = self.access.get(token)
        if self._who is None or self._who["until"] <= now:
            return error(401, "The access token expired" if self._who else "Invalid access token")
        return self._limited(now) or self._forbidden(request)

    def _limited(self, now: float) -> Reply | None:
        if not self.quota.take(now)[0]:
            value = {"status": 429, "message": "Quota exceeded", "reason": "QUOTA_EXCEEDED"}
            wait = {"Retry-After": str(facts.SPOTIFY_QUOTA_WAIT)}
            return Reply(429, {"error": value}, wait)
        free, _, reset = self.pace.take(now)
        if not free:
            wait = {"Retry-After": str(min(4, math.ceil(reset)))}
            return Reply(
                429, {"error": {"status": 429, "message": "API rate limit exceeded"}}, wait
            )
        return None

    def _forbidden(self, request: Request) -> Reply | None:
        assert self._who is not None  # noqa: S101 - seen to by entered
        if not self.owner_has_premium:
            return Reply(403, text=NO_PREMIUM)
        if self._who["user"] not in self.registered:
            return Reply(403, text=NOT_REGISTERED)
        return self._not_allowed(request)

    def _not_allowed(self, request: Request) -> Reply | None:
        """Refuse what was closed, what nobody agreed to, and pages that are too long."""
        assert self._who is not None  # noqa: S101 - seen to by entered
        fact = request.fact
        if fact is None:
            return error(404, "Service not found")
        if fact.closed and not self.extended:
            return error(
                fact.closed_status, "Forbidden" if fact.closed_status == 403 else "Not Found"
            )
        if fact.scope and fact.scope not in self._who["scope"].split():
            return error(403, "Insufficient client scope")
        limit = request.one("limit")
        if limit and fact.most and not 1 <= int(limit) <= fact.most:
            return error(400, "Invalid limit")
        return None

    def answer(self, request: Request) -> Reply:
        """Return what the service would answer."""
        assert request.fact is not None  # noqa: S101 - seen to by Fake
        answers = {
            ("GET", "/authorize"): self._authorize,
            ("POST", "/api/token"): self._token,
            ("GET", "/v1/me"): self._me,
            ("GET", "/v1/me/tracks"): self._saved,
            ("GET", "/v1/me/playlists"): self._my_playlists,
            ("POST", "/v1/me/playlists"): self._create,
            ("GET", "/v1/playlists/{playlist}/items"): self._items,
            ("POST", "/v1/playlists/{playlist}/items"): self._add,
            ("PUT", "/v1/playlists/{playlist}/items"): self._replace,
            ("GET", "/v1/tracks/{track}"): self._one(self.tracks, "track"),
            ("GET", "/v1/albums/{album}"): self._one(self.albums, "album"),
            ("GET", "/v1/albums/{album}/tracks"): self._album_tracks,
            ("GET", "/v1/artists/{artist}"): self._one(self.artists, "artist"),
            ("GET", "/v1/artists/{artist}/albums"): self._artist_albums,
            ("GET", "/v1/search"): self._search,
            ("GET", "/v1/audio-features/{track}"): self._features,
        }
        found = answers.get((request.method, request.fact.path))
        return found(request) if found else error(404, "Not found")

    def _authorize(self, request: Request) -> Reply:
        """Send the person back with a code, or with what they, or the application, got wrong."""
        redirect, state = request.one("redirect_uri"), request.one("state")
        allowed = self.applications.get(request.one("client_id"))
        if allowed is None:
            return Reply(400, text="INVALID_CLIENT: Invalid client")
        if not any(_returns_to(address, redirect) for address in allowed):
            return Reply(400, text="INVALID_CLIENT: Invalid redirect URI")
        given: dict[str, str] = {"state": state}
        if request.one("code_challenge_method") != "S256" or not request.one("code_challenge"):
            given["error"] = "invalid_request"
        elif not self.agrees:
            given["error"] = "access_denied"
        else:
            code = secrets.token_urlsafe(24)
            self.codes[code] = {
                "client": request.one("client_id"),
                "redirect": redirect,
                "challenge": request.one("code_challenge"),
                "scope": request.one("scope"),
                "user": self.person,
                "until": self.clock.now() + CODE_SECONDS,
            }
            given["code"] = code
        return Reply(302, {}, {"Location": f"{redirect}?{urlencode(given)}"})

    def _token(self, request: Request) -> Reply:
        form = {name: values[0] for name, values in request.form.items()}
        if form.get("client_id") not in self.applications:
            return Reply(400, {"error": "invalid_client"})
        if form.get("grant_type") == "authorization_code":
            return self._of_code(form)
        if form.get("grant_type") == "refresh_token":
            return self._renewed(form)
        return Reply(400, {"error": "unsupported_grant_type"})

    def _of_code(self, form: dict[str, str]) -> Reply:
        known = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        digest = hashlib.sha256(verifier.encode()).digest()
        hashed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            known is None
            or known["until"] < self.clock.now()
            or known["redirect"] != form.get("redirect_uri")
            or known["client"] != form["client_id"]
        ):
            return Reply(400, {"error": "invalid_grant", "error_description": "Invalid code"})
        if not VERIFIER.fullmatch(verifier) or hashed != known["challenge"]:
            wrong = "code_verifier was incorrect"
            return Reply(400, {"error": "invalid_grant", "error_description": wrong})
        token = secrets.token_urlsafe(40)
        until = self.clock.now() + facts.SPOTIFY_CONSENT_SECONDS
        self.refresh[token] = {**known, "until": until}
        return Reply(200, {**self._access(known), "refresh_token": token})

    def _renewed(self, form: dict[str, str]) -> Reply:
        """Give a new access token, and for the refresh token none, an empty or a new one."""
        given = form.get("refresh_token", "")
        known = self.refresh.get(given)
        if known is None or known["until"] < self.clock.now():
            revoked = "Refresh token revoked" if known is None else "Refresh token expired"
            return Reply(400, {"error": "invalid_grant", "error_description": revoked})
        value = self._access(known)
        if self.renewal == "empty":
            value["refresh_token"] = ""
        elif self.renewal == "new":
            del self.refresh[given]
            value["refresh_token"] = secrets.token_urlsafe(40)
            self.refresh[value["refresh_token"]] = known  # the six months go on from the consent
        return Reply(200, value)

    def _access(self, known: dict[str, Any]) -> dict[str, Any]:
        token = secrets.token_urlsafe(60)
        seconds = facts.SPOTIFY_TOKEN_SECONDS
        self.access[token] = {
            "user": known["user"],
            "scope": known["scope"],
            "until": self.clock.now() + seconds,
        }
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": known["scope"],
        }

    @property
    def _user(self) -> str:
        assert self._who is not None  # noqa: S101 - seen to by entered
        return str(self._who["user"])

    def _me(self, _: Request) -> Reply:
        return Reply(200, {"id": self._user, "display_name": self._user.title()})

    def _page(self, request: Request, items: list[Any]) -> Reply:
        first = int(request.one("offset", "0"))
        page = items[first : first + request.size]
        more = first + len(page) < len(items)
        value = {
            "items": page,
            "total": len(items),
            "limit": request.size,
            "offset": first,
            "next": f"http://{request.headers['host']}{request.path}?offset={first}"
            if more
            else None,
        }
        return Reply(200, value)

    def _saved(self, request: Request) -> Reply:
        items = [
            {"added_at": one["added_at"], "track": self.tracks.get(one["id"])}
            for one in self.people.get(self._user, [])
        ]
        return self._page(request, items)

    def _my_playlists(self, request: Request) -> Reply:
        mine = [
            {name: value for name, value in playlist.items() if name != "uris"}
            for playlist in self.playlists.values()
            if self._user in {playlist["owner"]["id"], *playlist.get("followers", ())}
        ]
        return self._page(request, mine)

    def _create(self, request: Request) -> Reply:
        wanted = request.json or {}
        if not wanted.get("name"):
            return error(400, "Missing required field: name")
        self._lists += 1
        place = f"list{self._lists:018d}"
        self.playlists[place] = {
            "id": place,
            "name": wanted["name"],
            "description": wanted.get("description", ""),
            "public": wanted.get("public", True),
            "collaborative": False,
            "owner": {"id": self._user},
            "snapshot_id": secrets.token_hex(8),
            "uris": [],
        }
        return Reply(201, {k: v for k, v in self.playlists[place].items() if k != "uris"})

    def _playlist(self, request: Request) -> tuple[dict[str, Any], Reply | None]:
        found = self.playlists.get(request.places["playlist"])
        if found is None:
            return {}, error(404, "Resource not found")
        if found["owner"]["id"] != self._user and not found.get("collaborative"):
            return {}, error(403, "Forbidden")
        return found, None

    def _items(self, request: Request) -> Reply:
        found, refused = self._playlist(request)
        if refused:
            return refused
        items = [{"item": self.tracks.get(uri.rpartition(":")[2])} for uri in found["uris"]]
        return self._page(request, items)

    def _add(self, request: Request) -> Reply:
        return self._change(request, keep=True)

    def _replace(self, request: Request) -> Reply:
        return self._change(request, keep=False)

    def _change(self, request: Request, keep: bool) -> Reply:
        found, refused = self._playlist(request)
        uris = (request.json or {}).get("uris", [])
        if refused:
            return refused
        if len(uris) > facts.ITEMS_A_CALL:
            return error(400, "You can add a maximum of 100 tracks per request.")
        found["uris"] = [*(found["uris"] if keep else ()), *uris]
        found["snapshot_id"] = secrets.token_hex(8)
        return Reply(201 if keep else 200, {"snapshot_id": found["snapshot_id"]})

    def _one(self, known: dict[str, dict[str, Any]], place: str) -> Any:
        def answer(request: Request) -> Reply:
            found = known.get(request.places[place])
            if found is None:
                return error(404, "Resource not found")
            if place != "album":
                return Reply(200, found)
            first = self._page(request, found["tracks"]).value
            return Reply(200, {**found, "tracks": {**first, "items": found["tracks"][:50]}})

        return answer

    def _album_tracks(self, request: Request) -> Reply:
        return self._page(request, self.albums[request.places["album"]]["tracks"])

    def _artist_albums(self, request: Request) -> Reply:
        mine = [
            {"id": place, "name": album["name"]}
            for place, album in self.albums.items()
            if request.places["artist"] in {one["id"] for one in album["artists"]}
        ]
        return self._page(request, mine)

    def _search(self, request: Request) -> Reply:
        words = {word for word in request.one("q").casefold().split() if word != "-"}
        found = [
            track
            for track in self.tracks.values()
            if words <= {*f"{track['name']} {track['artists'][0]['name']}".casefold().split()}
        ]
        return Reply(200, {"tracks": self._page(request, found).value})

    def _features(self, request: Request) -> Reply:
        return Reply(200, {"id": request.places["track"], "energy": 0.5})


def error(status: int, message: str) -> Reply:
    """Return an error as the interface writes it."""
    return Reply(status, {"error": {"status": status, "message": message}})


def _returns_to(allowed: str, given: str) -> bool:
    """Whether an address of return is one of the application's; loopback may add any port."""
    one, two = urlsplit(allowed), urlsplit(given)
    if one.hostname in {"127.0.0.1", "::1"} and one.port is None:
        return (one.scheme, one.hostname, one.path) == (two.scheme, two.hostname, two.path)
    return allowed == given
