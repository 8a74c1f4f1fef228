"""A night after the other in fast motion: the real schedule, Prefect's own runner, real files.

Runs are asked for by Prefect's interface, as its pages do, so that none waits for the clock.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.nightly.due import missed, next_run, times
from flows.nightly.status import status
from warehouse import runs
from warehouse.errors import InputError
from warehouse.release import Home, published

TRACKS = Path(__file__).parents[1] / "builds" / "golden" / "tracks.csv"
SEGUE = Path(sys.executable).with_name("segue")
PATIENCE = 600  # seconds, on a busy machine
DAY = timedelta(days=1)


def environment(home, address):
    return {
        **{"PATH": "/usr/bin:/bin", "HOME": str(home.parent), "SEGUE_HOME": str(home)},
        **{name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")},
        "SEGUE_NOTIFY": f"json://{address}/notice",
        "SEGUE_HEARTBEAT": f"http://{address}/ping",
    }


def titles_of(came):
    return [json.loads(body)["title"] for path, body in came if path == "/notice"]


class Nights:
    """A schedule that runs, and what is done in the nights between."""

    def __init__(self, home, address, tracks):
        self.home, self.variables = home, environment(home, address)
        self.log = home.parent / "log"
        words = ["--cron", "0 3 * * *", "--tracks", tracks, "--neighbours", "3", "--ui"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [SEGUE, "schedule", *words], env=self.variables, stdout=log, stderr=log
            )

    def wait(self, holds):
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.2)

    def ended(self):
        return [run for run in runs.runs(self.home) if run.ended_at]

    def night(self):
        """Let one run happen, and return what was noted of it."""
        before = len(self.ended())
        self.wait(lambda: "the schedule is ready" in self.log.read_text())
        api = re.search(r"pages: (http://\S+)", self.log.read_text()).group(1) + "api"
        with urllib.request.urlopen(f"{api}/deployments/name/refresh/nightly") as answer:
            deployment = json.load(answer)["id"]
        request = urllib.request.Request(
            f"{api}/deployments/{deployment}/create_flow_run",
            data=b'{"state": {"type": "SCHEDULED"}}',
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()
        self.wait(lambda: len(self.ended()) > before)
        return self.ended()[0]

    def hears(self, came, *titles):
        """Wait until the operator has been told just this; it is sent after the run is noted."""
        expected = [f"Segue: {title}" for title in titles]
        self.wait(lambda: len(titles_of(came)) >= len(expected))
        assert titles_of(came) == expected

    def segue(self, *words):
        return subprocess.run(
            [SEGUE, *words],
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)


@pytest.fixture
def nights(listening, tmp_path):
    """Start a schedule in a home that was scheduled yesterday, and whose run was missed."""
    home, tracks = tmp_path / "var", tmp_path / "tracks.csv"
    home.mkdir()
    shutil.copy(TRACKS, tracks)
    runs.keep_schedule(home, "0 3 * * *", "UTC")
    with closing(sqlite3.connect(home / "runs.db")) as database, database:
        database.execute("update schedule set since = ?", ((datetime.now(UTC) - DAY).isoformat(),))
    with listening() as (address, came):
        schedule = Nights(home, address, tracks)
        try:
            yield schedule, tracks, came
        finally:
            schedule.stop()


@pytest.mark.slow
def test_nights_go_wrong_and_right_and_the_operator_hears_of_it(nights):
    schedule, tracks, came = nights
    home, whole = Home(schedule.home), tracks.read_text(encoding="utf-8")

    # the run of this night was missed: it is caught up, once, and said
    schedule.wait(lambda: len(schedule.ended()) == 1)
    (first,) = schedule.ended()
    assert (first.cause, first.outcome) == ("catch-up", "published")
    said = schedule.log.read_text()
    assert "was missed: it is caught up at once" in said
    assert re.search(r"Next run: \d{4}-\d\d-\d\d 03:00 UTC", said)
    second = schedule.segue("schedule")
    assert second.returncode == 4, second.stderr
    assert "Another run holds" in second.stderr

    # the source is gone: a notice, and all is stale before long
    tracks.rename(tracks.with_suffix(".away"))
    gone = schedule.night()
    assert (gone.cause, gone.outcome, gone.exit_code) == ("schedule", "failed", 2)
    schedule.hears(came, "a run failed")
    known = status(home, timedelta(hours=26))
    assert (known.failures, known.failing_since, known.stale) == (1, gone.started_at, False)
    assert known.scheduled
    assert status(home, timedelta(hours=26), datetime.now(UTC) + 2 * DAY).stale
    assert schedule.segue("status", "--check").returncode == 1

    # it is back, with a song more: recovery
    more = whole.splitlines()[1].replace("Windmill", "Treadmill")
    tracks.write_text(f"{whole}new-song{more[more.index(',') :]}\n", encoding="utf-8")
    back = schedule.night()
    assert back.outcome == "published", back
    schedule.hears(came, "a run failed", "all is well again")
    assert schedule.segue("status", "--check").returncode == 0
    good = published(home).name

    # half of it: the build is refused, and what is served stays
    fuller = tracks.read_text(encoding="utf-8")
    tracks.write_text("\n".join(fuller.splitlines()[:8]) + "\n", encoding="utf-8")
    worse = schedule.night()
    assert (worse.outcome, worse.exit_code) == ("refused", 3)
    assert "row_counts_near_last_build" in worse.message
    heard = ("a run failed", "all is well again", "a build was refused")
    schedule.hears(came, *heard)
    assert published(home).name == good

    # as before, but rolled back by hand: held, until it is published by hand
    tracks.write_text(fuller, encoding="utf-8")
    assert schedule.segue("rollback").returncode == 0
    assert published(home).name == first.build
    held = schedule.night()
    assert (held.outcome, published(home).name) == ("held back", first.build)
    assert f"segue publish {good}" in held.message
    schedule.hears(came, *heard, "all is well again")
    assert schedule.segue("publish").returncode == 0
    assert published(home).name == good

    # what changed is told, and lies in the build
    told = schedule.segue("diff").stdout
    assert told.startswith(f"{first.build} -> {good}\n")
    assert "song came: 1" in told
    with closing(sqlite3.connect(published(home) / "segue.db")) as database:
        rows = database.execute("select subject from changes where change = 'song came'")
        assert rows.fetchall() == [("new-song",)]

    beats = [path for path, _ in came if path.startswith("/ping")]
    assert beats.count("/ping/start") == 5
    assert (beats.count("/ping"), beats.count("/ping/fail")) == (3, 2)
    said = schedule.log.read_text()
    assert "Traceback" not in said
    pages = re.findall(r"View at (http\S+)", said)
    for page in pages[:1]:
        with urllib.request.urlopen(page.split("/runs/")[0]) as answer:
            assert answer.status == 200
    assert pages


NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
NIGHTLY = runs.Schedule("0 3 * * *", "UTC", (NOW - 3 * DAY).isoformat())
DUE = datetime(2026, 11, 29, 3, tzinfo=UTC)


def noted(root, started_at, outcome, cause="schedule", due_at=None):
    record = runs.begun(root, cause, "0.1.0", due_at and due_at.isoformat())
    record.end(outcome, 0, "")
    with closing(sqlite3.connect(root / "runs.db")) as database, database:
        database.execute(
            "update runs set started_at = ? where run_id = (select max(run_id) from runs)",
            (started_at.isoformat(),),
        )


@pytest.mark.parametrize(
    ("outcome", "cause", "due", "expected"),
    [
        ("published", "schedule", DUE, None),
        ("failed", "schedule", DUE, None),  # it ran: the next night tries again
        ("killed", "schedule", DUE, DUE),
        ("stopped", "schedule", DUE, DUE),
        ("killed", "catch-up", DUE, None),  # once
        ("published", "command", None, None),  # by hand, since
        ("failed", "command", None, DUE),
        ("published", "schedule", DUE - DAY, None),  # late, but since
    ],
)
def test_a_run_is_missed_if_it_never_came_to_its_end(tmp_path, outcome, cause, due, expected):
    noted(tmp_path, DUE + timedelta(minutes=1), outcome, cause, due)
    assert missed(tmp_path, NIGHTLY, NOW) == expected


def test_what_was_due_before_there_was_a_schedule_is_not_missed(tmp_path):
    assert missed(tmp_path, NIGHTLY, NOW) == DUE
    young = runs.Schedule("0 3 * * *", "UTC", (DUE + timedelta(hours=1)).isoformat())
    assert missed(tmp_path, young, NOW) is None


def test_a_run_of_the_night_before_does_not_count_for_this_one(tmp_path):
    noted(tmp_path, DUE - DAY, "published", "schedule", DUE - DAY)
    assert missed(tmp_path, NIGHTLY, NOW) == DUE


def test_times_are_those_of_the_zone_across_a_change_of_the_clocks():
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert next_run("30 1 * * *", "Europe/Berlin", before) == datetime(
        2026, 3, 29, 0, 30, tzinfo=UTC
    )
    back = times("0 3 * * *", "Europe/Berlin", before, backwards=True)
    assert next(back) == datetime(2026, 3, 28, 2, tzinfo=UTC)


@pytest.mark.parametrize("cron", ["60 3 * * *", "0 3 * * FOO", "0 3 31 2 *", "0 3 * *", "nightly"])
def test_a_line_that_is_never_due_is_refused(cron):
    with pytest.raises(InputError):
        next_run(cron, "UTC", NOW)


def test_a_zone_that_is_none_is_refused():
    with pytest.raises(InputError, match="time zone such as Europe/Berlin, got 'Mars'"):
        next_run("0 3 * * *", "Mars", NOW)
