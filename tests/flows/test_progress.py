import io
import logging
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from flows.nightly.progress import Progress, peak_memory_mb


def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that moves on when it is told to, in place of that of the stages."""
    stopped = SimpleNamespace(now=0.0)
    stopped.perf_counter = lambda: stopped.now
    monkeypatch.setattr("flows.nightly.progress.time", stopped)
    return stopped


def raise_after(advance, count, clock):
    advance(count)
    clock.now += 2
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


def test_a_stage_that_counts_nothing_still_says_how_long_it_took(log, clock):
    with Progress(bars=False).stage("checked"):
        clock.now += 3
    assert log.messages == ["checked in 3.0 s"]


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
    assert re.search(r"checked .*\d\.\d s", console.file.getvalue())
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


def test_seconds_are_kept_for_each_stage_and_add_up(clock):
    progress = Progress(bars=False)
    for seconds in (2, 3):
        with progress.stage("read"):
            clock.now += seconds
    with progress.stage("matched"):
        pass
    assert progress.seconds == {"read": 5, "matched": 0}


@pytest.mark.parametrize("bars", [False, True])
def test_a_failing_stage_raises_keeps_its_seconds_and_says_so(log, clock, bars):
    progress = Progress(terminal(), bars=bars)
    with pytest.raises(ZeroDivisionError), progress.stage("read") as advance:
        raise_after(advance, 5, clock)
    assert progress.seconds == {"read": 2}
    assert log.messages == ([] if bars else ["read 5 rows in 2.0 s, then failed"])


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
