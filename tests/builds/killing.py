"""A moment and a home come in; a build that is killed with ``kill -9`` at that moment goes out.

Each build runs in a process of its own, forked from one that has imported everything, as imports
take longer than a build of twelve songs.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.cli import app
from flows.nightly.plan import planned
from flows.nightly.progress import Progress
from flows.nightly.run import STEPS, refresh
from flows.settings import settings

KINDS = ("tracks", "genres", "playlists")
ENVIRONMENT = {"SEGUE_KEEP": "1", "SEGUE_MAX_REJECTED_SHARE": "0.2"}
SECONDS = 120


def kill_at(moment: str, home: Path, files: Sequence[Path]) -> int | None:
    """Build in a home until the moment comes, and return the code that the process ended with.

    Args:
        moment: a stage, or what is done to which file, such as ``os.rename manifest.json``.
        home: where to build.
        files: a track file, artist genres and playlists.
    """
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload([__name__, "flows.nightly.ingest", "flows.nightly.publish"])
    build = _until_moment if " " in moment else _until_stage
    process = forked.Process(target=build, args=(moment, home, files))
    process.start()
    process.join(SECONDS)
    return process.exitcode


class _Doomed(Progress):
    """Ends the process at the first sign of progress in a stage."""

    last: str

    @contextmanager
    def stage(self, name: str, *more: Any, **others: Any) -> Iterator[Any]:
        with super().stage(name, *more, **others) as advance:

            def last_words(count: int = 1) -> None:
                advance(count)
                if name == self.last:
                    os.kill(os.getpid(), signal.SIGKILL)

            yield last_words


def _until_stage(stage: str, home: Path, files: Sequence[Path]) -> None:
    """Take the real steps as far as the stage."""
    os.environ |= ENVIRONMENT
    chosen: dict[str, Any] = {kind: [file] for kind, file in zip(KINDS, files, strict=True)}
    plan = planned(settings(home=home, neighbours=2, **chosen))
    progress = _Doomed(bars=False)
    progress.last = stage
    refresh(plan, True, progress, (step for steps in STEPS.values() for step in steps))


def _until_moment(moment: str, home: Path, files: Sequence[Path]) -> None:
    """Run the real command until just before it touches a name in a way."""
    os.environ |= ENVIRONMENT
    way, name = moment.split()

    def last_words(event: str, args: tuple[Any, ...]) -> None:
        if event == way and any(str(arg).endswith("/" + name) for arg in args[:2]):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(last_words)
    given = [word for kind, file in zip(KINDS, files, strict=True) for word in (f"--{kind}", file)]
    words = ["build", "--direct", "--neighbours", "2", "--home", home, *given]
    app([str(word) for word in words])
