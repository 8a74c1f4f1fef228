"""The site while builds come and go under it."""

import asyncio
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import httpx
import pytest

from flows.site.live import Live
from flows.site.protocol import MOST_HEAD_BYTES
from flows.site.serve import application
from warehouse import release
from warehouse.errors import NothingPublished
from warehouse.manifest import file_facts, read_manifest, write_manifest
from warehouse.release import Home


@pytest.fixture
def home(build: Path, tmp_path: Path) -> Home:
    """Return a home of two builds, the first of which is served; both hold the same tables."""
    home = Home(tmp_path / "var")
    for number in (1, 2):
        copy = home.builds / f"20260101T00000{number}Z-{number:012x}"
        shutil.copytree(build, copy)
        manifest = read_manifest(copy)
        renamed = {"name": copy.name, "build_id": f"{number:012x}", "files": file_facts(copy)}
        write_manifest(copy, type(manifest)(**{**vars_of(manifest), **renamed}))
    release.promote(home, names(home)[0])
    return home


def vars_of(manifest):
    return {name: getattr(manifest, name) for name in type(manifest).__dataclass_fields__}


def names(home: Home) -> list[str]:
    return sorted(path.name for path in home.builds.iterdir())


async def shown(client: httpx.AsyncClient) -> str:
    """Return the id of the build that a page and the interface name; they must agree."""
    info = (await client.get("/api/v1/info")).json()
    page = await client.get("/about")
    assert page.status_code == 200
    assert info["build_id"][:12] in page.text
    return info["build_id"]


def asking(live: Live) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=live), base_url="http://localhost")


def test_the_site_moves_with_the_link_and_back(home):
    async def visit():
        live = application(home.root)
        async with asking(live) as client:
            first = await shown(client)
            release.promote(home, names(home)[1])
            assert await live.look()
            second = await shown(client)
            release.promote(home, names(home)[0])
            assert await live.look()
            assert not await live.look()
            return first, second, await shown(client)

    first, second, third = asyncio.run(visit())
    assert first == third == f"{1:012x}"
    assert second == f"{2:012x}"


def test_a_request_under_way_ends_on_the_build_on_which_it_began(home):
    async def visit():
        live = application(home.root)
        before = live.edition
        begun, go_on, sent = asyncio.Event(), asyncio.Event(), []

        async def receive():
            begun.set()
            await go_on.wait()
            return {"type": "http.request", "body": b'{"songs": []}', "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {
            **{"type": "http", "method": "POST", "path": "/api/v1/mix", "query_string": b""},
            **{"raw_path": b"/api/v1/mix", "headers": [(b"content-type", b"application/json")]},
            **{"http_version": "1.1", "scheme": "http", "server": ("localhost", 80)},
        }
        request = asyncio.create_task(live(scope, receive, send))
        await begun.wait()
        release.promote(home, names(home)[1])
        assert await live.look()
        during = before.closed
        go_on.set()
        await request
        return during, before.closed, sent[0]["status"]

    during, after, status = asyncio.run(visit())
    assert not during
    assert after
    assert status < 500


def test_what_a_closed_build_held_is_let_go(home):
    async def visit():
        live = application(home.root)
        async with asking(live) as client:
            for turn in range(3):
                await shown(client)
                await client.get("/segue/songs")
                release.promote(home, names(home)[(turn + 1) % 2])
                assert await live.look()
                await shown(client)
        held = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()]
        gone = names(home)[0]
        return [path for path in held if f"{gone}/segue.db" in path and str(home.root) in path]

    assert asyncio.run(visit()) == []


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])


def turned(file: Path) -> None:
    """Turn one bit in the middle."""
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)


@pytest.mark.parametrize("hurt", [cut, turned])
@pytest.mark.parametrize("name", ["segue.db", "manifest.json"])
def test_a_damaged_build_is_not_shown_and_the_last_good_one_goes_on(home, caplog, name, hurt):
    async def visit():
        live = application(home.root)
        async with asking(live) as client:
            release.promote(home, names(home)[1])
            damaged = home.builds / names(home)[1] / name
            damaged.chmod(0o644)
            hurt(damaged)
            moved = [await live.look(), await live.look()]
            return moved, await shown(client)

    moved, build_id = asyncio.run(visit())
    assert moved == [False, False]
    assert build_id == f"{1:012x}"
    said = [record.getMessage() for record in caplog.records if "is not shown" in record.msg]
    assert len(said) == 1
    assert names(home)[1] in said[0]
    assert name in said[0]


def test_where_the_served_build_is_damaged_the_newest_whole_one_is_shown(home):
    database = home.builds / names(home)[0] / "segue.db"
    database.chmod(0o644)
    database.write_bytes(b"not a database" * 100)

    async def visit():
        async with asking(application(home.root)) as client:
            return await shown(client)

    assert asyncio.run(visit()) == f"{2:012x}"


def test_an_empty_home_has_no_site(tmp_path):
    with pytest.raises(NothingPublished):
        application(tmp_path)


SERVE = (
    "import sys; from pathlib import Path; from flows.site.serve import bound, serve\n"
    "serve(Path(sys.argv[1]), bound('127.0.0.1', int(sys.argv[2])), int(sys.argv[3]))"
)


@pytest.fixture
def server(home):
    """Serve a home with two processes; yield the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVE, home.root, str(port), "2"])
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert process.poll() is None
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=5).read()
                break
            except OSError:
                time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_no_answer_fails_or_mixes_two_builds_while_builds_come_and_go(home, server):
    stop, answers = threading.Event(), []
    failures: list[str] = []

    def visit():
        with httpx.Client(base_url=f"http://127.0.0.1:{server}", timeout=60) as client:
            while not stop.is_set():
                try:
                    info, page = client.get("/api/v1/info"), client.get("/about")
                except httpx.HTTPError as error:
                    failures.append(str(error))
                    continue
                answers.append((info.status_code, page.status_code))
                shown = [id_ for id_ in (f"{1:012x}", f"{2:012x}") if id_ in page.text]
                if len(shown) != 1 or info.json()["build_id"] not in (f"{1:012x}", f"{2:012x}"):
                    failures.append(page.text[:200])

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    until, moves = time.monotonic() + 90, 0
    while (len(answers) < 60 or moves < 6) and time.monotonic() < until:
        moves += 1
        release.promote(home, names(home)[moves % 2])
        time.sleep(0.7)
    stop.set()
    for visitor in visitors:
        visitor.join()
    assert failures == []
    assert len(answers) >= 60
    assert set(answers) == {(200, 200)}


@pytest.mark.slow
def test_a_head_without_end_is_refused_and_costs_its_sender_the_connection(server):
    with socket.create_connection(("127.0.0.1", server)) as caller:
        caller.settimeout(20)
        caller.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        sent = 0
        try:
            while sent < 8 * MOST_HEAD_BYTES:
                caller.sendall(b"a" * 8192)
                sent += 8192
        except OSError:
            pass
        try:
            said = caller.recv(4096)
        except OSError:
            said = b""
    assert sent < 8 * MOST_HEAD_BYTES or b" 431 " in said
    with urllib.request.urlopen(f"http://127.0.0.1:{server}/api/v1/health", timeout=10) as answer:
        assert answer.status == 200
