"""A stand-in for MusicBrainz: artists by name and MBID, one request a second for everybody."""

from typing import Any

from warehouse.connectors.http import Clock
from warehouse.demo.services import facts
from warehouse.demo.services.listenbrainz import MetaBrainz
from warehouse.demo.services.server import Reply, Request

TOO_FAST = (
    "Your requests are exceeding the allowable rate limit. Please see "
    "https://musicbrainz.org/doc/MusicBrainz_API/Rate_Limiting for more information."
)


class MusicBrainz(MetaBrainz):
    """A MusicBrainz with the artists that it is given: MBID to name and genres with counts."""

    service = facts.MUSICBRAINZ

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.artists: dict[str, dict[str, Any]] = {}
        self._last = float("-inf")

    def entered(self, request: Request) -> Reply | None:
        """Refuse who has no contact, and a second request within a second."""
        dropped = super().entered(request)
        if dropped:
            return dropped
        now = self.clock.now()
        early, self._last = now - self._last < facts.MB_GAP, now
        return Reply(503, {"error": TOO_FAST}) if early else None

    def answer(self, request: Request) -> Reply:
        """Return what the service would answer."""
        if request.one("fmt") != "json":
            return Reply(200, text="<metadata/>")
        if "mbid" in request.places:
            return self._artist(request)
        if request.path == "/ws/2/artist":
            return self._search(request)
        return Reply(404, {"error": "Not Found"})

    def _artist(self, request: Request) -> Reply:
        mbid = request.places["mbid"]
        found = self.artists.get(mbid)
        if found is None:
            return Reply(404, {"error": "Not Found"})
        genres = [{"name": name, "count": count} for name, count in found["genres"]]
        asked = "genres" in request.one("inc").split("+")
        return Reply(
            200, {"id": mbid, "name": found["name"], **({"genres": genres} if asked else {})}
        )

    def _search(self, request: Request) -> Reply:
        wanted = request.one("query").removeprefix('artist:"').removesuffix('"').casefold()
        found = [
            {"id": mbid, "name": artist["name"], "score": 100}
            for mbid, artist in self.artists.items()
            if wanted in artist["name"].casefold()
        ]
        return Reply(200, {"count": len(found), "artists": found[: request.size]})
