import csv
import gzip
import io
import json
import random
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from transforms import matching, signals
from warehouse.contracts import (
    ARTIST_GENRES,
    ARTIST_READINGS,
    PLAYLIST_ENTRIES,
    PLAYLIST_READINGS,
    UNMATCHED_TRACKS,
)
from warehouse.errors import InputError
from warehouse.files import sources

ID = "3n3Ppam7vgaVa1iaRUc9Lp"


def written(path, *rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path


def read(path, kind="playlists"):
    """Return the readings as rows, line to reason of what is rejected, and what is passed over."""
    (source,) = sources.opened([], {kind: [path]})
    readings, rejected, passed_over = [], {}, 0
    for batch in sources.batches(source):
        if kind == "genres":
            clean = signals.cleaned_genres(batch.rows, source.name)
            ARTIST_READINGS.check(clean.readings)
        else:
            clean = signals.cleaned_entries(batch.rows, source.name, "whole")
            PLAYLIST_READINGS.check(clean.readings)
        readings += clean.readings.drop("source").rows()
        for frame in (clean.rejected, batch.malformed):
            rejected |= dict(frame.select("line", "reason").iter_rows())
        passed_over += clean.passed_over
        lines = clean.readings.height + clean.rejected.height + clean.passed_over
        assert batch.rows.height == lines
    return readings, rejected, passed_over


def refusal(path, kind="playlists"):
    with pytest.raises(InputError) as raised:
        sources.opened([], {kind: [path]})
    return str(raised.value)


def exported(folder, value, name="export.json"):
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "genres"),
    [
        ("['dream pop', 'shoegaze']", "dream pop;shoegaze"),
        ("[\"children's music\", 'pop']", "children's music;pop"),
        ("[]", ""),
        ("[ ]", ""),
        ("", ""),
        ("Dream Pop; shoegaze ;", "dream pop;shoegaze"),
        ("album rock,blues rock", "album rock;blues rock"),
        ("rock, rock", "rock"),
        ("rock", "rock"),
        ("r&b; a, b", "r&b;a, b"),
    ],
)
def test_genres_are_read_in_every_notation(tmp_path, text, genres):
    rows = [("artists", "genres"), ("Ann", text), ("Bo", "x")]
    readings, rejected, _ = read(written(tmp_path / "a.csv", *rows), "genres")
    assert readings == [(2, "Ann", genres), (3, "Bo", "x")]
    assert rejected == {}


def test_a_genre_a_row_and_typed_lists_are_read_as_well(tmp_path):
    rows = [("Artist Name", "Genre"), ("Ann", "rock"), ("Ann", "pop")]
    assert read(written(tmp_path / "a.csv", *rows), "genres")[0] == [
        (2, "Ann", "rock"),
        (3, "Ann", "pop"),
    ]
    frame = pl.DataFrame({"name": ["Ann", "Bo"], "genres": [["Rock", "pop"], []], "id": [1, 2]})
    frame.write_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", "genres")[0] == [(2, "Ann", "rock;pop"), (3, "Bo", "")]


def test_a_row_of_genres_that_cannot_be_read_is_rejected_with_its_line(tmp_path):
    rows = [("genres", "artists"), ("rock", ""), ("[rock", "Ann"), ("['a', 1]", "Bo"), ("x",)]
    _, rejected, _ = read(written(tmp_path / "a.csv", *rows), "genres")
    assert rejected == {
        2: "artist is missing",
        3: "genres '[rock' is not a list of names",
        4: "genres '['a', 1]' is not a list of names",
        5: "expected 2 fields, found 1",
    }


@pytest.mark.parametrize(
    ("kind", "header", "words"),
    [
        ("genres", "artist,mood", "column of artists.*one of genres.*Found: artist, mood"),
        ("genres", "artist,mood", '--map genres="mood"'),
        ("playlists", "playlist_id,artist_name", "'track_id', 'track_uri'.*rename the columns"),
        ("playlists", "album_name,artist_name", "lacks the track: its id, or title and artist"),
    ],
)
def test_an_unknown_header_says_what_was_expected_and_what_came(tmp_path, kind, header, words):
    path = tmp_path / "a.csv"
    path.write_text(header + "\n" + "x," * header.count(",") + "x\n")
    message = refusal(path, kind)
    assert message.startswith(f"{path}: ")
    assert re.search(words, message)


def test_an_empty_export_is_refused(tmp_path):
    path = exported(tmp_path, {"tracks": []})
    assert "nor as an array of objects" in refusal(path, "genres")
    assert "holds no entries" in refusal(path)


@pytest.mark.parametrize(
    "header",
    [
        ("playlist_id", "track_id", "track_name", "artist_name"),
        ("Playlist ID", "Track URI", "Title", "Artist"),
        ("pid", "uri", "song", "artists"),
        ("session_id", "spotify_id", "song_name", "Artist Name(s)"),
        ("user_id", "url", "trackname", "artistname"),
        ("playlist", "id", "name", "track_artist"),
    ],
)
@pytest.mark.parametrize(
    "track",
    [
        ID,
        f"spotify:track:{ID}",
        f"https://open.spotify.com/track/{ID}?si=ab/c",
        f"http://open.spotify.com/intl-de/track/{ID}/",
    ],
)
def test_playlists_are_read_under_many_names_and_ids_in_every_notation(tmp_path, header, track):
    path = tmp_path / "lists.csv.gz"
    path.write_bytes(
        gzip.compress(written(tmp_path / "a.csv", header, ("p", track, "T", "A")).read_bytes())
    )
    assert read(path) == ([(2, "p", ID, "T", "A")], {}, 0)


def test_a_playlist_that_is_known_by_name_is_one_with_its_owner(tmp_path):
    header = ' "user_id", "artistname", "trackname", "playlistname"'  # as in a Kaggle dump
    path = tmp_path / "lists.csv"
    path.write_text(header.strip() + '\n"u1","A","T","Rock"\n"u2","A","T","Rock"\n')
    assert [row[1] for row in read(path)[0]] == ["Rock of u1", "Rock of u2"]


def test_an_entry_without_playlist_is_rejected_and_what_is_no_song_is_passed_over(tmp_path):
    rows = [
        ("playlist_id", "track_uri", "track_name", "artist_name"),
        ("", ID, "T", "A"),
        ("p", "", "T", ""),
        ("p", "spotify:local:A:B:T:1", "T", "A; Bo"),
        ("p", "https://example.org/x", "", ""),
        ("p", "spotify:episode:1", "", ""),
        ("p", "", "", ""),
    ]
    readings, rejected, passed_over = read(written(tmp_path / "a.csv", *rows))
    assert readings == [(4, "p", None, "T", "A")]
    assert rejected == {2: "playlist is missing"}
    assert passed_over == 4


def test_an_export_of_exportify_is_one_playlist(tmp_path):
    new = ("Track URI", "Track Name", "Artist URI(s)", "Artist Name(s)", "Album Name", "Added At")
    row = (f"spotify:track:{ID}", "T, U", "spotify:artist:1", "A, B", "LP", "2024-01-01T00:00:00Z")
    assert read(written(tmp_path / "a.csv", new, row))[0] == [(2, "whole", ID, "T, U", "A, B")]
    old = ("Spotify ID", "Artist IDs", "Track Name", "Album Name", "Artist Name(s)")
    assert read(written(tmp_path / "b.csv", old, (ID, "1", "T", "LP", "A")))[0] == [
        (2, "whole", ID, "T", "A")
    ]


def test_artists_written_as_a_list_give_the_first(tmp_path):
    rows = [("pid", "title", "artists"), (1, "T", "['A, B', 'C']"), (1, "T", "[x"), (1, "T", "D")]
    assert [row[4] for row in read(written(tmp_path / "a.csv", *rows))[0]] == ["A, B", "[x", "D"]
    frame = pl.DataFrame({"pid": [1], "title": ["T"], "artists": [["A's", "B"]]})
    frame.write_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[0] == [(2, "1", None, "T", "A's")]


def test_saved_tracks_of_spotify_are_one_playlist(tmp_path):
    saved = {
        "tracks": [
            {"artist": "A", "album": "LP", "track": "T", "uri": f"spotify:track:{ID}"},
            {"artist": "A", "album": "LP", "track": 7, "uri": None},
            "T",
            {"album": "LP"},
        ],
        "albums": [],
    }
    readings, rejected, passed_over = read(exported(tmp_path, saved))
    assert readings == [(1, "saved tracks", ID, "T", "A")]
    assert rejected == {2: "track should be a valid string", 3: "the entry is not an object"}
    assert passed_over == 1


def test_playlists_of_spotify_keep_their_names_apart(tmp_path):
    def item(name):
        return {"track": {"trackName": name, "artistName": "A", "trackUri": None}, "episode": None}

    lists = {
        "playlists": [
            {"name": "Rain", "items": [item("T"), {"track": None, "episode": {"x": 1}}]},
            {"name": "Rain", "items": [item("U")]},
            {"name": "Own", "items": [{"localTrack": {"uri": "spotify:local:A+%26+B:LP:My+T:9"}}]},
            {"name": "Bad", "items": [item(3), {"track": None}]},
            {"name": "no items"},
        ]
    }
    readings, rejected, passed_over = read(exported(tmp_path, lists))
    assert readings == [
        (1, "Rain", None, "T", "A"),
        (3, "Rain (2)", None, "U", "A"),
        (4, "Own", None, "My T", "A & B"),
    ]
    assert rejected == {5: "track.trackName should be a valid string"}
    assert passed_over == 3


def play(time, title, ms=200_000):
    return {"endTime": time, "artistName": "A", "trackName": title, "msPlayed": ms}


def test_more_than_half_an_hour_of_silence_ends_a_session_and_short_plays_are_passed_over(tmp_path):
    history = [
        play("2024-05-01 10:33", "second"),
        play("2024-05-01 10:00", "first"),
        play("2024-05-01 11:20", "after 43 minutes"),
        play("2024-05-01 11:30", "skipped", 29_999),
        play("2024-05-01 12:00", "held together by what was skipped", 30_000),
        play("2024-05-01 12:33", "after half an hour to the second", 180_000),
        play("yesterday", "when?"),
    ]
    readings, rejected, passed_over = read(exported(tmp_path, history))
    named = {title: playlist for _, playlist, _, title, _ in readings}
    assert named == {
        "first": "session 2024-05-01 09:56",
        "second": "session 2024-05-01 09:56",
        "after 43 minutes": "session 2024-05-01 11:16",
        "held together by what was skipped": "session 2024-05-01 11:16",
        "after half an hour to the second": "session 2024-05-01 11:16",
    }
    assert passed_over == 1
    assert rejected == {7: "ended_at 'yesterday' is not a time such as 2024-12-31 23:59"}


def test_the_extended_history_is_read_without_addresses(tmp_path):
    entry = {
        "ts": "2024-05-01T10:00:07Z",
        "ms_played": 180_000,
        "ip_addr": "203.0.113.7",
        "master_metadata_track_name": "T",
        "master_metadata_album_artist_name": "A",
        "spotify_track_uri": f"spotify:track:{ID}",
        "spotify_episode_uri": None,
    }
    podcast = {**entry, "spotify_track_uri": None, "spotify_episode_uri": "spotify:episode:1"}
    path = exported(tmp_path, [entry, podcast, {**entry, "ms_played": "long"}])
    assert read(path)[0] == [(1, "session 2024-05-01 09:57", ID, "T", "A")]
    assert read(path)[2] == 1
    (source,) = sources.opened([], {"playlists": [path]})
    (batch,) = sources.batches(source)
    shown = [*batch.rows["row"], *batch.malformed["row"]]
    assert len(shown) == 3
    assert not any("203.0.113" in row for row in shown)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{"tracks": [', "cannot be read as JSON"),
        ("\ufeff", "cannot be read as JSON"),
        ({"albums": 1}, "Found an object with 'albums'"),
        ([1, 2], "Found an array of 2, first a value '1'"),
        ([], "Found an array of 0"),
        (None, "Found null"),
        ({"playlists": []}, "holds no entries"),
        ("[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_a_damaged_or_unknown_export_is_refused_at_once(tmp_path, value, words):
    text = value if isinstance(value, str) else json.dumps(value)
    message = refusal(exported(tmp_path, text))
    assert words in message
    assert message.startswith(str(tmp_path / "export.json"))


def test_text_that_is_no_unicode_does_not_stop_an_export(tmp_path):
    tracks = [{"track": "a\ud800", "artist": "A"}, {"track": "T", "artist": "A\0"}]
    text = json.dumps({"tracks": tracks})
    readings, rejected, _ = read(exported(tmp_path, text))
    assert [row[3] for row in readings] == ["a\ufffd", "T"]
    assert not rejected


SONGS = pl.DataFrame(
    [
        ("s1", "Stay", "Ann", '["Ann", "Bo"]', 50),
        ("s2", "Stay", "Ann", '["Ann"]', 70),
        ("s3", "Stay - Live", "Ann", '["Ann"]', 10),
        ("s4", "Café (Señor)", "Björk, Queen", '["Björk, Queen"]', None),
        ("s5", "Loop", "Earth", '["Earth"]', 3),
        ("s6", "Loop", "Earth", '["Earth"]', 3),
        ("s7", "Tears (Part 2)", "AC/DC", '["AC/DC", "bjork, queen"]', 5),
        ("s8", "!!!", "Ann", '["Ann"]', 1),
    ],
    schema=["song_id", "title", "artist", "artists", "popularity"],
    orient="row",
)


def entries(*rows, source="lists.csv"):
    """Lay out entries of playlist, track id, title and artist."""
    numbered = [(source, line, *row) for line, row in enumerate(rows, start=2)]
    return pl.DataFrame(numbered, schema=PLAYLIST_READINGS.schema, orient="row")


@pytest.mark.parametrize(
    ("track", "song", "how"),
    [
        (("s1", None, None), "s1", "matched_by_id"),
        (("s1", "Loop", "Earth"), "s1", "matched_by_id"),
        (("x", "Stay", "Ann"), "s2", "matched_by_name"),
        ((None, "STAY - Live", "ann"), "s3", "matched_by_name"),
        ((None, "Stay (Remastered 2011)", "Ann"), "s2", "matched_by_name"),
        ((None, "Stay [feat. Cy]", "Ann"), "s2", "matched_by_name"),
        ((None, "Stay (For a While)", "Ann"), "s2", "matched_by_name"),
        ((None, "Cafe (Senor)", "Bjork, Queen"), "s4", "matched_by_name"),
        ((None, "Loop", "Earth, Wind & Fire"), "s5", "matched_by_name"),
        ((None, "Tears, Part 2", "ACDC"), "s7", "matched_by_name"),
        ((None, "!!!", "Ann"), "s8", "matched_by_name"),
        ((None, "Stay", "Bo"), None, "unmatched"),
        ((None, "Stay With Me", "Ann"), None, "unmatched"),
        (("x", None, None), None, "unmatched"),
    ],
)
def test_an_entry_is_a_song_by_id_else_by_title_and_primary_artist(track, song, how):
    (found,) = matching.matched(entries(("p", *track)), SONGS).rows(named=True)
    assert (found["song_id"], found["how"]) == (song, how)


def test_the_artist_of_an_entry_is_spelt_as_the_catalogue_folds_it():
    tracks = [
        (None, "Unknown", "ACDC"),
        (None, "Unknown", "Earth, Wind & Fire"),
        (None, "Unknown", "Björk, Queen"),
        (None, "Unknown", "Nobody, Else"),
        ("s1", None, None),
        ("x", None, None),
    ]
    found = matching.matched(entries(*(("p", *track) for track in tracks)), SONGS)
    expected = ["ac/dc", "earth", "bjork, queen", "nobody, else", "ann", None]
    assert found["primary"].to_list() == expected


@given(order=st.permutations(range(8)), times=st.integers(1, 3))
@examples(max_examples=25, deadline=None)
def test_neither_the_order_of_songs_nor_of_entries_matters(order, times):
    tracks = [("a", "x", "Stay", "Ann"), ("b", None, "Loop", "Earth"), ("a", None, "No", "One")]
    rows = tracks * times
    random.Random(times).shuffle(rows)
    found = matching.matched(entries(*rows), SONGS[list(order)])
    assert found["line"].to_list() == list(range(2, 2 + len(rows)))
    learnt = matching.playlist_entries(found, 0.5)
    PLAYLIST_ENTRIES.check(learnt)
    assert learnt.drop("held_out").rows() == [
        (0, None, "one"),
        (0, "s2", "ann"),
        (1, "s5", "earth"),
    ]
    expected = [("No", "One", "", times, 1)]
    assert UNMATCHED_TRACKS.check(matching.unmatched_tracks(found)).rows() == expected


def held_out(names, share, source="lists.csv"):
    found = matching.matched(entries(*((n, "s1", None, None) for n in names), source=source), SONGS)
    learnt = matching.playlist_entries(found, share)
    ordered = dict(enumerate(sorted(names)))
    return {ordered[n] for n, held in learnt.select("playlist", "held_out").iter_rows() if held}


def test_a_playlist_stays_on_its_side_whatever_else_there_is():
    names = [f"playlist {n}" for n in range(2000)]
    tenth, third = held_out(names, 0.1), held_out(names, 1 / 3)
    assert 150 < len(tenth) < 250
    assert tenth < third
    assert held_out(names[500:900], 0.1, "other.csv") == tenth & set(names[500:900])
    assert held_out(names, 0) == set()


def test_what_one_has_saved_is_always_learnt_from():
    assert held_out(["saved tracks"], 0.5) == set()


def test_the_same_name_in_two_files_is_two_playlists():
    both = pl.concat(
        [entries(("p", "s1", None, None)), entries(("p", "s2", None, None), source="b")]
    )
    assert matching.playlist_entries(matching.matched(both, SONGS), 0.1)["playlist"].to_list() == [
        0,
        1,
    ]


def test_unmatched_tracks_are_counted_by_name_else_by_id():
    rows = [
        ("a", "x1", "Home", "Cy"),
        ("a", "x1", "home", "CY"),
        ("b", "x2", "Home", "Cy"),
        ("b", None, "Home", "Dee"),
        ("b", "x3", None, None),
        ("c", "x3", None, "Cy"),
        ("c", "s1", "Home", "Cy"),
    ]
    found = matching.unmatched_tracks(matching.matched(entries(*rows), SONGS))
    assert UNMATCHED_TRACKS.check(found).rows() == [
        ("", "", "x3", 2, 2),
        ("Home", "Cy", "x1", 3, 2),
        ("Home", "Dee", "", 1, 1),
    ]


def test_genres_go_to_every_spelling_of_every_credited_artist():
    rows = [
        ("a.csv", 2, "BJORK, QUEEN", "art pop;pop"),
        ("a.csv", 3, "Bo", "pop"),
        ("a.csv", 4, "Bo", "pop"),
        ("a.csv", 5, "Ann", ""),
        ("a.csv", 6, "Nobody", "rock"),
    ]
    readings = pl.DataFrame(rows, schema=ARTIST_READINGS.schema, orient="row")
    found = matching.matched_artists(readings, SONGS)
    assert ARTIST_GENRES.check(matching.artist_genres(found)).rows() == [
        ("Björk, Queen", "art pop"),
        ("Björk, Queen", "pop"),
        ("Bo", "pop"),
        ("bjork, queen", "art pop"),
        ("bjork, queen", "pop"),
    ]
    assert matching.counts(found).rows() == [("a.csv", 0, 4, 1)]
