"""Watch a run from its first moment to its last: settings come in, a row and messages go out.

The row stands in the home's ``runs.db``. Whoever is named by ``SEGUE_NOTIFY`` is told of failures,
of builds that were refused, of damage that was mended and of recovery; ``SEGUE_HEARTBEAT`` is told
of every run.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.nightly import notices
from flows.nightly.summary import age
from flows.settings import Settings
from warehouse import runs
from warehouse.errors import BuildRejected, BuildWaits, Busy, SegueError
from warehouse.identity import code_version
from warehouse.manifest import Manifest, read_manifest
from warehouse.release import Home, published
from warehouse.repair import Repair

COMMAND, SCHEDULE, CATCH_UP = "command", "schedule", "catch-up"
DUE = "due "  # begins the tag by which a run that catches up says what it is for


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended that ended well.

    Args:
        kind: ``published``, ``nothing new`` or ``held back``.
        manifest: of the build that is served.
        words: what else there is to say of it.
    """

    kind: str
    manifest: Manifest
    words: str = ""

    @property
    def published(self) -> bool:
        """Whether a build was made and is served."""
        return self.kind == runs.PUBLISHED

    def __str__(self) -> str:
        already = " already" if self.kind == runs.NOTHING_NEW else ""
        return self.words or f"{self.kind}: {self.manifest.name} is served{already}"


@dataclass
class Night:
    """The run that is watched; whoever runs it sets what became of it."""

    settings: Settings
    record: runs.Record | None
    before: runs.Run | None
    outcome: Outcome | None = None
    repair: Repair | None = None
    build_id: str = ""

    def stage(self, name: str) -> None:
        """Note the stage that begins."""
        if self.record:
            self.record.note(stage=name)

    def plan(self, build_id: str) -> None:
        """Note what is to be made."""
        self.build_id = build_id
        if self.record:
            self.record.note(build_id=build_id)

    def beat(self, signal: str, body: str = "") -> None:
        """Tell the monitor."""
        secret = self.settings.heartbeat
        notices.beat(secret.get_secret_value() if secret else None, signal, body)

    def notify(self, title: str, *lines: str, good: bool = False) -> None:
        """Tell people; the title says of which home on which machine."""
        home = f"{self.settings.home.resolve()} on {socket.gethostname()}"
        addresses = [secret.get_secret_value() for secret in self.settings.notify]
        body = "\n\n".join(line for line in (*lines, f"Home: {home}") if line)
        notices.notify(addresses, f"Segue: {title}", body, good)

    def end(self, kind: str, exit_code: int, words: str) -> None:
        """Note what became of the run."""
        if self.record:
            self.record.end(kind, exit_code, words, _served(self.settings))


@contextmanager
def watched(settings: Settings, cause: str = COMMAND, due_at: str | None = None) -> Iterator[Night]:
    """Note a run, and tell of it; the body sets ``outcome``, or raises.

    Args:
        settings: of the run.
        cause: what wanted it.
        due_at: when the schedule wanted it; UTC, ISO 8601.
    """
    before = last_telling(runs.runs(settings.home, limit=100))
    night = Night(settings, runs.begun(settings.home, cause, code_version(), due_at), before)
    night.beat("start")
    try:
        yield night
    except BaseException as error:
        kind, code, words = _in_words(error)
        night.end(kind, code, words)
        _tell_of_failure(night, kind, words)
        raise
    if night.outcome is None:
        raise ValueError("the run ended without an outcome")
    night.end(night.outcome.kind, 0, str(night.outcome))
    _tell_of_success(night, str(night.outcome))


def last_telling(known: list[runs.Run]) -> runs.Run | None:
    """Return the newest run that says whether all is well; ``known`` come newest first."""
    return next((run for run in known if run.outcome not in runs.NEUTRAL), None)


def _in_words(error: BaseException) -> tuple[str, int, str]:
    """Return outcome, exit code and message of a run that raised."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return runs.STOPPED, 130, "It was told to stop."
    if not isinstance(error, SegueError):
        return runs.FAILED, 1, f"{type(error).__name__}: {error}"
    kinds = {Busy: runs.BUSY, BuildWaits: runs.WAITING, BuildRejected: runs.REFUSED}
    kind = next((kind for of, kind in kinds.items() if isinstance(error, of)), runs.FAILED)
    return kind, error.exit_code, str(error)


def _tell_of_failure(night: Night, kind: str, words: str) -> None:
    if kind in runs.NEUTRAL:
        return
    night.beat("fail", words)
    if kind == runs.WAITING and night.before and night.before.outcome == runs.WAITING:
        return  # it was told when it began to wait
    titles = {runs.REFUSED: "a build was refused", runs.WAITING: "a build is waiting for you"}
    mended = str(night.repair) if night.repair else ""
    night.notify(titles.get(kind, "a run failed"), words, mended, _what_is_served(night.settings))


def _tell_of_success(night: Night, words: str) -> None:
    night.beat("success", words)
    served = _what_is_served(night.settings)
    if night.repair:
        night.notify(
            "the served build was damaged and has been repaired", str(night.repair), served
        )
    elif night.before and night.before.outcome not in runs.GOOD:
        last = f"The run before, of {night.before.started_at}, ended as {night.before.outcome}."
        night.notify("all is well again", words, last, served, good=True)


def _served(settings: Settings) -> str:
    current = Home(settings.home).current
    return current.resolve().name if current.exists() else ""


def _what_is_served(settings: Settings) -> str:
    try:
        manifest = read_manifest(published(Home(settings.home)))
    except SegueError as error:
        return str(error)
    return f"Served: {manifest.name}, published {age(manifest.published_at, datetime.now(UTC))}."
