"""Real builds in temporary homes, and ways to look into them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows.nightly.run import directly
from flows.settings import settings
from warehouse.manifest import sha256
from warehouse.release import Home, published

Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build() -> Build:
    """Return a function that builds without Prefect and returns the published folder."""

    def run(home: Path, *tracks: Path, force: bool = False, **others: Any) -> Path:
        directly(settings(home=home, tracks=tracks, **others), force)
        return published(Home(home))

    return run


@pytest.fixture(scope="session")
def golden() -> Path:
    return Path(__file__).parent / "golden"


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
    """Return a function that tells every file below a folder and its bytes or target."""

    def look(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): str(path.readlink())
            if path.is_symlink()
            else sha256(path)
            for path in sorted(folder.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    return look
