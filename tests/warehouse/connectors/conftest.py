"""A clock that a test moves, services on this machine, and a client for each."""

import socket
from contextlib import ExitStack

import pytest

from warehouse.connectors import listenbrainz
from warehouse.connectors.http import Client
from warehouse.demo.services.listenbrainz import ListenBrainz
from warehouse.demo.services.server import serving

CONTACT = "operator@example.org"


class MovableClock:
    """Time that passes only where somebody waits for it."""

    def __init__(self, now=1_790_000_000.0):
        self.time = now
        self.naps = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.time += seconds


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch):
    """Fail a test that would reach out, rather than let it."""
    connect = socket.socket.connect

    def local(self, address):
        assert not isinstance(address, tuple) or address[0] in {"127.0.0.1", "::1"}, address
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local)


@pytest.fixture
def listenbrainz_fake(clock, stack):
    fake = ListenBrainz(clock)
    fake.base = stack.enter_context(serving(fake))
    return fake


@pytest.fixture
def asking(clock, stack, tmp_path):
    """Return a function that makes a client of a service."""

    def client(service, headers=dict, contact=CONTACT, folder=None):
        made = Client(service, folder or tmp_path / "hosts", contact, headers, clock=clock)
        return stack.enter_context(made)

    return client


@pytest.fixture
def brainz(asking, listenbrainz_fake):
    """Return a function that makes a client of the stand-in for ListenBrainz."""

    def client(token=""):
        service = listenbrainz.service(listenbrainz_fake.base)
        return asking(service, lambda: listenbrainz.headers(token))

    return client
