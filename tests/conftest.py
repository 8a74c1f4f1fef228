"""What all tests share: builds that are made once a run, and the folder of real catalogues."""

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import settings as examples

from flows.nightly.run import directly
from flows.settings import FILES, Settings, settings
from warehouse.connectors.snapshots import origin_path
from warehouse.demo.files import demo_listening, write_demo
from warehouse.errors import SegueError
from warehouse.manifest import sha256
from warehouse.release import Home, published

SHARED = Path(__file__).parents[2] / "shared" / "data"
COLLECTED = pytest.StashKey[set[tuple[Path, str]]]()

CIRCLES = ["dinner party", "running club", "workshop"]
Build = Callable[..., Path]
Files = dict[str, tuple[Path, ...]]
Once = Callable[[str, Callable[[Path], object]], Path]

examples.register_profile("segue", deadline=None)  # a busy machine fails no test
examples.load_profile("segue")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes run the tests: none but this one where one file is asked for."""
    files = {argument.partition("::")[0] for argument in config.args}
    alone = len(files) == 1 and all(name.endswith(".py") for name in files)
    return 0 if alone else len(os.sched_getaffinity(0))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they use, note them all, and let slow files begin first."""
    config.stash[COLLECTED] = {(item.path, getattr(item, "originalname", "")) for item in items}
    for item in items:
        used = getattr(item, "fixturenames", ())
        for marker, fixture in (("browser", "browser"), ("real", "shared_data")):
            if fixture in used:
                item.add_marker(marker)
                item.add_marker("slow")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def collected(pytestconfig: pytest.Config) -> set[tuple[Path, str]]:
    """Return file and name of every test of this run, those that are deselected among them."""
    return pytestconfig.stash[COLLECTED]


@pytest.fixture(scope="session")
def shared_data():
    """Return a function from a file's name to its path, which skips where it is not there."""

    def path(name):
        if not (SHARED / name).is_file():
            pytest.skip(f"{name} is not in {SHARED}")
        return SHARED / name

    return path


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_ones_own() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.upper().startswith("SEGUE_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Return a function that fills a folder once a run, whichever process is the first to ask.

    Nobody may write in the folder that it returns.
    """
    base = tmp_path_factory.getbasetemp()
    top = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once"
    top.mkdir(exist_ok=True)

    def folder(name: str, fill: Callable[[Path], object]) -> Path:
        place, done = top / name, top / f"{name}.done"
        with (top / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(place, ignore_errors=True)
                fill(place)
                done.touch()
        return place

    return folder


def home_of(once: Once, chosen: Settings) -> Path:
    """Return a home in which a build was made, once a run, by settings; where it lies is open."""
    facts: dict[str, Any] = chosen.model_dump(mode="json", exclude={"home", *FILES})
    for kind in FILES:
        given = getattr(chosen, kind)
        origins = [path for path in map(origin_path, given) if path.exists()]
        facts[kind] = [(file.name, sha256(file)) for file in (*given, *origins)]
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return once(name, lambda home: directly(chosen.model_copy(update={"home": home}), force=False))


@pytest.fixture(scope="session")
def build(once: Once) -> Build:
    """Return a function that builds without Prefect and returns the published folder.

    The first build in an empty home is copied, where this run has made one of the same files and
    settings before. ``fresh`` makes it anew, where the making is what is tested.
    """

    def run(home: Path, *tracks: Path, force: bool = False, fresh: bool = False, **others: Any):
        chosen = settings(home=home, **{"tracks": tracks, **others})
        if not (force or fresh or (home.exists() and any(home.iterdir()))):
            try:
                made = home_of(once, chosen)
            except (SegueError, OSError):
                pass  # it fails where the test looks, too
            else:
                shutil.copytree(made, home, symlinks=True, dirs_exist_ok=True)
                return published(Home(home))
        directly(chosen, force)
        return published(Home(home))

    return run


@pytest.fixture(scope="session")
def demo(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the published folder of the demo catalogue; nobody may write in it."""
    return published(Home(home_of(once, settings(home=tmp_path_factory.getbasetemp()))))


@pytest.fixture(scope="session")
def sound(demo: Path, once: Once) -> Path:
    """Return the published folder of the demo's songs alone, without playlists, ratings, genres."""
    tracks = (demo.parents[1] / "demo" / "tracks.csv",)
    return published(Home(home_of(once, settings(home=demo.parents[1], tracks=tracks))))


@pytest.fixture
def demo_home(demo: Path, tmp_path: Path) -> Path:
    """Return a home of one's own with a build of the demo catalogue."""
    return Path(shutil.copytree(demo.parents[1], tmp_path / "var", symlinks=True))


@pytest.fixture(scope="session")
def small(once: Once) -> Files:
    """Return files of the settings: the third of the demo that some of its circles listen to.

    A build of them learns from playlists and measures itself as one of the whole demo does, in a
    third of the time.
    """
    folder = once("small", write_small)
    kinds = {"tracks": "tracks", "genres": "artists", "playlists": "playlists"}
    return {kind: (folder / f"{name}.csv",) for kind, name in kinds.items()}


def write_small(folder: Path) -> None:
    """Write the songs of three circles, their playlists, and the genres of all artists."""
    write_demo(folder)
    heard = demo_listening().filter(pl.col("circle").is_in(CIRCLES)).select("song_id")
    tracks = pl.read_csv(folder / "tracks.csv", infer_schema_length=0, truncate_ragged_lines=True)
    kept = tracks.join(heard.unique(), on="song_id", how="semi")
    kept.write_csv(folder / "tracks.csv")
    entries = pl.read_csv(folder / "playlists.csv", infer_schema_length=0)
    here = pl.col("track_id").is_in(kept["song_id"].implode())
    titled = pl.col("track_name").is_in(kept["title"].implode())
    own = (here | titled).fill_null(value=False).mean().over("playlist_id") > 0.5
    entries.filter(own).write_csv(folder / "playlists.csv")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of twelve songs whose recommendations were reviewed by hand."""
    return Path(__file__).parent / "builds" / "golden"


@pytest.fixture(scope="session")
def signals(golden: Path) -> dict[str, Any]:
    """Return the settings that add the golden signals, of which one entry in nine is bad."""
    return {
        "genres": [golden / "artists.csv"],
        "playlists": [golden / "playlists.csv"],
        "max_rejected_share": 0.2,
    }


@pytest.fixture(scope="session")
def rows() -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that asks the database of a build in SQL."""

    def ask(folder: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
        uri = f"file:{folder.resolve() / 'segue.db'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            return database.execute(sql, values).fetchall()

    return ask


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], dict[str, str]]:
    """Return a function from a folder to every file below it and its hash, or link and target."""

    def look(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): str(path.readlink())
            if path.is_symlink()
            else sha256(path)
            for path in sorted(folder.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    return look
