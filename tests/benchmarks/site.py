"""Weigh every page of a site and load it with wrk: a home comes in, a table goes out.

    uv run python tests/benchmarks/site.py HOME [--seconds 3] [--only TEXT]

Bytes are those of the page as a browser gets it (gzip where it is offered), and with all that it
loads at first. Times are the median and the 99th percentile at 1 and 8 connections, requests going
round over up to 500 songs, artists, genres and tastes. Needs ``wrk``; all stays on 127.0.0.1.
"""

import argparse
import gzip
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urljoin

from datasette.utils import tilde_encode

from tests.site.conftest import PAGES

SEGUE = Path(sys.executable).with_name("segue")
ROUND = 500
INTERFACE = (
    "/segue/songs/{song}/recommendations.json",
    "/api/v1/songs/{song}",
    "/api/v1/search?q=the",
    "/api/v1/suggest?q=the",
    "/api/v1/similar?song={song}",
    "/api/v1/compare?a={song}&b={other}",
)
SCRIPT = """
local paths = {{}}
for line in io.lines("{paths}") do paths[#paths + 1] = line end
local i = 0
request = function()
  i = i % #paths + 1
  return wrk.format("GET", paths[i])
end
"""
LOADED = re.compile(
    r'<(?:script|img)[^>]*\ssrc="([^"]+)"|<link rel="(?:stylesheet|icon)" href="([^"]+)'
)
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
NAMES = {
    "song": "select song_id from songs order by song_id",
    "artist": "select artist from songs group by artist order by artist",
    "genre": "select genre from genres order by genre",
    "taste": "select taste_id from tastes order by taste_id",
}


def names_in(file: Path) -> dict[str, list[str]]:
    """Return up to ``ROUND`` of each kind of name, spread evenly over the catalogue."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        found = {kind: [row[0] for row in database.execute(sql)] for kind, sql in NAMES.items()}
    some = {
        kind: [tilde_encode(name) for name in names[:: max(1, len(names) // ROUND)]][:ROUND]
        for kind, names in found.items()
    }
    return some | {"other": some["song"][1:] + some["song"][:1]}


def filled(page: str, names: dict[str, list[str]]) -> list[str]:
    """Return the addresses of one kind of page."""
    if "{" not in page:
        return [page]
    wanted = re.findall(r"{(\w+)}", page)
    rounds = zip(*(names[kind] for kind in wanted), strict=False)
    return [page.format(**dict(zip(wanted, values, strict=True))) for values in rounds]


def fetched(address: str) -> tuple[int, bytes, bytes]:
    """Return status, the bytes on the way and the text of one address."""
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=60) as answer:
        sent = answer.read()
        packed = answer.headers.get("Content-Encoding") == "gzip"
        return answer.status, sent, gzip.decompress(sent) if packed else sent
    return 0, b"", b""


def weights(address: str) -> tuple[int, int, float]:
    """Return the bytes of a page, those with what it loads at first, and milliseconds till then."""
    began = time.perf_counter()
    status, sent, page = fetched(address)
    taken = 1000 * (time.perf_counter() - began)
    if status != 200:
        return 0, 0, taken
    text = page.decode("utf-8", "replace")
    html = text.lstrip().startswith("<!")
    links = {urljoin(address, src or href) for src, href in LOADED.findall(text)} if html else set()
    others = sum(len(fetched(link)[1]) for link in links)
    return len(sent), len(sent) + others, taken


def load(base: str, paths: list[str], connections: int, seconds: int) -> list[float]:
    """Run wrk over the paths; return median and 99th percentile in ms, and requests a second."""
    with tempfile.TemporaryDirectory() as scratch:
        listed, script = Path(scratch) / "paths", Path(scratch) / "rotate.lua"
        listed.write_text("\n".join(paths))
        script.write_text(SCRIPT.format(paths=listed))
        how = ["--latency", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
        command = ["wrk", *how, "-H", "Accept-Encoding: gzip", base]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        print(said, file=sys.stderr)
    found = [
        float(number) * UNITS[unit]
        for number, unit in re.findall(r"(?:50|99)%\s+([\d.]+)(us|ms|s|m)\b", said)
    ]
    return [*found, float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])]


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve a home on a free port until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [str(SEGUE), "serve", "--home", str(home), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            with suppress(OSError):
                urllib.request.urlopen(f"{base}/api/v1/health").read()
                break
            time.sleep(0.5)
        yield base
    finally:
        server.terminate()
        server.wait(10)


def main() -> None:
    """Serve the home, weigh and load each kind of page, stop the server."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--seconds", type=int, default=3, help="for each page and connections")
    parser.add_argument("--only", default="", help="pages whose address holds this")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    names = names_in((args.home / "current").resolve() / "segue.db")
    print("| page | kB | kB in all | first ms | 1: median | 99 % | a second | 8: median | 99 % |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    with served(args.home) as base:
        for page in (page for page in (*PAGES, *INTERFACE) if args.only in page):
            paths = filled(page, names)
            sent, whole, first = weights(base + paths[0])
            alone, together = (load(base, paths, many, args.seconds) for many in (1, 8))
            print(
                f"| `{page}` | {sent / 1000:.1f} | {whole / 1000:.1f} | {first:.0f} "
                f"| {alone[0]:.1f} | {alone[1]:.1f} | {alone[2]:.0f} "
                f"| {together[0]:.1f} | {together[1]:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
