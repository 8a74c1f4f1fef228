import csv
import io

import numpy as np
import polars as pl
import pytest

from warehouse.demo.catalogue import SCENES, SCHEMA, demo_songs
from warehouse.demo.files import write_demo

HEADER = (
    "song_id,title,artists,album,release_date,duration_ms,explicit,popularity,danceability,energy,"
    "key,loudness,mode,speechiness,acousticness,instrumentalness,liveness,valence,tempo,"
    "time_signature,genres"
)
SOUNDS = (
    *("danceability", "energy", "loudness", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo"),
)


@pytest.fixture(scope="module")
def songs():
    return demo_songs()


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    (path,) = write_demo(tmp_path_factory.mktemp("demo")).tracks
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def neighbours(songs):
    """Return the scene of each song's nearest other song by z-scores."""
    points = songs.select(SOUNDS).to_numpy()
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    squares = (points**2).sum(axis=1)
    apart = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(apart, np.inf)
    return songs["scene"].gather(apart.argmin(axis=1))


def versions(songs):
    """Return each version beside its original, whose columns end in ``_original``."""
    return songs.join(songs, left_on="version_of", right_on="song_id", suffix="_original")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    first = write_demo(tmp_path / "a").tracks[0].read_bytes()
    assert write_demo(tmp_path / "a" / "b").tracks[0].read_bytes() == first
    assert write_demo(tmp_path / "c", seed=12).tracks[0].read_bytes() != first


def test_the_file_is_in_the_plain_format(rows):
    assert rows[0] == HEADER.split(",")
    assert len(rows) == 1 + 2_400 + 4


def test_the_truth_holds_the_same_songs_as_the_file(songs, rows):
    assert songs.columns == [*SCHEMA, "scene", "version_of"]
    assert set(songs["song_id"]) < {row[0] for row in rows}
    by_id = {row[0]: row for row in rows}
    song = songs.row(1234, named=True)
    assert by_id[song["song_id"]][1] == song["title"]
    assert float(by_id[song["song_id"]][9]) == song["energy"]


def test_ids_look_like_spotify_ids_but_cannot_be_one(songs):
    assert songs["song_id"].is_unique().all()
    assert songs["song_id"].str.contains("^demo[0-9A-Za-z]{18}$").all()
    assert 62**21 * 8 > 2**128  # so a real id of 22 digits begins with 0 to 7


def test_nearest_neighbours_share_a_scene_far_more_often_than_chance(songs):
    original = songs.filter(pl.col("version_of").is_null())
    alike = (neighbours(original) == original["scene"]).mean()
    assert alike > 0.75  # chance is 1/12


def test_neighbouring_scenes_share_one_genre_and_others_none(songs):
    tags = {
        scene: set(part["genres"].str.split(";").explode())
        for (scene,), part in songs.group_by("scene")
    }
    ring = [scene.name for scene in SCENES]
    assert set(tags) == set(ring)
    for here in range(12):
        for there in range(here):
            shared = tags[ring[here]] & tags[ring[there]]
            assert len(shared) == (1 if here - there in (1, 11) else 0)
    counts = songs["genres"].str.split(";").list.len()
    assert (counts.min(), counts.max()) == (1, 3)


def test_scenes_differ_in_their_years(songs):
    years = songs.with_columns(year=pl.col("release_date").str.slice(0, 4).cast(pl.Int64))
    spread = years.group_by("scene").agg(pl.col("year").std())["year"]
    assert spread.max() < years["year"].std()


def test_artists_have_a_long_tail_of_songs(songs):
    recorded = songs.filter(pl.col("version_of").is_null()).group_by("artists").len()["len"]
    assert len(recorded) == 160
    assert recorded.max() > 60
    assert recorded.median() < 10


def test_an_eighth_are_versions_close_or_shifted_as_their_kind_is(songs):
    pairs = versions(songs)
    assert len(pairs) == 288
    assert (pairs["title"].str.starts_with(pl.Series(pairs["title_original"]))).all()
    shift = pairs.select(
        "title", *((pl.col(n) - pl.col(f"{n}_original")).alias(n) for n in (*SOUNDS, "duration_ms"))
    )
    kept = shift.filter(pl.col("title").str.contains("Remaster|Radio Edit"))
    live = shift.filter(pl.col("title").str.contains(r"Live (at|from)|- Live$"))
    acoustic = shift.filter(pl.col("title").str.contains("Acoustic"))
    assert min(len(kept), len(live), len(acoustic)) > 20
    assert kept["energy"].abs().max() < 0.05
    assert live["liveness"].min() > 0.2
    assert acoustic["acousticness"].min() > 0
    assert acoustic["energy"].max() < 0


def test_guests_are_credited_and_no_version_is_older_than_its_song(songs):
    pairs = versions(songs)
    guests = pairs.filter(pl.col("title").str.contains(r"\(feat\. "))
    assert guests["artists"].str.contains(";").all()
    assert (pairs["release_date"] >= pairs["release_date_original"]).all()


@pytest.mark.parametrize(
    ("title", "times", "artists"),
    [("Hello", 2, 2), ("Intro", 3, 1), ("Untitled", 3, 1), ("Interlude", 2, 1)],
)
def test_titles_that_several_songs_share(songs, title, times, artists):
    same = songs.filter(pl.col("title") == title)
    assert (len(same), same["artists"].n_unique()) == (times, artists)
    assert same["duration_ms"].sort().diff().drop_nulls().min() > 2_000


def test_every_other_original_title_is_given_once(songs):
    titles = songs.filter(pl.col("version_of").is_null())["title"]
    repeated = set(titles.filter(titles.is_duplicated()))
    assert repeated == {"Hello", "Intro", "Untitled", "Interlude"}


def test_movements_accents_other_scripts_and_awkward_names_are_there(songs):
    titles = set(songs["title"])
    assert {"Tide Studies: II. The Turning", "Nocturne No. 3", "夜の手紙", "Тихая вода"} <= titles
    assert {"Été sans fin", "مطر خفيف", "고요한 강", 'The "Quiet" Hour'} <= titles
    assert (songs["artists"] == "Salt, Thyme & Rye").sum() > 40


def test_each_defect_stands_in_the_file_once(rows):
    body = rows[1:]
    column = {name: at for at, name in enumerate(rows[0])}
    whole = [row for row in body if len(row) == len(rows[0])]
    assert len(body) - len(whole) == 1
    assert sum(row[column["title"]] == "" for row in whole) == 1
    assert sum(row[column["energy"]] == "loud" for row in whole) == 1
    assert len(whole) - len({tuple(row) for row in whole}) == 1
    assert len(whole) - len({row[0] for row in whole}) == 1
    assert sum(len(row[column["release_date"]]) == 4 for row in whole) == 1
    assert sum(len(row[column["release_date"]]) == 7 for row in whole) == 1


def test_one_song_has_no_beat_and_one_is_too_loud(songs):
    silent = songs.filter(pl.col("tempo") == 0)
    assert len(silent) == 1
    assert silent.select("danceability", "valence", "speechiness", "time_signature").row(0) == (
        *(0, 0, 0, 0),
    )
    assert (songs["loudness"] > 0).sum() == 1


def test_all_other_values_lie_where_they_should(songs):
    shares = songs.select(pl.col(*(n for n in SOUNDS if n not in ("loudness", "tempo"))))
    assert shares.min_horizontal().min() >= 0
    assert shares.max_horizontal().max() <= 1
    assert songs["loudness"].min() > -60
    assert songs.filter(pl.col("tempo") > 0)["tempo"].min() > 40
    assert songs["duration_ms"].min() > 30_000
    assert songs["popularity"].is_between(0, 100).all()
    assert songs["release_date"].str.contains(r"^(19|20)\d\d(-\d\d(-\d\d)?)?$").all()
