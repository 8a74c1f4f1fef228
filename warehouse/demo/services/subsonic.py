"""A stand-in for an OpenSubsonic server: a library, stars, plays and playlists; errors with 200."""

import hashlib
from typing import Any

from warehouse.connectors.http import Clock
from warehouse.demo.services import facts
from warehouse.demo.services.server import Fake, Reply, Request

SHORTEST_SALT = 6


class Subsonic(Fake):
    """A server with the songs, people and keys that it is given.

    ``songs`` are as the API writes them; ``people`` maps names to passwords, ``keys`` to names.
    """

    service = facts.SUBSONIC

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.songs: list[dict[str, Any]] = []
        self.people: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.playlists: dict[str, dict[str, Any]] = {}
        self.scanned_at = "2026-01-01T00:00:00Z"
        self._salts: set[str] = set()
        self._next = 0

    def entered(self, request: Request) -> Reply | None:
        """Refuse addresses that are too long, and who is not known."""
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        if request.method == "GET" and len(query) > facts.SUBSONIC_LONGEST_GET:
            return Reply(414, text="URI Too Long")
        fields = request.form
        if "apiKey" in fields:
            return self._with_key(fields)
        user, token, salt = (fields.get(name, [""])[0] for name in "uts")
        if not (user and token and salt):
            return failed(10, "Required parameter is missing")
        if len(salt) < SHORTEST_SALT or salt in self._salts:
            return failed(40, "The salt was used before, or is too short")
        self._salts.add(salt)
        right = hashlib.md5((self.people.get(user, "") + salt).encode()).hexdigest()  # noqa: S324
        if user not in self.people or token != right:
            return failed(40, "Wrong username or password")
        return None

    def _with_key(self, fields: dict[str, list[str]]) -> Reply | None:
        if "u" in fields:
            return failed(43, "Multiple conflicting authentication mechanisms provided")
        known = fields["apiKey"][0] in self.keys
        return None if known else failed(44, "Invalid API key")

    def answer(self, request: Request) -> Reply:
        """Return what the server would answer."""
        name = request.path.rpartition("/")[2].removesuffix(".view")
        answers = {
            "ping": lambda _: done(),
            "getOpenSubsonicExtensions": self._extensions,
            "search3": self._search,
            "getScanStatus": self._scan,
            "getStarred2": self._starred,
            "getAlbumList2": self._albums,
            "getPlaylists": self._lists,
            "getPlaylist": self._list,
            "createPlaylist": self._create,
            "updatePlaylist": self._update,
        }
        return answers[name](request.form)

    def _extensions(self, _: dict[str, list[str]]) -> Reply:
        return done(openSubsonicExtensions=[{"name": "formPost", "versions": [1]}])

    def _search(self, form: dict[str, list[str]]) -> Reply:
        words = form.get("query", [""])[0].casefold().strip('"')
        wanted = int(form.get("songCount", ["20"])[0])
        count = min(wanted, facts.SUBSONIC_MOST_SONGS)
        first = int(form.get("songOffset", ["0"])[0])
        found = [song for song in self.songs if words in song["title"].casefold()]
        return done(searchResult3={"song": found[first : first + count]})

    def _scan(self, _: dict[str, list[str]]) -> Reply:
        return done(
            scanStatus={"scanning": False, "count": len(self.songs), "lastScan": self.scanned_at}
        )

    def _starred(self, _: dict[str, list[str]]) -> Reply:
        return done(starred2={"song": [song for song in self.songs if song.get("starred")]})

    def _albums(self, form: dict[str, list[str]]) -> Reply:
        played = sorted((s for s in self.songs if s.get("played")), key=lambda s: s["played"])
        albums = [
            {"id": song["albumId"], "played": song["played"], "playCount": song["playCount"]}
            for song in reversed(played)
        ]
        return done(albumList2={"album": albums[: int(form.get("size", ["10"])[0])]})

    def _lists(self, _: dict[str, list[str]]) -> Reply:
        lists = [{**p, "songCount": len(p["entry"])} for p in self.playlists.values()]
        for one in lists:
            del one["entry"]
        return done(playlists={"playlist": lists})

    def _list(self, form: dict[str, list[str]]) -> Reply:
        found = self.playlists.get(form["id"][0])
        return done(playlist=found) if found else failed(70, "Playlist not found")

    def _create(self, form: dict[str, list[str]]) -> Reply:
        """Make a playlist, or replace the songs of one whose id is given."""
        known = {song["id"]: song for song in self.songs}
        unknown = [song for song in form.get("songId", []) if song not in known]
        if unknown:
            return failed(70, "Song not found")
        place = form.get("playlistId", [""])[0]
        if place and place not in self.playlists:
            return failed(70, "Playlist not found")
        if not place:
            self._next += 1
            place = f"list{self._next}"
            self.playlists[place] = {"id": place, "name": form["name"][0], "comment": ""}
        entry = [known[song] for song in form.get("songId", [])]
        self.playlists[place] |= {"entry": entry, "changed": str(self.clock.now())}
        return done(playlist=self.playlists[place])

    def _update(self, form: dict[str, list[str]]) -> Reply:
        found = self.playlists.get(form["playlistId"][0])
        if found is None:
            return failed(70, "Playlist not found")
        for name in ("name", "comment"):
            found[name] = form.get(name, [found[name]])[0]
        return done()


def done(**value: Any) -> Reply:
    """Return an answer that went well."""
    common = {"status": "ok", "version": "1.16.1", "type": "stand-in", "openSubsonic": True}
    return Reply(200, {"subsonic-response": {**common, **value}})


def failed(code: int, message: str) -> Reply:
    """Return an error, which comes with status 200."""
    error = {"code": code, "message": message}
    common = {"status": "failed", "version": "1.16.1", "type": "stand-in", "openSubsonic": True}
    return Reply(200, {"subsonic-response": {**common, "error": error}})
