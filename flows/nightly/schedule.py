"""Run the refresh every night: a cron line comes in, runs happen until the process is stopped.

Prefect schedules nothing without a server. Unless one is configured (``PREFECT_API_URL``), one is
started on this machine. Server, runner and runs live in one process group below this process and
end with it, however it ends.
"""

import json
import os
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
from pathlib import Path
from types import FrameType
from typing import Any

from warehouse.errors import SegueError

START_SECONDS = 90
STOP_SECONDS = 10


def serve_nightly(cron: str, options: dict[str, Any]) -> None:
    """Serve the deployment ``refresh/nightly`` until told to stop by SIGINT or SIGTERM.

    A run that is due while another is going on waits for it; a build of ``segue build`` is kept
    apart by the home's lock. A run that is going on when the schedule is stopped is ended with
    it: what was published stays, and the next run clears up.

    Args:
        cron: five fields, in UTC.
        options: settings by name, as JSON, that every run is given.
    """
    signal.signal(signal.SIGTERM, _end_well)
    command = [sys.executable, "-P", "-m", "flows.nightly.schedule", cron, json.dumps(options)]
    process = subprocess.Popen(command, start_new_session=True)  # noqa: S603
    try:
        raise SystemExit(process.wait())
    finally:
        _end(process)


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


def _serve(cron: str, options: dict[str, Any]) -> None:
    with _server():
        from prefect.types.entrypoint import EntrypointType  # noqa: PLC0415 - after the address is set

        from flows.nightly.prefect_flows import refresh  # noqa: PLC0415

        refresh.serve(
            name="nightly",
            cron=cron,
            parameters={"options": options},
            entrypoint_type=EntrypointType.MODULE_PATH,
            limit=1,
            enforce_parameter_schema=False,
            print_starting_message=False,
        )


def _end_with(parent: int) -> None:
    """End this process group as soon as the process that started it is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _server() -> Iterator[None]:
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start"]
    where = ["--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    log = Path(os.environ["PREFECT_HOME"]) / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen([*command, *where], stdout=said, stderr=said)  # noqa: S603
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    try:
        _wait_until_up(process, port, log)
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
    raise SegueError(f"Prefect's server did not start. {log} ends with:\n{last}")


if __name__ == "__main__":
    _end_with(os.getppid())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    os.environ.setdefault("PREFECT_LOGGING_FORMATTERS_STANDARD_DATEFMT", "%Y-%m-%d %H:%M:%S")
    try:
        _serve(sys.argv[1], json.loads(sys.argv[2]))
    except SegueError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(0)
