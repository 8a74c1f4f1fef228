"""One rule for every list, published or made for a visitor: the same songs go in at each door."""

import csv
import random
import sqlite3
from contextlib import closing
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.answers import batch, playlists, ratings, similar
from flows.nightly.run import directly
from flows.settings import settings as configured
from warehouse.contracts import COMPARED
from warehouse.published import Published
from warehouse.release import Home
from warehouse.release import published as served

# What a reader of a list takes for one artist, and for one song by an artist, spelt in many ways.
# Truth is how they were made, not how they are compared.
ARTISTS = [
    ("Beyoncé", "BEYONCE", "beyonce\u0301"),
    ("Sigur Rós", "Sigur Ros", "SIGUR RÓS"),
    ("Mötley Crüe", "Motley Crue", "mötley crüe"),
    ("Zoë & Sons", "ZOE AND SONS", "zoë and sons"),
    ("Élan", "Elan", "ÉLAN"),
]
TITLES = ["Intro", "Halo", "Café del Mar", "Run", "Smoke & Mirrors", "Straße", "One More Time"]
ENDINGS = ["", " (Live)", " - Remastered 2011", " (Part 2)", " [Demo]"]
SHARES = ("danceability", "energy", "speechiness", "acousticness", "valence", "liveness")
LISTED = 3


def song(number, artist, spelling, title, ending):
    """Return a row of a track file; songs by one artist lie close, so that lists are crowded."""
    noise = random.Random(number)
    values = {name: round(0.15 * artist + 0.05 * noise.random(), 4) for name in SHARES}
    return {
        "song_id": f"song{number:04}",
        "title": TITLES[title] + ENDINGS[ending],
        "artists": ARTISTS[artist][spelling],
        "duration_ms": 100_000 + 7_000 * number,
        "popularity": number % 100,
        **values,
        "instrumentalness": 0.1,
        "loudness": -8.0 - artist,
        "tempo": 90 + 10 * artist + noise.random(),
        "key": number % 12,
        "mode": number % 2,
        "time_signature": 4,
    }


def written(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def truth():
    """Return the artist and the song that each song_id stands for."""
    numbers = [
        (artist, spelling, title, ending)
        for artist in range(len(ARTISTS))
        for title in range(len(TITLES))
        for spelling, ending in random.Random(7 * artist + title).sample(
            [(s, e) for s in range(3) for e in range(len(ENDINGS))], 6
        )
    ]
    return {f"song{n:04}": (*one,) for n, one in enumerate(numbers)}


def stars(truth):
    """Return the rows of a file of ratings."""
    noise = random.Random(3)
    return [
        {"user": f"u{user}", "song_id": song_id, "rating": noise.randint(1, 5)}
        for user in range(40)
        for song_id in noise.sample([*truth], 30)
    ]


@pytest.fixture(scope="module")
def build(truth, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    tracks = [song(number, *one) for number, one in enumerate(truth.values())]
    chosen = configured(
        home=folder / "var",
        tracks=[written(folder / "tracks.csv", tracks)],
        ratings=[written(folder / "ratings.csv", stars(truth))],
        neighbours=LISTED,
    )
    directly(chosen, force=False)
    return Published(served(Home(folder / "var")))


def kept(truth, listed, own=()):
    """Whether one list holds neither a song twice, nor own ones, nor three by an artist."""
    barred = {(truth[s][0], truth[s][2]) for s in own}
    looks = [(truth[s][0], truth[s][2]) for s in listed]
    by = [artist for artist, _ in looks]
    assert not barred & {*looks}, "a song that looks like one of the visitor's own"
    assert len({*looks}) == len(looks), "two songs that look the same"
    assert all(by.count(artist) <= 2 for artist in by), "three songs by one artist"


def full(truth, listed, own, among=None):
    """Whether a list that came out short holds all that the rule leaves."""
    barred = {(truth[s][0], truth[s][2]) for s in (*own, *listed)}
    by = [truth[s][0] for s in listed]
    left = [
        s
        for s in (truth if among is None else among)
        if (truth[s][0], truth[s][2]) not in barred and by.count(truth[s][0]) < 2
    ]
    assert left == []


def test_published_lists_keep_the_rule(build, truth):
    with closing(sqlite3.connect(build.file)) as database:
        rows = database.execute(
            "select song_id, recommended_song_id from recommendations order by song_id, rank"
        ).fetchall()
    lists = {s: [other for _, other in pairs] for s, pairs in groupby(rows, lambda row: row[0])}
    assert len(lists) == len(truth)
    for song_id, others in lists.items():
        kept(truth, others, [song_id])


def test_lists_of_people_keep_the_rule(build, truth):
    with closing(sqlite3.connect(build.file)) as database:
        rows = database.execute(
            "select user, song_id from user_recommendations order by user, rank"
        ).fetchall()
    lists = {user: [s for _, s in pairs] for user, pairs in groupby(rows, lambda row: row[0])}
    assert len(lists) == 40
    for user, listed in lists.items():
        kept(truth, listed, [one["song_id"] for one in stars(truth) if one["user"] == user])


songs = st.lists(st.integers(0, 209), min_size=1, max_size=6, unique=True)
bound = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@bound
@given(songs, st.integers(1, 30))
def test_mixes_keep_the_rule_and_are_short_only_where_nothing_is_left(build, truth, own, places):
    own = [[*truth][n] for n in own]
    mixed = playlists.mixed(build, playlists.SavedSongs(songs=own, places=places))
    listed = [one.song_id for one in mixed.songs]
    kept(truth, listed, own)
    if len(listed) < places:
        full(truth, listed, own)


@bound
@given(songs, st.integers(1, 30))
def test_requests_keep_the_rule_and_are_short_only_where_nothing_is_left(build, truth, own, places):
    own = [[*truth][n] for n in own]
    (answer,) = batch.answers(build, [batch.BatchRequest("", own, places, 0)])
    listed = [one.id for one in answer.recommender]
    kept(truth, listed, own)
    if len(listed) < places:
        full(truth, listed, own)


@bound
@given(songs, st.integers(1, 20))
def test_what_raters_get_keeps_the_rule_and_is_short_only_where_nothing_is_left(
    build, truth, own, places
):
    own = [[*truth][n] for n in own]
    given_stars = {song_id: 1.0 + place % 5 for place, song_id in enumerate(own)}
    listed = [one.song_id for one in ratings.rate(build, given_stars, places)]
    known = [row[0] for row in build.database.execute("select song_id from rating_factors")]
    kept(truth, listed, [s for s in own if s in known])
    if len(listed) < places:
        full(truth, listed, [s for s in own if s in known], known)


@bound
@given(songs)
def test_nobody_is_asked_about_two_songs_that_look_the_same(build, truth, own):
    own = [[*truth][n] for n in own]
    asked = [one.song_id for one in ratings.ask(build, own[:3], own[3:], 20)]
    looks = [(truth[s][0], truth[s][2]) for s in (*asked, *own)]
    assert len({*looks[: len(asked)]}) == len(asked)
    assert not {*looks[: len(asked)]} & {*looks[len(asked) :]}


@bound
@given(st.integers(0, 209), st.integers(1, 30))
def test_songs_like_a_new_one_keep_the_rule_and_are_short_only_where_nothing_is_left(
    build, truth, number, places
):
    song_id = [*truth][number]
    row = song(number, *truth[song_id])
    new = {name: row[name] for name in COMPARED if name in row}
    named = {"title": row["title"], "artist": row["artists"].swapcase()}
    listed = [one.song_id for one in similar.matched(build, {**new, **named}, places)]
    kept(truth, listed, [song_id])
    if len(listed) < places:
        full(truth, listed, [song_id])


@bound
@given(st.integers(0, 209))
def test_songs_like_one_of_the_catalogue_are_its_published_list(build, truth, number):
    song_id = [*truth][number]
    listed = [one.song_id for one in similar.similar(build, song_id).similar]
    assert len(listed) == LISTED
    kept(truth, listed, [song_id])
