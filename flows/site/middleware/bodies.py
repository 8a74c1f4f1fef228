"""Bound what is sent: a request with a body comes in; it is passed on whole, or refused by 413."""

import json
from collections.abc import Awaitable, Callable

from flows.answers.bounds import MOST_BYTES
from flows.site.asgi import App, Message, Receive, Send

TITLE = f"The request is too large: expected at most {MOST_BYTES:,} bytes."


def bounded(app: App, page: Callable[[], Awaitable[str]], interface: str) -> App:
    """Return ``app`` behind what reads each body first, so that none begins that is too long.

    Args:
        app: the whole of Datasette.
        page: returns what a browser is shown.
        interface: what addresses that answer in JSON begin with.
    """

    async def bound(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await app(scope, receive, send)
            return
        body = None if announced(scope) > MOST_BYTES else await read(receive)
        if body is not None:
            await app(scope, replayed(body, receive), send)
        elif scope["path"].startswith(interface):
            problem = {"type": "about:blank", "title": TITLE, "status": 413}
            await refuse(send, json.dumps(problem), b"application/problem+json")
        else:
            await refuse(send, await page(), b"text/html; charset=utf-8")

    return bound


def announced(scope: Message) -> int:
    """Return how long the body is by its header, 0 where that does not say."""
    length = next((value for key, value in scope["headers"] if key == b"content-length"), b"")
    return int(length) if length.isdigit() and len(length) < 20 else len(length) and MOST_BYTES + 1


async def read(receive: Receive) -> bytes | None:
    """Return the body, nothing as soon as it is too long or the reader has gone."""
    body = b""
    while len(body) <= MOST_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body if message["type"] == "http.request" and len(body) <= MOST_BYTES else None
    return None


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return what hands the body on in one piece, and then whatever comes."""
    rest = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay


async def refuse(send: Send, text: str, kind: bytes) -> None:
    """Answer 413, and read no more of this connection."""
    body = text.encode()
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
