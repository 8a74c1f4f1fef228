import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from warehouse.choices import ROLLED_BACK, Choices, write_choices
from warehouse.contracts import TABLES
from warehouse.ddl import create_sqlite
from warehouse.manifest import Manifest, damage, file_facts, write_manifest
from warehouse.release import Home, builds, new_build, promote, published
from warehouse.repair import newest_whole, repaired

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "var")


def finished(home, build_id):
    build = new_build(home, NOW, build_id)
    with closing(sqlite3.connect(build / "segue.db")) as database:
        for table in TABLES:
            database.execute(create_sqlite(table))
    sealed(build, build_id)
    return build.name


def sealed(build, build_id):
    facts = file_facts(build)
    values: dict = {"name": build.name, "published_at": NOW.isoformat(), "code_version": "0.1.0"}
    write_manifest(build, Manifest(build_id, **values, **EMPTY, peak_memory_mb=1.0, files=facts))


EMPTY: dict = {"parameters": {}, "sources": {}, "counts": {}, "seconds": {}}


def turned(home, name):
    file = home.builds / name / "segue.db"
    whole = bytearray(file.read_bytes())
    whole[-1] ^= 1
    file.write_bytes(whole)


def test_a_whole_build_and_an_empty_home_are_left_as_they_are(home):
    assert repaired(home) is None
    promote(home, finished(home, "a"))
    assert repaired(home) is None


def test_a_damaged_build_is_set_aside_and_the_last_good_one_is_served(home):
    names = [finished(home, build_id) for build_id in "abcd"]
    promote(home, names[3])
    turned(home, names[3])
    turned(home, names[2])
    repair = repaired(home)
    assert published(home).name == repair.served == names[1]
    assert repair.aside == home.root / "damaged" / names[3]
    assert damage(repair.aside)
    assert "segue.db is not the file that was published" in str(repair)
    assert str(home.root / "damaged" / names[3]) in str(repair)
    assert repaired(home) is None


def test_a_build_that_was_rolled_back_takes_no_place(home):
    names = [finished(home, build_id) for build_id in "abc"]
    promote(home, names[1])
    write_choices(home.root, Choices().holding("c", names[2], ROLLED_BACK, "by hand"))
    turned(home, names[1])
    assert repaired(home).served == names[0]
    assert newest_whole(home) == names[0]


def test_where_none_is_whole_nothing_is_served_and_the_next_build_starts_anew(home):
    name = finished(home, "a")
    promote(home, name)
    (home.builds / name / "manifest.json").write_text("{")
    repair = repaired(home)
    assert repair.served == ""
    assert "nothing is served until one is made" in str(repair)
    assert not home.current.is_symlink()
    assert repaired(home) is None


@pytest.mark.parametrize("lost", ["link", "target"])
def test_a_link_that_is_gone_or_leads_nowhere_is_set_to_the_newest_whole_build(home, lost):
    names = [finished(home, build_id) for build_id in "ab"]
    promote(home, names[1])
    if lost == "link":
        home.current.unlink()
    else:
        (home.builds / names[1]).rename(home.root / "lost")
    repair = repaired(home)
    assert published(home).name == repair.served == (names[1] if lost == "link" else names[0])
    assert repair.aside is None
    assert "is gone" in str(repair)


def test_only_the_last_damaged_build_is_kept(home):
    names = [finished(home, build_id) for build_id in "abc"]
    for name in (names[2], names[1]):
        promote(home, name)
        turned(home, name)
        repaired(home)
    assert [path.name for path in (home.root / "damaged").iterdir()] == [names[1]]
    assert [manifest.name for manifest in builds(home)] == [names[0]]


def test_a_build_of_another_version_takes_no_place(home):
    names = [finished(home, build_id) for build_id in "abc"]
    with closing(sqlite3.connect(home.builds / names[1] / "segue.db")) as database:
        database.execute("drop table changes")
    (home.builds / names[1] / "manifest.json").unlink()
    sealed(home.builds / names[1], "b")
    promote(home, names[2])
    turned(home, names[2])
    assert repaired(home).served == names[0]
