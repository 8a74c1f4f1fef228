"""The site that follows the build that is served: a home comes in, an ASGI application goes out.

When ``current`` moves, the new build is opened beside the old one, asked once, and takes all
requests that come from then on. Requests under way end on the build that they began on; when the
last of them has, the old build is closed.
"""

import asyncio
import gc
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warehouse import release
from warehouse.choices import read_choices
from warehouse.errors import DamagedBuild, NothingPublished, SegueError
from warehouse.manifest import damage
from warehouse.release import Home

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

Opener = Callable[[Path], tuple[App, Callable[[], None]]]

LOOK_SECONDS = 0.25
QUESTION = {
    **{"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1"},
    **{"method": "GET", "scheme": "http", "root_path": "", "query_string": b""},
    **{"path": "/api/v1/health", "raw_path": b"/api/v1/health"},
    **{"headers": [(b"host", b"localhost")], "client": None, "server": ("localhost", 80)},
}
READ_ERRORS = (SegueError, OSError, ValueError, KeyError, sqlite3.DatabaseError)


@dataclass
class Edition:
    """A build that is open to answer.

    Args:
        folder: of the build, resolved.
        app: answers from it.
        close: lets go of its files; called once, when nobody needs them any more.
        requests: how many are under way.
        retired: whether another build takes the requests that come.
    """

    folder: Path
    app: App
    close: Callable[[], None]
    lease: int
    requests: int = 0
    retired: bool = False
    closed: bool = field(default=False, init=False)

    async def answer(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; the last one on a retired build closes it."""
        self.requests += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.requests -= 1
            self.close_if_idle()

    def retire(self) -> None:
        """Take no more requests; close as soon as those under way have ended."""
        self.retired = True
        self.close_if_idle()

    def close_if_idle(self) -> None:
        """Close a retired build that answers nobody."""
        if self.retired and not self.requests and not self.closed:
            self.closed = True
            self.close()
            os.close(self.lease)
            logger.info("closed %s", self.folder.name)


class Live:
    """Answers each request from the build that ``current`` points at when the request comes.

    Args:
        home: where the builds are.
        opened: opens a build's folder; returns what answers from it and what closes it.

    Raises:
        NothingPublished: there is no build to begin with.
    """

    def __init__(
        self, home: Home, opened: Callable[[Path], tuple[App, Callable[[], None]]]
    ) -> None:
        self._home = home
        self._opened = opened
        self._refused: Path | None = None
        self._watch: asyncio.Task[None] | None = None
        self.edition = self._first()

    def _first(self) -> Edition:
        """Open the build that is served or, where that is damaged, the newest that is whole."""
        served = release.published(self._home)
        choices = read_choices(self._home.root)
        others = (
            self._home.builds / build.name
            for build in reversed(release.builds(self._home))
            if not choices.hold_on(build.build_id)
        )
        problem: Exception | None = None
        for folder in (served, *(other for other in others if other.name != served.name)):
            try:
                return self._open(folder)
            except READ_ERRORS as error:
                problem = problem or error
                self._refused = served
                logger.error("%s is not shown: %s", folder, error)
        raise NothingPublished(
            f"{served} cannot be read: {problem} No other build of {self._home.root} can be "
            "either: run `segue build` to make one."
        ) from problem

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or begin and end with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self.edition.answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._watch = asyncio.create_task(self._follow())
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self._watch:
                    self._watch.cancel()
                    with suppress(asyncio.CancelledError):
                        await self._watch
                self.edition.retire()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> bool:
        """Move to the build that ``current`` points at, if that is another; return whether it is.

        A build that can't be opened, or doesn't answer, is said once and left: the one that is
        open goes on.
        """
        folder = await asyncio.to_thread(self._pointed_at)
        if folder is None or folder in (self.edition.folder, self._refused):
            return False
        try:
            edition = await asyncio.to_thread(self._open, folder)
            await _ask(edition)
        except READ_ERRORS as error:
            self._refused = folder
            logger.error(
                "%s is not shown: %s Still showing %s.",
                folder.name,
                error,
                self.edition.folder.name,
            )
            return False
        self._refused = None
        before, self.edition = self.edition, edition
        logger.info("showing %s, after %s", edition.folder.name, before.folder.name)
        before.retire()
        await asyncio.to_thread(gc.collect)  # the old site's parts refer to each other
        return True

    def _pointed_at(self) -> Path | None:
        with suppress(NothingPublished, OSError):
            return release.published(self._home)
        return None

    def _open(self, folder: Path) -> Edition:
        lease = release.leased(folder)
        try:
            _require_whole(folder)
            app, close = self._opened(folder)
        except BaseException:
            os.close(lease)
            raise
        return Edition(folder, app, close, lease)


def _require_whole(folder: Path) -> None:
    """Raise where a file of a build is not the one that was published: a second a gigabyte."""
    wrong = damage(folder)
    if wrong:
        raise DamagedBuild(f"It is not whole: {'; '.join(wrong)}.")


async def _ask(edition: Edition) -> None:
    """Ask a new edition one question, which makes what is made on the first request.

    Raises:
        SegueError: it doesn't answer well.
    """
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await edition.answer(dict(QUESTION), receive, send)
    if statuses != [200]:
        edition.retire()
        raise SegueError(f"It answers {statuses} to {QUESTION['path']}.")
