"""How a home is doing: its files come in, one ``Status`` and what is wrong in words go out."""

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flows.nightly.due import next_run
from flows.nightly.summary import age
from warehouse import runs
from warehouse.choices import ROLLED_BACK, Hold, read_choices
from warehouse.errors import SegueError
from warehouse.manifest import damage, read_manifest
from warehouse.release import Home, published

LEEWAY = timedelta(minutes=5)  # by which clocks may differ


@dataclass(frozen=True, slots=True)
class Status:
    """What an operator wants to know.

    Args:
        build: name of the build that is served; empty where there is none.
        published_at: UTC, ISO 8601, as all times here; empty where nothing is served.
        fresh_at: when a run last ended well, with a new build or because nothing was new.
        stale: whether that is longer ago than ``SEGUE_MAX_AGE``.
        last_run: the newest.
        failing_since: when the first of the runs began that failed one after the other.
        failures: how many.
        failure: what the last of them said.
        held: what is not published by itself.
        cron: of the schedule that was last started; empty before the first.
        scheduled: whether a schedule runs now.
        next_run: when it runs next.
        problems: what is wrong, in sentences; empty where all is well.
    """

    build: str
    published_at: str
    fresh_at: str
    stale: bool
    last_run: runs.Run | None
    failing_since: str | None
    failures: int
    failure: str
    held: tuple[Hold, ...]
    cron: str
    scheduled: bool
    next_run: str | None
    problems: tuple[str, ...]


def status(home: Home, max_age: timedelta, now: datetime | None = None) -> Status:
    """Return how a home is doing."""
    now = now or datetime.now(UTC)
    known = runs.runs(home.root)
    build, published_at, problem = _served(home)
    fresh_at = max(
        [published_at, *(run.ended_at or "" for run in known if run.outcome in runs.GOOD)]
    )
    of_age = _problem_of_age(fresh_at, max_age, now)
    failed = _failed(known)
    plan = runs.schedule(home.root)
    return Status(
        build=build,
        published_at=published_at,
        fresh_at=fresh_at,
        stale=of_age.startswith("Stale"),
        last_run=known[0] if known else None,
        failing_since=failed[-1].started_at if failed else None,
        failures=len(failed),
        failure=failed[0].message if failed else "",
        held=read_choices(home.root).held,
        cron=plan.cron if plan else "",
        scheduled=is_scheduled(home),
        next_run=next_run(plan.cron, plan.time_zone, now).isoformat() if plan else None,
        problems=tuple(_problems(problem, of_age, failed)),
    )


def _served(home: Home) -> tuple[str, str, str]:
    """Return name and time of what is served, and what is wrong with it at first sight."""
    try:
        build = published(home)
        manifest = read_manifest(build)
    except SegueError as error:
        return "", "", str(error)
    wrong = damage(build, hashes=False)
    words = f"Damaged: {'; '.join(wrong)}. The next run repairs it: segue build" if wrong else ""
    return manifest.name, manifest.published_at, words


def _failed(known: list[runs.Run]) -> list[runs.Run]:
    """Return the runs that failed since the last that ended well, newest first."""
    failed = []
    for run in known:
        if run.outcome in runs.GOOD:
            break
        if run.outcome not in runs.NEUTRAL:
            failed.append(run)
    return failed


def is_scheduled(home: Home) -> bool:
    """Return whether a schedule runs for a home: it holds a lock as long as it does."""
    try:
        with home.schedule_lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _problems(nothing: str, of_age: str, failed: list[runs.Run]) -> Iterator[str]:
    yield from filter(None, (nothing, of_age))
    if failed and failed[0].outcome == runs.WAITING:
        yield failed[0].message
    elif failed:
        times = f", {len(failed)} times" if len(failed) > 1 else ""
        yield f"Failing since {failed[-1].started_at}{times}: {failed[0].message}"


def _problem_of_age(fresh_at: str, max_age: timedelta, now: datetime) -> str:
    if not fresh_at:
        return ""
    age_of_it = now - datetime.fromisoformat(fresh_at)
    if age_of_it > max_age:
        hours = f"{max_age.total_seconds() / 3600:g} h"
        return f"Stale: no run has ended well since {fresh_at}, more than {hours} ago."
    if age_of_it < -LEEWAY:
        return f"The clock says {now:%Y-%m-%d %H:%M} UTC, before the last run ended: {fresh_at}."
    return ""


def in_words(found: Status) -> Iterator[str]:
    """Yield how old the build is, what is wrong, and when runs were and will be.

    Where none is served, that is left to whoever wants to show it.
    """
    if found.build:
        yield f"{age(found.published_at, datetime.now(UTC))}, {found.published_at}"
    yield from found.problems[0 if found.build else 1 :]
    for hold in (hold for hold in found.held if hold.kind == ROLLED_BACK):
        yield f"Held back: {hold.build}, as {hold.reason}."
        yield f"To serve it: segue publish {hold.build}"
    last = found.last_run
    if last:
        yield f"Last run: {last.started_at}, {last.cause}: {last.outcome}. {first_line(last)}"
    if found.next_run and found.scheduled:
        yield f"Next run: {found.next_run} ({found.cron})"
    elif found.next_run:
        yield f"No schedule is running; the last was '{found.cron}'. Start it with: segue schedule"


def first_line(run: runs.Run) -> str:
    """Return the first line of what was said of a run."""
    return run.message.partition("\n")[0]
