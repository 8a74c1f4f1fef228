"""Run one refresh, with Prefect or without: settings come in, the manifest served goes out.

What is heavy is imported when it is needed, so that a wrong file is refused at once.
"""

import sys

from rich.console import Console

from flows.nightly import stages
from flows.nightly.plan import held, planned, up_to_date
from flows.nightly.progress import Progress
from flows.settings import Settings, keep_prefect_private
from warehouse.errors import SegueError
from warehouse.manifest import Manifest


def directly(settings: Settings, force: bool) -> tuple[bool, Manifest]:
    """Run the steps as plain functions.

    Returns:
        Whether a build was made, and the manifest of the one that is served.
    """
    plan = planned(settings)
    with held(plan.home):
        served = None if force else up_to_date(plan)
        if served is not None:
            return False, served
        return True, stages.refresh(plan, Progress())


def by_prefect(settings: Settings, force: bool) -> tuple[bool, Manifest]:
    """Run the steps as Prefect flows, on a temporary server where none is configured.

    What can be told beforehand is told without waiting for a server: wrong files, another run,
    nothing new.

    Returns:
        As ``directly``.
    """
    plan = planned(settings)
    with held(plan.home):
        served = None if force else up_to_date(plan)
    if served is not None:
        return False, served
    terminal = sys.stderr.isatty()
    keep_prefect_private(settings.home, quiet=terminal)
    if terminal:
        told = "Starting Prefect, which takes some seconds (--direct does without it) ..."
        Console(stderr=True, highlight=False).print(told, style="dim")
    from flows.nightly import prefect_flows as nightly  # noqa: PLC0415 - Prefect takes seconds and reads its environment

    options = settings.model_dump(mode="json", exclude_unset=True)
    nightly.keep_log_short(told_later=True)
    try:
        outcome = nightly.refresh(options, force=force, bars=terminal)
    except SegueError as error:
        raise _afresh(error) from None
    return outcome["published"], Manifest.from_json(outcome["manifest"])


def _afresh(error: SegueError) -> SegueError:
    """Return the error without its traceback, which Prefect keeps to the end of the process.

    Its frames hold DuckDB, which then complains of leaks on the terminal as Python ends.
    """
    held: BaseException | None = error
    while held is not None:
        held.__traceback__ = None
        held = held.__cause__ or held.__context__
    return type(error)(*error.args)
