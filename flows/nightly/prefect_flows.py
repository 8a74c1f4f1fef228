"""The refresh as Prefect flows: options come in, a published build and its summary go out.

The only module that imports Prefect. Call ``settings.keep_prefect_private`` before its first
import: Prefect reads its own settings from the environment at that moment.
"""

import logging
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from prefect import flow, runtime, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from flows.connections.fetch import fetch_all
from flows.nightly import run, summary
from flows.nightly.plan import IO_ERRORS, Plan, planned
from flows.nightly.progress import Progress
from flows.nightly.watch import CATCH_UP, COMMAND, DUE, SCHEDULE, Outcome, watched
from flows.settings import Settings, settings
from warehouse.errors import SegueError
from warehouse.release import Home

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


fetch_snapshots = _step(fetch_all)
plan_build = _step(planned)


def _name_of_stage() -> str:
    build = runtime.flow_run.parameters["plan"].build
    return f"{runtime.flow_run.flow_name} {build.name}"


TASKS = {stage: [_step(step) for step in steps] for stage, steps in run.STEPS.items()}


def _stage(plan: Plan, progress: Progress) -> None:
    """Run the tasks of the stage that the flow is named after."""
    for step in TASKS[runtime.flow_run.flow_name]:
        step(plan, progress)


STAGES = [
    flow(name=stage, flow_run_name=_name_of_stage, validate_parameters=False)(_stage)
    for stage in TASKS
]


@flow(name="refresh", validate_parameters=False)
def refresh(
    options: dict[str, Any] | None = None,
    force: bool = False,
    bars: bool = False,
    plan: Plan | None = None,
    night: Any = None,  # a Night, of whose fields Prefect can make no schema
) -> Outcome:
    """Make and publish a build, unless there is nothing to do or it is held back.

    Args:
        options: settings by name, as JSON; what is absent comes from the environment.
        force: build even if nothing has changed.
        bars: show progress as bars on the terminal, not as lines in the run's log.
        plan: of the build, where it is made already; then options do not count.
        night: which watches the run, where one does already.

    Returns:
        How it ended.
    """
    keep_log_short()
    chosen = plan.settings if plan else settings(**(options or {}))
    with nullcontext(night) if night else watched(chosen, *_cause()) as watching:
        made: Plan = plan or _planned_by_night(chosen)
        progress = Progress(bars=bars or None, listener=watching.stage)
        outcome = run.refresh(made, force, progress, (_name_after_build, *STAGES), watching)
    _leave_summary(outcome, made.home)
    return outcome


def _leave_summary(outcome: Outcome, home: Home) -> None:
    manifest = outcome.manifest
    if outcome.published:
        create_markdown_artifact(
            summary.markdown(manifest, home), key="build-summary", description=manifest.name
        )
    else:
        _name_run(f"refresh {manifest.name} ({outcome.kind})")
        get_run_logger().info("%s", outcome)


def _cause() -> tuple[str, str | None]:
    """Return what wanted this run, and when the schedule wanted it."""
    if not runtime.deployment.id:
        return COMMAND, None
    tags = set(runtime.flow_run.tags)
    due = next((tag for tag in tags if tag.startswith(DUE)), "").removeprefix(DUE)
    moment: datetime = runtime.flow_run.scheduled_start_time
    return (CATCH_UP, due) if due else (SCHEDULE, moment.astimezone(UTC).isoformat())


def _planned_by_night(picked: Settings) -> Plan:
    """Plan the build of a schedule, which fetches first where the settings say so."""
    if picked.fetch_first:
        fetch_snapshots(picked)
    plan: Plan = plan_build(picked)
    return plan


def _name_after_build(plan: Plan, _: Progress) -> None:
    _name_run(f"refresh {plan.build.name}")


def _name_run(name: str) -> None:
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run_id=runtime.flow_run.id, name=name)


class _Short(logging.Filter):
    """Lets through what a reader of the log needs: the stages, the retries and, once, the failure.

    Prefect's own record of each run, which its pages show, stays whole.

    Args:
        failures: whether a failure is logged; otherwise it is printed by whoever called the flow.
    """

    def __init__(self, failures: bool) -> None:
        super().__init__()
        self._failures = failures

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("prefect"):
            return True
        if record.exc_info and isinstance(record.exc_info[1], SegueError):
            record.msg, record.args = "Failed. %s", (str(record.exc_info[1]),)
            record.exc_info = record.exc_text = None
            return self._failures and getattr(record, "flow_name", "") == refresh.name
        return not str(record.msg).startswith(CHATTER)


def keep_log_short(failures: bool = True) -> None:
    """Leave out of the log, once and for all, what Prefect says of every step of every run."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(present, _Short) for present in handler.filters):
            handler.addFilter(_Short(failures))
