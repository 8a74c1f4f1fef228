"""Run one refresh, with Prefect or without: settings come in, how it ended goes out."""

import atexit
import os
import sys
from collections.abc import Callable, Iterable, Mapping

from rich.console import Console

from flows.nightly import changes, ingest, mbids, overview, publish, ratings, recommend
from flows.nightly.plan import Plan, begin, held, last_build, planned, up_to_date
from flows.nightly.progress import Progress
from flows.nightly.watch import Night, Outcome, watched
from flows.settings import Settings, keep_prefect_private
from warehouse.choices import CHURN, Hold, read_choices
from warehouse.errors import BuildWaits, NothingPublished, SegueError
from warehouse.manifest import damage, read_manifest
from warehouse.repair import repaired
from warehouse.runs import HELD_BACK, NOTHING_NEW, PUBLISHED

Step = Callable[[Plan, Progress], object]

# The order of a night, by stage. Prefect makes a flow of each stage and a task of each step.
STEPS: Mapping[str, tuple[Step, ...]] = {
    "ingest": (
        ingest.read_tracks,
        ingest.read_signals,
        ingest.merge_songs,
        ingest.match_signals,
        mbids.attach_mbids,
    ),
    "recommend": (recommend.find_recommendations, ratings.fit_ratings, overview.map_songs),
    "publish": (
        changes.find_changes,
        publish.write_build,
        publish.check_build,
        publish.publish_build,
    ),
}


def directly(settings: Settings, force: bool) -> Outcome:
    """Run the steps as plain functions; return how it ended."""
    with watched(settings) as night:
        steps = (step for stage in STEPS.values() for step in stage)
        return refresh(planned(settings), force, Progress(listener=night.stage), steps, night)


def refresh(
    plan: Plan,
    force: bool,
    progress: Progress,
    steps: Iterable[Step],
    night: Night | None = None,
) -> Outcome:
    """Make and publish the planned build, unless there is nothing to do or it is held back.

    Args:
        plan: of the build.
        force: build even if nothing has changed.
        progress: shows the stages and keeps their seconds.
        steps: called in order, with the plan of the build that was begun.
        night: in which it runs; it is told of what happens.

    Returns:
        How it ended.
    """
    with held(plan.home):
        outcome = settled(plan, force, night)
        if outcome is None:
            begun = begin(plan)
            for step in steps:
                step(begun, progress)
            outcome = Outcome(PUBLISHED, read_manifest(begun.build))
    if night:
        night.outcome = outcome
    return outcome


def settled(plan: Plan, force: bool, night: Night | None = None) -> Outcome | None:
    """Mend what is served, and return how the run ends where there is nothing to build.

    The caller holds the lock.

    Raises:
        BuildWaits: what is planned was made already, and waits for somebody to publish it.
        NothingPublished: it is held back, and nothing else is there to be served.
    """
    repair = repaired(plan.home)
    if night:
        night.plan(plan.build_id)
        night.repair = repair or night.repair
    served = up_to_date(plan)
    if served:
        return None if force else Outcome(NOTHING_NEW, served)
    hold = read_choices(plan.home.root).hold_on(plan.build_id)
    return _held_back(plan, hold) if hold else None


def _held_back(plan: Plan, hold: Hold) -> Outcome | None:
    advice = f"Publish it with: segue publish {hold.build}"
    if hold.kind == CHURN:
        if damage(plan.home.builds / hold.build):
            return None  # it is gone: made again, it is judged again
        raise BuildWaits(f"{hold.build} waits since {hold.since}: {hold.reason}. {advice}")
    served = last_build(plan.home)
    words = f"Held back: {hold.build}, as {hold.reason} on {hold.since}. {advice}"
    if served is None:
        raise NothingPublished(f"{words}\nNothing else is there to be served.")
    until = "Until then, or until sources, code or settings change,"
    return Outcome(HELD_BACK, read_manifest(served), f"{words}\n{until} {served.name} is served.")


def by_prefect(settings: Settings, force: bool) -> Outcome:
    """Run the steps as Prefect flows, on a temporary server where none is configured.

    What can be known beforehand is reported without waiting for a server: wrong files, another run,
    nothing new.

    Returns:
        How it ended.
    """
    try:
        with watched(settings) as night:
            plan = planned(settings)
            with held(plan.home):
                night.outcome = settled(plan, force, night)
            return night.outcome or _flow(plan, force, night)
    except SegueError as error:
        raise _without_traceback(error) from None


def _flow(plan: Plan, force: bool, night: Night) -> Outcome:
    terminal = sys.stderr.isatty()
    keep_prefect_private(plan.home.root, quiet=terminal)
    if terminal:
        notice = "Starting Prefect, which takes a few seconds (--direct runs without it) ..."
        Console(stderr=True, highlight=False).print(notice, style="dim")
    atexit.register(_say_no_more)  # before Prefect is imported, so it is called after Prefect's own
    from flows.nightly import prefect_flows  # noqa: PLC0415 - takes seconds, reads its environment

    prefect_flows.keep_log_short(failures=False)
    outcome: Outcome = prefect_flows.refresh(plan=plan, force=force, bars=terminal, night=night)
    return outcome


def _say_no_more() -> None:
    """Let Python end without a word on standard error.

    Prefect's threads outlive its flows and hold what DuckDB, as Python ends, lists as leaked: forty
    lines that say nothing of the build.
    """
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _without_traceback(error: SegueError) -> SegueError:
    """Return the error without its traceback, which Prefect keeps to the end of the process.

    Its frames hold DuckDB, which then complains about leaks on the terminal when Python exits.
    """
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return type(error)(*error.args)
