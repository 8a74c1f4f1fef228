"""Genres of artists and recordings of songs: in bulk, cached, and never of a namesake."""

import csv
import gzip

import pytest

from warehouse.connectors import musicbrainz
from warehouse.connectors.http import Service
from warehouse.connectors.musicbrainz import Song, fetch_genres, fetch_mbids, of_dump, searched
from warehouse.demo.services import facts
from warehouse.demo.services.musicbrainz import MusicBrainz
from warehouse.demo.services.server import Reply, serving
from warehouse.errors import InputError, Postponed

DAY = 86_400


def mbid(number):
    return f"00000000-0000-4000-8000-{number:012d}"


@pytest.fixture
def know(listenbrainz_fake):
    """Return a function that tells the stand-in of a song, its artist and their tags."""
    listenbrainz_fake.tokens["t0ken"] = "rob"

    def told(song, artist_mbid, credit=None, title=None, tags=()):
        key = (song.artist.casefold(), song.title.casefold())
        listenbrainz_fake.recordings[key] = {
            "recording_mbid": mbid(len(listenbrainz_fake.recordings)),
            "recording_name": title or song.title,
            "artist_credit_name": credit or song.artist,
            "artist_mbids": [artist_mbid],
        }
        listenbrainz_fake.artists[artist_mbid] = {"name": song.artist, "tags": list(tags)}

    return told


@pytest.fixture
def brainz_of_rob(brainz):
    return brainz("t0ken")


@pytest.fixture
def musicbrainz_fake(clock, stack):
    fake = MusicBrainz(clock)
    fake.base = stack.enter_context(serving(fake))
    return fake


@pytest.fixture
def itself(musicbrainz_fake, asking):
    return asking(musicbrainz.service(musicbrainz_fake.base))


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def genres(home):
    rows = read(home / "snapshots/musicbrainz/genres/genres.csv")
    return {row["artist"]: row["genres"] for row in rows}


def songs_of(artist, count=2):
    return [Song(f"{artist}{n}", f"Song {n} of {artist}", artist) for n in range(count)]


def test_genres_are_those_that_musicbrainz_lists_the_commonest_first(know, brainz_of_rob, tmp_path):
    tags = [("trip-hop", 9, None), ("trip hop", 7, "g1"), ("downtempo", 8, "g2"), ("uk", 99, None)]
    songs = songs_of("Portishead")
    for song in songs:
        know(song, mbid(900), tags=tags)
    (done,) = fetch_genres(brainz_of_rob, None, tmp_path, songs)
    assert genres(tmp_path) == {"Portishead": "downtempo;trip hop"}
    assert (done.rows, done.requests) == (1, 2)


def test_two_of_one_name_and_somebody_called_otherwise_get_none(know, brainz_of_rob, tmp_path):
    twins, other, alone = songs_of("Nirvana"), songs_of("Prince"), songs_of("Solo", 1)
    tags = [("rock", 1, "g")]
    know(twins[0], mbid(901), tags=tags)
    know(twins[1], mbid(902), tags=tags)
    for song in other:
        know(song, mbid(903), credit="Prince & The Revolution", tags=tags)
    know(alone[0], mbid(904), tags=tags)
    fetch_genres(brainz_of_rob, None, tmp_path, [*twins, *other, *alone])
    assert genres(tmp_path) == {"Solo": "rock"}


def test_three_thousand_artists_cost_under_two_hundred_requests_and_none_again(
    know, brainz_of_rob, listenbrainz_fake, tmp_path, clock
):
    songs = [song for n in range(3000) for song in songs_of(f"Artist {n}")]
    for place, song in enumerate(songs):
        know(song, mbid(10**6 + place // 2), tags=[("rock", 1, "g")])
    assert musicbrainz.requests_needed(3000) < 200
    (done,) = fetch_genres(brainz_of_rob, None, tmp_path, songs)
    assert done.rows == 3000
    assert done.requests == len(listenbrainz_fake.journal) == 180
    assert not any(fault for fault in listenbrainz_fake.faults)
    (again,) = fetch_genres(brainz_of_rob, None, tmp_path, songs)
    assert (again.requests, again.changed) == (0, False)
    clock.time += 181 * DAY
    (later,) = fetch_genres(brainz_of_rob, None, tmp_path, songs[:200])
    assert later.requests == 6


def test_what_was_answered_before_a_refusal_is_not_asked_again(
    know, brainz_of_rob, listenbrainz_fake, tmp_path, clock
):
    songs = [song for n in range(120) for song in songs_of(f"Artist {n}")]
    for place, song in enumerate(songs):
        know(song, mbid(10**6 + place // 2), tags=[("rock", 1, "g")])
    fetch_genres(brainz_of_rob, None, tmp_path, songs[:100])
    listenbrainz_fake.fail("POST", "/1/metadata/lookup/", Reply(429, {}, {"Retry-After": "999"}))
    with pytest.raises(Postponed):
        fetch_genres(brainz_of_rob, None, tmp_path, songs)
    clock.time += 1000
    (done,) = fetch_genres(brainz_of_rob, None, tmp_path, songs)
    assert done.rows == 120
    assert done.requests == 5  # of the seventy that were not asked for


def test_without_a_token_it_is_said_where_to_get_one(brainz, tmp_path):
    with pytest.raises(InputError, match="SEGUE_LISTENBRAINZ_TOKEN"):
        fetch_genres(brainz(), None, tmp_path, songs_of("Anyone"))


def test_musicbrainz_itself_is_asked_once_a_second_for_what_is_left(
    know, brainz_of_rob, itself, musicbrainz_fake, tmp_path
):
    named = {mbid(n): {"name": f"Rare {n}", "genres": [("drone", 3)]} for n in range(10)}
    twin = {mbid(77): {"name": "Rare 9", "genres": [("polka", 3)]}}
    musicbrainz_fake.artists = {**named, **twin}
    songs = [Song(str(n), "A Song", f"Rare {n}") for n in range(10)]
    fetch_genres(brainz_of_rob, itself, tmp_path, songs)
    assert genres(tmp_path) == {f"Rare {n}": "drone" for n in range(9) if n != 9}
    gaps = [b - a for a, b in zip(musicbrainz_fake.moments, musicbrainz_fake.moments[1:],
                                  strict=False)]  # fmt: skip
    assert len(gaps) == 18
    assert min(gaps) >= facts.MB_GAP


def test_a_second_request_within_a_second_would_be_refused(musicbrainz_fake, asking, clock):
    hasty = asking(Service("MusicBrainz", musicbrainz_fake.base, gap=0))
    searched(hasty, "Anyone", 0)
    searched(hasty, "Anyone", 0)
    assert clock.naps == [2.0]  # after a 503


def test_a_search_is_for_the_name_whatever_signs_it_holds(itself, musicbrainz_fake):
    musicbrainz_fake.artists = {mbid(1): {"name": 'Sigur "Rós"', "genres": [("post-rock", 1)]}}
    assert searched(itself, 'nobody \\ at " all', 0).mbid is None
    assert musicbrainz_fake.journal[-1].one("query").count('"') == 2


def test_recordings_are_looked_up_with_how_sure_they_are(
    know, brainz_of_rob, listenbrainz_fake, tmp_path
):
    sure, live, other = (Song(str(n), t, "Ann") for n, t in enumerate(["A", "B - Live", "C"]))
    unknown = Song("9", "Z", "Nobody")
    know(sure, mbid(1))
    know(live, mbid(1), title="B")
    know(other, mbid(2), credit="Bob")
    (done,) = fetch_mbids(brainz_of_rob, tmp_path, [sure, live, other, unknown])
    rows = read(done.path)
    assert [(r["song_id"], float(r["confidence"])) for r in rows] == [
        ("0", 0.95),
        ("1", 0.8),
        ("2", 0.6),
    ]
    (again,) = fetch_mbids(brainz_of_rob, tmp_path, [sure, live, other, unknown])
    assert again.requests == 0
    assert len(listenbrainz_fake.journal) == 1


DUMP = [
    ("Sigur Rós", "Hoppípolla", mbid(1), mbid(51), "10"),
    ("Sigur Rós", "Hoppípolla", mbid(2), mbid(51), "20"),
    ("Nirvana", "Rainbow Chaser", mbid(3), mbid(52), "5"),
    ("Nirvana", "Rainbow Chaser", mbid(4), mbid(53), "6"),
    ("Кино", "Группа крови", mbid(5), mbid(54), "1"),
]


@pytest.mark.parametrize("zipped", [False, True])
def test_the_canonical_dump_is_joined_offline(tmp_path, zipped):
    header = "artist_credit_name,recording_name,recording_mbid,artist_mbids,score"
    text = "\n".join([header, *(",".join(row) for row in DUMP)]) + "\n"
    dump = tmp_path / ("canonical.csv.gz" if zipped else "canonical.csv")
    dump.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    songs = [
        Song("a", "HOPPIPOLLA!", "sigur ros"),
        Song("b", "Hoppípolla - Remastered 2011", "Sigur Rós"),
        Song("c", "Rainbow Chaser", "Nirvana"),
        Song("d", "группа крови", "КИНО"),
        Song("e", "???", "!!!"),
    ]
    (done,) = of_dump(tmp_path, songs, dump, 0)
    found = {r["song_id"]: (r["recording_mbid"], float(r["confidence"])) for r in read(done.path)}
    assert found == {
        "a": (mbid(1), 0.95),
        "b": (mbid(1), 0.8),
        "c": (mbid(3), 0.3),
        "d": (mbid(5), 0.95),
    }


def test_another_file_is_no_dump(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="canonical_musicbrainz_data"):
        of_dump(tmp_path, songs_of("A"), tmp_path / "other.csv", 0)
