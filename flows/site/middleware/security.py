"""Guard every request and answer: closed pages, no open redirect, strict headers.

Requests come in; they are refused here or passed on, and what goes out carries the headers.
"""

import json
import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote_to_bytes

from flows.site.asgi import App, Message, Receive, Send

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


def guarded(app: App, refused: Callable[[int], Awaitable[str]], base: bytes = b"") -> App:
    """Return ``app`` with closed pages refused and ``HEADERS`` on every answer.

    Args:
        app: the whole of Datasette.
        refused: returns the page for a status.
        base: what the path of every page begins with, where the site is not at the root.
    """

    async def guard(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
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


def decoded_path(scope: Message) -> bytes:
    """Return the path as a browser would read it, percent signs resolved."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return unquote_to_bytes(raw.partition(b"?")[0])


def with_headers(message: Message) -> list[tuple[bytes, bytes]]:
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
