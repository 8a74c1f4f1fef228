"""The one way out: a question for a service goes out, its JSON comes back, at the service's pace.

What holds for every service stands here: who is asking, how long to wait, when to stop, and what
must not be sent twice. Processes share what a host said of its limits by a file for each host.
"""

import fcntl
import ipaddress
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import httpx

from warehouse.errors import InputError, Postponed, ServiceError, Unanswered

logger = logging.getLogger(__name__)
# These name whole addresses, and headers, in their own log.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)

TIMEOUT = httpx.Timeout(30, connect=5, pool=5)
LONGEST_WAIT = 60.0  # seconds; whoever asks for more is asked again by another run
WAITS = 3  # in a row, for one question
RETRIES = (1.0, 4.0)  # seconds before a question is asked again that failed
MOST_BYTES = 32 * 2**20
MOST_BYTES_OF_ERROR = 8 * 2**10
SHOWN = 200  # characters of what a service says of an error
LIMITED = {429, 503}
FAILED = {500, 502, 504}
LOCAL_NAMES = (".local", ".lan", ".home.arpa", ".internal")
CONTACT = re.compile(r"[^\s@()]+@[^\s@()]+\.[^\s@()]+|https?://[^\s()]+")

Query = Mapping[str, str | int | list[str]]


class Clock(Protocol):
    """What tells the time and lets it pass; tests move theirs."""

    def now(self) -> float:
        """Return the seconds since 1970."""

    def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""
        time.sleep(seconds)


@dataclass(frozen=True)
class Service:
    """How one service wants to be asked.

    Args:
        name: what messages call it.
        base: its address, without a slash at the end.
        gap: least seconds from one request to the next.
        limit: name of the response header that holds the requests left in this window, and of the
            one that holds the seconds until the next.
    """

    name: str
    base: str
    gap: float = 0.0
    limit: tuple[str, str] = ("X-RateLimit-Remaining", "X-RateLimit-Reset-In")

    @property
    def host(self) -> str:
        """Host and port, of which one is asked one question at a time."""
        return urlsplit(self.base).netloc


@dataclass(frozen=True)
class Answer:
    """What a service answered: its status, and the JSON or, where it is none, the text."""

    status: int
    value: Any
    retry_after: float | None = None


@dataclass
class Client:
    """Asks one service.

    Args:
        service: which, and how.
        folder: where processes keep what they share of each host.
        contact: address or page of the operator, by which a service can reach them.
        headers: returns the headers that let somebody in, when asked.
        secrets: what must not be shown of a service's own messages.
        clock: by which it waits.
    """

    service: Service
    folder: Path
    contact: str
    headers: Callable[[], Mapping[str, str]] = dict
    secrets: tuple[str, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    sent: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        require_address(self.service)
        self.agent = user_agent(self.contact)
        local = _is_local(urlsplit(self.service.base).hostname or "")
        self._http = httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=not local)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, template: str, query: Query | None = None, **places: str) -> Answer:
        """Ask a question; it is asked again where the service or the line fails.

        Args:
            template: the path, with ``{names}`` of the places in it.
            query: what stands behind the question mark.
            places: what stands in the path, which no log shows.
        """
        return self._asked("GET", template, places, repeat=True, params=query)

    def ask(self, template: str, json: Any = None, form: Query | None = None) -> Answer:
        """Ask a question that is too long for an address, by POST; it changes nothing there."""
        sent = {"json": json} if form is None else {"data": form}
        return self._asked("POST", template, {}, repeat=True, **sent)

    def send(
        self, method: str, template: str, json: Any = None, form: Query | None = None, **places: str
    ) -> Answer:
        """Change something at the service: sent once, whatever comes back.

        Raises:
            Unanswered: it was sent and nobody knows what became of it.
        """
        sent = {"json": json} if form is None else {"data": form}
        return self._asked(method, template, places, repeat=False, **sent)

    def _asked(
        self, method: str, template: str, places: Mapping[str, str], repeat: bool, **sent: Any
    ) -> Answer:
        path = template.format_map({name: quote(v, safe="") for name, v in places.items()})
        with _turn(self.folder, self.service, self.clock) as host:
            tries = _Tries(self, host, template, repeat)
            while True:
                host.wait()
                answer = tries.judged(*self._exchange(method, template, path, sent))
                if answer is not None:
                    return answer

    def _exchange(
        self, method: str, template: str, path: str, sent: dict[str, Any]
    ) -> tuple[httpx.Response | httpx.TransportError, bytes]:
        """Send one request and read the answer, as far as it may be long."""
        self.sent += 1
        began = time.monotonic()
        headers = {"User-Agent": self.agent, "Accept": "application/json", **self.headers()}
        try:
            with self._http.stream(
                method, self.service.base + path, headers=headers, **sent
            ) as response:
                body = _read(response, self.service.name)
                result: httpx.Response | httpx.TransportError = response
        except httpx.TransportError as error:
            result, body = error, b""
        status = str(result.status_code) if isinstance(result, httpx.Response) else _kind(result)
        took = 1000 * (time.monotonic() - began)
        logger.info("%s %s%s: %s, %.0f ms", method, self.service.host, template, status, took)
        return result, body

    def hidden(self, text: str) -> str:
        """Return what a service says without what must not be shown, and not at length."""
        for secret in filter(None, self.secrets):
            text = text.replace(secret, "...")
        return " ".join(text.split())[:SHOWN]


@dataclass
class _Tries:
    """What became of one question so far, and whether it is asked again."""

    client: Client
    host: "_Host"
    template: str
    repeat: bool
    waited: int = 0
    failed: int = 0

    def judged(self, result: httpx.Response | httpx.TransportError, body: bytes) -> Answer | None:
        """Return the answer, or none where the question is to be asked again.

        Raises:
            Postponed: the service wants to be asked later, by another run.
            Unanswered: something was sent that may have been done.
            ServiceError: it does not answer, or answers nonsense.
        """
        if isinstance(result, httpx.TransportError):
            never_sent = isinstance(result, httpx.ConnectError | httpx.ConnectTimeout)
            self._again(_kind(result), never_sent)
            return None
        wait = self.host.heard(result)
        if result.status_code in LIMITED:
            self._later(result.status_code, wait)
            return None
        if result.status_code in FAILED:
            self._again(f"answered {result.status_code}", never_sent=False)
            return None
        if result.is_redirect:
            raise ServiceError(
                f"{self.client.service.name} sends {self.template} elsewhere "
                f"({result.status_code}). Expected an answer: check the address "
                f"{self.client.service.base}."
            )
        return Answer(result.status_code, _value(result, body), wait)

    def _later(self, status: int, wait: float | None) -> None:
        """Note until when the host wants to be left alone; give up where that is long."""
        self.waited += 1
        pause = wait if wait is not None else 2.0**self.waited
        self.host.leave_until(self.client.clock.now() + pause)
        if pause > LONGEST_WAIT or self.waited > WAITS or not self.repeat:
            raise self.host.postponed(status)

    def _again(self, what: str, never_sent: bool) -> None:
        name = self.client.service.name
        if not self.repeat and not never_sent:
            raise Unanswered(
                f"{name} {what} after something was sent to it ({self.template}), so it may "
                "have taken effect. It is not sent again."
            )
        if self.failed == len(RETRIES):
            raise ServiceError(f"{name} ({self.client.service.host}) {what}. Try again later.")
        self.client.clock.sleep(RETRIES[self.failed])
        self.failed += 1


def tell(address: str, body: str, seconds: float) -> str:
    """Send a few words to an address, once, and look at nothing but whether they were taken.

    Args:
        address: with whatever it holds that is secret, which no message names.
        body: the words.
        seconds: how long it may take.

    Returns:
        Why they were not taken; empty where they were.
    """
    try:
        answer = httpx.post(address, content=body.encode(), timeout=seconds)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
    return "" if answer.is_success else f"it answered {answer.status_code}"


@dataclass
class _Host:
    """What processes share of one host, in a file whose lock is held."""

    handle: int
    service: Service
    clock: Clock
    state: dict[str, float]

    def wait(self) -> None:
        """Return when the host may be asked, and note that it is.

        Raises:
            Postponed: that is too far off.
        """
        now = self.clock.now()
        last = min(self.state.get("last", 0), now)  # a clock may have been put back
        until = max(self.state.get("not_before", 0), last + self.service.gap)
        if until - now > LONGEST_WAIT:
            raise self.postponed(None)
        if until > now:
            self.clock.sleep(until - now)
        self.state["last"] = self.clock.now()
        self._write()

    def heard(self, response: httpx.Response) -> float | None:
        """Note what an answer says of limits; return the seconds that it asks to wait, if any."""
        left, reset = (response.headers.get(name) for name in self.service.limit)
        asked = _seconds(response.headers.get("Retry-After"), self.clock.now())
        window = _seconds(reset, self.clock.now())
        if left == "0" and window is not None:
            self.leave_until(self.clock.now() + window)
        return asked if asked is not None else window

    def leave_until(self, moment: float) -> None:
        """Send nothing to this host before a moment, whoever asks."""
        self.state["not_before"] = max(moment, self.state.get("not_before", 0))
        self._write()

    def postponed(self, status: int | None) -> Postponed:
        """Return the error that names the time from which the host may be asked again."""
        moment = datetime.fromtimestamp(self.state["not_before"], UTC)
        said = f"answered {status}: it" if status else "still"
        return Postponed(
            f"{self.service.name} {said} asks for no requests until {moment:%Y-%m-%d %H:%M:%S} "
            "UTC. What was read is kept; run the same again after that. Until then nothing is sent."
        )

    def _write(self) -> None:
        text = json.dumps(self.state).encode()
        os.pwrite(self.handle, text, 0)
        os.ftruncate(self.handle, len(text))


@contextmanager
def _turn(folder: Path, service: Service, clock: Clock) -> Iterator[_Host]:
    """Hold a host's lock, so that one question at a time is asked of it by all processes."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]", "_", service.host)
    handle = os.open(folder / f"{name}.json", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield _Host(handle, service, clock, _state(os.pread(handle, 4096, 0)))
    finally:
        os.close(handle)


def _state(text: bytes) -> dict[str, float]:
    """Return what the file says; one that was cut short by a crash says nothing."""
    try:
        return {name: float(value) for name, value in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def require_address(service: Service) -> None:
    """Raise where an address would carry what is secret in the clear, past one's own network.

    Raises:
        InputError: names the address and what is expected.
    """
    parts = urlsplit(service.base)
    host = parts.hostname or ""
    if parts.scheme == "https" and host:
        return
    if parts.scheme != "http" or not host or not _is_local(host):
        raise InputError(
            f"{service.name}: expected an address that begins with https:// (or http:// on this "
            f"machine or in this network), got {service.base!r}."
        )


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith(LOCAL_NAMES)


def user_agent(contact: str) -> str:
    """Return how Segue names itself, with whom to write to.

    Raises:
        InputError: there is nobody to write to; MetaBrainz bans who does not say.
    """
    if not CONTACT.fullmatch(contact.strip()):
        raise InputError(
            "Services want to know whom to contact, and MetaBrainz bans clients that do not say. "
            "Expected an e-mail address or the address of a page as SEGUE_CONTACT, got "
            f"{contact!r}."
        )
    return f"Segue/{version('segue')} ( {contact.strip()} )"


def _read(response: httpx.Response, name: str) -> bytes:
    most = MOST_BYTES if response.status_code < 400 else MOST_BYTES_OF_ERROR
    body = bytearray()
    for block in response.iter_bytes():
        body += block
        if len(body) > most:
            if response.status_code >= 400:
                break
            raise ServiceError(f"{name} answered with more than {most:,} bytes. Ask for less.")
    return bytes(body)


def _value(response: httpx.Response, body: bytes) -> Any:
    """Return the JSON of an answer, or its text where it is none."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


def _seconds(text: str | None, now: float) -> float | None:
    """Read how long to wait: a number of seconds, or the date after which to ask again."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def _kind(error: httpx.Response | httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "did not answer in time"
    if isinstance(error, httpx.ConnectError):
        return "cannot be reached"
    return "broke off"
