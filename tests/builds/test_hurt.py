"""A home that is hurt on purpose: killed at random, starved of disk, damaged, moved, read-only.

``HURT_TIMES`` is how often each is done; the checks do it a few times, whoever wants to be surer
a hundred.
"""

import multiprocessing
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import joblib
import pytest

from flows.nightly.run import directly
from flows.nightly.status import status
from flows.settings import settings
from warehouse import operate, runs
from warehouse.choices import read_choices
from warehouse.errors import SegueError
from warehouse.manifest import Manifest, damage, file_facts, read_manifest, write_manifest
from warehouse.published import Published
from warehouse.release import Home, builds, leased, published
from warehouse.repair import repaired

TIMES = int(os.environ.get("HURT_TIMES", "6"))
SEED = int(os.environ.get("HURT_SEED", "2026"))
SEGUE = Path(sys.executable).with_name("segue")
LONGEST = 3.0  # seconds until a process is killed: a build of twelve songs takes about as long
AGE = timedelta(hours=26)


@pytest.fixture(scope="module")
def two(build, golden, tmp_path_factory):
    """Return a home with two builds, the second of which is served; nobody may change it."""
    home = tmp_path_factory.mktemp("two") / "var"
    build(home, golden / "tracks.csv", neighbours=2)
    build(home, golden / "tracks.csv", neighbours=3)
    return home


@pytest.fixture
def home(two, tmp_path):
    return Home(shutil.copytree(two, tmp_path / "var", symlinks=True))


def require_sound(home):
    """What a killed process may leave: one whole build that is served, and no doubt about runs."""
    assert damage(published(home)) == []
    with closing(sqlite3.connect(published(home) / "segue.db")) as database:
        assert database.execute("pragma quick_check").fetchall() == [("ok",)]
    read_choices(home.root)
    known = runs.runs(home.root)
    assert all(run.outcome != "running" for run in known)


def _build(root, tracks, neighbours):
    with suppress(SegueError):
        directly(settings(home=root, tracks=[tracks], neighbours=neighbours), True)


def _roll(root, tracks, neighbours):
    while True:  # until it is killed
        with suppress(SegueError):
            operate.roll_back(Home(root))
        with suppress(SegueError):
            operate.publish(Home(root))


def _read(root, tracks, neighbours):
    build = Published(published(Home(root)))
    lease = leased(build.folder)
    while lease:
        build.database.execute("select count(*) from songs").fetchone()


@pytest.mark.slow
def test_kill_9_at_random_moments_never_leaves_readers_without_a_whole_build(home, golden):
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload([__name__, "flows.nightly.ingest", "flows.nightly.publish"])
    chance = random.Random(SEED)
    for turn in range(TIMES):
        action = (_build, _build, _roll, _read)[turn % 4]
        words = (home.root, golden / "tracks.csv", 2 + turn % 3)
        process = forked.Process(target=action, args=words)
        process.start()
        process.join(chance.uniform(0.05, LONGEST if action is _build else LONGEST / 6))
        process.kill()
        process.join()
        require_sound(home)
    last = directly(settings(home=home.root, tracks=[golden / "tracks.csv"], neighbours=5), True)
    assert last.published
    require_sound(home)
    assert not [path.name for path in home.root.iterdir() if "pending" in path.name]
    assert {path.name for path in home.builds.iterdir()} == {m.name for m in builds(home)}
    assert not list(home.root.glob(".run-*"))


def test_damage_to_any_file_is_seen_and_the_one_before_served(home):
    served = published(home)
    first = min(path.name for path in home.builds.iterdir())
    names = ["manifest.json", *read_manifest(served).files]
    assert len(names) > 40
    for name in names:
        whole = (served / name).read_bytes()
        turned = bytearray(whole)
        turned[len(whole) // 2] ^= 1 << len(name) % 8
        for hurt in (whole[:-2], whole[: len(whole) // 2], b"", bytes(turned)):
            (served / name).write_bytes(hurt)
            assert damage(served), name
        (served / name).write_bytes(whole)
    assert damage(served) == []
    (served / names[-1]).unlink()
    repair = repaired(home)
    assert repair is not None
    assert (repair.served, published(home).name) == (first, first)


@contextmanager
def disk(place, size):
    """Mount a small disk, where one may; its size is in kilobytes."""
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def resize(place, size):
    subprocess.run(["mount", "-o", f"remount,size={size}k", place], check=True)


def used(folder):
    return sum(path.stat().st_blocks for path in folder.rglob("*") if not path.is_symlink()) // 2


def segue(*words):
    return subprocess.run(
        [SEGUE, *words],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_a_disk_that_fills_at_any_write_is_said_and_harms_nothing(two, golden, tmp_path):
    words = ("--tracks", golden / "tracks.csv", "--neighbours", "4")
    with disk(tmp_path / "disk", 64_000) as place:
        home = Home(shutil.copytree(two, place / "var", symlinks=True))
        before = published(home).name
        occupied = used(home.root)
        for turn in range(TIMES):
            free = round(8000 * turn / TIMES)  # kilobytes; a build wants some 10,000
            resize(place, occupied + free)
            ended = segue("build", "--direct", "--force", "--home", home.root, *words)
            assert ended.returncode == 1, (free, ended.stderr)
            assert ended.stderr.count("Error: Could not read or write: ") == 1, ended.stderr
            assert "Traceback" not in ended.stderr
            assert "disk" in ended.stderr or "space" in ended.stderr
            assert published(home).name == before
            require_sound(home)
            assert used(home.root) <= occupied + 100, "what was half made is gone"
        resize(place, 64_000)
        assert segue("build", "--direct", "--home", home.root, *words).returncode == 0
        assert published(home).name > before
        require_sound(home)


def test_a_home_that_may_only_be_read_is_read_and_a_build_says_so(two, golden, tmp_path):
    with disk(tmp_path / "disk", 64_000) as place:
        home = Home(shutil.copytree(two, place / "var", symlinks=True))
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        for words in (("status",), ("runs",), ("builds",), ("similar", "Neon")):
            shown = segue(*words, "--home", home.root)
            assert shown.returncode == 0, shown.stderr
        for words in (("build", "--direct", "--tracks", golden / "tracks.csv"), ("rollback",)):
            refused = segue(*words, "--home", home.root)
            assert refused.returncode == 2, refused.stderr
            assert "Read-only file system" in refused.stderr
            assert "Traceback" not in refused.stderr


def test_a_home_can_be_moved_to_another_file_system(home, golden, tmp_path):
    with disk(tmp_path / "disk", 64_000) as place:
        served = published(home).name
        moved = Home(Path(shutil.move(home.root, place / "elsewhere")))
        assert published(moved).name == served
        chosen = settings(home=moved.root, tracks=[golden / "tracks.csv"], neighbours=3)
        assert directly(chosen, False).kind == "nothing new"
        assert directly(chosen, True).published


def test_a_clock_that_was_put_back_hides_nothing(home, golden):
    """What is there was built a year ahead: the next build is newer all the same."""
    ahead = f"{datetime.now(UTC) + timedelta(days=365):%Y%m%dT%H%M%SZ}-0123456789ab"
    served = published(home)
    manifest = read_manifest(served)
    served.rename(home.builds / ahead)
    values = {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
    later = (datetime.now(UTC) + timedelta(days=365)).isoformat(timespec="seconds")
    changed = {"name": ahead, "published_at": later, "build_id": "0123456789ab"}
    write_manifest(home.builds / ahead, Manifest(**{**values, **changed}))
    home.current.unlink()
    home.current.symlink_to(Path("builds") / ahead)
    assert any("The clock says" in problem for problem in status(home, AGE).problems)
    chosen = settings(home=home.root, tracks=[golden / "tracks.csv"], neighbours=4)
    made = directly(chosen, False).manifest.name
    assert made > ahead
    assert published(home).name == made
    target, before, hold = operate.roll_back(home)
    assert (target, before) == (ahead, made)
    assert hold is not None


class Moved:
    """What a model of another version is made of."""


def test_a_home_of_another_version_is_read_no_further_than_it_can_be_and_upgraded(
    home, golden, monkeypatch
):
    served = published(home)
    with closing(sqlite3.connect(served / "segue.db")) as database:
        database.execute("drop table changes")
        database.execute("alter table songs drop column label")
    Moved.__module__ = "segue_of_yesterday"
    monkeypatch.setitem(sys.modules, "segue_of_yesterday", sys.modules[__name__])
    joblib.dump(Moved(), served / "models" / "encoder.joblib")
    manifest = read_manifest(served)
    values = {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
    changed = {"code_version": "0.0.9+abc", "build_id": "0123456789ab"}
    write_manifest(served, Manifest(**{**values, **changed, "files": file_facts(served)}))
    for words in (("similar", "Hello"), ("search", "Hello")):
        refused = segue(*words, "--home", home.root)
        assert refused.returncode == 2
        assert "was made by Segue 0.0.9+abc and lacks what this version reads: " in refused.stderr
        assert "changes" in refused.stderr
        assert "Run: segue build" in refused.stderr
    assert segue("status", "--home", home.root).returncode == 0
    made = segue("build", "--direct", "--tracks", golden / "tracks.csv", "--home", home.root)
    assert made.returncode == 0, made.stderr
    back = segue("rollback", served.name, "--home", home.root)
    assert back.returncode == 2
    assert "0.0.9+abc" in back.stderr
    assert published(home).name > served.name
