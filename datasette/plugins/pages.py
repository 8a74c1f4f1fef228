"""The pages of the site: each is an answer of the HTTP interface, laid out by a template.

``flows.serve`` hands the interface to Datasette as ``datasette.api``. A request comes in, the
interface is asked at the address beside the page's, and its JSON goes into the template as
``answer``. What the interface refuses becomes a page that helps on.
"""

# mypy: disable-error-code="untyped-decorator"

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from datasette.utils import tilde_decode
from datasette.utils.asgi import Request, Response

from warehouse.site.describe import DATABASE

PREFIX = "/api/v1"
OF_SONG = ("song_id", "title", "artist", "year")
OF_RECOMMENDED = ("rank", *OF_SONG, "distance", "similarity", "reason")
Message = MutableMapping[str, Any]


@dataclass(frozen=True)
class Page:
    """A page: the address that it has, what it asks of the interface, and its template.

    Args:
        address: a regular expression; its groups are tilde-encoded.
        asks: below ``PREFIX``, the groups of the address in braces.
        template: of ``datasette/templates``.
    """

    address: str
    asks: str
    template: str


PAGES = (
    Page(r"^/$", "/catalogue", "index.html"),
    Page(r"^/search$", "/search", "search.html"),
    Page(rf"^/{DATABASE}/songs/(?P<song_id>[^/.%]+)$", "/songs/{song_id}", "song.html"),
    Page(r"^/artists/(?P<name>[^/.%]+)$", "/artists/{name}", "artist.html"),
    Page(r"^/genres$", "/genres", "genres.html"),
    Page(r"^/genres/(?P<name>[^/.%]+)$", "/genres/{name}", "genre.html"),
    Page(r"^/tastes$", "/tastes", "tastes.html"),
    Page(r"^/tastes/(?P<taste_id>[^/.%]+)$", "/tastes/{taste_id}", "taste.html"),
    Page(r"^/explore$", "/explore", "explore.html"),
    Page(r"^/compare$", "/compare", "compare.html"),
    Page(r"^/about$", "/about", "about.html"),
    Page(r"^/analysts$", "/tables", "analysts.html"),
)


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Any]]]:
    """Take the addresses of the pages and of the interface; all others stay Datasette's."""
    return [
        (rf"^{PREFIX}/", interface),
        (rf"^/{DATABASE}/songs/(?P<song_id>[^/.%]+)/recommendations\.json$", recommendations_json),
        *((page.address, page_handler(page)) for page in PAGES),
    ]


async def interface(
    datasette: Datasette,
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Let the interface answer, whose addresses begin where those of the site do."""
    root = datasette.setting("base_url").rstrip("/")
    await datasette.api({**scope, "root_path": root}, receive, send)


def page_handler(page: Page) -> Callable[[Datasette, Request], Awaitable[Response]]:
    """Return what answers requests for a page."""

    async def answer(datasette: Datasette, request: Request) -> Response:
        address = interface_address(page.asks, request)
        reply = await datasette.ask(address)
        template = page.template if reply.status == 200 else "problem.html"
        context = {"answer": reply.json(), "json_url": datasette.urls.path(address)}
        text = await datasette.render_template(template, context, request, view_name="page")
        return Response.html(text, status=reply.status)

    return answer


async def recommendations_json(datasette: Datasette, request: Request) -> Response:
    """Return the song and its list in the form that ``docs/data-dictionary.md`` promises."""
    reply = await datasette.ask(interface_address("/songs/{song_id}", request))
    if reply.status != 200:
        missing = {"ok": False, "error": "No song has this song_id", "status": 404}
        return Response.json(missing, status=404)
    details = reply.json()
    song = {name: details["song"][name] for name in OF_SONG}
    song["recommendations"] = [
        {name: other[name] for name in OF_RECOMMENDED} for other in details["recommendations"]
    ]
    body = json.dumps(song, ensure_ascii=False, separators=(",", ":"))
    return Response(body, content_type="application/json; charset=utf-8")


def interface_address(asks: str, request: Request) -> str:
    """Return the address of the interface that a request for a page leads to."""
    named = {key: quote(tilde_decode(v), safe="") for key, v in request.url_vars.items()}
    path = PREFIX + asks.format(**named)
    return path + ("?" + request.query_string if request.query_string else "")
