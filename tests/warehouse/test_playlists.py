import json
import re
import time
from xml.etree import ElementTree as Xml

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.signals import cleaned_entries
from warehouse.errors import InputError
from warehouse.files import lists, playlists, sources

ID = "3n3Ppam7vgaVa1iaRUc9Lp"
OTHER = "0VjIjW4GlUZAMYd2vXMi3b"
TOLD = ["song_id", "title", "artists"]

SONGS = pl.DataFrame(
    {
        "song_id": [ID, "demo-1"],
        "title": ['Mr. "B" & <Side>', "Two\nLines\x0b"],
        "artist": ["The Killers, Live", "Ärzte"],
        "album": ["Hot Fuss", None],
        "duration_ms": [222_973, None],
    }
)


def told(text):
    found, _ = sources.entries(text, "the list")
    return found.select(TOLD).rows()


@pytest.mark.parametrize(
    "line",
    [
        ID,
        f"spotify:track:{ID}",
        f"https://open.spotify.com/track/{ID}?si=abc",
        f"https://open.spotify.com/intl-de/track/{ID}",
        f"  {ID}\r",
        f"3. https://open.spotify.com/track/{ID}",
    ],
)
def test_ids_and_addresses_in_any_form_are_one_song(line):
    found, unread = sources.entries(f"{line}\n", "the list")
    assert not unread.height
    cleaned = cleaned_entries(found, "the list", "the list")
    assert cleaned.readings["track_id"].to_list() == [ID]


def test_lines_of_artist_and_title():
    text = "# mine\n1. Queen - Bohemian Rhapsody\n\nAC/DC – T.N.T. - Live\nA-ha\tTake On Me\n"
    assert told(text) == [
        (None, "Bohemian Rhapsody", "Queen"),
        (None, "T.N.T. - Live", "AC/DC"),
        (None, "Take On Me", "A-ha"),
    ]


def test_lines_of_several_kinds_may_be_mixed_and_each_knows_its_number():
    found, unread = sources.entries(f"{ID}\nno idea what\nQueen - Innuendo", "the list")
    assert found["line"].to_list() == [1, 2, 3]
    assert found["song_id"].to_list() == [ID, "no idea what", None]  # an id for all we know
    assert not unread.height


def test_a_line_with_a_comma_is_no_header():
    assert told("Earth, Wind & Fire - September\n") == [(None, "September", "Earth, Wind & Fire")]


def test_an_export_of_exportify_is_read_by_its_header():
    text = (
        "\ufeffTrack URI,Track Name,Album Name,Artist Name(s),Release Date\n"
        f'spotify:track:{ID},"Hello, ""you""",Album,Adele,2015\n'
        f"spotify:track:{OTHER},short row\n"
    )
    found, unread = sources.entries(text, "liked.csv")
    assert found.select(TOLD).rows() == [(f"spotify:track:{ID}", 'Hello, "you"', "Adele")]
    assert unread["reason"].to_list() == ["expected 5 fields, found 2"]


@pytest.mark.parametrize("header", ["artist,title", "playlist,artist,title", "title,artist,,"])
def test_a_plain_table_needs_no_playlist(header):
    row = {"playlist": "x", "artist": "Queen", "title": "Innuendo", "": ""}
    text = f"{header}\n" + ",".join(row[name] for name in header.split(","))
    assert told(text) == [(None, "Innuendo", "Queen")]


def test_saved_tracks_of_a_library_are_read_from_text():
    library = {"tracks": [{"artist": "Queen", "album": "x", "track": "Innuendo", "uri": ID}]}
    assert told(json.dumps(library)) == [(ID, "Innuendo", "Queen")]


def test_json_of_another_shape_says_what_was_expected():
    with pytest.raises(InputError, match=r"the list: not known .*YourLibrary\.json"):
        sources.entries('{"songs": 3}', "the list")


@given(st.text())
def test_any_text_gives_entries_or_a_clear_error(text):
    try:
        found, unread = sources.entries(text, "the list")
    except InputError:
        return
    assert set(TOLD) <= set(found.columns)
    assert unread.columns == ["line", "reason", "row"]


def test_uris_leave_out_what_spotify_does_not_have():
    assert playlists.as_uris(SONGS, "Mine") == f"spotify:track:{ID}\n"


def test_csv_m3u8_and_uris_are_read_again():
    for form in ("csv", "uris"):
        assert told(playlists.WRITERS[form](SONGS, "Mine"))[0][0] == f"spotify:track:{ID}"
    assert told(playlists.as_m3u8(SONGS, "Mine")) == [
        (None, 'Mr. "B" & <Side>', "The Killers, Live"),
        (f"https://open.spotify.com/track/{ID}", None, None),
        (None, "Two Lines", "Ärzte"),
        ("demo-1", None, None),
    ]


def test_m3u8_by_hand():
    assert playlists.as_m3u8(SONGS.head(1), "My\nmix") == (
        "#EXTM3U\n#PLAYLIST:My mix\n"
        f'#EXTINF:223,The Killers, Live - Mr. "B" & <Side>\nhttps://open.spotify.com/track/{ID}\n'
    )


def test_xspf_is_sound_xml_with_the_elements_of_its_specification():
    root = Xml.fromstring(playlists.as_xspf(SONGS, "Mine \x01& yours"))
    space = f"{{{playlists.XSPF}}}"
    assert root.tag == f"{space}playlist"
    assert root.attrib == {"version": "1"}
    assert root.findtext(f"{space}title") == "Mine & yours"
    first, second = root.iter(f"{space}track")
    assert [(part.tag.removeprefix(space), part.text) for part in first] == [
        ("location", f"https://open.spotify.com/track/{ID}"),
        ("identifier", f"spotify:track:{ID}"),
        ("title", 'Mr. "B" & <Side>'),
        ("creator", "The Killers, Live"),
        ("album", "Hot Fuss"),
        ("duration", "222973"),
    ]
    assert [part.tag.removeprefix(space) for part in second] == ["title", "creator"]


def test_jspf_has_lists_where_xspf_repeats_elements():
    playlist = json.loads(playlists.as_jspf(SONGS, "Mine"))["playlist"]
    assert playlist["title"] == "Mine"
    assert playlist["track"][0]["identifier"] == [f"spotify:track:{ID}"]
    assert playlist["track"][0]["duration"] == 222_973
    assert "location" not in playlist["track"][1]


def test_json_holds_every_column():
    made = json.loads(playlists.as_json(SONGS, "Mine"))
    assert made["songs"] == SONGS.to_dicts()


@pytest.mark.parametrize("form", sorted(playlists.WRITERS))
def test_no_songs_make_an_empty_list(form):
    assert isinstance(playlists.WRITERS[form](SONGS.clear(), "Mine"), str)


@pytest.mark.parametrize("length", [10_000, 100_000])
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(lambda length: "a" + " " * length + "b", id="blanks"),
        pytest.param(lambda length: "a" + " \t" * (length // 2) + "b", id="blanks and tabs"),
        pytest.param(lambda length: "a" + " -" * (length // 2) + "b", id="dashes"),
        pytest.param(lambda length: "#EXTINF:" * (length // 8), id="comments"),
        pytest.param(lambda length: "spotify:" * (length // 8), id="addresses"),
        pytest.param(lambda length: "1. " * (length // 3), id="numbers"),
    ],
)
def test_a_line_longer_than_any_entry_is_unread_and_told_in_part(line, length):
    entries, unread = sources.entries(f"{line(length)}\n{ID}", "the list")
    assert entries["song_id"].to_list() == [ID]
    assert unread["line"].to_list() == [1]
    assert "2,000" in unread["reason"][0]
    assert len(unread["row"][0]) <= lists.LONGEST_LINE + 3


@given(st.text(alphabet=" \t-–a", max_size=30))
def test_artist_and_title_are_parted_at_the_first_dash_between_blanks_or_tab(line):
    quadratic = re.compile(r"\s+[-–—]\s+|\t+")
    assert lists.BETWEEN.split(line, maxsplit=1) == quadratic.split(line, maxsplit=1)


def test_a_run_of_blanks_takes_time_in_proportion_to_its_length():
    def seconds(length):
        line = "a" + " " * length + "b"
        start = time.process_time()
        for _ in range(5):
            lists.BETWEEN.split(line, maxsplit=1)
        return time.process_time() - start

    short, long = min(seconds(10_000) for _ in range(3)), min(seconds(100_000) for _ in range(3))
    assert long < 40 * short  # ten times in theory, a hundred times if it were quadratic
