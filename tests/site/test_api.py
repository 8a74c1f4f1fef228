import asyncio
import json
import logging
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from flows import cli
from flows.answers import batch as request
from flows.answers import search
from flows.answers.catalogue import songs_of
from flows.answers.song import MEASURED
from flows.site import api
from flows.site.serve import site
from tests.site.conftest import SERVE, free_port, wait_until_open
from warehouse.files.playlists import WRITERS
from warehouse.published import Published

TOP = Path(__file__).parents[2]
PREFIX = "/api/v1"
SONG = "demoslNLW2gHqPbfZnggrr"
HOSTILE = ["", " ", "\x00", "'", '"', "';--", "' or 1=1 --", "*", "NEAR(", "title:", "%", "\\", "/",
    "../../etc/passwd", "<script>alert(1)</script>", "{{7*7}}", "\u202eevil", "שלום", "🔥" * 50,
    "NaN", "Infinity", "-1", "1e999", "null", "[]", "{}", "a" * 9_999, "\ufffe",
    "\r\nX: y"]  # fmt: skip


class Asker:
    """Asks one site, in process."""

    def __init__(self, build, **settings):
        self.site = site(build)
        self.site._settings.update(settings)
        self.site.client.app = self.site.app()

    def __call__(self, method, path, **sent):
        async def ask():
            await self.site.invoke_startup()
            return await self.site.client.request(method, path, **sent)

        return asyncio.run(ask())

    def get(self, path, **query):
        return self("GET", PREFIX + path + ("?" + urlencode(query) if query else ""))

    def post(self, path, body):
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self("POST", PREFIX + path, content=sent, headers=JSON)


JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def ask(demo):
    return Asker(demo)


@pytest.fixture(scope="module")
def published(demo):
    return Published(demo)


def refused(answer, status):
    """Return a problem, after holding it to RFC 9457 and to what it may tell."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == "about:blank"
    assert told["status"] == status
    assert 5 < len(told["title"]) < 10_000
    assert "Traceback" not in answer.text
    return told


# ---- what is answered


def test_health_names_the_build(ask, published):
    found = ask.get("/health").json()
    assert found == {"ok": True, "build_id": published.manifest.build_id}


def test_info_says_what_is_served_how_old_it_is_and_what_is_on(ask, published):
    found = ask.get("/info").json()
    assert found["counts"] == published.manifest.counts
    assert found["settings"] == published.manifest.parameters
    age = datetime.now(UTC) - datetime.fromisoformat(published.manifest.published_at)
    assert found["age_seconds"] == pytest.approx(age.total_seconds(), abs=30)
    assert found["on"] == {"default_allow_sql": False, "allow_download": False,
        "suggest_facets": False, "genres": True, "playlists": True, "ratings": True}  # fmt: skip


def test_search_finds_a_song_by_title_and_artist_with_what_tells_it_apart(ask):
    (first, *_) = ask.get("/search", q="Road at Noon Storms of Bellmere").json()["songs"]
    assert first["song_id"] == SONG
    assert {"title", "artist", "album", "year", "genres", "how", "others", "versions"} <= set(first)
    assert first["genres"] == sorted(first["genres"]) != []


def test_get_and_post_are_answered_alike(ask):
    asked = {"q": "gold", "limit": 3, "year_from": 2000, "explicit": False}
    assert ask.get("/search", **asked).json() == ask.post("/search", asked).json()
    assert ask.get("/suggest", q="gol").json() == ask.post("/suggest", {"q": "gol"}).json()
    similar = {"song": SONG, "k": 2, "profile": True}
    assert ask.get("/similar", **similar).json() == ask.post("/similar", similar).json()


def test_fields_of_a_form_that_are_left_empty_are_not_given(ask):
    blank = ask.get("/search", q="gold", year_from="", year_to="", genre="", explicit="")
    assert blank.json() == ask.get("/search", q="gold").json()


def songs_where(published, condition):
    return {row[0] for row in published.database.execute(f"select song_id from songs {condition}")}


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        ({"year_from": 2020}, "where year >= 2020"),
        ({"year_to": 1975}, "where year <= 1975"),
        ({"year_from": 1990, "year_to": 1990}, "where year = 1990"),
        ({"explicit": True}, "where explicit = 1"),
        ({"explicit": False}, "where explicit = 0"),
        (
            {"genre": " Afro FUNK "},
            "where song_id in (select song_id from song_genres where genre = 'afro funk') or "
            "artist in (select artist from artist_genres where genre = 'afro funk')",
        ),
    ],
)
@pytest.mark.parametrize("q", ["the", "gold", "road", "songs about rain"])
def test_filters_hold_and_look_beyond_the_first_songs(ask, published, filters, condition, q):
    allowed = songs_where(published, condition)
    families = dict(published.database.execute("select song_id, family_id from songs"))
    everyone = ask.get("/search", q=q, limit=100).json()["songs"]
    found = ask.get("/search", q=q, limit=100, **filters).json()
    shown = {song["song_id"] for song in found["songs"]}
    assert shown <= allowed
    assert len(shown) == min(found["total"], 100)
    fitting = {families[song] for song in allowed}
    lost = {song["family_id"] for song in everyone} & fitting - {families[s] for s in shown}
    assert found["total"] > 100 or not lost


def test_a_filter_finds_what_is_not_among_the_nearest_of_all(published):
    seldom = search.search(published, "the", 500, search.Filters(1975, 1975)).songs
    common = {song.song_id for song in search.search(published, "the", 20).songs}
    assert {song.song_id for song in seldom} - common
    assert {song.year for song in seldom} == {1975}


def test_a_family_is_shown_by_the_version_that_the_filter_lets_through(published):
    family, year, other = published.database.execute(
        "select one.family_id, one.year, two.year from songs as one join songs as two "
        "on two.family_id = one.family_id and two.year > one.year and two.popularity > "
        "one.popularity order by one.song_id"
    ).fetchone()
    title = published.database.execute(
        "select title from songs where family_id = ? and year = ?", [family, year]
    ).fetchone()[0]
    for wanted in (year, other):
        found = search.search(published, title, 100, search.Filters(wanted, wanted)).songs
        (song,) = (song for song in found if song.family_id == family)
        assert song.year == wanted
        assert song.others == len(song.versions) >= 1
        assert song.song_id not in {version.song_id for version in song.versions}


def test_suggestions_begin_as_what_is_typed(ask):
    found = ask.get("/suggest", q="golden v").json()["songs"]
    assert 0 < len(found) <= 8
    assert all("golden v" in f"{s['title']} {s['artist']}".lower() for s in found)
    assert set(found[0]) == {"song_id", "title", "artist", "year", "key", "mode"}


def test_profile_is_the_mean_of_the_list_the_song_and_the_catalogue(ask, published):
    found = ask.get(f"/songs/{SONG}/profile").json()
    assert [f["feature"] for f in found["feature_profile"]] == list(MEASURED)
    for feature in found["feature_profile"]:
        name = feature["feature"]
        mean = f"select avg({name}) from songs"
        listed = (
            " where song_id in (select recommended_song_id from recommendations where song_id = ?)"
        )
        for key, sql in (("catalogue", mean), ("recommended", mean + listed)):
            value = published.database.execute(sql, [SONG] * sql.count("?")).fetchone()[0]
            assert feature[key] == pytest.approx(value)
        own = published.database.execute(f"select {name} from songs where song_id = ?", [SONG])
        assert feature["song"] == own.fetchone()[0]
    assert (
        ask.get("/similar", song=SONG, profile=True).json()["feature_profile"]
        == (found["feature_profile"])
    )


def test_a_song_given_with_its_genres_lies_nearer_to_others_than_without(ask, published):
    row = dict(published.rows("song", song_id=SONG)[0])
    names = ("danceability", "energy", "valence", "loudness", "speechiness", "acousticness",
        "instrumentalness", "liveness", "tempo", "duration_ms", "key", "mode", "year")  # fmt: skip
    features = {name: row[name] for name in names}
    genres = search.search(published, "Road at Noon Storms of Bellmere", 1).songs[0].genres

    def nearest(more):
        found = ask.post("/similar", {"features": features | more, "k": 10}).json()["similar"]
        far = [match["distance"] for match in found]
        assert [match["reason"] for match in found] == [None] * 10
        assert far == sorted(far)
        return far[0]

    assert nearest({"genres": genres}) < 0.8 * nearest({})
    assert nearest({"genres": ["afro funk"]}) > nearest({"genres": genres})


def test_unknown_genres_are_named_with_near_ones(ask):
    told = refused(ask.post("/similar", {"features": {"energy": 1, "genres": ["afro fnk"]}}), 422)
    assert "afro fnk" in told["title"]
    assert "afro funk" in told["title"]


# ---- the request of the first projects

WANTED = {"search": "gold", "playlist": [SONG], "recommender_neighbors": 50, "search_neighbors": 20}


def test_a_request_is_answered_by_as_many_songs_as_it_says(ask):
    (found,) = ask.post("/request", [WANTED]).json()
    assert len(found["recommender"]) == 50
    assert len(found["search"]) == 20
    for songs in found["recommender"], found["search"]:
        assert all(set(song) == {"name", "id", "distance", "near"} for song in songs)
        far = [song["distance"] for song in songs]
        assert far == sorted(far)
    assert found["unknown"] == []


def test_recommended_songs_are_the_nearest_by_definition(published):
    shelf = songs_of(published)
    playlist = shelf.ids.sample(7, seed=3).to_list()
    (found,) = request.answers(published, [request.BatchRequest("", playlist, 50, 0)])
    rows = shelf.rows(playlist)
    vectors = np.asarray(published.vectors, dtype=np.float64)
    apart = np.sqrt(((vectors[:, None] - vectors[None, rows]) ** 2).sum(axis=2)).min(axis=1)
    taken, by, wanted = set(shelf.sameness.namesakes[rows].tolist()), [], []
    for song in np.lexsort((np.arange(len(apart)), apart)).tolist():
        family, artist = shelf.sameness.namesakes[song], shelf.sameness.artists[song]
        if family not in taken and by.count(artist) < 2 and len(wanted) < 50:
            taken.add(family)
            by.append(artist)
            wanted.append(song)
    assert [song.id for song in found.recommender] == shelf.ids[wanted].to_list()
    assert [s.distance for s in found.recommender] == pytest.approx(apart[wanted].tolist())
    assert {song.near for song in found.recommender} <= set(playlist)


def test_neither_a_song_of_the_playlist_nor_a_version_is_recommended(published):
    playlist = songs_of(published).ids.sample(300, seed=1).to_list()
    (found,) = request.answers(published, [request.BatchRequest(playlist=playlist)])
    families = dict(map(tuple, published.database.execute("select song_id, family_id from songs")))
    assert not {families[i] for i in playlist} & {families[s.id] for s in found.recommender}


def test_ids_that_the_build_does_not_have_are_listed(ask):
    asked = {**WANTED, "playlist": [SONG, "nobody", "", "zzzz", "nobody"]}
    (found,) = ask.post("/request", [asked]).json()
    assert found["unknown"] == ["nobody", "", "zzzz", "nobody"]
    assert found["unknown_count"] == 4
    assert len(found["recommender"]) == 50


def test_requests_are_answered_in_order_and_by_themselves(ask):
    other = {"search": "night", "search_neighbors": 3}
    both = ask.post("/request", [WANTED, other, {}]).json()
    assert both[0] == ask.post("/request", [WANTED]).json()[0]
    assert both[1] == ask.post("/request", [other]).json()[0]
    assert both[2] == {"search": [], "recommender": [], "unknown": [], "unknown_count": 0}
    assert ask.post("/request", []).json() == []


def test_a_playlist_of_ten_thousand_songs_is_answered(ask, published):
    ids = songs_of(published).ids.to_list()
    playlist = (ids * 5)[:10_000]
    (found,) = ask.post("/request", [{"playlist": playlist, "search": "gold"}]).json()
    assert found["recommender"] == []  # every song is in it
    told = refused(ask.post("/request", [{"playlist": [*playlist, "x"]}]), 413)
    assert "10,000" in told["title"]
    assert "10,001" in told["title"]


def test_too_many_requests_are_refused(ask):
    assert "100" in refused(ask.post("/request", [{}] * 101), 413)["title"]


# ---- the same by the command line


def segue(demo, *words, stdin=None):
    home = str(demo.parent.parent)
    result = CliRunner().invoke(cli.app, [*words, "--home", home], input=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_command_line_answers_a_request_as_the_interface_does(ask, demo, tmp_path):
    file = tmp_path / "asked.json"
    file.write_text(json.dumps([WANTED]), encoding="utf-8")
    answered = ask.post("/request", [WANTED]).json()
    assert json.loads(segue(demo, "request", str(file))) == answered
    assert json.loads(segue(demo, "request", "-", stdin=file.read_text())) == answered


@pytest.mark.parametrize("text", ["", "{", "{}", '[{"serch": "x"}]', '[{"search_neighbors": "x"}]'])
def test_a_wrong_request_is_told_on_the_command_line(demo, text):
    home = str(demo.parent.parent)
    result = CliRunner().invoke(cli.app, ["request", "-", "--home", home], input=text)
    assert result.exit_code == 2
    assert "Expected an array of requests" in result.stderr
    assert "Traceback" not in result.stderr


def test_command_line_searches_with_filters(demo):
    words = ("--year-from", "1990", "--year-to", "1999", "--genre", "afro funk", "--clean")
    found = json.loads(segue(demo, "search", "the", *words, "--json"))
    assert found["songs"]
    assert all(1990 <= song["year"] <= 1999 for song in found["songs"])
    assert "found by" in segue(demo, "search", "the", *words)


def test_command_line_shows_the_profile(ask, demo):
    found = json.loads(segue(demo, "similar", SONG, "--profile", "--json"))
    assert found == ask.get("/similar", song=SONG, profile=True).json()
    assert "danceability" in segue(demo, "similar", SONG, "--profile")


# ---- errors


@pytest.mark.parametrize("path", ["/nothing", "/songs/nobody", "/songs/nobody/profile", "/search/",
    "/SEARCH", "/songs/", "/similar?song=nobody", "/%2e%2e/", "/search/x"])  # fmt: skip
def test_what_is_not_there_is_404(ask, path):
    refused(ask("GET", PREFIX + path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/search", "GET, HEAD, POST"),
        ("GET", "/request", "POST"),
        ("PUT", "/songs/x", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("PATCH", "/similar", "GET, HEAD, POST"),
    ],
)
def test_other_methods_are_405_and_told_which_are_answered(ask, method, path, allowed):
    answer = ask(method, PREFIX + path)
    refused(answer, 405)
    assert answer.headers["allow"] == allowed


def test_head_is_get_without_a_body(ask):
    answer = ask("HEAD", PREFIX + "/search?q=gold")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/search", "/suggest", "/similar", "/request"])
@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b"\xff\xfe", b"[" * 100_000, b'{"q": 1' * 9,
    b"9" * 5000, b"not json", b'"\\ud8"'])  # fmt: skip
def test_what_is_no_json_is_refused(ask, path, body):
    answer = ask.post(path, body)
    refused(answer, answer.status_code)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("path", ["/search", "/suggest", "/similar", "/request"])
@pytest.mark.parametrize("value", ["1", "null", '"x"', "[1]", "[null]", '[["x"]]', "true", "NaN",
    '{"q": null}', '{"q": []}', '{"song": {}}', '{"features": [], "k": "x"}', '{"k": NaN}',
    '{"limit": Infinity}', '{"limit": 1e999}', '[{"playlist": [1]}]', '[{"search": "\\ud800"}]',
    '{"q": "\\ud800"}', '{"song": "\\udfff"}', '{"unknown": 1}'])  # fmt: skip
def test_wrong_values_are_422_with_what_was_expected_and_what_came(ask, path, value):
    told = refused(ask.post(path, value.encode()), 422)
    assert told["errors"]
    assert all(error.keys() == {"place", "expected", "got"} for error in told["errors"])


def test_all_that_is_wrong_is_told_at_once(ask):
    told = refused(ask.get("/search", q="x", limit=0, year_from="soon", explicit="maybe"), 422)
    places = [error["place"] for error in told["errors"]]
    assert places == ["query.limit", "query.year_from", "query.explicit"]
    assert "'soon'" in told["title"]
    assert "greater than or equal to 1" in told["title"]


def test_years_the_wrong_way_round_are_told(ask):
    assert (
        "2000 and 1990" in refused(ask.get("/search", year_from=2000, year_to=1990), 422)["title"]
    )


def test_what_came_is_cut_short(ask):
    for answer in (
        ask.get("/search", q="x" * 10_001),
        ask.get("/search", genre="y" * 5000),
        ask.post("/request", [{f"n{place}": 1 for place in range(5000)}]),
        ask.post("/similar", {"features": {"n" * 9000: 1, "energy": "z" * 9000}}),
        ask.post("/similar", {"features": {f"n{place}": 1 for place in range(5000)}}),
        ask.post("/similar", {"features": {"energy": 1, "genres": ["g" * 9000] * 9}}),
        ask.get("/songs/" + "i" * 4000),
    ):
        refused(answer, 422)
        assert len(answer.content) < 8000


def test_a_title_of_several_songs_is_refused_with_their_ids(ask, published):
    title = published.database.execute(
        "select title from songs group by title having count(*) > 1 limit 1"
    ).fetchone()[0]
    assert "Give the id of one" in refused(ask.get("/similar", song=title), 422)["title"]


def test_json_must_be_called_json(ask):
    answer = ask("POST", PREFIX + "/search", content=b'{"q": "x"}')
    assert "application/json" in refused(answer, 422)["title"]


def test_what_nobody_expected_is_500_without_its_inside_and_stands_in_the_log(
    demo, monkeypatch, caplog
):
    def broken(*_):
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr(search, "search", broken)
    ask = Asker(demo)
    with caplog.at_level(logging.ERROR):
        told = refused(ask.get("/search", q="a secret of the visitor"), 500)
    assert "secret" not in json.dumps(told)
    assert "ZeroDivisionError" in caplog.text
    assert "a secret of the visitor" not in caplog.text


# ---- bounds


@pytest.mark.parametrize("path", [PREFIX + "/search", PREFIX + "/nothing", "/mix", "/rate", "/"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_over_a_million_bytes_is_413(ask, path, streamed):
    async def pieces():
        for _ in range(101):
            yield b" " * 10_000

    answer = ask("POST", path, content=pieces() if streamed else b" " * 1_000_001, headers=JSON)
    if path.startswith(PREFIX):
        assert "1,000,000" in refused(answer, 413)["title"]
    else:
        assert answer.status_code in (405, 413)


def test_a_body_of_a_million_bytes_is_read(ask):
    body = json.dumps([{"search": "gold", "search_neighbors": 1}]).encode()
    answer = ask.post("/request", body + b" " * (1_000_000 - len(body)))
    assert len(answer.json()[0]["search"]) == 1


def test_a_body_that_is_announced_too_long_is_not_waited_for(demo):
    async def ask():
        opened = site(demo)
        await opened.invoke_startup()
        sent = []

        async def receive():
            raise AssertionError("was read")

        async def send(message):
            sent.append(message)

        headers = [(b"content-length", b"1000001"), (b"content-type", b"application/json")]
        path = PREFIX + "/search"
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": headers, "scheme": "http"}  # fmt: skip
        await opened.client.app(scope, receive, send)
        return sent[0]["status"]

    assert asyncio.run(ask()) == 413


@pytest.mark.parametrize("length", [1, 200, 201, 9_999, 10_000])
def test_long_texts_are_searched_for_by_their_beginning(ask, length):
    text = ("gold " * 2000)[:length]
    assert ask.get("/search", q=text).status_code == 200
    assert ask.get("/suggest", q=text).status_code == 200


# ---- hostile input

ADDRESSES = [
    *(f"/search?q={{}}&{more}" for more in ("", "genre=pop")),
    *(f"/search?q=x&{name}={{}}" for name in ("limit", "year_from", "year_to", "genre",
        "explicit")),
    *("/suggest?q={}", "/suggest?q=x&limit={}", "/similar?song={}", "/similar?song=x&k={}"),
    *("/similar?song=x&profile={}", "/songs/{}", "/songs/{}/profile", "/search?{}=x"),
    *("/search?q=a&q={}", "/search?limit=1&limit={}"),
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_hostile_input_is_answered_or_refused_as_a_problem(ask, address):
    for text in HOSTILE:
        answer = ask("GET", PREFIX + address.format(quote(text, safe="")))
        assert answer.status_code in (200, 404, 422), (text, answer.text)
        if "?" not in address and re.search(r"[\\\x00-\x1f]", text):
            assert answer.status_code == 404  # by the guard of the whole site
            continue
        if answer.status_code != 200:
            refused(answer, answer.status_code)
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["q", "genre", "song", "title", "artist", "genres", "search", "id"]
)
def test_hostile_input_in_json_is_answered_or_refused_as_a_problem(ask, name):
    for text in [*HOSTILE, "\ud800", None, 1, [], {}, float("nan"), 10**30, True]:
        features = {"energy": 0.5, name: text}
        path, body = {
            "q": ("/search", {"q": text}),
            "genre": ("/search", {"q": "x", "genre": text}),
            "song": ("/similar", {"song": text}),
            "title": ("/similar", {"features": features}),
            "artist": ("/similar", {"features": features}),
            "genres": ("/similar", {"features": features | {"genres": [text]}}),
            "search": ("/request", [{"search": text}]),
            "id": ("/request", [{"playlist": [text]}]),
        }[name]
        answer = ask.post(path, body)
        assert answer.status_code in (200, 404, 422), (text, answer.text)
        if answer.status_code != 200:
            refused(answer, answer.status_code)


@pytest.mark.parametrize("name", ["danceability", "key", "mode", "tempo", "loudness", "year"])
def test_hostile_features_are_answered_or_refused_as_a_problem(ask, name):
    for value in (0, -1, 1e308, 10**400, "0.5", True, None, [], float("nan"), float("inf"), 0.5):
        answer = ask.post("/similar", {"features": {"energy": 0.5, name: value}})
        assert answer.status_code in (200, 422), (value, answer.text)
        if answer.status_code != 200:
            assert name in refused(answer, 422)["title"]


HALF = "\ud800"  # of a surrogate pair, which JSON can escape and UTF-8 cannot write


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/rate", {"ratings": {HALF: 3, SONG: 4}}),
        ("/ask", {"rated": [HALF], "passed": [HALF]}),
        ("/ask", {"again": [HALF]}),
        ("/mix", {"songs": [SONG, HALF, f"{HALF} - b"], "name": HALF}),
        ("/mix", {"text": f"{HALF} - b"}),
        ("/mix", {"name": "x", "text": HALF}),
        *((f"/mix?format={form}", {"songs": [SONG], "name": HALF}) for form in WRITERS),
        ("/playlist?format=csv", {"songs": [HALF, SONG], "name": HALF}),
        ("/search", {"q": HALF, "genre": HALF}),
        ("/suggest", {"q": HALF}),
        ("/similar", {"features": {"energy": 0.5, "title": HALF, "artist": HALF}}),
        ("/request", [{"search": HALF, "playlist": [HALF]}]),
    ],
)
def test_half_a_surrogate_pair_is_refused_with_its_place(ask, path, body):
    answer = ask.post(path, body)
    assert answer.status_code == 422, answer.text
    assert {error["got"] for error in answer.json()["errors"]} <= {repr(HALF), repr(f"{HALF} - b")}
    assert answer.json()["errors"][0]["place"].startswith("body")


def test_whole_pairs_of_surrogates_are_read(ask):
    answer = ask("POST", f"{PREFIX}/mix", content=b'{"songs": ["\\ud83d\\udd25"]}', headers=JSON)
    assert [row["row"] for row in answer.json()["unmatched"]] == ["\U0001f525"]


def test_requests_at_random_get_no_error_page(ask):
    rng = random.Random(7)
    signs = "abc \"'\\/%&=#?{}[]<>\x00\x1f\u202e\u0301é漢🔥0123456789.-+e"
    for _ in range(300):
        text = "".join(rng.choice(signs) for _ in range(rng.randrange(40)))
        names = ("q", "limit", "year_from", "song", "k", text or "x")
        query = urlencode([(rng.choice(names), text) for _ in range(rng.randrange(4))])
        path = rng.choice(("/search", "/suggest", "/similar", f"/songs/{quote(text, safe='')}"))
        assert ask("GET", f"{PREFIX}{path}?{query}").status_code in (200, 404, 422)


# ---- where it is served


def test_it_answers_where_the_site_is_not_at_the_root(demo):
    below = Asker(demo, base_url="/music/")  # its client puts that before each address
    assert below.get("/search", q="gold").json()["songs"]
    assert f"/music{PREFIX}/nothing" in refused(below.get("/nothing"), 404)["title"]
    refused(below.post("/search", b" " * 1_000_001), 413)
    page = below("GET", "/search?q=gold").text
    assert 'action="/music/search"' in page
    assert f'href="/music{PREFIX}/search?q=gold"' in page


def test_a_visitor_with_cookies_may_send_json(ask):
    headers = {**JSON, "cookie": "ds_csrftoken=x; other=y"}
    answer = ask("POST", PREFIX + "/search", content=b'{"q": "gold"}', headers=headers)
    assert answer.status_code == 200


@contextmanager
def served(build, folder):
    """Serve a build with a home, a place for temporary files and a working folder of its own."""
    places = {"HOME": folder / "home", "TMPDIR": folder / "tmp", "PWD": folder / "cwd"}
    for place in places.values():
        place.mkdir()
    port, log = free_port(), folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(build), str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=places["PWD"],
            env={**os.environ, **{k: str(v) for k, v in places.items()}, "PYTHONPATH": str(TOP),
                "PYTHONDONTWRITEBYTECODE": "1"},
            text=True,
        )  # fmt: skip
        try:
            wait_until_open(port, process)
            yield f"http://127.0.0.1:{port}", log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def contents(*folders):
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for folder in folders
        for path in sorted(folder.rglob("*"))
    }


def test_visitors_get_their_own_answers_and_nothing_they_send_is_written(demo, tmp_path, published):
    ids = songs_of(published).ids.sample(40, seed=2).to_list()
    marker = "Visitor9Secret"
    asked = [
        *(("GET", f"/search?q={quote(marker)}+{i}&limit=1", None) for i in range(20)),
        *(("POST", "/search", {"q": f"gold {marker}", "year_from": 1960 + i}) for i in range(20)),
        *(("POST", "/request", [{"search": marker, "playlist": ids[i : i + 3],
            "recommender_neighbors": 3}]) for i in range(20)),
        *(("POST", "/similar", {"features": {"energy": i / 20, "title": marker}})
            for i in range(20)),
        *(("GET", f"/songs/{i}/profile", None) for i in ids[:20]),
        *(("POST", "/search", {"q": [marker]}) for _ in range(10)),
    ]  # fmt: skip
    with served(demo, tmp_path) as (address, log):
        places = (demo, *(tmp_path / name for name in ("home", "tmp", "cwd")))
        before = contents(*places)

        visitor = httpx.Client(timeout=30)

        def answered(one):
            method, path, body = one
            answer = visitor.request(method, address + PREFIX + path, json=body)
            assert answer.status_code in (200, 422)
            return answer.text

        alone = [answered(one) for one in asked]
        order = list(range(len(asked))) * 2
        random.Random(1).shuffle(order)
        with ThreadPoolExecutor(8) as visitors:
            together = list(visitors.map(lambda place: answered(asked[place]), order))
        after = contents(*places)
    assert [alone[place] for place in order] == together
    assert len(set(alone)) > 70
    assert after == before
    assert marker not in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_slow_sender_of_too_much_is_cut_off(demo, tmp_path):
    with served(demo, tmp_path) as (address, _):

        def pieces():
            for _ in range(200):
                yield b" " * 10_000
                time.sleep(0.001)

        try:
            status = httpx.post(
                address + PREFIX + "/search", content=pieces(), headers=JSON, timeout=20
            ).status_code
        except httpx.WriteError:  # the answer came while more was being sent
            status = 413
        assert status == 413
        assert httpx.get(address + PREFIX + "/health").json()["ok"]


# ---- what is written of it


def test_committed_description_is_that_of_the_interface():
    committed = (TOP / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert committed == api.described(), "docs/openapi.json is stale: run `uv run segue docs`"


def test_every_address_is_described_with_an_answer():
    for path, operations in json.loads(api.described())["paths"].items():
        assert path.startswith(PREFIX)
        for operation in operations.values():
            assert operation["description"]
            assert operation["responses"]["200"]["content"]


PAGE = (TOP / "docs" / "api.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^curl (.+(?:\\\n.+)*)$", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("call", CALLS)
def test_calls_of_the_page_are_answered(demo_server, call):
    words = ["curl", "--fail-with-body", "--max-time", "20"]
    said = subprocess.run(
        ["bash", "-c", " ".join(words) + " " + call.replace("http://127.0.0.1:8001", demo_server)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(said.stdout)


@pytest.fixture(scope="module")
def demo_server(demo, tmp_path_factory):
    with served(demo, tmp_path_factory.mktemp("server")) as (address, _):
        yield address


def test_the_page_has_calls_and_names_every_address():
    assert len(CALLS) > 4
    for path in json.loads(api.described())["paths"]:
        assert f"`{path.removeprefix(PREFIX)}`" in PAGE, path


def test_search_leaves_no_lock_on_the_file(published):
    search.search(published, "gold")
    with sqlite3.connect(f"file:{published.file}?mode=ro", uri=True) as other:
        assert other.execute("select count(*) from songs").fetchone()[0] == 2400
