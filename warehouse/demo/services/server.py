"""What every stand-in shares: requests come in over HTTP, a service's answers go out."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from warehouse.connectors.http import Clock
from warehouse.demo.services.facts import FACTS, Fact


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    fact: Fact | None = None
    places: dict[str, str] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        """Return the one value of a parameter of the address."""
        return self.query.get(name, [default])[0]

    @property
    def json(self) -> Any:
        """The body as JSON, or none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def form(self) -> dict[str, list[str]]:
        """The body as a form."""
        return parse_qs(self.body.decode(errors="replace"), keep_blank_values=True)

    @property
    def size(self) -> int:
        """Rows wanted, within what the service gives."""
        wanted = self.one("limit") or self.one("count")
        fact = self.fact
        number = int(wanted) if wanted.isdigit() else fact.default if fact else 0
        return min(number, fact.most) if fact and fact.most else number


@dataclass(frozen=True)
class Reply:
    """What is answered: JSON, or text where ``text`` is given; nothing at all if ``dropped``."""

    status: int
    value: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    dropped: bool = False


@dataclass
class Fault:
    """One answer that goes wrong: in place of the right one, or after it was carried out."""

    method: str
    path: str
    reply: Reply
    after: bool = False


class Fake:
    """A stand-in; each service says in ``answer`` what it makes of a request."""

    service: ClassVar[str]
    base: str  # its address, once it is served

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.journal: list[Request] = []
        self.moments: list[float] = []
        self.faults: list[Fault] = []
        self.settings: dict[str, str] = {}  # by which a command reaches it
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        """Return what the service would answer."""
        raise NotImplementedError

    def entered(self, request: Request) -> Reply | None:
        """Return a refusal that has nothing to do with what is asked, such as of a limit."""
        return None

    def fail(self, method: str, path: str, reply: Reply, after: bool = False) -> None:
        """Let the next request of a path, as ``facts`` writes it, go wrong."""
        self.faults.append(Fault(method, path, reply, after))

    def count(self, method: str, path: str) -> int:
        """Return how many requests of a path came, as ``facts`` writes it."""
        return sum(r.method == method and r.fact is not None and r.fact.path == path
                   for r in self.journal)  # fmt: skip

    def handle(self, request: Request) -> Reply:
        """Note a request and answer it, one at a time."""
        with self._lock:
            self.journal.append(request)
            self.moments.append(self.clock.now())
            fault = self._fault(request)
            if fault and not fault.after:
                return fault.reply
            reply = self.entered(request)
            if reply is None:
                reply = self._answered(request)
            return fault.reply if fault else reply

    def _answered(self, request: Request) -> Reply:
        if request.fact is None:
            return Reply(404, {"code": 404, "error": f"Not found: {request.path}"})
        return self.answer(request)

    def _fault(self, request: Request) -> Fault | None:
        for fault in self.faults:
            path = request.fact.path if request.fact else request.path
            if (fault.method, fault.path) == (request.method, path):
                self.faults.remove(fault)
                return fault
        return None


def known(service: str, method: str, path: str) -> tuple[Fact | None, dict[str, str]]:
    """Return the fact that a request is about, and what stands in its places."""
    for fact in FACTS:
        if (fact.service, fact.method) != (service, method):
            continue
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(fact.path))
        if found := re.fullmatch(pattern, path.removesuffix(".view")):
            return fact, {name: unquote(value) for name, value in found.groupdict().items()}
    return None, {}


class _Handler(BaseHTTPRequestHandler):
    fake: Fake
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        fact, places = known(self.fake.service, self.command, parts.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        request = Request(self.command, parts.path, query, headers, body, fact, places)
        reply = self.fake.handle(request)
        if reply.dropped:
            self.close_connection = True
            return
        text = json.dumps(reply.value) if reply.text is None else reply.text
        kind = "application/json" if reply.text is None else "text/plain"
        sent = text.encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": kind, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(fake: Fake, port: int = 0) -> Iterator[str]:
    """Answer on a free port of this machine while the body runs; yield the address."""
    handler = type("Handler", (_Handler,), {"fake": fake})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Window:
    """Requests in a window of time, as limits count them."""

    def __init__(self, seconds: float, most: int) -> None:
        self.seconds, self.most = seconds, most
        self.times: list[float] = []

    def take(self, now: float) -> tuple[bool, int, float]:
        """Count a request; return whether it is let in, how many are left, and for how long."""
        self.times = [moment for moment in self.times if now - moment < self.seconds]
        free = len(self.times) < self.most
        if free:
            self.times.append(now)
        reset = self.times[0] + self.seconds - now if self.times else self.seconds
        return free, self.most - len(self.times), reset
