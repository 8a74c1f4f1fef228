"""When runs are due: a cron line and a time zone come in, moments go out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from flows.nightly.watch import CATCH_UP
from warehouse import runs
from warehouse.errors import InputError

BROKEN_OFF = (runs.KILLED, runs.STOPPED)


def times(
    cron: str, time_zone: str, after: datetime, backwards: bool = False
) -> Iterator[datetime]:
    """Yield when a schedule is due, from a moment on, or from there back.

    Args:
        cron: five fields.
        time_zone: its name, such as ``Europe/Berlin``.
        after: with a time zone; never yielded itself.
        backwards: yield the times before it, newest first.

    Raises:
        InputError: the line is none of cron's, names no time zone, or is never due.
    """
    try:
        start = after.astimezone(ZoneInfo(time_zone))
        due = CronSim(cron, start, reverse=backwards)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            f"Expected a time zone such as Europe/Berlin, got {time_zone!r}."
        ) from error
    except CronSimError as error:
        raise InputError(
            f"Expected five cron fields such as '0 3 * * *', got {cron!r}: {error}."
        ) from error
    first = next(due, None)
    if first is None:
        raise InputError(f"{cron!r} is never due: no such day comes in the next fifty years.")
    yield from (moment.astimezone(UTC) for moment in chain([first], due))


def next_run(cron: str, time_zone: str, now: datetime) -> datetime:
    """Return when a schedule is due next, in UTC."""
    return next(times(cron, time_zone, now))


def missed(root: Path, plan: runs.Schedule, now: datetime) -> datetime | None:
    """Return when the last run was due, if it never came to its end.

    So it is where nothing watched at that time, or where the run was killed or stopped with its
    machine. A run that was caught up is not caught up again, whatever became of it, as it may be
    what stops the machine.
    """
    due = next(times(plan.cron, plan.time_zone, now + timedelta(seconds=1), backwards=True), None)
    if due is None or due < datetime.fromisoformat(plan.since):
        return None
    for run in runs.runs(root):
        if datetime.fromisoformat(run.started_at) >= due and run.outcome in runs.GOOD:
            return None
        of_that_time = bool(run.due_at) and datetime.fromisoformat(run.due_at or "") == due
        if of_that_time and (run.cause == CATCH_UP or run.outcome not in BROKEN_OFF):
            return None
    return due
