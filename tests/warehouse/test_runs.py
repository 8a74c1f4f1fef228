import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from warehouse import runs

KILLED_IN_A_RUN = """
import os, signal, sys
from pathlib import Path
from warehouse.runs import begun
record = begun(Path(sys.argv[1]), "schedule", "0.1.0", "2026-11-29T03:00:00+00:00")
record.note(stage="searched")
print("begun", flush=True)
sys.stdin.read()
"""


def begun(root, cause="command", due_at=None):
    return runs.begun(root, cause, "0.1.0+abc", due_at)


def test_a_run_is_there_from_its_first_moment_and_says_what_became_of_it(tmp_path):
    record = begun(tmp_path)
    (first,) = runs.runs(tmp_path)
    assert (first.outcome, first.ended_at, first.seconds, first.pid) == (
        "running",
        None,
        None,
        os.getpid(),
    )
    record.note(stage="read", build_id="1a2b")
    record.end(runs.FAILED, 2, "tracks.csv: expected a file", "yesterday")
    (last,) = runs.runs(tmp_path)
    assert (last.outcome, last.exit_code, last.stage) == ("failed", 2, "read")
    assert (last.message, last.build, last.build_id) == (
        "tracks.csv: expected a file",
        "yesterday",
        "1a2b",
    )
    assert last.seconds >= 0
    assert [path.name for path in tmp_path.iterdir()] == ["runs.db"]


def test_runs_come_newest_first(tmp_path):
    for code in range(3):
        begun(tmp_path).end(runs.FAILED, code, "")
    assert [run.exit_code for run in runs.runs(tmp_path)] == [2, 1, 0]
    assert [run.exit_code for run in runs.runs(tmp_path, limit=1)] == [2]


def test_a_killed_run_is_told_as_such_at_once_and_noted_by_the_next(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_IN_A_RUN, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"begun\n"
    assert runs.runs(tmp_path)[0].outcome == "running"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    (killed,) = runs.runs(tmp_path)
    assert (killed.outcome, killed.stage, killed.cause) == ("killed", "searched", "schedule")
    assert "in stage searched" in killed.message
    begun(tmp_path).end(runs.PUBLISHED, 0, "")
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        noted = database.execute("select outcome from runs order by run_id").fetchall()
    assert noted == [("killed",), ("published",)]
    assert [path.name for path in tmp_path.iterdir()] == ["runs.db"]


def test_locks_that_nobody_holds_go_with_the_next_run_and_those_of_others_stay(tmp_path):
    other = begun(tmp_path)
    (held,) = tmp_path.glob(".run-*.lock")
    left = tmp_path / ".run-000000000000.lock"  # killed before the run was noted
    left.write_text("")
    begun(tmp_path).end(runs.PUBLISHED, 0, "")
    assert [*tmp_path.glob(".run-*.lock")] == [held]
    other.end(runs.PUBLISHED, 0, "")
    assert [*tmp_path.glob(".run-*.lock")] == []


def test_runs_of_several_threads_and_processes_are_all_noted(tmp_path):
    def some():
        for _ in range(5):
            begun(tmp_path).end(runs.BUSY, 4, "")

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.outcome for run in runs.runs(tmp_path)] == ["busy"] * 20


def test_a_home_without_runs_has_none(tmp_path):
    assert runs.runs(tmp_path / "nowhere") == []
    assert runs.schedule(tmp_path / "nowhere") is None


@pytest.mark.parametrize("content", [b"not a database, but a text of some length", b"\0" * 9000])
def test_a_damaged_file_stops_no_run_and_is_set_aside(tmp_path, content, caplog):
    (tmp_path / "runs.db").write_bytes(content)
    assert runs.runs(tmp_path) == []
    assert begun(tmp_path) is None
    assert "runs.db cannot be used, so runs are not recorded" in caplog.text
    assert (tmp_path / "runs.db.damaged").read_bytes() == content
    begun(tmp_path).end(runs.PUBLISHED, 0, "")
    assert [run.outcome for run in runs.runs(tmp_path)] == ["published"]


def test_a_file_of_a_later_version_is_left_alone(tmp_path, caplog):
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        database.execute("create table other (a)")
        database.execute("pragma user_version = 9")
    assert begun(tmp_path) is None
    assert "layout 9" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["runs.db"]


def test_old_rows_are_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "KEPT", 3)
    for code in range(6):
        begun(tmp_path).end(runs.FAILED, code, "")
    assert [run.exit_code for run in runs.runs(tmp_path)] == [5, 4, 3]


def test_a_schedule_is_kept_with_the_time_since_when_it_has_been_so(tmp_path):
    first = runs.keep_schedule(tmp_path, "0 3 * * *", "UTC")
    assert runs.keep_schedule(tmp_path, "0 3 * * *", "UTC") == first
    assert runs.schedule(tmp_path) == first
    second = runs.keep_schedule(tmp_path, "0 4 * * *", "UTC")
    assert runs.schedule(tmp_path) == second
    assert second.cron == "0 4 * * *"
