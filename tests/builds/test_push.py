"""Lists of a build go out to other services, once, by the ids that these take."""

import json

import pytest
from typer.testing import CliRunner

from flows.answers import playlists as mixes
from flows.answers.tracks import similar_tracks
from flows.cli import app
from warehouse.connectors.http import SystemClock
from warehouse.connectors.snapshots import Origin, Snapshot
from warehouse.demo.services.listenbrainz import JSPF, ListenBrainz
from warehouse.demo.services.server import Reply, serving
from warehouse.demo.services.subsonic import Subsonic
from warehouse.errors import InputError, Unknown
from warehouse.published import Published

SONGS = ("dance1", "dance2", "dance3", "metal1")


def mbid(number):
    return f"00000000-0000-4000-8000-{number:012d}"


@pytest.fixture(scope="module")
def home(build, golden, tmp_path_factory):
    """Return a home whose build knows the recordings of three songs, one of them hardly."""
    home = tmp_path_factory.mktemp("push") / "var"
    lines = ["song_id,recording_mbid,artist_mbid,confidence,how"]
    for number, song in enumerate(SONGS[:3]):
        lines.append(f"{song},{mbid(number)},,{0.3 if song == 'dance3' else 0.95},look-up")
    facts = Origin(
        "MusicBrainz", "https://example.org", "2026-01-01T00:00:00+00:00", "open", "", 1, 3, ""
    )
    snapshot = Snapshot(home, "musicbrainz", "mbids", "mbids.csv")
    snapshot.publish("\n".join(lines) + "\n", facts)
    build(home, golden / "tracks.csv", neighbours=3, connections=["musicbrainz:mbids"])
    return home


@pytest.fixture
def brainz():
    fake = ListenBrainz(SystemClock())
    fake.tokens["t0ken"] = "rob"
    with serving(fake) as base:
        fake.settings = {
            "SEGUE_CONTACT": "a@example.org",
            "SEGUE_LISTENBRAINZ_URL": base,
            "SEGUE_LISTENBRAINZ_TOKEN": "t0ken",
        }
        yield fake


def segue(*words, stdin=None, **environment):
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin, env=environment)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def pushed(home, fake, *words, ids=SONGS):
    return segue("push", *words, "--home", home, stdin="\n".join(ids), **fake.settings)


def test_a_list_goes_out_by_the_recordings_that_are_likely(home, brainz):
    for _ in range(2):
        done = pushed(home, brainz, "listenbrainz", "-", "--as-is", "--title", "Mine")
        assert done.exit_code == 0, done.output
    assert "2 songs: https://listenbrainz.org/playlist/" in done.stdout
    assert done.stderr.count("not there") == 2
    ((made,),) = [list(brainz.playlists.values())]
    tracks = [track["identifier"] for track in made["playlist"]["track"]]
    assert tracks == [[f"https://musicbrainz.org/recording/{mbid(n)}"] for n in (0, 1)]
    assert made["playlist"]["extension"][JSPF]["public"] is False


def test_a_list_is_carried_on_by_the_account_that_is_linked(home, brainz):
    words = ("listenbrainz", "-", "--as-is", "--export", "spotify")
    assert "Passed on to spotify: https://" in pushed(home, brainz, *words).stdout
    assert [to for _, to in brainz.exported] == ["spotify"]


def test_the_jspf_of_segue_is_one_that_listenbrainz_takes(home):
    build = Published(home / "current")
    songs = mixes.described(build, SONGS[:2])
    sent = json.loads(mixes.written(build, songs, "jspf", "Mine"))
    fake = ListenBrainz(SystemClock())
    assert fake._refused(sent["playlist"]["track"]) is None
    assert sent["playlist"]["extension"][JSPF]["public"] is False


def test_a_music_server_finds_similar_tracks_by_recording_or_by_names(home):
    build = Published(home / "current")
    (song,) = mixes.described(build, SONGS[:1])
    by_mbid = similar_tracks(build, mbid(0), None, None, 5)
    by_name = similar_tracks(build, None, song.title.upper(), song.artist, 5)
    assert by_mbid == by_name
    assert by_mbid.song_id == song.song_id
    assert song.song_id not in {track.song_id for track in by_mbid.tracks}
    near = [track.similarity for track in by_mbid.tracks]
    assert near == sorted(near, reverse=True)
    assert all(0 < one <= 1 for one in near)
    with pytest.raises(Unknown):
        similar_tracks(build, None, "Nowhere", "Nobody", 5)
    with pytest.raises(InputError, match="mbid"):
        similar_tracks(build, "", "", "Nobody", 5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lastfm", "-"), "listenbrainz, subsonic"),
        (("listenbrainz",), "FILE or --for"),
        (("listenbrainz", "-", "--for", "rob"), "FILE or --for"),
        (("listenbrainz", "--for", "eve"), "There are no recommendations for 'eve'"),
        (("subsonic", "-", "--as-is"), "SEGUE_SUBSONIC_URL"),
        (("subsonic", "-", "--export", "spotify"), "--export is for listenbrainz"),
        (("listenbrainz", "-", "--export", "napster"), "soundcloud"),
    ],
)
def test_a_wrong_push_is_one_message_and_exit_code_2(home, brainz, words, said):
    result = pushed(home, brainz, *words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr


def test_songs_whose_recordings_nobody_knows_are_refused_with_a_way_on(home, brainz):
    result = pushed(home, brainz, "listenbrainz", "-", "--as-is", ids=["metal1"])
    assert result.exit_code == 2
    assert "segue fetch musicbrainz:mbids" in result.stderr


@pytest.fixture
def library():
    fake = Subsonic(SystemClock())
    fake.people["ann"] = "s3cret"
    with serving(fake) as base:
        fake.settings = {
            "SEGUE_CONTACT": "a@example.org",
            "SEGUE_SUBSONIC_URL": base,
            "SEGUE_SUBSONIC_USER": "ann",
            "SEGUE_SUBSONIC_PASSWORD": "s3cret",
        }
        yield fake


def test_a_list_goes_into_the_library_that_was_fetched(home, library):
    build = Published(home / "current")
    library.songs = [
        {"id": f"own{number}", "title": song.title, "artist": song.artist}
        for number, song in enumerate(mixes.described(build, SONGS[:3]))
    ]
    assert "fetch subsonic first" in pushed(home, library, "subsonic", "-", "--as-is").stderr
    assert segue("fetch", "subsonic", "--home", home, **library.settings).exit_code == 0
    for _ in range(2):
        library.fail("POST", "/rest/createPlaylist", Reply(502, {}), after=True)
        pushed(home, library, "subsonic", "-", "--as-is", "--title", "Mine")
    done = pushed(home, library, "subsonic", "-", "--as-is", "--title", "Mine")
    assert "3 songs" in done.stdout
    ((made,),) = [list(library.playlists.values())]
    assert [entry["id"] for entry in made["entry"]] == ["own0", "own1", "own2"]
