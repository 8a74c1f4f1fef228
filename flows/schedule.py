"""Run the refresh every night: a cron line comes in, runs happen until the process is stopped.

Prefect schedules nothing without a server. Unless one is configured (``PREFECT_API_URL``), this
starts one on this machine and stops it again.
"""

import logging
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from warehouse.errors import SegueError

logger = logging.getLogger(__name__)

START_SECONDS = 90
STOP_SECONDS = 15


def serve_nightly(cron: str, options: dict[str, Any], port: int | None = None) -> None:
    """Serve the deployment ``refresh/nightly``; ends when the process is told to stop.

    A run that is due while another is going on waits for it; a build of ``segue build`` is kept
    apart by the home's lock.

    Args:
        cron: five fields, in UTC.
        options: settings by name, as JSON, that every run is given.
        port: of the server, where one is started; a free one by default.
    """
    with _server(port):
        from prefect.types.entrypoint import EntrypointType  # noqa: PLC0415 - after the address is set

        from flows.nightly import refresh  # noqa: PLC0415

        refresh.serve(
            name="nightly",
            cron=cron,
            parameters={"options": options},
            entrypoint_type=EntrypointType.MODULE_PATH,
            limit=1,
            enforce_parameter_schema=False,
            print_starting_message=False,
        )


@contextmanager
def _server(port: int | None) -> Iterator[None]:
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    port = port or _free_port()
    command = [sys.executable, "-m", "prefect", "server", "start"]
    where = ["--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    log = Path(os.environ["PREFECT_HOME"]) / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen([*command, *where], stdout=said, stderr=said)  # noqa: S603
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    try:
        _wait_until_up(process, port, log)
        logger.info("Prefect's server answers at %s", os.environ["PREFECT_API_URL"])
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
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
