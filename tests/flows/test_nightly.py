"""The refresh as Prefect runs it: by flows, by the command and by the schedule."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.nightly.run import directly
from flows.settings import settings
from warehouse.manifest import read_manifest
from warehouse.release import Home, held, published

pytestmark = pytest.mark.slow

TRACKS = Path(__file__).parents[1] / "builds" / "golden" / "tracks.csv"
SEGUE = Path(sys.executable).with_name("segue")
CRON_SECONDS = 110
STOP_SECONDS = 40

# All that needs a server, in one process and on one server; what happened goes to a file.
FLOWS = """
import io, json, logging, sys
from pathlib import Path
from flows.settings import keep_prefect_private
home, tracks, report = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
keep_prefect_private(home)
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_HOME, PREFECT_SERVER_ANALYTICS_ENABLED
from prefect.testing.utilities import prefect_test_harness
from prefect import flow, task
from rich.console import Console
from flows.nightly import prefect_flows
from flows.nightly.progress import Progress
from warehouse.errors import BuildRejected, InputError

def refresh(options):
    outcome = prefect_flows.refresh(options)
    return {"published": outcome.published, "manifest": outcome.manifest.to_json()}

def step(function):
    return prefect_flows._step(function).with_options(retry_delay_seconds=0)

def failing_first(times, error):
    calls = []
    def reads_a_file():
        calls.append(len(calls))
        if len(calls) <= times:
            raise error
        return len(calls)
    return reads_a_file, calls

def outcome(function, calls):
    try:
        step(function)()
        return "done", len(calls)
    except (OSError, InputError) as error:
        return type(error).__name__, len(calls)

def lines_of_stages():
    lines = io.StringIO()
    logging.getLogger("prefect.task_runs").addHandler(logging.StreamHandler(lines))

    @task
    def read():
        with Progress(Console(file=lines, force_terminal=True)).stage("read") as advance:
            advance(12)

    @flow
    def reading():
        read()
        read.submit().result()

    reading()
    return lines.getvalue()

said = {"analytics": PREFECT_SERVER_ANALYTICS_ENABLED.value(), "home": str(PREFECT_HOME.value())}
options = {"home": str(home), "tracks": [tracks], "neighbours": 3}
with prefect_test_harness(server_startup_timeout=120):
    said["first"] = refresh(options)
    said["again"] = refresh(options)
    print("--- a rule is broken", file=sys.stderr, flush=True)
    try:
        refresh({**options, "max_variance_share": 0.05})
    except BuildRejected as error:
        said["rejected"] = str(error)
    print("--- the next run", file=sys.stderr, flush=True)
    said["next"] = refresh({**options, "neighbours": 2})
    print("--- retries", file=sys.stderr, flush=True)
    said["twice"] = outcome(*failing_first(2, OSError("the mount is gone")))
    said["always"] = outcome(*failing_first(9, OSError("the mount is gone")))
    said["wrong"] = outcome(*failing_first(9, InputError("an unknown header")))
    said["stages"] = lines_of_stages()
    with get_client(sync_client=True) as client:
        said["runs"] = [(run.name, run.state_type.value) for run in client.read_flow_runs()]
        said["artifacts"] = [
            (found.key, found.type, found.description, found.data)
            for found in client.read_artifacts()
            if found.key
        ]
report.write_text(json.dumps(said))
"""


def environment(home, **more):
    """Return next to nothing, but for the kernels that OpenBLAS is told to use: they round."""
    kernels = {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")}
    return {"PATH": "/usr/bin:/bin", "HOME": str(home.parent), **kernels, **more}


def processes(word):
    """Return the command lines of the processes that hold a word, such as a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            around = (path / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if int(path.name) != os.getpid() and (word in line or word in around):
            found.append(line)
    return found


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory):
    """Start the schedule, which has its first run due at the next full minute, and end it."""
    home = tmp_path_factory.mktemp("scheduled") / "var"
    words = ("--tracks", TRACKS, "--neighbours", "3", "--home", home)
    with (home.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [SEGUE, "schedule", "--cron", "* * * * *", *words],
            env=environment(home),
            stdout=log,
            stderr=log,
        )
    yield process, home
    if process.poll() is None:
        process.terminate()
        process.wait(STOP_SECONDS)


@pytest.fixture(scope="module")
def run(scheduled, tmp_path_factory):
    """Return what happened when the flows ran, with their home and log."""
    folder = tmp_path_factory.mktemp("flows")
    home, report = folder / "var", folder / "report.json"
    ended = subprocess.run(
        [sys.executable, "-c", FLOWS, home, TRACKS, report],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return {**json.loads(report.read_text()), "log": ended.stderr, "place": home}


def test_the_flows_publish_the_same_bytes_as_the_direct_run(run, tmp_path):
    manifest = directly(settings(home=tmp_path, tracks=[TRACKS], neighbours=3), False).manifest
    assert run["first"]["published"]
    by_flows = json.loads(run["first"]["manifest"])
    assert by_flows["files"] == manifest.files
    assert by_flows["build_id"] == manifest.build_id


def test_the_flows_do_nothing_where_nothing_is_new(run):
    assert not run["again"]["published"]
    assert run["again"]["manifest"] == run["first"]["manifest"]
    name = json.loads(run["first"]["manifest"])["name"]
    assert f"nothing new: {name} is served already" in run["log"]


def test_the_names_of_the_runs_say_the_build(run):
    name = json.loads(run["first"]["manifest"])["name"]
    done = {run_name for run_name, state in run["runs"] if state == "COMPLETED"}
    assert {f"{flow} {name}" for flow in ("refresh", "ingest", "recommend", "publish")} <= done
    assert f"refresh {name} (nothing new)" in done


def test_the_summary_of_a_build_is_kept_as_a_markdown_artifact(run):
    name = json.loads(run["first"]["manifest"])["name"]
    (mine,) = [found for found in run["artifacts"] if found[2] == name]
    assert mine[:2] == ["build-summary", "markdown"]
    assert f"# {name}" in mine[3]
    assert "| songs | 12 |" in mine[3]


def test_a_broken_rule_fails_the_run_with_one_message_and_no_traceback(run):
    assert "no_column_dominates" in run["rejected"]
    part = run["log"].partition("--- a rule is broken")[2].partition("--- the next run")[0]
    assert part.count("The build broke 1 of ") == 1
    assert "Failed. The build broke 1 of " in part
    assert "Traceback" not in part
    failed = [name.split()[0] for name, state in run["runs"] if state == "FAILED"]
    assert sorted(failed) == ["publish", "refresh"]


def test_after_a_failed_run_the_next_is_not_blocked(run):
    assert run["next"]["published"]
    served = read_manifest(published(Home(run["place"])))
    assert served.parameters["neighbours"] == 2


def test_a_disk_is_asked_again_and_a_wrong_file_is_not(run):
    assert run["twice"] == ["done", 3]
    assert run["always"] == ["OSError", 3]
    assert run["wrong"] == ["InputError", 1]


def test_inside_a_task_each_stage_is_a_line_in_the_log_of_the_run_and_no_bar(run):
    lines = run["stages"].splitlines()
    assert len([line for line in lines if line.startswith("read 12 rows in ")]) == 2
    assert "\x1b" not in run["stages"]


def test_nothing_is_sent_out_and_prefect_keeps_to_the_home(run):
    assert run["analytics"] is False
    assert run["home"] == str(run["place"] / "prefect")


def test_a_log_has_a_line_a_stage_and_none_of_prefects_chatter(run):
    part = run["log"].partition("--- the next run")[2].partition("--- retries")[0]
    for stage in ("read 13 rows", "merged 12 songs", "searched 12 songs", "published "):
        assert part.count(f" - {stage}") == 1
    assert "Finished in state" not in part
    assert "View at" not in part


def test_two_runs_at_once_are_kept_apart_and_the_second_is_told_by_whom(tmp_path):
    home = tmp_path / "var"
    words = ("build", "--tracks", TRACKS, "--neighbours", "3", "--home", home)
    with held(Home(home), "nightly build"):
        for mode in ((), ("--direct",)):
            second = subprocess.run(
                [SEGUE, *words, *mode],
                env=environment(home),
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert second.returncode == 4
            assert second.stderr.startswith("Error: Another run holds ")
            assert f"nightly build, process {os.getpid()} on " in second.stderr
    assert not (home / "current").exists()


def test_the_command_runs_the_flows_on_a_server_of_its_own_and_leaves_none(tmp_path):
    home = tmp_path / "var"
    words = ("build", "--tracks", TRACKS, "--neighbours", "3", "--home", home)
    ended = subprocess.run(
        [SEGUE, *words],
        env=environment(home, SEGUE_MAX_VARIANCE_SHARE="0.05"),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 3, ended.stderr
    assert ended.stderr.count("The build broke 1 of ") == 1
    assert ended.stderr.splitlines()[1].endswith(" s")
    for noise in ("Traceback", "nanobind", "temporary server", "Finished in state", "\x1b"):
        assert noise not in ended.stderr
    assert ended.stdout == ""
    deadline = time.monotonic() + STOP_SECONDS
    while processes(str(home)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert processes(str(home)) == []


def test_the_schedule_builds_when_it_is_due_and_leaves_nothing_behind(scheduled):
    process, home = scheduled
    log = home.parent / "log"
    deadline = time.monotonic() + CRON_SECONDS
    while not (home / "current").exists() and time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        time.sleep(0.5)
    assert read_manifest(published(Home(home))).counts["songs"] == 12, log.read_text()
    assert len(processes(str(home))) >= 2
    process.send_signal(signal.SIGTERM)
    process.wait(STOP_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    while processes(str(home)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert processes(str(home)) == []
    said = log.read_text()
    assert "Traceback" not in said
    assert "View at" not in said
    assert f"Refreshing {home} at '* * * * *' UTC" in said
    with held(Home(home)):
        pass
