"""Guard every request and answer: closed pages, no open redirect, strict headers, small values.

Requests come in; they are refused here or passed on, and what goes out carries the headers.
"""

# mypy: disable-error-code="untyped-decorator"

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

# The templates hold no script and no inline style, so nothing has to be let through for them.
HEADERS = {
    b"content-security-policy": b"default-src 'none'; style-src 'self'; img-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
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

LONGEST_VALUE = 5_000_000  # bytes of one SQL value; hex(zeroblob(2e8)) would fill the memory
STATIC_SECONDS = 3600

# Where rich is installed Datasette prints every 404 with all its local variables: 50 lines for a
# mistyped address, among which real errors are lost. Errors of status 500 are still printed.
datasette.handle_exception.rich = None


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    """Wrap the whole site in the guard."""
    base = datasette.setting("base_url").rstrip("/").encode()
    return lambda app: guarded(app, base)


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Bound the size of a value that a query can make."""
    conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)


def guarded(app: App, base: bytes = b"") -> App:
    """Return ``app`` with closed pages refused and ``HEADERS`` on every answer.

    Args:
        app: the whole of Datasette.
        base: what the path of every page begins with, where the site is not at the root.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        path = decoded_path(scope).removeprefix(base)

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": with_headers(path, message)}
            await send(message)

        if ELSEWHERE.match(path) or CLOSED.match(path):
            await refuse(send_with_headers)
        else:
            await app(scope, receive, send_with_headers)

    return guard


def decoded_path(scope: Scope) -> bytes:
    """Return the path as a browser would read it, percent signs resolved."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return unquote_to_bytes(raw.partition(b"?")[0])


def with_headers(path: bytes, message: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """Return the headers of ``message`` with ours in place of any of the same name."""
    headers = [
        (key, value) for key, value in message.get("headers", []) if key.lower() not in HEADERS
    ]
    if path.startswith(b"/static/") and message["status"] == 200:
        headers.append((b"cache-control", b"max-age=%d" % STATIC_SECONDS))
    return [*headers, *HEADERS.items()]


async def refuse(send: Send) -> None:
    """Answer 404 in plain text."""
    body = b"Not found\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})
