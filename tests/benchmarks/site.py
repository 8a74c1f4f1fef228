"""Load the site of a build with wrk: a home comes in, requests a second and percentiles go out.

    uv run python tests/benchmarks/site.py HOME [--seconds 8]

Needs ``wrk``. Requests rotate over 5,000 songs; everything stays on 127.0.0.1.
"""

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

SEGUE = Path(sys.executable).with_name("segue")
PORT = 8765
SCRIPT = """
local paths = {{}}
for line in io.lines("{paths}") do paths[#paths + 1] = line end
local i = 0
request = function()
  i = i % #paths + 1
  return wrk.format("GET", paths[i])
end
"""


def song_ids(home: Path) -> list[str]:
    """Return 5,000 song ids spread evenly over the catalogue."""
    with closing(sqlite3.connect(f"{(home / 'current').resolve() / 'segue.db'}")) as database:
        ids = [row[0] for row in database.execute("select song_id from songs order by song_id")]
    return ids[:: max(1, len(ids) // 5000)]


def load(paths: list[str], connections: int, seconds: int) -> str:
    """Run wrk over the paths and return its lines on latency and throughput."""
    with tempfile.TemporaryDirectory() as scratch:
        listed, script = Path(scratch) / "paths", Path(scratch) / "rotate.lua"
        listed.write_text("\n".join(paths))
        script.write_text(SCRIPT.format(paths=listed))
        how = ["--latency", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
        said = subprocess.run(
            ["wrk", *how, f"http://127.0.0.1:{PORT}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    wanted = ("50%", "99%", "Requests/sec", "Non-2xx")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    return ", ".join(line for line in lines if line.startswith(wanted))


def main() -> None:
    """Serve the home, load each kind of page, stop the server."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--seconds", type=int, default=8)
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    ids = song_ids(args.home)
    command = [str(SEGUE), "serve", "--home", str(args.home), "--port", str(PORT)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(60):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/").read()
                break
            time.sleep(0.5)
        kinds = {
            "song page": [f"/segue/songs/{i}" for i in ids],
            "song JSON": [f"/segue/songs/{i}/recommendations.json" for i in ids],
        }
        for kind, paths in kinds.items():
            for connections in (1, 8):
                print(f"{kind}, {connections}: {load(paths, connections, args.seconds)}")
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
