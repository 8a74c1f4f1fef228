"""Work for those who wait alone: a request comes in, and ends when its visitor has left."""

import asyncio
from contextlib import suppress

from flows.site.asgi import App, Message, Receive, Send

NO_BODY: Message = {"type": "http.request", "body": b"", "more_body": False}
QUIET = 2  # messages before one is taken for a sender that never says that it has left


def stopping(app: App) -> App:
    """Return ``app`` with each request that only reads cancelled when its visitor leaves."""

    async def stop(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await app(scope, receive, send)
            return
        left = asyncio.ensure_future(_leave(receive))
        received = [NO_BODY]

        async def replay() -> Message:
            if received:
                return received.pop()
            await asyncio.shield(left)
            return {"type": "http.disconnect"}

        answer = asyncio.ensure_future(app(scope, replay, send))
        try:
            await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not answer.done():
                answer.cancel()
            left.cancel()
        with suppress(asyncio.CancelledError):
            await answer

    return stop


async def _leave(receive: Receive) -> None:
    """Return when the visitor has left."""
    for _ in range(QUIET):
        if (await receive())["type"] == "http.disconnect":
            return
    await asyncio.Event().wait()
