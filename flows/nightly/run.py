"""Run one refresh, with Prefect or without: settings come in, the manifest served goes out."""

import sys
from collections.abc import Callable, Iterable, Mapping

from rich.console import Console

from flows.nightly import ingest, mbids, overview, publish, ratings, recommend
from flows.nightly.plan import Plan, begin, held, planned, up_to_date
from flows.nightly.progress import Progress
from flows.settings import Settings, keep_prefect_private
from warehouse.errors import SegueError
from warehouse.manifest import Manifest, read_manifest

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
    "publish": (publish.write_build, publish.check_build, publish.publish_build),
}


def directly(settings: Settings, force: bool) -> tuple[bool, Manifest]:
    """Run the steps as plain functions.

    Returns:
        Whether a build was made, and the manifest of the one that is served.
    """
    steps = (step for stage in STEPS.values() for step in stage)
    return refresh(planned(settings), force, Progress(), steps)


def refresh(
    plan: Plan, force: bool, progress: Progress, steps: Iterable[Step]
) -> tuple[bool, Manifest]:
    """Make and publish the planned build, unless the one that is served is made from the same.

    Args:
        plan: of the build.
        force: build even if nothing has changed.
        progress: shows the stages and keeps their seconds.
        steps: called in order, with the plan of the build that was begun.

    Returns:
        Whether a build was made, and the manifest of the one that is served.
    """
    with held(plan.home):
        served = None if force else up_to_date(plan)
        if served is not None:
            return False, served
        begun = begin(plan)
        for step in steps:
            step(begun, progress)
        return True, read_manifest(begun.build)


def by_prefect(settings: Settings, force: bool) -> tuple[bool, Manifest]:
    """Run the steps as Prefect flows, on a temporary server where none is configured.

    Whatever can be said beforehand is said without waiting for a server: wrong files, another
    run, nothing new.

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
        notice = "Starting Prefect, which takes some seconds (--direct does without it) ..."
        Console(stderr=True, highlight=False).print(notice, style="dim")
    from flows.nightly import prefect_flows  # noqa: PLC0415 - takes seconds, reads its environment

    prefect_flows.keep_log_short(failures=False)
    try:
        outcome: tuple[bool, Manifest] = prefect_flows.refresh(
            plan=plan, force=force, bars=terminal
        )
    except SegueError as error:
        raise _without_traceback(error) from None
    return outcome


def _without_traceback(error: SegueError) -> SegueError:
    """Return the error without its traceback, which Prefect keeps to the end of the process.

    Its frames hold DuckDB, which then complains of leaks on the terminal as Python ends.
    """
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return type(error)(*error.args)
