"""Guard every request and answer: closed pages, no open redirect, strict headers, small values.

Requests come in; they are refused here or passed on, and what goes out carries the headers.
"""

# mypy: disable-error-code="untyped-decorator"

import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

import datasette.handle_exception
from datasette.app import Datasette
from datasette.hookspecs import hookimpl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# No template holds a script or a style of its own, so nothing has to be let through for them.
# Spotify's player alone comes from elsewhere, and stands on a page only where it was asked for.
POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "frame-src https://open.spotify.com",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
HEADERS = {
    b"content-security-policy": "; ".join(POLICY).encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
}

# Datasette's own pages under /-/ tell anyone the file paths, threads, plugins and permissions.
CLOSED = re.compile(rb"/-/(?!static/|versions\.json$)|/_memory\b|/:memory:|/_internal\b")

# Datasette strips a trailing slash by a redirect; a browser reads "//host" and "/\host" as
# another site (Datasette issue 2680).
ELSEWHERE = re.compile(rb"/[/\\]|.*[\\\x00-\x1f\x7f]", re.DOTALL)

# Only the interface takes what is sent, and the two pages that a list or ratings are sent to.
TAKES_POST = re.compile(rb"/api/|/mix$|/rate$")

LONGEST_VALUE = 5_000_000  # bytes of one SQL value; hex(zeroblob(2e8)) would fill the memory

# Where rich is installed Datasette prints every 404 with all its local variables: 50 lines for a
# mistyped address, among which real errors are lost. Errors of status 500 are still printed.
datasette.handle_exception.rich = None


@hookimpl(trylast=True)
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    """Wrap the whole site in the guard, outside of all that other plugins wrap it in."""
    base = datasette.setting("base_url").rstrip("/").encode()

    async def refused(status: int) -> str:
        await datasette.invoke_startup()  # once; this may be the first request
        return str(await datasette.render_template("error.html", {"status": status}))

    return lambda app: guarded(app, refused, base)


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Bound the size of a value that a query can make."""
    conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)


def guarded(app: App, refused: Callable[[int], Awaitable[str]], base: bytes = b"") -> App:
    """Return ``app`` with closed pages refused and ``HEADERS`` on every answer.

    Args:
        app: the whole of Datasette.
        refused: returns the page for a status.
        base: what the path of every page begins with, where the site is not at the root.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": with_headers(message)}
            await send(message)

        path = decoded_path(scope).removeprefix(base)
        status = refusal(scope["method"], path)
        if status and path.startswith(b"/api/"):
            title = json.dumps({"title": "There is nothing at this address.", "status": status})
            await refuse(send_with_headers, status, title, b"application/problem+json")
        elif status:
            await refuse(send_with_headers, status, await refused(status))
        else:
            await app(scope, receive, send_with_headers)

    return guard


def refusal(method: str, path: bytes) -> int:
    """Return the status with which a request is refused, or 0."""
    if ELSEWHERE.match(path) or CLOSED.match(path):
        return 404
    if method in ("GET", "HEAD") or path.startswith(b"/api/"):
        return 0
    return 0 if method == "POST" and TAKES_POST.match(path) else 405


def decoded_path(scope: Scope) -> bytes:
    """Return the path as a browser would read it, percent signs resolved."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return unquote_to_bytes(raw.partition(b"?")[0])


def with_headers(message: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """Return the headers of ``message`` with ours in place of any of the same name."""
    headers = [
        (key, value) for key, value in message.get("headers", []) if key.lower() not in HEADERS
    ]
    return [*headers, *HEADERS.items()]


async def refuse(
    send: Send, status: int, page: str, kind: bytes = b"text/html; charset=utf-8"
) -> None:
    """Answer with a page that helps on, or with JSON; nobody keeps it."""
    body = page.encode()
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
