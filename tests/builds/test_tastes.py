"""The tastes of builds: in each, and from one night to the next."""

import csv
from dataclasses import replace

import polars as pl
import pytest

from warehouse.manifest import read_manifest, write_manifest

pytestmark = pytest.mark.slow

MEMBERS = "select song_id, taste_id from songs order by song_id"
TASTES = "select * from tastes order by taste_id"


def test_every_song_is_of_a_taste_whose_label_and_means_are_its_songs(demo, rows):
    tastes = rows(demo, "select taste_id, label, songs, energy from tastes")
    counted = rows(demo, "select taste_id, count(*), avg(energy) from songs group by taste_id")
    assert len({label for _, label, _, _ in tastes}) == len(tastes) >= 12
    found = {taste: (count, pytest.approx(energy)) for taste, count, energy in counted}
    assert {taste: (songs, energy) for taste, _, songs, energy in tastes} == found


def test_a_planted_genre_of_the_demo_gathers_in_a_taste(demo, rows):
    shared = rows(
        demo,
        "select g.genre, s.taste_id, count(*) from song_genres g join songs s using (song_id) "
        "group by 1, 2",
    )
    frame = pl.DataFrame(shared, schema=["genre", "taste", "songs"], orient="row")
    largest = frame.group_by("genre").agg(pl.col("songs").max() / pl.col("songs").sum())
    by_chance = rows(demo, "select max(songs) * 1.0 / sum(songs) from tastes")[0][0]
    assert largest["songs"].median() > 2 * by_chance


@pytest.fixture(scope="module")
def nights(build, small, tmp_path_factory):
    """Return two homes of the same history: a catalogue, and one with a twentieth more songs."""
    top = tmp_path_factory.mktemp("nights")
    (whole,) = small["tracks"]
    with whole.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    (top / "before").mkdir()
    before = top / "before" / "tracks.csv"
    with before.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *(line for n, line in enumerate(lines) if n % 20)])
    first = [build(top / "one", before), build(top / "two", before, fresh=True)]
    second = [build(top / name, whole) for name in ("one", "two")]
    return top / "one", whole, first, second


def test_songs_keep_their_taste_and_tastes_their_label_when_songs_come(nights, rows):
    _, _, (before, _), (after, _) = nights
    yesterday, today = dict(rows(before, MEMBERS)), dict(rows(after, MEMBERS))
    both = yesterday.keys() & today.keys()
    assert len(both) < len(today)
    assert sum(yesterday[song] == today[song] for song in both) > 0.9 * len(both)
    labels = "select taste_id, label from tastes"
    named = dict(rows(before, labels)), dict(rows(after, labels))
    same = named[0].keys() & named[1].keys()
    assert sum(named[0][taste] == named[1][taste] for taste in same) >= 0.75 * len(same)


def test_homes_of_the_same_history_have_the_same_tastes(nights, rows):
    _, _, first, second = nights
    for one, two in (first, second):
        assert rows(one, MEMBERS) == rows(two, MEMBERS)
        assert rows(one, TASTES) == rows(two, TASTES)


def test_building_again_after_another_night_gives_the_same_tastes(nights, build, rows):
    home, whole, _, (after, _) = nights
    again = build(home, whole, force=True)
    assert again != after
    assert read_manifest(again).build_id == read_manifest(after).build_id
    assert rows(again, MEMBERS) == rows(after, MEMBERS)
    assert rows(again, TASTES) == rows(after, TASTES)


def test_a_served_build_of_before_there_were_tastes_is_no_start(build, golden, rows, tmp_path):
    served = build(tmp_path, golden / "tracks.csv", neighbours=3)
    manifest = read_manifest(served)
    counts = {name: count for name, count in manifest.counts.items() if name != "tastes"}
    write_manifest(served, replace(manifest, counts=counts))
    folder = build(tmp_path, golden / "tracks.csv", neighbours=2)
    assert rows(folder, "select songs from tastes") == [(12,)]
