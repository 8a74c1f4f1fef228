"""The mix over a published build and its command: lists of songs in, playlists out."""

import json
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from typer.testing import CliRunner

from flows.answers import playlists as mixes
from flows.cli import app
from warehouse.errors import InputError, TooMuch, Unknown
from warehouse.published import Published

SONGS = "select song_id, title, artist, family_id, taste_id, label from songs order by song_id"


@pytest.fixture(scope="module")
def home(demo):
    return demo.parents[1]


@pytest.fixture(scope="module")
def build(demo):
    return Published(demo)


@pytest.fixture(scope="module")
def songs(home):
    with sqlite3.connect(home / "current" / "segue.db") as database:
        names = ("song_id", "title", "artist", "family_id", "taste_id", "label")
        return [dict(zip(names, row, strict=True)) for row in database.execute(SONGS)]


def mixed(build, text, places=mixes.PLACES):
    return mixes.mixed(build, mixes.SavedSongs(text, places=places))


def mixed_by_command(home, *words, stdin=None):
    words = ["mix", *(str(word) for word in words), "--home", str(home)]
    result = CliRunner().invoke(app, words, input=stdin, prog_name="segue")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_ids_addresses_csv_and_lines_of_the_same_songs_give_the_same_playlist(build, songs):
    some = songs[::97]
    unique = [s for s in some if sum(o["label"] == s["label"] for o in songs) == 1]
    texts = [
        "\n".join(song["song_id"] for song in unique),
        "\n".join(f"spotify:track:{song['song_id']}" for song in reversed(unique)),
        "Track URI,Track Name\n" + "\n".join(f"{song['song_id']},x" for song in unique),
        json.dumps({"tracks": [{"uri": s["song_id"], "track": "", "artist": ""} for s in unique]}),
    ]
    made = [mixed(build, text) for text in texts]
    assert {m.saved for m in made} == {len(unique)}
    assert len(made[0].songs) == mixes.PLACES
    assert all(m.songs == made[0].songs for m in made)
    assert mixes.mixed(build, mixes.SavedSongs(songs=texts[0].splitlines())).songs == made[0].songs


def test_a_mix_holds_to_its_rules_and_says_what_each_song_is_near_to(build, songs):
    saved = songs[5::31]
    made = mixed(build, "\n".join(song["song_id"] for song in saved), places=40)
    by_id = {song["song_id"]: song for song in songs}
    played = [by_id[song.song_id] for song in made.songs]
    families = [song["family_id"] for song in played]
    assert len(set(families)) == len(played) == 40
    assert not set(families) & {song["family_id"] for song in saved}
    assert max(Counter(song["artist"] for song in played).values()) <= 2
    near = {song.near.song_id: song.near.label for song in made.songs}
    assert near.items() <= {song["song_id"]: song["label"] for song in saved}.items()


def test_the_shares_are_those_of_the_saved_songs(build, songs):
    saved = songs[::40]
    made = mixed(build, "\n".join(song["song_id"] for song in saved))
    counted = {taste.taste_id: taste.saved for taste in made.tastes}
    assert counted == dict(Counter(song["taste_id"] for song in saved))
    assert sum(taste.played for taste in made.tastes) == 50
    assert min(taste.played for taste in made.tastes) >= 1
    assert sum(taste.saved_share for taste in made.tastes) == pytest.approx(1)
    assert made.share_distance < 0.005 * len(counted)


def test_what_stands_for_no_song_is_listed_with_its_line(build, songs):
    text = f"{songs[0]['song_id']}\nno idea what\nNobody - Nothing\nspotify:track:unknown\n"
    made = mixed(build, text)
    assert made.saved == 1
    assert [lost.line for lost in made.unmatched] == [2, 3, 4]
    assert [lost.row for lost in made.unmatched] == text.splitlines()[1:]
    assert [lost.reason for lost in made.unmatched[1:]] == [mixes.ABSENT] * 2


def test_where_nothing_is_found_the_playlist_is_empty(build):
    made = mixed(build, "Nobody - Nothing")
    assert (made.saved, len(made.songs), len(made.tastes)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("text", "places", "error", "words"),
    [
        ("", 50, InputError, "holds no songs"),
        ("# a comment\n", 50, InputError, "holds no songs"),
        ("x" * 1_000_001, 50, TooMuch, "1,000,001 bytes; the limit is 1,000,000"),
        ("x - y\n" * 10_001, 50, TooMuch, "10,001 songs; the limit is 10,000"),
        ('{"songs": 1}', 50, InputError, "not known"),
        ("x - y", 0, InputError, "1 to 500 places, got 0"),
        ("x - y", 501, InputError, "1 to 500 places, got 501"),
    ],
)
def test_what_cannot_be_mixed_is_one_clear_error(build, text, places, error, words):
    with pytest.raises(error, match=words):
        mixed(build, text, places=places)


@pytest.mark.parametrize("saved", [mixes.SavedSongs(), mixes.SavedSongs("x", ["x"])])
def test_a_list_is_given_in_one_way(build, saved):
    with pytest.raises(InputError, match="either text or songs"):
        mixes.mixed(build, saved)


def test_ten_thousand_songs_are_taken(build):
    made = mixed(build, "x - y\n" * 10_000)
    assert len(made.unmatched) == 10_000


def test_vectors_stay_on_disk_and_are_loaded_only_as_the_build_wrote_them(build):
    points = build.vectors
    assert not points.flags.writeable
    assert points.filename


@pytest.mark.parametrize("form", ["csv", "m3u8", "xspf", "jspf", "uris", "json"])
def test_each_format_is_written_and_its_file_is_not_on_standard_output(home, songs, tmp_path, form):
    saved = "\n".join(song["song_id"] for song in songs[::200])
    (tmp_path / "mine.txt").write_text(saved)
    target = tmp_path / f"mix.{form}"
    told = mixed_by_command(home, tmp_path / "mine.txt", "--places", 7, "--out", target)
    assert told.exit_code == 0
    assert told.stdout == f"Wrote 7 songs to {target}\n"
    printed = mixed_by_command(home, "-", "--places", 7, "--format", form, stdin=saved)
    text = target.read_text(encoding="utf-8")
    assert printed.stdout.replace("Mix of stdin", "Mix of mine.txt") == text
    if form == "xspf":
        assert len(Xml.fromstring(text).findall(".//{*}track")) == 7
    elif form == "json":
        assert len(json.loads(text)["songs"]) == 7
    elif form == "jspf":
        assert len(json.loads(text)["playlist"]["track"]) == 7
    else:
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert len(lines) == (8 if form == "csv" else 7)


def test_the_table_shows_songs_and_shares_and_what_was_not_found(home, songs):
    saved = songs[0]["song_id"] + "\nNobody - Nothing\n"
    shown = mixed_by_command(home, "-", "--places", 3, stdin=saved)
    lines = shown.stdout.splitlines()
    assert lines[0].split() == ["song", "artist", "year", "taste", "close", "to"]
    assert songs[0]["label"] in lines[1]
    assert lines[4].split() == ["taste", "saved", "playlist"]
    assert lines[5].split()[-2:] == ["100%", "100%"]
    assert shown.stderr.splitlines() == [
        "Songs found: 1. Lines that match no song: 1.",
        "  line 2: not in the catalogue: Nobody - Nothing",
    ]


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["-"], "Nobody - Nothing", "No song in stdin is in the catalogue"),
        (["-", "--format", "mp3"], "x", "Expected one of csv, m3u8"),
        (["-", "--out", "mix.mp3"], "x", "got 'mp3'"),
        (["nowhere.txt"], None, "Expected a file, or - for standard input"),
        (["-"], b"\xff\xfe\x00", "Expected UTF-8 text"),
        (["-"], "x" * 1_000_002, "the limit is 1,000,000"),
        (["-", "--places", "0"], "x", "--places"),
    ],
)
def test_a_wrong_call_is_one_message(home, tmp_path, monkeypatch, words, stdin, message):
    monkeypatch.chdir(tmp_path)
    told = mixed_by_command(home, *words, stdin=stdin)
    assert told.exit_code == 2
    assert told.stdout == ""
    assert message in told.stderr
    assert not list(Path(tmp_path).iterdir())


def test_a_build_of_before_there_were_tastes_says_so(demo, tmp_path):
    manifest = json.loads((demo / "manifest.json").read_text())
    del manifest["counts"]["tastes"], manifest["seal"]  # as an earlier version would write it
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "segue.db").symlink_to(demo / "segue.db")
    with pytest.raises(Unknown, match="has no tastes"):
        mixed(Published(tmp_path), "x - y")


def test_threads_that_ask_at_once_get_what_they_would_get_alone(demo, songs):
    lists = ["\n".join(song["song_id"] for song in songs[start::61]) for start in range(6)]
    lists += ["\n".join(f"{s['artist']} - {s['title']}" for s in songs[n::71]) for n in range(6)]
    fresh, alone = Published(demo), Published(demo)
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda text: mixed(fresh, text), lists))
    assert together == [mixed(alone, text) for text in lists]


def test_the_example_stands_for_songs_of_several_tastes(build):
    made = mixed(build, "\n".join(f"{s.artist} - {s.title}" for s in mixes.offer(build).example))
    assert (made.saved, made.unmatched, len(made.tastes)) == (5, [], 5)
