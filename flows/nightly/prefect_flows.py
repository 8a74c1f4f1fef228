"""The refresh as Prefect flows: options come in, a published build and its summary go out.

The only module that imports Prefect. Call ``settings.keep_prefect_private`` before its first
import: Prefect reads its own settings from the environment at that moment.
"""

import logging
from typing import Any

from prefect import flow, runtime, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from flows.nightly import overview as mapping
from flows.nightly import ratings as rating
from flows.nightly import recommend as recommending
from flows.nightly import stages, summary
from flows.nightly.plan import IO_ERRORS, Plan, begin, held, planned, up_to_date
from flows.nightly.progress import Progress
from flows.settings import settings
from warehouse.errors import SegueError
from warehouse.manifest import Manifest

RETRY_SECONDS = [2.0, 10.0]
CHATTER = (
    *("Beginning ", "Finished in state", "View at "),
    *("Starting temporary server", "Stopping temporary server"),
)


def _on_io(_: Any, __: Any, state: State[Any]) -> bool:
    """Return whether a task failed on a disk or a network mount, where another try may help."""
    return isinstance(state.result(raise_on_failure=False), IO_ERRORS)


def _step(function: Any) -> Any:
    """Make a task of a step, tried again where input or output failed.

    Nothing is cached: a step's result lies on disk, and a build that would be equal to the one
    served is found out beforehand.
    """
    return task(
        function,
        name=function.__name__.replace("_", " "),
        retries=len(RETRY_SECONDS),
        retry_delay_seconds=RETRY_SECONDS,
        retry_condition_fn=_on_io,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


plan_build = _step(planned)
read_tracks = _step(stages.read_tracks)
read_signals = _step(stages.read_signals)
merge_songs = _step(stages.merge_songs)
match_signals = _step(stages.match_signals)
find_recommendations = _step(recommending.find_recommendations)
fit_ratings = _step(rating.fit_ratings)
map_songs = _step(mapping.map_songs)
write_build = _step(stages.write_build)
check_build = _step(stages.check_build)
publish_build = _step(stages.publish_build)


def _name_of_stage() -> str:
    build = runtime.flow_run.parameters["plan"].build
    return f"{runtime.flow_run.flow_name} {build.name}"


@flow(name="ingest", flow_run_name=_name_of_stage, validate_parameters=False)
def ingest(plan: Plan, progress: Progress) -> None:
    """Read the files into the warehouse, make songs of their rows and match the signals."""
    read_tracks(plan, progress)
    read_signals(plan, progress)
    merge_songs(plan, progress)
    match_signals(plan, progress)


@flow(name="recommend", flow_run_name=_name_of_stage, validate_parameters=False)
def recommend(plan: Plan, progress: Progress) -> None:
    """Find what is recommended for every song and to everyone who rates, and sum it up."""
    find_recommendations(plan, progress)
    fit_ratings(plan, progress)
    map_songs(plan, progress)


@flow(name="publish", flow_run_name=_name_of_stage, validate_parameters=False)
def publish(plan: Plan, progress: Progress) -> Manifest:
    """Write the build, check it, and serve it from now on."""
    write_build(plan, progress)
    check_build(plan, progress)
    manifest: Manifest = publish_build(plan, progress)
    return manifest


@flow(name="refresh")
def refresh(
    options: dict[str, Any] | None = None, force: bool = False, bars: bool = False
) -> dict[str, Any]:
    """Make and publish a build, unless the one that is served is made from the same.

    Args:
        options: settings by name, as JSON; what is absent comes from the environment.
        force: build even if nothing has changed.
        bars: show progress as bars on the terminal, not as lines in the run's log.

    Returns:
        ``published``, whether a build was made, and ``manifest``, of the build that is served.
    """
    keep_log_short()
    plan = plan_build(settings(**(options or {})))
    with held(plan.home):
        served = None if force else up_to_date(plan)
        if served is not None:
            _name_run(f"refresh {served.name} (nothing new)")
            get_run_logger().info("nothing new: %s is served already", served.name)
            return {"published": False, "manifest": served.to_json()}
        begun = begin(plan)
        _name_run(f"refresh {begun.build.name}")
        progress = Progress(bars=bars or None)
        ingest(begun, progress)
        recommend(begun, progress)
        manifest = publish(begun, progress)
    create_markdown_artifact(
        summary.markdown(manifest, plan.home), key="build-summary", description=manifest.name
    )
    return {"published": True, "manifest": manifest.to_json()}


def _name_run(name: str) -> None:
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run_id=runtime.flow_run.id, name=name)


class _Short(logging.Filter):
    """Lets through what a reader of the log needs: the stages, the retries and, once, the failure.

    Prefect's own record of each run, which its pages show, stays whole.

    Args:
        told_later: the failure is printed by whoever called the flow.
    """

    def __init__(self, told_later: bool) -> None:
        super().__init__()
        self._told_later = told_later

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("prefect"):
            return True
        if record.exc_info and isinstance(record.exc_info[1], SegueError):
            record.msg, record.args = "Failed. %s", (str(record.exc_info[1]),)
            record.exc_info = record.exc_text = None
            return not self._told_later and getattr(record, "flow_name", "") == refresh.name
        return not str(record.msg).startswith(CHATTER)


def keep_log_short(told_later: bool = False) -> None:
    """Leave out of the log, once and for all, what Prefect says of every step of every run."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, _Short) for known in handler.filters):
            handler.addFilter(_Short(told_later))
