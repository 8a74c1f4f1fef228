import csv
import unicodedata
from collections import Counter

import numpy as np
import polars as pl
import pytest

from warehouse.demo.catalogue import SCENES, demo_songs
from warehouse.demo.files import HEADERS, demo_listening, demo_ratings, write_demo
from warehouse.demo.listening import CIRCLES

SOUNDS = (
    *("danceability", "energy", "loudness", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo"),
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def songs():
    return demo_songs().join(demo_listening(), on="song_id", maintain_order="left")


@pytest.fixture(scope="module")
def opinions():
    return demo_ratings()


@pytest.fixture(scope="module")
def together(demo, songs):
    """Return in how many playlists two songs stand by their ids, by their places in ``songs``."""
    number = {song_id: at for at, song_id in enumerate(songs["song_id"])}
    entries = [row for row in rows_of(demo.playlists) if len(row) == 5 and row[2] in number]
    lists = {name: at for at, name in enumerate(sorted({row[0] for row in entries}))}
    held = np.zeros((len(lists), len(songs)), dtype=np.float32)
    held[[lists[row[0]] for row in entries], [number[row[2]] for row in entries]] = 1
    return held.T @ held


@pytest.fixture(scope="module")
def pairs(songs):
    """Return which pairs of songs that are heard, by two artists, share a circle and a scene."""
    heard = songs["playlists"].to_numpy() > 0
    same = {
        name: songs[name].to_numpy()[:, None] == songs[name].to_numpy()
        for name in ("artist", "circle", "scene")
    }
    others = heard[:, None] & heard & ~same["artist"]
    return others, others & same["circle"], same["scene"]


def rows_of(paths):
    (path,) = paths
    header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert tuple(header) == HEADERS[path.name]
    return rows


def folded(text):
    decomposed = unicodedata.normalize("NFKD", text.lower().replace("ı", "i"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def apart(songs):
    """Return the squared distance of every two songs by z-scored sound."""
    points = songs.select(SOUNDS).to_numpy()
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    squares = (points**2).sum(axis=1)
    return squares[:, None] + squares - 2 * points @ points.T


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(demo, tmp_path):
    def contents(files):
        paths = [*files.genres, *files.playlists, *files.ratings]
        return {path.name: path.read_bytes() for path in paths}

    again, other = (contents(write_demo(tmp_path / str(n), n)) for n in (11, 12))
    assert again == contents(demo)
    assert all(other[name] != again[name] for name in again)


def test_a_circle_hears_four_scenes_that_are_no_neighbours(songs):
    ring = [scene.name for scene in SCENES]
    heard = songs.drop_nulls("circle").group_by("circle").agg(pl.col("scene").unique())
    assert set(heard["circle"]) == set(CIRCLES)
    for scenes in heard["scene"]:
        at = sorted(ring.index(scene) for scene in scenes)
        gaps = [(then - now) % 12 for now, then in zip(at, at[1:] + at[:1], strict=True)]
        assert len(at) == 4
        assert min(gaps) >= 2
    assert set(Counter(heard["scene"].explode()).values()) == {4}


def test_an_artist_is_heard_by_one_circle_or_with_many_albums_by_two(songs):
    by_artist = songs.drop_nulls("circle").group_by("artist")
    counts = by_artist.agg(circles=pl.col("circle").n_unique(), songs=pl.len())
    assert counts["circles"].max() == 2
    assert (counts["circles"] == 2).sum() > 10
    assert counts.filter(pl.col("circles") == 2)["songs"].min() > 27
    versions = songs.join(songs, left_on="version_of", right_on="song_id")
    assert versions["circle"].eq_missing(versions["circle_right"]).all()


def test_songs_of_a_circle_stand_together_although_scene_and_artist_differ(together, pairs):
    others, circle, scene = pairs
    across = together[others & ~circle].mean()
    assert together[circle & ~scene].mean() > 10 * across
    assert together[others & ~circle & scene].mean() < 1.5 * across


def test_the_songs_most_often_together_share_a_circle_and_those_that_sound_alike_do_not(
    songs, together, pairs
):
    others, circle, scene = pairs
    heard = others.any(axis=1)
    count = np.diag(together)
    cosine = together / np.sqrt(np.outer(count, count).clip(1))
    chance_in_scene = circle[scene & others].mean()

    def shared(nearness):
        nearest = np.where(others, nearness, -np.inf)[heard].argsort(axis=1)[:, -5:]
        return np.take_along_axis(circle[heard], nearest, 1).mean()

    assert shared(cosine) > 0.8
    assert shared(-apart(songs)) < chance_in_scene + 0.02
    assert chance_in_scene < 0.3


def test_distance_in_sound_or_years_says_nothing_of_the_circle(songs, pairs):
    others, circle, _ = pairs
    years = songs["release_date"].str.slice(0, 4).cast(pl.Int64).to_numpy()
    for distance in (apart(songs), np.abs(years[:, None] - years)):
        assert abs(np.corrcoef(distance[others], circle[others])[0, 1]) < 0.05


def test_few_songs_stand_in_many_playlists_and_a_quarter_in_none(songs):
    counts = songs["playlists"].sort(descending=True)
    assert 0.2 < (counts == 0).mean() < 0.3
    assert counts[:240].sum() > 0.3 * counts.sum()
    assert counts.max() > 50
    unheard = songs.group_by("artist").agg(pl.col("playlists").sum(), pl.col("circle").count())
    assert (unheard["circle"] == 0).sum() == 12
    assert unheard.filter(pl.col("circle") == 0)["playlists"].sum() == 0


def test_playlists_hold_ten_to_sixty_entries_in_order(demo):
    lists = {}
    for row in rows_of(demo.playlists):
        if len(row) == 5 and row[0]:
            lists.setdefault(row[0], []).append(int(row[1]))
    assert len(lists) == 700
    assert all(found == list(range(len(found))) for found in lists.values())
    assert 10 <= min(map(len, lists.values())) < 20
    assert 50 < max(map(len, lists.values())) <= 60


def test_the_truth_counts_the_playlists_of_every_song(demo, songs):
    by_id = Counter(row[2] for row in rows_of(demo.playlists) if len(row) == 5)
    heard = songs.filter(pl.col("playlists") > 0)
    found = np.array([by_id[song_id] for song_id in heard["song_id"]])
    assert (found <= heard["playlists"].to_numpy()).all()
    assert 0.7 < found.sum() / heard["playlists"].sum() < 0.85
    assert not any(by_id[song_id] for song_id in songs.filter(playlists=0)["song_id"])


def test_entries_name_songs_by_id_by_words_or_by_another_edition(demo, songs):
    known = set(songs["song_id"])
    words = {(folded(row[0]), folded(row[1])) for row in songs.select("title", "artist").rows()}
    entries = [row for row in rows_of(demo.playlists) if len(row) == 5]
    id_only = [row for row in entries if row[2] in known and not row[3] and not row[4]]
    words_only = [row for row in entries if not row[2]]
    editions = [row for row in entries if row[2] and row[2] not in known]
    plain = [
        (folded(row[3].removesuffix(" - Remastered 2011")), folded(row[4])) for row in editions
    ]
    elsewhere = [row for row, key in zip(editions, plain, strict=True) if key not in words]
    assert 1_200 < len(id_only) < 1_800
    assert 1_000 < len(words_only) < 1_600
    assert {(folded(row[3]), folded(row[4])) for row in words_only} <= words
    assert any(row[3].isupper() for row in words_only)
    assert sum(row[3].endswith(" - Remastered 2011") for row in editions) > 500
    assert 400 < len(elsewhere) < 800
    assert {row[4] for row in elsewhere}.isdisjoint(songs["artist"])


def test_one_entry_stands_twice_one_is_cut_and_one_has_no_playlist(demo):
    entries = rows_of(demo.playlists)
    whole = [row for row in entries if len(row) == 5]
    assert len(entries) - len(whole) == 1
    assert sum(not row[0] for row in whole) == 1
    assert [
        times for times in Counter((row[0], *row[2:]) for row in whole).values() if times > 1
    ] == [2]


def test_genres_are_those_of_the_artist_and_a_few_artists_have_none(demo, songs):
    tags = songs.select("artist", tag=pl.col("genres").str.split(";")).explode("tag")
    truth = {folded(artist): set(part["tag"]) for (artist,), part in tags.group_by("artist")}
    given = rows_of(demo.genres)
    known = [row for row in given if folded(row[0]) in truth]
    assert len(known) == len({row[0] for row in known}) == 136  # of 160
    assert all(set(row[1].split(";")) == truth[folded(row[0])] for row in known)
    names = set(songs["artist"])
    assert sum(row[0] not in names for row in known) > 5
    assert len(given) - len(known) == 6


def test_ratings_are_halves_by_three_hundred_users_and_two_are_none(demo, songs):
    rows, known = rows_of(demo.ratings), set(songs["song_id"])
    values = Counter(row[2] for row in rows)
    bad = {value for value in values if value not in {f"{half / 2:g}" for half in range(2, 11)}}
    assert bad == {"loved it", "11"}
    assert sum(values[value] for value in bad) == 2
    assert sum(row[1] not in known for row in rows) == 5
    assert all(len(row) == 4 for row in rows)


def test_the_later_of_two_ratings_is_the_one_that_stands(demo, songs, opinions):
    known = set(songs["song_id"])
    stands, times = {}, Counter()
    for user, song_id, value, _ in sorted(rows_of(demo.ratings), key=lambda row: row[3]):
        if song_id in known and value not in ("loved it", "11"):
            stands[user, song_id] = float(value)
            times[user, song_id] += 1
    truth = opinions.drop_nulls("rating")
    assert stands == {(user, song): rating for user, song, _, rating in truth.iter_rows()}
    assert sum(many > 1 for many in times.values()) > 300
    by_user = truth.group_by("user").len()["len"]
    assert (len(by_user), by_user.min() >= 15, by_user.max() <= 80) == (300, True, True)


def test_a_rating_is_the_expectation_with_noise(opinions):
    given = opinions.drop_nulls("rating")
    missed = given["rating"] - given["expected"]
    assert abs(missed.mean()) < 0.05
    assert 0.3 < missed.std() < 0.4
    assert given["expected"].std() > 2 * missed.std()
    assert opinions["expected"].is_between(1, 5).all()


def test_four_tastes_are_left_when_the_biases_are_gone(opinions):
    table = opinions["expected"].to_numpy().reshape(300, -1)
    table = table - table.mean(axis=0)
    strength = np.linalg.svd(table - table.mean(axis=1, keepdims=True), compute_uv=False)
    assert strength[3] > 4 * strength[4]


def test_what_a_user_thinks_of_a_circle_foretells_the_next_song_of_it(songs, opinions):
    """The mean of a user's other ratings in the circle against the mean of the song's others."""
    given = opinions.drop_nulls("rating").join(songs.select("song_id", "circle"), on="song_id")
    rating = pl.col("rating")

    def others(*keys):
        return (rating.sum().over(keys) - rating) / (pl.len().over(keys) - 1)

    said = given.with_columns(song=others("song_id"), circle=others("user", "circle"))
    both = said.filter(pl.col("song").is_finite() & pl.col("circle").is_finite())
    missed = both.select(((pl.col("song", "circle") - rating) ** 2).mean().sqrt()).row(0)
    assert len(both) > 8_000
    assert missed[1] < 0.85 * missed[0]
