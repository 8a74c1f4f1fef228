"""Stages of work come in; bars on a terminal or log lines, and the seconds of each, go out."""

import ctypes
import gc
import logging
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task
from rich.progress import Progress as Bars
from rich.text import Text

logger = logging.getLogger(__name__)

Advance = Callable[..., None]


class Progress:
    """Shows each stage while it runs and remembers how long it took.

    Args:
        console: where bars go; standard error unless told.
        bars: bars or log lines; unless told, bars on a terminal outside a Prefect run, whose
            own log would tear them.
        listener: is given the name of each stage that begins.
    """

    def __init__(
        self,
        console: Console | None = None,
        bars: bool | None = None,
        listener: Callable[[str], None] | None = None,
    ) -> None:
        self.console = console or Console(stderr=True)
        self._listener = listener
        self.seconds: dict[str, float] = {}
        self._bars = bars
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "rows") -> Iterator[Advance]:
        """Show the body as one stage and yield ``advance(count=1)``, safe in any thread.

        If a stage is entered again, its seconds add up. A stage that fails is shown as failed and
        keeps its seconds.

        Args:
            name: a verb in the past tense, such as ``read``.
            total: how many units there will be, if known.
            unit: what is counted, in the plural.
        """
        if self._listener:
            self._listener(name)
        bars = self._shows_bars()
        shown = _bar(self.console, name, total, unit) if bars else _line(name, unit)
        began = time.perf_counter()
        try:
            with shown as advance:
                yield advance
        finally:
            with self._lock:
                took = time.perf_counter() - began
                self.seconds[name] = self.seconds.get(name, 0.0) + took
            return_memory()

    def _shows_bars(self) -> bool:
        if self._bars is not None:
            return self._bars
        return self.console.is_terminal and _prefect_logger() is None


@contextmanager
def _bar(console: Console, name: str, total: int | None, unit: str) -> Iterator[Advance]:
    columns = (SpinnerColumn(finished_text=" "), "{task.description:<12}", BarColumn(), _Counts())
    with Bars(*columns, console=console) as bars:
        task = bars.add_task(name, total=total, unit=unit)

        def advance(count: int = 1) -> None:
            bars.advance(task, count)

        yield advance
        done = bars.tasks[task].completed
        bars.update(task, total=done or 1, completed=done or 1, counted=done)


class _Counts(ProgressColumn):
    """Renders ``57,000 of 114,000 rows  2.4 s  23,750/s``."""

    def render(self, task: Task) -> Text:
        done = int(task.fields.get("counted", task.completed))
        took = (task.finished_time if task.finished else task.elapsed) or 0.0
        unit = task.fields["unit"]
        parts = [f"{took:.1f} s"]
        if done:
            whole = f" of {int(task.total):,}" if task.total and not task.finished else ""
            parts = [f"{done:,}{whole} {unit}", *parts]
        if done and took:
            parts.append(f"{done / took:,.0f}/s")
        return Text("  ".join(parts))


@contextmanager
def _line(name: str, unit: str) -> Iterator[Advance]:
    lock, began, done = threading.Lock(), time.perf_counter(), 0
    log = _prefect_logger() or logger

    def advance(count: int = 1) -> None:
        nonlocal done
        with lock:
            done += count

    def amount() -> str:
        counted = f" {done:,} {unit}" if done else ""
        return f"{counted} in {time.perf_counter() - began:.1f} s"

    try:
        yield advance
    except BaseException:
        log.warning("%s%s, then failed", name, amount())
        raise
    log.info("%s%s", name, amount())


def _prefect_logger() -> Any:
    """Return the log of the surrounding Prefect run, or None outside of one.

    Prefect takes seconds to import, so this only looks if something else has imported it.
    """
    context = sys.modules.get("prefect.context")
    if context is None or not (context.TaskRunContext.get() or context.FlowRunContext.get()):
        return None
    from prefect.logging import get_run_logger  # noqa: PLC0415 - see above

    return get_run_logger()


def return_memory() -> None:
    """Give free memory back to the system, so that the next stage does not come on top of it.

    The C library of Linux keeps what threads have freed until it is told to (malloc_trim(3)).
    """
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)


def peak_memory_mb() -> float:
    """Return the most memory that this process has held so far, in 10^6 bytes.

    Linux counts it in KiB (getrusage(2), ``ru_maxrss``).
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
