"""Tell crawlers what to read: ``robots.txt`` and a sitemap of the pages come out.

Addresses in them are whole, as the protocol (sitemaps.org) asks, so they are those under which the
site was asked.
"""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from xml.sax.saxutils import escape

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from datasette.utils import tilde_encode
from datasette.utils.asgi import NotFound, Request, Response

from warehouse.site.describe import DATABASE

PAGES = ("/", "/explore", "/tastes", "/genres", "/mix", "/rate", "/compare", "/about", "/analysts")
MOST = 5_000  # addresses of one file; the protocol allows 50,000, but this takes 10 ms at most

# Kind of page: the beginning of its address, and SQL for the names from one number to another.
# Songs are numbered as they were written, so that no file has to count through those before.
KINDS = {
    "songs": (
        f"/{DATABASE}/songs/",
        "select song_id from songs where rowid > :first and rowid <= :last",
    ),
    "artists": (
        "/artists/",
        "select artist from artists order by artist limit :last - :first offset :first",
    ),
    "genres": (
        "/genres/",
        "select genre from genres order by genre limit :last - :first offset :first",
    ),
    "tastes": (
        "/tastes/",
        "select taste_id from tastes order by taste_id limit :last - :first offset :first",
    ),
}
XML = "application/xml; charset=utf-8"
OPENING = '<?xml version="1.0" encoding="UTF-8"?>\n<{} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    """Take the addresses that crawlers ask for."""
    return [
        (r"^/robots\.txt$", robots),
        (r"^/sitemap\.xml$", index),
        (r"^/sitemap-pages\.xml$", pages),
        (rf"^/sitemap-(?P<kind>{'|'.join(KINDS)})-(?P<number>[1-9]\d{{0,5}})\.xml$", names),
    ]


async def robots(datasette: Datasette, request: Request) -> Response:
    """Let pages be read, but not the interface nor what tables are filtered, sorted and cut to."""
    path = datasette.urls.path
    lines = (
        "User-agent: *",
        f"Disallow: {path('/api/')}",
        f"Disallow: {path('/*?')}",
        f"Disallow: {path('/*.json')}",
        f"Disallow: {path('/*.csv')}",
        f"Sitemap: {datasette.absolute_url(request, path('/sitemap.xml'))}",
    )
    return Response.text("\n".join(lines) + "\n")


async def index(datasette: Datasette, request: Request) -> Response:
    """Return the addresses of the sitemaps."""
    counts = await datasette.get_database(DATABASE).table_counts()
    files = ["/sitemap-pages.xml"] + [
        f"/sitemap-{kind}-{number}.xml"
        for kind in KINDS
        for number in range(1, -(-counts.get(kind, 0) // MOST) + 1)
    ]
    return listed(datasette, request, "sitemapindex", "sitemap", files)


async def pages(datasette: Datasette, request: Request) -> Response:
    """Return the addresses of the pages that stand alone."""
    return listed(datasette, request, "urlset", "url", PAGES)


async def names(datasette: Datasette, request: Request) -> Response:
    """Return the addresses of some of the pages of a kind."""
    beginning, sql = KINDS[request.url_vars["kind"]]
    first = (int(request.url_vars["number"]) - 1) * MOST
    found = await datasette.get_database(DATABASE).execute(
        sql, {"first": first, "last": first + MOST}
    )
    if not found.rows:
        raise NotFound("The sitemap has no such part")
    paths = [beginning + encoded(row[0]) for row in found.rows]
    return listed(datasette, request, "urlset", "url", paths)


def encoded(name: str) -> str:
    """Return a name as addresses write it; most are ids, which need nothing and take no time."""
    return name if name.isascii() and name.isalnum() else str(tilde_encode(name))


def listed(datasette: Datasette, request: Request, outer: str, inner: str, paths: Any) -> Response:
    """Return whole addresses as the XML that the protocol asks for."""
    root = escape(str(datasette.absolute_url(request, datasette.urls.path("/"))).rstrip("/"))
    lines = "".join(f"<{inner}><loc>{root}{path}</loc></{inner}>\n" for path in paths)
    return Response(OPENING.format(outer) + lines + f"</{outer}>\n", content_type=XML)
