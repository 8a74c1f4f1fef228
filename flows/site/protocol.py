"""What a request may be before anybody looks at it: bytes come in, bounded requests go out."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 65_536
ARRIVAL_SECONDS = 20.0

REFUSALS = {
    408: (b"Request Timeout", b"The request did not arrive in time.\n"),
    431: (
        b"Request Header Fields Too Large",
        b"Address and headers may have at most 65,536 bytes.\n",
    ),
}


class BoundedProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, with a bound on a request's head and on the time to arrive.

    A connection on which nothing, or half a request, arrives is closed; so a visitor who sends
    slowly, or headers without end, costs one connection for some seconds.
    """

    _head_bytes = 0
    _head_ended = False
    _refused = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head of the request has grown too large."""
        if self._refused:
            return
        if not self._head_ended:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._head_ended and self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(431)

    def on_message_begin(self) -> None:
        """Begin to count the head of another request."""
        self._head_ended = False
        self._expect_request()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hand the request on, if its head is of a size that anybody sends."""
        self._head_ended = True
        self._head_bytes = 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MOST_HEAD_BYTES:
            self._refuse(431)
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no longer: the request is here."""
        self._stop_waiting()
        if not self._refused:
            super().on_message_complete()

    def _expect_request(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(ARRIVAL_SECONDS, self._refuse, 408)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        self._stop_waiting()
        self._refused = True
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            phrase, said = REFUSALS[status]
            head = b"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\n" % (
                status,
                phrase,
            )
            self.transport.write(
                head + b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(said), said)
            )
        self.transport.close()
