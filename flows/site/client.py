"""Ask the interface from within the site, without a socket: an address comes in, a reply goes out.

Plugins cannot import each other, so ``serve`` hands them ``ask`` with the Datasette they serve.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from flows.site.asgi import App, Message

Ask = Callable[..., Awaitable["Reply"]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the interface answers.

    Args:
        status: of HTTP.
        headers: by their names in lower case.
        body: as it was sent.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the value that the body holds."""
        return json.loads(self.body)


def client(api: App) -> Ask:
    """Return what asks the interface ``api``."""

    async def ask(address: str, sent: Any = None) -> Reply:
        """Return the reply at an address, with its query; what is ``sent`` goes by POST."""
        body = b"" if sent is None else json.dumps(sent).encode()
        answered: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            answered.append(message)

        await api(_scope(address, posted=sent is not None), receive, send)
        start, *rest = answered
        headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Reply(start["status"], headers, b"".join(m.get("body", b"") for m in rest))

    return ask


def _scope(address: str, posted: bool) -> Message:
    """Return a request as a server would hand it on."""
    path, _, query = address.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST" if posted else "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"content-type", b"application/json")] if posted else [],
    }
