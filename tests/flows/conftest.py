"""What tests of runs share: a server of this machine that stands in for those of others."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Came = list[tuple[str, str]]
Listening = Callable[..., AbstractContextManager[tuple[str, Came]]]


@contextmanager
def _listening(
    status: int = 200, waits: threading.Event | None = None
) -> Iterator[tuple[str, Came]]:
    """Take what is sent to this machine; yield its address and the list of what came."""
    came: Came = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
            came.append((self.path, body))
            if waits:
                waits.wait()
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", came
    finally:
        if waits:
            waits.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def listening() -> Listening:
    """Return a way to listen, which yields an address and the list of what came there."""
    return _listening
