"""Each rule is broken on purpose in a copy of a good build, and must be the one that fails."""

import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from flows.settings import settings
from transforms.arrays import sameness
from warehouse.contracts import CHECKS
from warehouse.errors import BuildRejected, InputError
from warehouse.gates import Bounds, as_frame, checked, require_passed
from warehouse.release import Home, published

BOUNDS = Bounds(neighbours=5, artist_cap=2, max_variance_share=0.5, row_count_tolerance=0.2)
SEGUE = Path(sys.executable).with_name("segue")

# In this order: the five recommendations of the first song of the demo catalogue.
FIRST = "(select min(song_id) from songs)"

BROKEN = {
    "every_song_has_its_list": (
        f"delete from recommendations where song_id = {FIRST} and rank = 3",
        ["recommendations 4", "exactly 5", "SEGUE_NEIGHBOURS"],
    ),
    "no_song_recommends_itself": (
        f"update recommendations set recommended_song_id = song_id "
        f"where song_id = {FIRST} and rank = 2",
        ["rank 2"],
    ),
    "no_song_recommends_its_family": (
        f"update songs set family_id = (select family_id from songs where song_id = {FIRST}) "
        f"where song_id = (select recommended_song_id from recommendations "
        f"where song_id = {FIRST} and rank = 4)",
        ["rank 4"],
    ),
    "one_song_of_each_family": (
        "update songs set family_id = (select family_id from songs join recommendations r "
        f"on songs.song_id = r.recommended_song_id where r.song_id = {FIRST} and rank = 1) "
        "where song_id = (select recommended_song_id from recommendations "
        f"where song_id = {FIRST} and rank = 2)",
        ["versions 2"],
    ),
    "two_songs_by_one_artist": (
        "update songs set artist = 'Everybody' where song_id in (select recommended_song_id "
        f"from recommendations where song_id = {FIRST} and rank <= 3)",
        ["artist 'Everybody'", "songs 3"],
    ),
    "references_hold": (
        f"update recommendations set recommended_song_id = 'nobody' where song_id = {FIRST} "
        "and rank = 5",
        ["recommendations: song_id", "rank 5", "recommended_song_id 'nobody' is not in songs"],
    ),
    "every_row_is_accounted_for": (
        "update sources set rows_read = rows_read + 1 where kind = 'tracks'",
        ["tracks.csv"],
    ),
    "every_family_is_counted": (
        f"update families set versions = 7 where family_id = "
        f"(select family_id from songs where song_id = {FIRST})",
        ["versions 7"],
    ),
    "every_taste_is_counted": (
        "update tastes set songs = 3 where songs = (select max(songs) from tastes)",
        ["songs 3"],
    ),
    "every_artist_is_counted": (
        f"update artists set songs = 99 where artist = "
        f"(select artist from songs where song_id = {FIRST})",
        ["songs 99"],
    ),
    "every_song_can_be_found": (
        "insert into songs_fts (songs_fts, rowid, title, artist) "
        "select 'delete', rowid, title, artist from songs limit 1",
        ["songs 2400", "found 2399"],
    ),
    "nothing_scored_was_learnt": (
        "update evaluation set value = 3 where metric = 'held-out playlists learnt from'",
        ["metric 'held-out playlists learnt from'", "value 3.0", "n 64"],
    ),
    "nothing_is_lent_for_display": (
        "update sources set licence = 'display only' where kind = 'tracks'",
        ["licence 'display only'", "--tracks"],
    ),
    "no_column_dominates": (
        "update features set variance_share = 0.51 where feature = 'tempo'",
        ["feature 'tempo', variance_share 0.510", "SEGUE_MAX_VARIANCE_SHARE"],
    ),
}


@pytest.fixture
def broken(demo, tmp_path):
    """Return a function that copies the good file and runs one statement on the copy."""

    def breaking(sql):
        file = Path(shutil.copy(demo / "segue.db", tmp_path / "segue.db"))
        with closing(sqlite3.connect(file)) as database:
            assert database.execute(sql).rowcount != 0
            database.commit()
        return file

    return breaking


def failures(file, last=None, bounds=BOUNDS):
    return {
        c.name: c for c in checked(file, bounds, sameness, last, lambda _: None) if not c.passed
    }


def message(checks):
    with pytest.raises(BuildRejected) as caught:
        require_passed(checks)
    return str(caught.value)


def test_the_good_build_passes_every_rule(demo):
    done = []
    checks = checked(demo / "segue.db", BOUNDS, sameness, demo / "segue.db", done.append)
    assert all(check.passed for check in checks)
    assert len(checks) == sum(done) == 16
    require_passed(checks)
    CHECKS.check(as_frame(checks))


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_build_is_refused_by_the_rule_and_its_first_rows(broken, rule):
    sql, words = BROKEN[rule]
    failed = failures(broken(sql))
    assert rule in failed
    text = message(list(failed.values()))
    assert f"- {rule}: {failed[rule].about}" in text
    told = text.partition(f"- {rule}: ")[2].partition("\n- ")[0]
    for word in words:
        assert word in told
    assert text.startswith("The build broke ")
    assert "nothing was published" in text


@pytest.mark.parametrize(
    "rule",
    [
        *("no_column_dominates", "every_song_can_be_found"),
        *("every_artist_is_counted", "every_taste_is_counted"),
    ],
)
def test_a_rule_fails_alone_where_only_it_is_broken(broken, rule):
    assert set(failures(broken(BROKEN[rule][0]))) == {rule}


SPELT = {
    "two_songs_by_one_artist": [("A", "Noël & Co"), ("B", "NOEL AND CO"), ("C", "noe\u0308l & co")],
    "one_song_of_each_family": [("Intro (Part 1)", "Élan"), ("Intro - Part 2", "ELAN")],
}


@pytest.mark.parametrize("rule", SPELT)
def test_rules_of_lists_see_through_the_ways_to_spell_a_name(broken, rule):
    file = broken("update songs set title = title")
    with closing(sqlite3.connect(file)) as database:
        for rank, names in enumerate(SPELT[rule], start=1):
            database.execute(
                "update songs set title = ?, artist = ? where song_id = ("
                "select recommended_song_id from recommendations "
                f"where song_id = {FIRST} and rank = ?)",
                [*names, rank],
            )
        database.commit()
    assert rule in failures(file)


def test_every_rule_is_proven_to_fail(demo):
    names = {
        check.name for check in checked(demo / "segue.db", BOUNDS, sameness, None, lambda _: None)
    }
    assert names == {*BROKEN, "file_is_sound", "row_counts_near_last_build"}


def test_a_list_that_begins_at_the_second_rank_is_no_list(broken):
    assert "every_song_has_its_list" in failures(
        broken(f"update recommendations set rank = rank + 5 where song_id = {FIRST}")
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_is_refused_without_a_traceback(demo, tmp_path, seed):
    file = Path(shutil.copy(demo / "segue.db", tmp_path / "segue.db"))
    data = bytearray(file.read_bytes())
    rng = random.Random(seed)
    for page in rng.sample(range(2, len(data) // 4096), 400):
        data[page * 4096 : page * 4096 + 200] = rng.randbytes(200)
    file.write_bytes(data)
    failed = failures(file)
    assert set(failed) == {"file_is_sound"}
    assert "- file_is_sound: SQLite finds the file sound" in message(list(failed.values()))


def test_a_file_that_was_cut_short_is_refused(demo, tmp_path):
    file = tmp_path / "segue.db"
    file.write_bytes((demo / "segue.db").read_bytes()[:2_000_000])
    assert set(failures(file)) == {"file_is_sound"}
    file.write_bytes(b"no database at all" * 1000)
    assert set(failures(file)) == {"file_is_sound"}


@pytest.mark.parametrize(("kept", "refused"), [(0.5, True), (0.85, False)])
def test_a_catalogue_that_shrank_too_much_is_refused(demo, broken, kept, refused):
    file = broken(
        "delete from songs where rowid > (select count(*) from songs) * " + str(kept),
    )
    failed = failures(file, last=demo / "segue.db")
    assert ("row_counts_near_last_build" in failed) is refused
    if refused:
        text = message([failed["row_counts_near_last_build"]])
        assert "songs: 2400 rows before, 1200 now" in text
        assert "SEGUE_ROW_COUNT_TOLERANCE" in text


def test_a_catalogue_that_grew_too_much_is_refused_too(demo, broken):
    smaller = broken("delete from songs where rowid > 1500")
    assert "row_counts_near_last_build" in failures(demo / "segue.db", last=smaller)


def test_only_the_first_rows_are_shown_and_all_are_counted(broken):
    failed = failures(broken("delete from recommendations where rank = 5"))
    check = failed["every_song_has_its_list"]
    assert check.value == 2400
    assert len(check.offenders) == 3


def segue(*words, **environment):
    run = subprocess.run(
        [SEGUE, *words],
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in run.stderr
    return run


def test_a_refused_build_gives_exit_code_3_and_leaves_what_is_served(
    build, golden, snapshot, tmp_path
):
    served = build(tmp_path, golden / "tracks.csv", neighbours=3)
    before = snapshot(served)
    run = segue(
        *("build", "--direct", "--home", str(tmp_path), "--neighbours", "3"),
        *("--tracks", str(golden / "tracks.csv")),
        SEGUE_MAX_VARIANCE_SHARE="0.05",
    )
    assert run.returncode == 3
    assert "no_column_dominates" in run.stderr
    assert "Published" not in run.stdout
    assert published(Home(tmp_path)) == served
    assert snapshot(served) == before


def test_a_catalogue_that_is_too_small_for_the_rules_is_told_what_to_do(build, golden, tmp_path):
    served = build(tmp_path, golden / "tracks.csv", neighbours=3)
    with pytest.raises(BuildRejected) as caught:
        build(tmp_path, golden / "tracks.csv", neighbours=10)
    assert "every_song_has_its_list" in str(caught.value)
    assert "song_id 'dance1', title 'Café Señor', recommendations 9" in str(caught.value)
    assert "lower SEGUE_NEIGHBOURS or add songs" in str(caught.value)
    assert published(Home(tmp_path)) == served


@pytest.mark.parametrize("songs", [0, 1, 5])
def test_fewer_songs_than_recommendations_are_refused_at_once(build, golden, tmp_path, songs):
    header, *lines = (golden / "tracks.csv").read_text(encoding="utf-8").splitlines()
    bad = ["bad,row", "another"]
    (tmp_path / "few.csv").write_text("\n".join([header, *bad, *lines[:songs]]) + "\n")
    with pytest.raises(InputError, match=f"5 recommendations .* has {songs}"):
        build(tmp_path / "var", tmp_path / "few.csv", max_rejected_share=1.0)
    assert not (tmp_path / "var" / "current").exists()


def test_the_bounds_are_settings():
    assert settings().neighbours == BOUNDS.neighbours
    assert settings().max_variance_share == BOUNDS.max_variance_share
    assert settings().row_count_tolerance == BOUNDS.row_count_tolerance
