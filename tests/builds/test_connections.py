"""What was fetched gets into a build, or is kept out of it, and says where it is from."""

import csv
import json
import shutil
import socket
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.connections.fetch import fetch, fetch_all
from flows.connections.files import connection
from flows.settings import settings
from warehouse.connectors.http import SystemClock
from warehouse.connectors.snapshots import Origin, Snapshot, origin_path
from warehouse.demo.services.listenbrainz import ListenBrainz
from warehouse.demo.services.server import Reply, serving
from warehouse.errors import InputError

ROB = "listenbrainz:rob"


def facts(licence, rows=1, service="Somewhere"):
    return Origin(service, "https://example.org", "2026-01-01T00:00:00+00:00", licence, "its terms",
                  1, rows, "")  # fmt: skip


def other_songs(tracks, folder):
    """Return the golden tracks under other ids."""
    header, *lines = tracks.read_text(encoding="utf-8").splitlines()
    (folder / "others.csv").write_text("\n".join([header, *(f"x{line}" for line in lines)]))
    return folder / "others.csv"


def lent(home, file, licence, name="tracks.csv", service="spotify", part="all"):
    snapshot = Snapshot(home, service, part, name)
    snapshot.publish(file.read_text(encoding="utf-8"), facts(licence, service=service.title()))
    return snapshot.path


@pytest.fixture
def golden_home(build, golden, tmp_path):
    return build(tmp_path / "var", golden / "tracks.csv", neighbours=3).parents[1]


def test_what_is_lent_for_display_changes_no_byte_of_a_build(
    build, golden, snapshot, tmp_path, caplog
):
    tracks = golden / "tracks.csv"
    plain = build(tmp_path / "plain", tracks, neighbours=3)
    home = tmp_path / "lent"
    display = lent(home, other_songs(tracks, tmp_path), "display")
    other = build(home, tracks, display, neighbours=3)
    assert "for display only" in caplog.text
    one, two = snapshot(plain), snapshot(other)
    assert one.pop("manifest.json") != two.pop("manifest.json")  # which tells times
    assert one == two
    copied = tmp_path / "copy.csv"
    copied.write_bytes(display.read_bytes())  # without its origin
    with pytest.raises(InputError, match="No track file is left"):
        build(home, copied, neighbours=3)


def test_what_is_non_commercial_waits_for_a_setting(build, golden, rows, tmp_path, caplog):
    home = tmp_path / "var"
    genres = lent(
        home, golden / "artists.csv", "non-commercial", "genres.csv", "musicbrainz", "genres"
    )
    tracks = golden / "tracks.csv"
    given = {"neighbours": 3, "connections": ["musicbrainz:genres"], "max_rejected_share": 0.2}
    without = build(home, tracks, **given)
    assert rows(without, "select source from sources where kind = 'genres'") == []
    assert "SEGUE_NONCOMMERCIAL" in caplog.text
    with_it = build(home, tracks, noncommercial=True, **given)
    sql = "select source, licence, url, fetched_at from sources where kind = 'genres'"
    assert rows(with_it, sql) == [
        (genres.name, "non-commercial", "https://example.org", "2026-01-01T00:00:00+00:00")
    ]


def test_rows_that_say_they_are_lent_stop_a_build_wherever_they_stand(golden, tmp_path):
    header, *lines = (golden / "tracks.csv").read_text(encoding="utf-8").splitlines()
    marked = [f"{line},{'display' if n == 5 else ''}" for n, line in enumerate(lines)]
    (tmp_path / "mine.csv").write_text("\n".join([f"{header},licence", *marked]) + "\n")
    given = ("--tracks", tmp_path / "mine.csv", "--neighbours", 3, "--home", tmp_path / "var")
    result = segue("build", "--direct", *given)
    assert result.exit_code == 3, result.output
    assert "nothing_is_lent_for_display" in result.stderr
    assert not (tmp_path / "var" / "current").exists()


def test_a_folder_does_not_let_in_what_is_lent(build, golden, tmp_path):
    home = tmp_path / "var"
    display = lent(home, other_songs(golden / "tracks.csv", tmp_path), "display")
    with pytest.raises(InputError, match=r"No track file is left|is not a file"):
        build(home, display.parent, neighbours=3)


def test_an_origin_that_cannot_be_read_is_an_error_in_words(build, golden, tmp_path):
    tracks = tmp_path / "tracks.csv"
    shutil.copy(golden / "tracks.csv", tracks)
    origin_path(tmp_path / "tracks.csv").write_text("{")
    with pytest.raises(InputError, match="Fetch it again"):
        build(tmp_path / "var", tracks, neighbours=3, fresh=True)
    wrong = {**asdict(facts("open")), "licence": "free"}
    origin_path(tmp_path / "tracks.csv").write_text(json.dumps(wrong))
    with pytest.raises(InputError, match="'free'"):
        build(tmp_path / "var", tracks, neighbours=3, fresh=True)


@pytest.fixture
def rob(demo):
    """Return a stand-in for ListenBrainz where rob plays much of one circle of the demo."""
    with (demo.parents[1] / "demo" / "tracks.csv").open(encoding="utf-8") as file:
        songs = [row for row in csv.DictReader(file) if row["song_id"] and row["title"]][:900]
    fake = ListenBrainz(SystemClock())
    fake.listens["rob"] = [
        {
            "listened_at": 1_780_000_000 + 240 * number,
            "artist": song["artists"].split(";")[0],
            "title": song["title"],
            "msid": str(number),
        }
        for number, song in enumerate(songs[place] for n in range(40) for place in range(n, 40))
    ]
    fake.feedback["rob"] = []
    with serving(fake) as base:
        fake.base = base
        yield fake


def chosen(home, fake, **others):
    given = {"connections": [ROB], "contact": "a@example.org", "listenbrainz_url": fake.base}
    return settings(home=home, **given, **others)


@pytest.mark.slow
def test_listens_change_what_is_recommended_to_who_played_them(demo, rob, build, rows, tmp_path):
    home = tmp_path / "var"
    picked = chosen(home, rob)
    fetch(picked, connection(ROB))
    served = build(home, connections=[ROB])
    recommended = rows(served, "select count(*) from user_recommendations where user = 'rob'")
    assert recommended == [(20,)]
    assert rows(demo, "select count(*) from user_recommendations where user = 'rob'") == [(0,)]
    sql = "select source, kind, licence, matched_by_name > 0 from sources where licence is not null"
    assert sorted(rows(served, sql)) == [
        ("rob/ratings.csv", "ratings", "open", 1),
        ("rob/sessions.csv", "playlists", "open", 1),
    ]
    played = {row["title"] for row in rob.listens["rob"]}
    told = rows(served, "select title from songs join user_recommendations using (song_id) "
                        "where user = 'rob'")  # fmt: skip
    assert not played & {title for (title,) in told}


def test_a_service_that_is_down_costs_nothing_but_news(rob, tmp_path, caplog):
    home = tmp_path / "var"
    picked = chosen(home, rob)
    assert fetch_all(picked) == []
    held = (home / "snapshots/listenbrainz/rob/sessions.csv").read_bytes()
    rob.listens["rob"].append({**rob.listens["rob"][-1], "listened_at": 1_790_000_000})
    for _ in range(9):
        rob.fail("GET", "/1/user/{user}/listens", Reply(429, {}, {"Retry-After": "9999"}))
    assert fetch_all(picked) == [ROB]
    assert "what was fetched before is used" in caplog.text
    assert (home / "snapshots/listenbrainz/rob/sessions.csv").read_bytes() == held


def segue(*words, **environment):
    result = CliRunner().invoke(app, [str(word) for word in words], env=environment)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_fetches_and_status_says_how_old_it_is(rob, build, golden, tmp_path):
    home = tmp_path / "var"
    build(home, golden / "tracks.csv", neighbours=3)
    given = {"SEGUE_CONTACT": "a@example.org", "SEGUE_LISTENBRAINZ_URL": rob.base}
    first = segue("fetch", ROB, "--home", home, **given)
    assert first.exit_code == 0, first.output
    assert f"{ROB}: 820 rows in listens.jsonl, 1 request\n" in first.stdout
    assert "SEGUE_CONNECTIONS='listenbrainz:rob'" in first.stderr
    again = segue("fetch", "--home", home, SEGUE_CONNECTIONS=ROB, **given)
    assert f"{ROB}: nothing new (820 rows) in listens.jsonl, 1 request\n" in again.stdout
    status = segue("status", "--home", home)
    assert "listenbrainz/rob/listens.jsonl" in status.stdout
    assert "0 hours" in status.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fetch"], "SEGUE_CONNECTIONS"),
        (["fetch", "lastfm:rob"], "listenbrainz"),
        (["fetch", "listenbrainz"], "a user name"),
        (["fetch", ROB], "SEGUE_CONTACT"),
        (["fetch", "subsonic", "--from", "x.zip"], "not for subsonic"),
        (["fetch", ROB, "--from", "nowhere.zip"], "nowhere.zip"),
    ],
)
def test_a_wrong_call_is_one_message_and_exit_code_2(words, said, tmp_path):
    result = segue(*words, "--home", tmp_path)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_a_long_wait_is_exit_code_5(rob, tmp_path):
    rob.fail("GET", "/1/user/{user}/listens", Reply(429, {}, {"Retry-After": "48925"}))
    given = {"SEGUE_CONTACT": "a@example.org", "SEGUE_LISTENBRAINZ_URL": rob.base}
    for _ in range(2):
        result = segue("fetch", ROB, "--home", tmp_path, **given)
        assert result.exit_code == 5
        assert "asks for no requests until" in result.stderr
    assert len(rob.journal) == 1


def test_a_build_opens_no_connection(build, golden, tmp_path, monkeypatch):
    def refused(self, address):
        raise AssertionError(f"a build asked {address}")

    monkeypatch.setattr(socket.socket, "connect", refused)
    given = {"neighbours": 3, "connections": [ROB]}
    assert build(tmp_path / "var", golden / "tracks.csv", fresh=True, **given).is_dir()


MBIDS = """song_id,recording_mbid,artist_mbid,confidence,how
dance1,00000000-0000-4000-8000-000000000001,,0.6,look-up
dance2,00000000-0000-4000-8000-000000000002,00000000-0000-4000-8000-000000000009,0.95,look-up
gone,00000000-0000-4000-8000-000000000003,,0.95,look-up
"""


def test_recordings_that_were_looked_up_are_published_and_accounted_for(
    build, golden, rows, tmp_path
):
    home, file = tmp_path / "var", tmp_path / "mbids.csv"
    file.write_text(MBIDS)
    lent(home, file, "open", "mbids.csv", "musicbrainz", "mbids")
    given = {"neighbours": 3, "connections": ["musicbrainz:mbids"]}
    served = build(home, golden / "tracks.csv", **given)
    assert rows(served, "select song_id, confidence, artist_mbid is null from song_mbids") == [
        ("dance1", 0.6, 1),
        ("dance2", 0.95, 0),
    ]
    sql = "select rows_read, matched_by_id, unmatched, licence from sources where kind = 'mbids'"
    assert rows(served, sql) == [(3, 2, 1, "open")]
