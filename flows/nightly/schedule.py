"""Run the refresh every night: a cron line comes in, runs happen until the process is stopped.

Prefect schedules nothing without a server. Unless one is configured (``PREFECT_API_URL``), one is
started on this machine. Server, runner and runs are in one process group below this process and
end with it, however it ends.
"""

import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from flows.nightly.due import missed, next_run
from flows.nightly.watch import DUE
from warehouse import runs
from warehouse.errors import SegueError
from warehouse.release import Home, held

logger = logging.getLogger(__name__)

START_SECONDS = 180  # on a busy machine
STOP_SECONDS = 10
ROOM = 20_000_000  # bytes that Prefect's server wants at least


def serve_nightly(
    home: Home, cron: str, time_zone: str, options: dict[str, Any], pages: bool = False
) -> None:
    """Serve the deployment ``refresh/nightly`` until told to stop by SIGINT or SIGTERM.

    A run that is due while another is going on waits for it; a build of ``segue build`` is kept
    apart by the home's lock. A run that is going on when the schedule is stopped is ended with
    it: what was published stays, and the next schedule catches the run up, as it does with one
    that was due while nothing watched.

    Args:
        home: that is refreshed.
        cron: five fields.
        time_zone: in which they are read.
        options: settings by name, as JSON, that every run is given.
        pages: serve Prefect's own pages too.

    Raises:
        Busy: another schedule runs for this home.
        InputError: the line is none of cron's, or is never due.
    """
    now = datetime.now(UTC)
    due = next_run(cron, time_zone, now)
    with held(home, "schedule", home.schedule_lock):
        late = missed(home.root, runs.keep_schedule(home.root, cron, time_zone), now)
        say = Console(highlight=False, soft_wrap=True).print
        say(f"Refreshing {home.root.resolve()} at '{cron}' {time_zone} (Ctrl-C stops it)")
        if late:
            say(f"The run of {late:%Y-%m-%d %H:%M} UTC was missed: it is caught up at once.")
        say(f"Next run: {due:%Y-%m-%d %H:%M} UTC. Prefect starts, which takes some seconds ...")
        signal.signal(signal.SIGTERM, _end_well)
        order = Order(cron, time_zone, options, pages)
        command = [sys.executable, "-P", "-m", "flows.nightly.schedule", json.dumps(asdict(order))]
        process = subprocess.Popen(command, start_new_session=True)  # noqa: S603
        try:
            raise SystemExit(process.wait())
        finally:
            _end(process)


@dataclass(frozen=True, slots=True)
class Order:
    """What the process that serves is given.

    Args:
        pages: whether Prefect's own pages are served.
    """

    cron: str
    time_zone: str
    options: dict[str, Any]
    pages: bool


def _end_well(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process as Ctrl-C would and, after a while, its whole group by force."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _serve(order: Order) -> None:
    with _server(order.pages):
        from prefect.client.orchestration import get_client  # noqa: PLC0415 - after the address is set
        from prefect.runner import Runner  # noqa: PLC0415
        from prefect.schedules import Cron  # noqa: PLC0415
        from prefect.types.entrypoint import EntrypointType  # noqa: PLC0415

        from flows.nightly.prefect_flows import refresh  # noqa: PLC0415

        # Paused on shutdown, a deployment would drop the run that is due when it is served again.
        runner = Runner(name="nightly", pause_on_shutdown=False, limit=1)
        deployment: Any = runner.add_flow(
            refresh,
            name="nightly",
            schedule=Cron(order.cron, timezone=order.time_zone),
            parameters={"options": order.options},
            entrypoint_type=EntrypointType.MODULE_PATH,
            enforce_parameter_schema=False,
        )
        late = _late(order)  # what came due while Prefect started is lost to it, too
        if late:
            logger.info("catching up the run that was due at %s", late)
            with get_client(sync_client=True) as client:
                client.create_flow_run_from_deployment(
                    deployment, name=f"catch-up of {late}", tags=[f"{DUE}{late}"]
                )
        logger.info("the schedule is ready")
        asyncio.run(runner.start())


def _late(order: Order) -> str:
    """Return when a run was due that was missed, ISO 8601; empty where none was."""
    root = Path(order.options["home"])
    plan = runs.keep_schedule(root, order.cron, order.time_zone)
    late = missed(root, plan, datetime.now(UTC))
    return late.isoformat() if late else ""


def _end_with(parent: int) -> None:
    """End this process group as soon as the process that started it is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _server(pages: bool) -> Iterator[None]:
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    folder, port = Path(os.environ["PREFECT_HOME"]), free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    where = ["--port", str(port), "--ui" if pages else "--no-ui"]
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    # Else Prefect's log leads to pages that are not there.
    os.environ["PREFECT_UI_URL"] = f"http://127.0.0.1:{port}" if pages else ""
    os.environ["PREFECT_SERVER_UI_STATIC_DIRECTORY"] = str(folder / "pages")  # to be written in
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *where], stdout=output, stderr=output)  # noqa: S603
    try:
        _wait_until_up(process, port, log)
        if pages:
            logger.info("Prefect's own pages: http://127.0.0.1:%d/", port)
        yield
    finally:
        process.terminate()
        process.wait()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind((host, 0))
        return int(taken.getsockname()[1])


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2)
            return
        time.sleep(0.5)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    free = shutil.disk_usage(log.parent).free
    full = f"The disk of {log.parent} is full: {free:,} bytes are free. " if free < ROOM else ""
    raise SegueError(f"{full}Prefect's server did not start. {log} ends with:\n{last}")


def _main(order: Order) -> int:
    _end_with(os.getppid())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
    for noisy in ("httpx", "httpcore", "alembic", "prefect"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    os.environ.setdefault("PREFECT_LOGGING_FORMATTERS_STANDARD_DATEFMT", "%Y-%m-%d %H:%M:%S")
    try:
        _serve(order)
    except SegueError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"Error: Could not read or write: {error}\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(_main(Order(**json.loads(sys.argv[1]))))
