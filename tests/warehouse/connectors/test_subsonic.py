"""A library of one's own: songs, stars, plays and playlists come in, a list goes out once."""

import csv

import pytest

from warehouse.connectors import subsonic
from warehouse.connectors.musicbrainz import Song
from warehouse.connectors.subsonic import Login, Server, fetch_library, matched, push
from warehouse.demo.services.server import Reply, serving
from warehouse.demo.services.subsonic import Subsonic
from warehouse.errors import InputError, Postponed, ServiceError

SEARCH = "/rest/search3"
CREATE = "/rest/createPlaylist"


def song(number, **others):
    return {
        "id": f"song{number}",
        "title": f"Title {number}",
        "artist": f"Artist {number % 10}",
        "album": "An Album",
        "albumId": f"album{number % 100}",
        "duration": 200,
        "year": 1999,
        "genres": [{"name": "Ambient"}, {"name": "Drone"}],
        **others,
    }


@pytest.fixture
def fake(clock, stack):
    made = Subsonic(clock)
    made.people["ann"] = "s3cret"
    made.keys["k3y"] = "ann"
    made.songs = [song(number) for number in range(1200)]
    made.base = stack.enter_context(serving(made))
    return made


@pytest.fixture
def server_of(fake, asking):
    def server(user="ann", password="s3cret", api_key=""):
        return Server(asking(subsonic.service(fake.base)), Login(user, password, api_key))

    return server


@pytest.fixture
def server(server_of):
    return server_of()


def read(home, name):
    with (home / "snapshots/subsonic/all" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_library_comes_whole_and_again_only_where_it_changed(fake, server, tmp_path, clock):
    library, lists = fetch_library(server, tmp_path)
    assert (library.rows, lists.rows) == (1200, 0)
    assert fake.count("POST", SEARCH) == 3
    first = read(tmp_path, "tracks.csv")[0]
    assert (first["song_id"], first["artists"], first["genres"], first["duration_ms"]) == (
        "song0", "Artist 0", "Ambient;Drone", "200000",
    )  # fmt: skip
    library, lists = fetch_library(server, tmp_path)
    assert not library.changed
    assert not lists.changed
    assert fake.count("POST", SEARCH) == 3
    assert library.requests + lists.requests <= 5
    clock.time += 90_000
    fake.songs[0]["userRating"] = 4  # which nothing else shows
    library, _ = fetch_library(server, tmp_path)
    assert library.changed


def test_ratings_stars_and_plays_say_what_somebody_thinks(fake, server, tmp_path):
    fake.songs[0] |= {"userRating": 2, "starred": "2026-01-01T00:00:00Z", "playCount": 90}
    fake.songs[1] |= {"starred": "2026-01-01T00:00:00Z"}
    fake.songs[2] |= {"playCount": 9, "played": "2026-02-01T00:00:00Z"}
    fake.songs[3] |= {"playCount": 1, "played": "2026-01-01T00:00:00Z"}
    fetch_library(server, tmp_path)
    stars = {row["track_name"]: float(row["rating"]) for row in read(tmp_path, "ratings.csv")}
    assert stars == {"Title 0": 2, "Title 1": 5, "Title 2": 4, "Title 3": 3}


def test_recordings_are_those_of_the_librarys_tags(fake, server, tmp_path):
    fake.songs[5]["musicBrainzId"] = "00000000-0000-4000-8000-000000000005"
    fetch_library(server, tmp_path)
    (row,) = read(tmp_path, "mbids.csv")
    assert (row["song_id"], row["confidence"]) == ("song5", "1.0")


def test_a_fetch_that_was_cut_short_goes_on_where_it_was(fake, server, tmp_path, clock):
    fake.fail("POST", SEARCH, Reply(429, {}, {"Retry-After": "999"}), after=True)
    with pytest.raises(Postponed):
        fetch_library(server, tmp_path)
    clock.time += 1000
    fetch_library(server, tmp_path)
    assert len(read(tmp_path, "tracks.csv")) == 1200


def test_playlists_are_read_again_only_where_they_changed(fake, server, tmp_path):
    for name in ("One", "Two"):
        server.send("createPlaylist", name=name, songId=["song1", "song2"])
    fetch_library(server, tmp_path)
    assert [row["track_id"] for row in read(tmp_path, "playlists.csv")] == ["song1", "song2"] * 2
    read_before = fake.count("POST", "/rest/getPlaylist")
    fetch_library(server, tmp_path)
    assert fake.count("POST", "/rest/getPlaylist") == read_before == 2


def test_who_is_not_let_in_is_told_what_to_check(server_of, tmp_path):
    for wrong in (server_of(password="wrong"), server_of("eve"), server_of(api_key="no")):
        with pytest.raises(InputError, match="SEGUE_SUBSONIC"):
            fetch_library(wrong, tmp_path)


def test_a_key_stands_in_for_name_and_password(server_of, fake, tmp_path):
    fetch_library(server_of("", "", "k3y"), tmp_path)
    assert all("u" not in request.form for request in fake.journal)


def test_the_password_never_leaves_and_no_salt_comes_twice(server, fake, tmp_path):
    fetch_library(server, tmp_path)
    sent = [request.body.decode() for request in fake.journal]
    assert not any("s3cret" in body for body in sent)
    salts = [request.form["s"][0] for request in fake.journal]
    assert len(set(salts)) == len(salts)


def test_another_kind_of_server_is_told_from_one(server, fake, tmp_path):
    fake.fail("POST", "/rest/getScanStatus", Reply(200, text="<html>welcome</html>"))
    with pytest.raises(ServiceError, match="Expected an OpenSubsonic server"):
        fetch_library(server, tmp_path)


def wanted(*numbers):
    return [Song(f"song{n}", f"Title {n}", f"Artist {n % 10}") for n in numbers]


def held(fake):
    assert len(fake.playlists) == 1
    (made,) = fake.playlists.values()
    return [entry["id"] for entry in made["entry"]]


@pytest.fixture
def library(fake, server, tmp_path):
    fetch_library(server, tmp_path)
    return fake


def test_a_list_is_written_once_however_often_it_is_pushed(library, server, tmp_path):
    for numbers in ((3, 1, 2), (3, 1, 2), (7, 8)):
        pushed = push(server, tmp_path, "Mix", wanted(*numbers), {})
    assert held(library) == ["song7", "song8"]
    assert pushed.songs == 2
    assert library.playlists[pushed.playlist]["comment"] == "segue:Mix"


def test_a_list_of_hundreds_goes_out_in_one_piece(library, server, tmp_path):
    push(server, tmp_path, "Long", wanted(*range(900)), {})
    assert len(held(library)) == 900


@pytest.mark.parametrize("path", [CREATE, "/rest/updatePlaylist"])
@pytest.mark.parametrize("after", [False, True])
def test_whatever_breaks_midway_one_playlist_is_left(library, server, tmp_path, path, after):
    library.fail("POST", path, Reply(502, {}), after=after)
    try:
        push(server, tmp_path, "Mix", wanted(1, 2), {})
    except ServiceError:
        push(server, tmp_path, "Mix", wanted(1, 2), {})
    assert held(library) == ["song1", "song2"]


def test_a_playlist_of_ones_own_with_that_name_is_left_alone(library, server, tmp_path):
    made = server.send("createPlaylist", name="Mix", songId=["song9"])["playlist"]["id"]
    server.send("updatePlaylist", playlistId=made, comment="mine")
    push(server, tmp_path, "Mix", wanted(1), {})
    assert [e["id"] for e in library.playlists[made]["entry"]] == ["song9"]


def test_lists_of_segue_do_not_come_back_as_signals(library, server, tmp_path):
    push(server, tmp_path, "Mix", wanted(1, 2), {})
    fetch_library(server, tmp_path)
    assert read(tmp_path, "playlists.csv") == []


def test_songs_are_found_by_id_recording_or_name_whatever_the_edition():
    there = [
        {"song_id": "a", "title": "Señorita (Live)", "artist": "Ann", "recording_mbid": ""},
        {"song_id": "b", "title": "Other", "artist": "Bob", "recording_mbid": "m1"},
        {"song_id": "c", "title": "Third", "artist": "Cy", "recording_mbid": ""},
    ]
    songs = [
        Song("c", "whatever", "nobody"),
        Song("x", "Renamed", "Bobby"),
        Song("y", "SENORITA - Remastered", "ann"),
        Song("z", "Missing", "Ann"),
        Song("c", "whatever", "nobody"),
    ]
    ids, missing = matched(songs, {"x": "m1"}, there)
    assert ids == ["c", "b", "a"]
    assert [song.song_id for song in missing] == ["z"]


def test_what_the_library_lacks_is_named(library, server, tmp_path):
    pushed = push(server, tmp_path, "Mix", [*wanted(1), Song("q", "Nowhere", "Nobody")], {})
    assert [song.title for song in pushed.missing] == ["Nowhere"]
    with pytest.raises(InputError, match="none of the 1 songs"):
        push(server, tmp_path, "Mix", [Song("q", "Nowhere", "Nobody")], {})
