"""A small build of invented songs, made from the contracts, and the site that shows it."""

import asyncio
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import httpx
import polars as pl
import pytest
from datasette.utils import tilde_encode
from playwright.sync_api import Browser, Page, sync_playwright

from flows.nightly import overview as mapping
from flows.site.serve import Options, site
from transforms import ratings
from warehouse import ddl
from warehouse.contracts import (
    BECAUSE,
    MEASUREMENTS,
    RECOMMENDATIONS,
    SONG_GENRES,
    SONGS,
    TABLES,
    VIEWS,
    Table,
)
from warehouse.search.tables import write_search

SQL = Path(ddl.__file__).parent / "sql"
K = 5
FORM = "application/x-www-form-urlencoded"

# Every page of the site; what stands in braces is taken from the build, see pages_of.
PAGES = (
    "/",
    "/search",
    "/search?q=the",
    "/segue/songs/{song}",
    "/segue/songs/{song}?play=1",
    "/artists/{artist}",
    "/genres",
    "/genres/{genre}",
    "/tastes",
    "/tastes/{taste}",
    "/mix",
    "/rate",
    "/compare",
    "/compare?a=the",
    "/compare?a={song}&b={other}",
    "/explore",
    "/about",
    "/analysts",
    "/segue",
    "/segue/songs",
    "/segue/recommendations",
    "/segue/recommended_songs",
    "/segue/checks",
    "/segue/search?q=the",
    "/segue/most_recommended",
    "/segue/five_like?song_id={song}",
)
NO_PAGES = ("/nowhere", "/segue/songs/nobody", "/compare?a=zzzzzzzz&b=qqqqqqqq")


def pages_of(build: Path) -> list[str]:
    """Return the addresses of ``PAGES`` for what a build holds: its best known songs and theirs."""
    with closing(sqlite3.connect(build / "segue.db")) as database:
        songs = database.execute(
            "select song_id, artist, taste_id from songs order by popularity desc, song_id limit 2"
        ).fetchall()
        genre = database.execute(
            "select genre from genres order by songs desc, genre limit 1"
        ).fetchone()
    (song, artist, taste), (other, *_) = songs
    names = {"song": song, "other": other, "artist": artist, "taste": taste, "genre": genre[0]}
    encoded = {name: tilde_encode(text) for name, text in names.items()}
    return [page.format(**encoded) for page in PAGES]


# song_id, title, credited artists, year, genres, family where it is another's version
INVENTED = [
    ("4uLU6hMCjMI75M1A2tKUQC", "Hello", ["Ada Bell"], 2015, ["pop", "soul"], None),
    ("hello-2", "Hello", ["The Lanterns"], 1984, ["pop"], None),
    ("hello-live", "Hello (Live)", ["Ada Bell"], 2017, ["pop"], "4uLU6hMCjMI75M1A2tKUQC"),
    ("quoted", 'The "Quoted" Song\'s', ["O'Dowd & Sons"], 1999, ["folk"], None),
    ("script", "<script>alert(1)</script>", ["<b>Bold</b>"], 2001, ["punk"], None),
    ("hebrew", "שלום עולם", ["דנה לוי"], 2010, ["pop"], None),
    ("emoji", "🔥🎶", ["🐙"], 2020, ["electronic"], None),
    ("timeless", "Undated", ["Nobody Knows"], None, [], None),
    ("accents", "Café Señor", ["Björk Ålund"], 1995, ["folk", "pop"], None),
    ("dots.and/slash", "Odd Address", ["Path Finder"], 2003, ["rock"], None),
    ("bangs", "!!!", ["!!!"], 2004, ["punk"], None),
    ("explicit", "Rude Words", ["MC Frank"], 2018, ["rap & soul"], None),
    *((f"filler-{n}", f"Filler {n}", [f"Band {n}"], 1960 + n, ["rock"], None) for n in range(10)),
]


def songs() -> list[dict[str, Any]]:
    rows = []
    for place, (song_id, title, artists, year, _, family) in enumerate(INVENTED):
        row: dict[str, Any] = dict.fromkeys(c.name for c in MEASUREMENTS)
        if song_id != "timeless":
            shares = {c.name: (place * 7 % 20) / 20 for c in MEASUREMENTS if c.unit == "0 to 1"}
            row |= {**shares, "key": place % 12, "mode": place % 2, "loudness": -7.5}
            row |= {"tempo": 90.0 + place, "time_signature": 4}
        row |= {
            "song_id": song_id,
            "title": title,
            "artist": artists[0],
            "artists": json.dumps(artists, ensure_ascii=False),
            "album": f"Album {place % 4}" if place % 3 else None,
            "year": year,
            "release_date": None if year is None else str(year),
            "duration_ms": 200_000 + place,
            "explicit": song_id == "explicit",
            "popularity": None if song_id == "timeless" else 90 - place,
            "family_id": family or song_id,
            "taste_id": "t1" if place % 2 else "t2",
            "map_x": place / len(INVENTED),
            "map_y": (place * 7 % 20) / 20,
            "source": "invented.csv",
            "label": f"{title} - {artists[0]}" + (f" ({year})" if year else ""),
        }
        rows.append(row)
    return rows


def recommendations() -> list[dict[str, Any]]:
    """Every song leads to the five that follow it, leaving out its own family."""
    families = {song_id: family or song_id for song_id, *_, family in INVENTED}
    ids = list(families)
    rows = []
    for place, song_id in enumerate(ids):
        others = [i for i in ids[place + 1 :] + ids[:place] if families[i] != families[song_id]]
        rows += [
            {
                "song_id": song_id,
                "rank": rank,
                "recommended_song_id": other,
                "distance": rank / 2,
                "similarity": 1 / (1 + rank / 2),
                "reason": "close in energy and tempo, <same> key",
                **{column.name: 100 for column in BECAUSE},
            }
            for rank, other in enumerate(others[:K], start=1)
        ]
    return rows


def summed(*rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables that the build sums up from songs, recommendations and genres."""
    songs, recommended, filed = (
        pl.DataFrame(part, {name: table.schema[name] for name in part[0]})
        for part, table in zip(rows, (SONGS, RECOMMENDATIONS, SONG_GENRES), strict=True)
    )
    songs = songs.sort("song_id")
    lists, _ = ratings.neighbours(recommended, songs["song_id"])
    made = mapping.sums(songs, recommended, lists, filed)
    return {table.name: table.check(frame).to_dicts() for table, frame in made}


def contents() -> dict[str, list[dict[str, Any]]]:
    found = songs()
    families: dict[str, list[str]] = {}
    for song in found:
        families.setdefault(song["family_id"], []).append(song["song_id"])
    recommended = recommendations()
    genres = [
        {"song_id": song_id, "genre": genre}
        for song_id, _, _, _, named, _ in INVENTED
        for genre in named
    ]
    return {
        **summed(found, recommended, genres),
        "songs": found,
        "families": [
            {"family_id": name, "song_id": members[0], "versions": len(members)}
            for name, members in families.items()
        ],
        "tastes": [
            {"taste_id": "t1", "label": "folk, acoustic", "songs": len(found) // 2, "energy": 0.4},
            {"taste_id": "t2", "label": "mixed", "songs": len(found) - len(found) // 2},
        ],
        "song_genres": genres,
        "recommendations": recommended,
        "features": [
            {
                "feature": "energy",
                "block": "mood",
                "transform": "standard score",
                "weight": 1.0,
                "mean": 0.0,
                "spread": 1.0,
                "variance_share": 1.0,
            }
        ],
        "sources": [
            {
                "source": "invented.csv",
                "kind": "tracks",
                "format": "segue",
                "sha256": "0" * 64,
                "rows_read": len(found) + 1,
                "songs": len(found),
                "merged": 0,
                **dict.fromkeys(("matched_by_id", "matched_by_name", "unmatched"), 0),
                "passed_over": 0,
                "rejected": 1,
            }
        ],
        "rejected_rows": [
            {
                "source": "invented.csv",
                "line": 9,
                "reason": "title is missing",
                "row": "x,,<i>y</i>",
            }
        ],
        "builds": [
            {
                "build_id": "abc123",
                "songs": len(found),
                "recommendations": len(recommended),
                "rejected": 1,
                "code_version": "0.1.0",
                "sources": "{}",
                "parameters": "{}",
            }
        ],
        "checks": [
            {
                "check": "no song recommends itself",
                "about": "offending rows",
                "value": 0.0,
                "bound": 0.0,
                "passed": True,
            }
        ],
    }


def insert(database: sqlite3.Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    names = [c.name for c in table.columns]
    slots = ", ".join("?" * len(names))
    database.executemany(
        f"insert into {ddl.quoted(table.name)} values ({slots})",
        ([row.get(name) for name in names] for row in rows),
    )


def write_build(folder: Path) -> Path:
    """Write ``segue.db`` and ``manifest.json`` into ``folder``."""
    folder.mkdir(parents=True)
    database = sqlite3.connect(folder / "segue.db")
    rows = contents()
    for table in TABLES:
        database.execute(ddl.create_sqlite(table))
        insert(database, table, rows.get(table.name, []))
        for statement in ddl.create_indexes(table):
            database.execute(statement)
    for view in VIEWS:
        database.execute((SQL / "views" / f"{view.name}.sql").read_text())
    write_search(database)
    database.commit()
    assert database.execute("pragma foreign_key_check").fetchall() == []
    database.close()
    manifest = {
        "build_id": "abc123",
        "name": "20261120T031200Z-abc123",
        "published_at": "2026-11-20T03:12:00Z",
        "code_version": "0.1.0",
        "parameters": {},
        "sources": {"invented.csv": "0" * 64},
        "seconds": {"read": 0.1},
        "peak_memory_mb": 100.0,
        "files": {},
        "counts": {
            "songs": len(rows["songs"]),
            "recommendations": len(rows["recommendations"]),
            "rejected": 1,
            "families": len(rows["families"]),
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("builds") / "20261120T031200Z-abc123"
    return write_build(folder)


class Reader:
    """Asks one site for pages, in process."""

    def __init__(self, build: Path, **options: Any) -> None:
        self.site = site(build, Options(**options))

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self.asked("GET", path))

    def post(self, path: str, **sent: Any) -> httpx.Response:
        return asyncio.run(self.asked("POST", path, **sent))

    async def asked(self, method: str, path: str, **sent: Any) -> httpx.Response:
        await self.site.invoke_startup()
        client = self.site.client
        response: httpx.Response = await client.request(
            method, path, follow_redirects=False, **sent
        )
        return response


@pytest.fixture(scope="session")
def reader(build: Path) -> Reader:
    return Reader(build)


@pytest.fixture(scope="session")
def demo_reader(demo: Path) -> Reader:
    """Return a reader of the demo catalogue."""
    return Reader(demo)


@pytest.fixture(scope="session")
def open_reader(build: Path) -> Reader:
    return Reader(build, allow_sql=True, allow_download=True, suggest_facets=True)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update"]  # fmt: skip
SERVE = (
    "import sys, uvicorn; from pathlib import Path; from flows.site.serve import bound, site; "
    "listener = bound('127.0.0.1', int(sys.argv[2])); "
    "config = uvicorn.Config(site(Path(sys.argv[1])).app(), log_level='warning'); "
    "uvicorn.Server(config).run(sockets=[listener])"
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_open(port: int, process: subprocess.Popen[str], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(port)


@contextmanager
def running(build: Path) -> Iterator[str]:
    """Serve a build on a free port of this machine until the block ends."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(build), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_open(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@pytest.fixture(scope="session")
def address(build: Path) -> Iterator[str]:
    """Return the address of a server that shows the invented songs."""
    with running(build) as found:
        yield found


@pytest.fixture(scope="session")
def demo_address(demo: Path) -> Iterator[str]:
    """Return the address of a server that shows the demo catalogue."""
    with running(demo) as found:
        yield found


@pytest.fixture(scope="module")  # its event loop stands in the way of Reader while it is open
def browser() -> Iterator[Browser]:
    """Return a headless Chromium; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


class WatchedPage(Page):
    """What ``page_of`` opens."""

    complaints: list[str]


@contextmanager
def page_of(
    browser: Browser, width: int, scheme: Literal["light", "dark"] = "light", script: bool = True
) -> Iterator["WatchedPage"]:
    """Open a page that keeps what its console says in ``complaints``."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=script
    )
    page = cast(WatchedPage, context.new_page())
    complaints = page.complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda _: complaints.append("dialog"))
    yield page
    context.close()
