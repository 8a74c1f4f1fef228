import io
import logging
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from flows.nightly.progress import Progress, peak_memory_mb


def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


def raise_after(advance, count):
    advance(count)
    raise ZeroDivisionError


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, logger="flows.nightly.progress")
    return caplog


@pytest.mark.parametrize("total", [None, 114_000])
def test_without_a_terminal_a_stage_is_one_log_line(log, total):
    progress = Progress(Console(file=io.StringIO()))
    with progress.stage("read", total=total, unit="rows") as advance:
        advance(100_000)
        advance(14_000)
    (line,) = log.messages
    assert line.startswith("read 114,000 rows in ")
    assert line.endswith(" s")


def test_a_stage_that_counts_nothing_still_says_how_long_it_took(log):
    with Progress(bars=False).stage("checked"):
        pass
    assert log.messages == ["checked in 0.0 s"]


@pytest.mark.parametrize("total", [None, 50])
def test_on_a_terminal_a_stage_is_a_bar_with_count_and_rate_and_no_log_line(log, total):
    console = terminal()
    with Progress(console).stage("matched", total=total, unit="songs") as advance:
        for _ in range(50):
            advance()
        time.sleep(0.01)
    shown = console.file.getvalue()
    assert "matched" in shown
    assert "50 songs" in shown
    assert re.search(r"\d/s", shown)
    assert log.messages == []


def test_a_bar_that_counts_nothing_shows_only_seconds():
    console = terminal()
    with Progress(console).stage("checked"):
        pass
    assert "0.0 s" in console.file.getvalue()
    assert "rows" not in console.file.getvalue()


def test_nested_stages_show_both_bars():
    console = terminal()
    progress = Progress(console)
    with progress.stage("built"), progress.stage("read") as advance:
        advance(3)
    assert "built" in console.file.getvalue()
    assert "3 rows" in console.file.getvalue()
    assert set(progress.seconds) == {"built", "read"}


@pytest.mark.parametrize("bars", [False, True])
def test_threads_may_advance_and_no_count_is_lost(log, bars):
    console = terminal()
    with (
        Progress(console, bars=bars).stage("matched", unit="songs") as advance,
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(lambda _: [advance() for _ in range(500)], range(8)))
    assert "4,000 songs" in (console.file.getvalue() if bars else log.text)


def test_seconds_are_kept_for_each_stage_and_add_up():
    progress = Progress(bars=False)
    for _ in range(2):
        with progress.stage("read"):
            time.sleep(0.02)
    with progress.stage("matched"):
        pass
    assert list(progress.seconds) == ["read", "matched"]
    assert progress.seconds["read"] >= 0.04 > progress.seconds["matched"]


@pytest.mark.parametrize("bars", [False, True])
def test_a_failing_stage_raises_keeps_its_seconds_and_says_so(log, bars):
    progress = Progress(terminal(), bars=bars)
    with pytest.raises(ZeroDivisionError), progress.stage("read") as advance:
        raise_after(advance, 5)
    assert "read" in progress.seconds
    assert bars or "read 5 rows in 0.0 s, then failed" in log.messages


PREFECT = """
import io, logging, sys
from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness
from rich.console import Console
from flows.nightly.progress import Progress

logging.getLogger("prefect.task_runs").addHandler(logging.StreamHandler(sys.stdout))
console = Console(file=sys.stdout, force_terminal=True)

@task
def read():
    with Progress(console).stage("read") as advance:
        advance(12)

@flow
def refresh():
    read()
    read.submit().result()

with prefect_test_harness():
    refresh()
"""


def test_inside_a_prefect_task_each_stage_is_a_line_in_the_log_of_the_run(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", PREFECT],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PREFECT_HOME": str(tmp_path),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        },
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("read 12 rows in ")]
    assert len(lines) == 2
    assert "\x1b" not in run.stdout


def test_outside_of_prefect_progress_does_not_import_it():
    code = (
        "import sys; from flows.nightly.progress import Progress\n"
        "with Progress().stage('read'): pass\n"
        "sys.exit('prefect' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_peak_memory_is_no_less_than_what_the_kernel_counts():
    held = b"\x01" * 50_000_000
    status = Path("/proc/self/status").read_text()
    high_water = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6
    assert high_water > len(held) / 1e6
    assert high_water - 5 <= peak_memory_mb() < 1e6
