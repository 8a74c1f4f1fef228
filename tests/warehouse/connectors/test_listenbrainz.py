"""Listens of a person: pages, equal seconds, kills, what is new; and lists that go out once."""

import csv
import gzip
import io
import json
import multiprocessing
import os
import random
import signal
import tarfile
import zipfile

import pytest

from warehouse.connectors import listenbrainz
from warehouse.connectors.http import Client, SystemClock
from warehouse.connectors.listens import files
from warehouse.connectors.snapshots import Snapshot, all_origins
from warehouse.demo.services.listenbrainz import JSPF
from warehouse.demo.services.server import Reply
from warehouse.errors import InputError

LISTENS = "/1/user/{user}/listens"
FIRST = 1_780_000_000


def many(count=2345, at=985, same=30):
    """Return listens of which ``same`` share a second that lies across the edge of a page."""
    rows = []
    moment = FIRST
    for number in range(count):
        place = count - 1 - number  # counted from the newest
        if not at <= place < at + same - 1:
            moment += 200
        rows.append(
            {
                "listened_at": moment,
                "artist": f"Artist {number % 40}",
                "title": f"Song {number % 400}",
                "release": "An Album",
                "msid": f"{number:08d}",
            }
        )
    return rows


@pytest.fixture
def rob(listenbrainz_fake):
    listenbrainz_fake.listens["rob"] = many()
    listenbrainz_fake.feedback["rob"] = []
    return listenbrainz_fake


def fetched(brainz, home, user="rob"):
    snapshot = Snapshot(home, "listenbrainz", user, "listens.jsonl")
    return snapshot, listenbrainz.fetch_listens(brainz(), snapshot, user)


def rows(snapshot):
    return [json.loads(line) for line in snapshot.path.read_text().splitlines()]


def test_all_listens_come_though_thirty_share_the_second_of_an_edge(rob, brainz, tmp_path):
    assert len({row["listened_at"] for row in rob.listens["rob"]}) == 2345 - 29
    snapshot, found = fetched(brainz, tmp_path)
    kept = rows(snapshot)
    assert found.rows == len(kept) == 2345
    assert {row["msid"] for row in kept} == {row["msid"] for row in rob.listens["rob"]}
    assert found.requests == 3
    origin = snapshot.origin
    assert (origin.licence, origin.rows, origin.service) == ("open", 2345, "ListenBrainz")


def test_nothing_new_costs_one_request_and_leaves_the_file(rob, brainz, tmp_path):
    snapshot, _ = fetched(brainz, tmp_path)
    before = snapshot.path.stat().st_mtime_ns
    _, again = fetched(brainz, tmp_path)
    assert (again.requests, again.changed) == (1, False)
    assert snapshot.path.stat().st_mtime_ns == before


def test_what_is_new_is_added_and_the_rest_not_asked_for_again(rob, brainz, tmp_path):
    fetched(brainz, tmp_path)
    newest = rob.listens["rob"][-1]
    rob.listens["rob"] += [
        {**newest, "msid": "same second"},
        {**newest, "listened_at": newest["listened_at"] + 60, "msid": "later"},
    ]
    snapshot, again = fetched(brainz, tmp_path)
    assert (again.requests, again.rows) == (1, 2347)
    assert rows(snapshot)[0]["msid"] == "later"


def test_once_a_month_all_is_read_so_that_what_was_deleted_goes(rob, brainz, tmp_path, clock):
    fetched(brainz, tmp_path)
    del rob.listens["rob"][100]
    _, soon = fetched(brainz, tmp_path)
    assert soon.rows == 2345
    clock.time += 31 * 86_400
    _, later = fetched(brainz, tmp_path)
    assert later.rows == 2344


def test_somebody_who_played_nothing_has_an_empty_snapshot(listenbrainz_fake, brainz, tmp_path):
    listenbrainz_fake.listens["new"] = []
    _, found = fetched(brainz, tmp_path, "new")
    assert (found.rows, found.requests) == (0, 1)
    _, again = fetched(brainz, tmp_path, "new")
    assert again.requests == 1


def test_more_listens_of_one_second_than_a_page_holds_do_not_hold_up_the_rest(
    listenbrainz_fake, brainz, tmp_path, caplog
):
    listenbrainz_fake.listens["rob"] = many(2300, at=100, same=1200)
    _, found = fetched(brainz, tmp_path)
    assert found.rows > 2000
    assert "of one second" in caplog.text


def test_a_name_that_nobody_has_is_an_error_in_words(listenbrainz_fake, brainz, tmp_path):
    with pytest.raises(InputError, match="'nobody'"):
        fetched(brainz, tmp_path, "nobody")


def _fetch_in_process(base, home):
    service = listenbrainz.service(base)
    with Client(service, home / "hosts", "a@example.org", clock=SystemClock()) as client:
        snapshot = Snapshot(home, "listenbrainz", "rob", "listens.jsonl")
        listenbrainz.fetch_listens(client, snapshot, "rob")


@pytest.mark.slow
def test_killed_twenty_times_a_fetch_ends_as_an_unbroken_one(rob, brainz, tmp_path, monkeypatch):
    monkeypatch.setattr(listenbrainz, "PAGE", 60)  # forty pages, so that there is what to kill
    monkeypatch.setattr("warehouse.demo.services.facts.LB_REQUESTS", 10**6)
    rob._windows[False].most = 10**6
    whole, _ = fetched(brainz, tmp_path / "whole")
    asked_once = rob.count("GET", LISTENS)
    rob.journal.clear()
    context = multiprocessing.get_context("fork")
    chance = random.Random(7)
    kills = 0
    while kills < 20:
        process = context.Process(target=_fetch_in_process, args=(rob.base, tmp_path / "cut"))
        seen = len(rob.journal)
        process.start()
        while process.is_alive() and len(rob.journal) < seen + chance.randint(1, 3):
            process.join(0.001)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
    _fetch_in_process(rob.base, tmp_path / "cut")
    cut = Snapshot(tmp_path / "cut", "listenbrainz", "rob", "listens.jsonl")
    assert cut.path.read_bytes() == whole.path.read_bytes()
    assert cut.last_page() is None
    assert rob.count("GET", LISTENS) <= asked_once + 21  # a page is lost for a kill, no more


def read(path):
    return list(csv.DictReader(path.open()))


def test_what_is_played_and_loved_becomes_sessions_and_ratings(rob, brainz, tmp_path):
    rob.feedback["rob"] = [
        {"artist": "Artist 0", "title": "Song 0", "score": -1},
        {"artist": "Elsewhere", "title": "Never Played", "score": 1},
    ]
    listenbrainz.fetch_person(brainz(), tmp_path, "rob")
    folder = tmp_path / "snapshots" / "listenbrainz" / "rob"
    sessions, ratings = read(folder / "sessions.csv"), read(folder / "ratings.csv")
    assert len(sessions) == 2345
    assert len({row["session_id"] for row in sessions}) == 1  # never half an hour of silence
    stars = {(row["track_name"], row["artist_name"]): float(row["rating"]) for row in ratings}
    assert len(stars) == 401
    assert stars["Song 0", "Artist 0"] == 1
    assert stars["Never Played", "Elsewhere"] == 5
    assert min(list(stars.values())[2:]) >= 1
    assert {row["user"] for row in ratings} == {"rob"}
    assert all(one.licence == "open" for one in all_origins(tmp_path).values())


def test_half_an_hour_of_silence_ends_a_session():
    when = [0, 1800, 3601, 3700]
    played = [
        {"user": "rob", "listened_at": FIRST + s, "title": f"Song {s}", "artist": "A"} for s in when
    ]
    with files(played) as (sessions, _):
        named = [row["session_id"] for row in read(sessions)]
    assert [named.index(name) for name in named] == [0, 0, 2, 2]


def test_who_plays_a_song_more_likes_it_more():
    plays = {"often": 9, "sometimes": 3, "once": 1}
    played = [
        {"user": "rob", "listened_at": FIRST + n, "title": title, "artist": "A"}
        for title, count in plays.items()
        for n in range(count)
    ]
    with files(played) as (_, ratings):
        stars = {row["track_name"]: float(row["rating"]) for row in read(ratings)}
    assert stars == {"often": 5.0, "sometimes": 4.0, "once": 3.0}


def test_a_person_who_has_not_changed_costs_three_requests(rob, brainz, tmp_path):
    listenbrainz.fetch_person(brainz(), tmp_path, "rob")
    again = listenbrainz.fetch_person(brainz(), tmp_path, "rob")
    assert [one.requests for one in again] == [1, 1, 1]
    assert not any(one.changed for one in again)


def playlist(creator, name, songs, changed="2026-01-01", public=True):
    track = [
        {"title": s, "creator": "A", "identifier": [f"https://musicbrainz.org/recording/{s}"]}
        for s in songs
    ]
    extension = {JSPF: {"public": public, "last_modified_at": changed}}
    identifier = f"https://listenbrainz.org/playlist/{name}"
    return {
        "playlist": {
            **{"title": name, "creator": creator, "identifier": identifier},
            **{"track": track, "extension": extension},
        }
    }


def test_only_a_playlist_that_changed_is_read_again(rob, brainz, tmp_path):
    rob.playlists = {n: playlist("rob", n, [f"{n}{i}" for i in range(3)]) for n in ("one", "two")}
    rob.playlists["hidden"] = playlist("rob", "hidden", ["x"], public=False)
    snapshot = Snapshot(tmp_path, "listenbrainz", "rob", "playlists.csv")
    first = listenbrainz.fetch_playlists(brainz(), snapshot, "rob")
    assert (first.rows, first.requests) == (6, 3)
    assert listenbrainz.fetch_playlists(brainz(), snapshot, "rob").requests == 1
    assert read(snapshot.path)[0]["recording_mbid"] == "one0"


def test_the_export_of_an_account_is_read_as_the_api_is(rob, brainz, tmp_path):
    snapshot, _ = fetched(brainz, tmp_path)
    raw = [
        {
            **{"listened_at": row["listened_at"], "recording_msid": row["msid"]},
            "track_metadata": {"artist_name": row["artist"], "track_name": row["title"]},
        }
        for row in rob.listens["rob"]
    ]
    lines = "".join(json.dumps(row) + "\n" for row in raw) + "not json\n"
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as export:
        export.writestr("listens/2026/5.jsonl", lines)
        export.writestr("feedback.jsonl", "")
    (tmp_path / "listens.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    kept = {row["msid"] for row in rows(snapshot)}
    for name in ("export.zip", "listens.jsonl.gz"):
        found = list(listenbrainz.read_files([tmp_path / name], "rob"))
        assert {row["msid"] for row in found} == kept


def test_of_a_public_dump_everybody_or_one_person_is_read(tmp_path):
    told = {"artist_name": "A", "track_name": "B"}
    each = [
        {"user_name": u, "listened_at": FIRST, "track_metadata": told, "recording_msid": u}
        for u in ("rob", "ann")
    ]
    text = "".join(json.dumps(row) + "\n" for row in each).encode()
    with tarfile.open(tmp_path / "dump.tar.gz", "w:gz") as dump:
        member = tarfile.TarInfo("listenbrainz-dump/listens/2026/5.listens")
        member.size = len(text)
        dump.addfile(member, io.BytesIO(text))
    paths = [tmp_path / "dump.tar.gz"]
    assert {row["user"] for row in listenbrainz.read_files(paths, None)} == {"rob", "ann"}
    assert {row["user"] for row in listenbrainz.read_files(paths, "ann")} == {"ann"}
    with pytest.raises(InputError, match="no listens of eve"):
        list(listenbrainz.read_files(paths, "eve"))


def test_a_file_that_is_no_export_is_an_error_in_words(tmp_path):
    (tmp_path / "a.jsonl").write_text("hello\n")
    with pytest.raises(InputError, match="holds no listen"):
        list(listenbrainz.read_files([tmp_path / "a.jsonl"], None))


MBIDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(250)]


@pytest.fixture
def writable(listenbrainz_fake):
    listenbrainz_fake.tokens["t0ken"] = "rob"
    return listenbrainz_fake


def held(fake):
    assert len(fake.playlists) == 1
    (made,) = fake.playlists.values()
    return [t["identifier"][0].rpartition("/")[2] for t in made["playlist"]["track"]]


def test_a_list_is_written_once_however_often_it_is_pushed(writable, brainz):
    for _ in range(2):
        listenbrainz.push(brainz("t0ken"), "Mix", MBIDS, public=False, export_to=None)
    assert held(writable) == MBIDS
    assert writable.count("POST", "/1/playlist/create") == 1


def test_a_changed_list_takes_the_place_of_the_one_before(writable, brainz):
    listenbrainz.push(brainz("t0ken"), "Mix", MBIDS[:120], public=False, export_to=None)
    other = [*MBIDS[:3], *MBIDS[200:205]]
    listenbrainz.push(brainz("t0ken"), "Mix", other, public=False, export_to=None)
    assert held(writable) == other


def test_an_error_after_the_playlist_was_made_leaves_one(writable, brainz):
    writable.fail("POST", "/1/playlist/create", Reply(502, {}), after=True)
    listenbrainz.push(brainz("t0ken"), "Mix", MBIDS, public=False, export_to=None)
    assert held(writable) == MBIDS
    assert writable.count("POST", "/1/playlist/create") == 1


def test_a_list_can_be_carried_on_to_another_service(writable, brainz):
    pushed = listenbrainz.push(brainz("t0ken"), "Mix", MBIDS[:5], False, export_to="spotify")
    assert writable.exported == [(pushed[0], "spotify")]
    assert pushed[1].endswith("/spotify/1")


def test_a_token_that_does_not_count_is_an_error_in_words(writable, brainz):
    with pytest.raises(InputError, match="SEGUE_LISTENBRAINZ_TOKEN"):
        listenbrainz.push(brainz("wrong"), "Mix", MBIDS, public=False, export_to=None)
