import json
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.notation import NAME_MARKS, Notation
from transforms.tracks import ODDITIES, cleaned
from warehouse.contracts import GENRE_READINGS, MEASUREMENTS, READINGS, SONGS

SONG = {
    **{"song_id": "s1", "title": "Sample", "artists": "Ann", "album": "LP", "year": "1999"},
    **{"release_date": "1999-12-31", "duration_ms": "200000", "explicit": "0", "popularity": "50"},
    **{"danceability": "0.5", "energy": "0.25", "key": "7", "loudness": "-6.5", "mode": "1"},
    **{"speechiness": "0.04", "acousticness": "0.1", "instrumentalness": "3.04e-06"},
    **{"liveness": "0.2", "valence": "0.75", "tempo": "120.5", "time_signature": "4"},
    **{"genres": None},
}


def batch(*songs):
    rows = pl.DataFrame(list(songs), schema=dict.fromkeys(SONG, pl.String))
    return rows.with_columns(
        line=pl.int_range(pl.len(), dtype=pl.Int64) + 2,
        row=pl.format("row {}", pl.int_range(pl.len())),
    )


def clean(notation="open", **changes):
    return cleaned(batch(SONG | changes), "f.csv", 0, Notation(artists=notation))


def reading(notation="open", **changes):
    found = clean(notation, **changes)
    assert found.rejected.is_empty(), found.rejected["reason"].to_list()
    return found.readings.row(0, named=True)


def reason(notation="open", **changes):
    found = clean(notation, **changes)
    assert found.readings.is_empty()
    return found.rejected["reason"].item()


def credited(text, notation):
    got = reading(notation, artists=text)
    names = json.loads(got["artists"])
    assert got["artist"] == names[0]
    return names


# ---- what leaves


def test_a_clean_row_leaves_as_a_typed_reading_that_keeps_its_contract():
    found = clean()
    READINGS.check(found.readings)
    got = found.readings.row(0, named=True)
    assert (got["source"], got["file"], got["line"]) == ("f.csv", 0, 2)
    assert (got["key"], got["tempo"], got["explicit"], got["year"]) == (7, 120.5, False, 1999)
    assert got["instrumentalness"] == 3.04e-06
    assert set(found.oddities.values()) == {0}


def test_every_row_leaves_once_as_reading_or_as_rejected():
    songs = [SONG | {"song_id": f"s{n}", "energy": str(n / 4)} for n in range(9)]
    found = cleaned(batch(*songs), "f.csv", 3, Notation())
    assert found.readings["line"].to_list() == [2, 3, 4, 5, 6]
    assert found.rejected["line"].to_list() == [7, 8, 9, 10]
    assert found.rejected["row"].to_list() == ["row 5", "row 6", "row 7", "row 8"]


def test_columns_that_a_format_does_not_have_become_null():
    rows = batch(SONG).drop("album", "year", "explicit", "popularity", "time_signature")
    got = cleaned(rows, "f.csv", 0, Notation()).readings
    READINGS.check(got)
    assert got.select("album", "explicit", "popularity", "time_signature").row(0) == (None,) * 4
    assert got["year"].item() == 1999


def test_no_rows_give_no_readings_but_the_columns_that_are_promised():
    found = cleaned(batch().clear(), "f.csv", 0, Notation(artists="list"))
    READINGS.check(found.readings)
    GENRE_READINGS.check(found.genres)
    assert found.rejected.is_empty()


def test_unknown_measurements_are_no_fault():
    names = [c.name for c in MEASUREMENTS]
    got = reading(**dict.fromkeys(names) | {"energy": "0.5"})
    assert [got[name] for name in names if name != "energy"] == [None] * (len(names) - 1)
    bare = reading(**dict.fromkeys(names))
    assert [bare[name] for name in names] == [None] * len(names)


# ---- artists

WHOLE = [
    *("Earth, Wind & Fire", "Tyler, The Creator", "AC/DC", "Crosby, Stills, Nash & Young"),
    *("Sinéad O'Connor", "P!nk", "[spunge]", "Guns N' Roses", "!!!", "'Weird Al'", "N.W.A.", "夜"),
    *("['x']", "a\\b", '"Q"', 'Ol\' "Dirty" B', "feat.", "a  b", "-", "0"),
]


@pytest.mark.parametrize("name", [*WHOLE, "semi;colon; band"])
def test_one_name_is_never_split(name):
    assert credited(name, "open") == [name]


@pytest.mark.parametrize("name", WHOLE)
def test_semicolons_alone_separate_where_they_are_the_notation(name):
    assert credited(name, "semicolons") == [name]
    assert credited(f"{name};Bob", "semicolons") == [name, "Bob"]


@pytest.mark.parametrize("name", [*WHOLE, "semi;colon; band", "', '", "\\'", "\\\\", "tab\there"])
def test_a_python_list_gives_each_name_whole(name):
    whole = name.replace("\t", " ")
    assert credited(repr([name]), "list") == [whole]
    assert credited(repr(["Bob", name, "Cy, Jr."]), "list") == ["Bob", whole, "Cy, Jr."]


def test_odd_and_plain_lists_keep_their_rows_in_one_batch():
    names = [["Ann"], ["O'Neil"], ["Bob", "Cy"], ['"', "'"], ["O'Neil"], ["Dee"]]
    songs = [SONG | {"song_id": str(n), "artists": repr(v)} for n, v in enumerate(names)]
    found = cleaned(batch(*songs), "f.csv", 0, Notation(artists="list")).readings
    assert [json.loads(text) for text in found["artists"]] == names


def test_empty_and_repeated_names_are_left_out():
    assert credited(" ;Ann;; Bob ;Ann", "semicolons") == ["Ann", "Bob"]
    assert credited("['', 'Ann', ' ', 'Ann']", "list") == ["Ann"]


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "['']", "Ann", "['Ann'", "['Ann', 3]", "{'Ann'}", "('Ann',)", "[None]", "'Ann'"),
        *("[Ann]", "[" * 9999, "['\\ud800']", "__import__('os')", "['a' + 'b']", "7"),
    ],
)
def test_text_that_is_no_list_of_names_is_rejected(text):
    assert reason("list", artists=text).endswith("' is not a list of names")


def test_a_backslash_that_escapes_nothing_is_read_without_a_warning(recwarn):
    assert credited(r"""['a\d "b"']""", "list") == [r'a\d "b"']
    assert not recwarn.list


@pytest.mark.parametrize("notation", ["list", "semicolons", "open"])
def test_absent_artists_are_missing_in_every_notation(notation):
    assert reason(notation, artists=None) == "artists is missing"
    songs = [SONG | {"artists": None}, SONG | {"song_id": "s2", "artists": "['Ann']"}]
    assert cleaned(batch(*songs), "f", 0, Notation(artists=notation)).rejected[
        "line"
    ].to_list() == [2]


hostile = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("'\"\\;,[]{}\n\t\0\x7f\u2028\\u")),
    max_size=8,
)


@given(names=st.lists(hostile, min_size=1, max_size=4))
def test_artists_come_back_from_json_as_they_were_credited(names):
    rows = batch(SONG | {"artists": repr(names)})
    found = cleaned(rows, "f.csv", 0, Notation(artists="list"))
    tidy = [re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", name) for name in names]
    if found.readings.is_empty():
        named = {t.strip() for t in tidy} - {""}
        assert len(named) < 2
        assert named <= {*NAME_MARKS}
        return
    got = json.loads(found.readings["artists"][0])
    assert got[0] == found.readings["artist"][0]
    expected = {"".join(t.split()) for t in tidy} - {""}
    assert {"".join(g.split()) for g in got} == expected


# ---- values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0", False), ("1", True), ("True", True), ("False", False), ("TRUE", True)),
        *(("FALSE", False), ("true", True), ("false", False), ("1.0", True), ("0.0", False)),
        (None, None),
    ],
)
def test_explicit_is_read_in_every_spelling(text, value):
    assert reading(explicit=text)["explicit"] is value


@pytest.mark.parametrize("text", ["2", "maybe", "-1", "0.5"])
def test_explicit_in_other_words_is_rejected(text):
    assert reason(explicit=text) == f"explicit '{text}' is not 0 or 1, True or False"


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("5.0", 5), ("5e0", 5), ("05", 5), ("+5", 5)]
)
def test_whole_numbers_may_be_written_with_a_point(text, value):
    got = reading(key=text, popularity=text, time_signature=text, duration_ms=text)
    assert {got[n] for n in ("key", "popularity", "time_signature", "duration_ms")} == {value}


@pytest.mark.parametrize("text", ["5.5", "five", "5,0", "1e30", "0x5", "9007199254740993"])
def test_what_is_no_whole_number_is_rejected_with_the_text_as_it_came(text):
    assert reason(popularity=text) == f"popularity '{text}' is not a whole number"


MENDED = {("key", "-1"), ("duration_ms", "0"), ("time_signature", "0")}
BOUNDS = [
    (column, bound, str(bound + (step if bound == column.high else -step)))
    for column in SONGS.columns
    if column.name in SONG
    for step in (1 if column.dtype == pl.Int64 else 0.5,)
    for bound in (column.low, column.high)
    if bound is not None
]


@pytest.mark.parametrize(("column", "bound", "beyond"), BOUNDS, ids=lambda v: getattr(v, "name", v))
def test_a_bound_is_allowed_and_what_lies_beyond_is_not(column, bound, beyond):
    assert reading(**{column.name: str(bound)})[column.name] == bound
    if (column.name, beyond) in MENDED:
        assert reading(**{column.name: beyond})[column.name] is None
    else:
        said = reason(**{column.name: beyond})
        assert said == f"{column.name} '{beyond}' is not {column.bounds}"


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "NaN", "NA", "None", "null", "\\N", "n/a"])
def test_marks_of_missing_values_are_empty_cells(text):
    found = clean(energy=text, tempo=text, popularity=text, release_date=text, key=text)
    got = found.readings.row(0, named=True)
    names = ("energy", "tempo", "popularity", "release_date", "key")
    assert [got[name] for name in names] == [None] * len(names)
    assert found.oddities["missing_by_a_mark"] == 1


def test_infinity_is_a_song_an_album_and_an_artist():
    got = reading(title="Infinity", album="Infinity", artists="Infinity")
    assert (got["title"], got["album"], got["artist"]) == ("Infinity",) * 3


@pytest.mark.parametrize("text", ["NA", "NaN", "nan", "None", "null", "NULL", "\\N"])
def test_nobody_is_called_by_a_mark_of_missing_values(text):
    assert reason(artists=text) == "artists is missing"
    assert reason(title=text, artists=text) == "title is missing; artists is missing"
    assert reason("list", title=text, artists=f"['{text}']").startswith("title is missing; artists")


def test_a_long_value_is_cut_in_the_reason():
    assert reason(energy="x" * 500) == f"energy '{'x' * 60}' is not a number"


def test_everything_that_is_wrong_with_a_row_is_said_in_the_order_of_the_columns():
    said = reason(song_id=None, title=None, artists=None, year="x", energy="2", mode="y")
    assert said == (
        "song_id is missing; title is missing; artists is missing; year 'x' is not a whole number; "
        "energy '2' is not 0 to 1; mode 'y' is not a whole number"
    )


@pytest.mark.parametrize("title", ["NA", "None", "null", "nan", "NULL", "[Intro]", "1999", "''"])
def test_titles_that_look_like_nothing_are_titles(title):
    assert reading(title=title)["title"] == title


# ---- dates


@pytest.mark.parametrize(
    ("text", "date"),
    [
        *(("1999", "1999"), ("1999-12", "1999-12"), ("1999-12-31", "1999-12-31")),
        *(("1999-12-31 00:00:00", "1999-12-31"), ("1999-12-31T10:00:00Z", "1999-12-31")),
        *(("2000-02-29", "2000-02-29"), ("1921-01-01", "1921-01-01"), (None, None)),
    ],
)
def test_dates_are_read_as_day_month_or_year(text, date):
    got = reading(release_date=text, year=None)
    assert got["release_date"] == date
    assert got["year"] == (int(date[:4]) if date else None)


@pytest.mark.parametrize(
    "text",
    [
        *("2001-13-45", "2001-13", "2001-02-30", "31.13.1999", "32/31/1999", "99"),
        *("1999-00", "soon", "-1999", "٢٠٠١", "20000"),
    ],
)
def test_what_is_no_date_is_rejected(text):
    words = f"release_date '{text}' is not a date such as 1999, 1999-12 or 1999-12-31"
    assert reason(release_date=text) == words


def test_the_year_that_is_given_stands_and_else_that_of_the_date():
    assert reading(year="1975", release_date="1999-12-31")["year"] == 1975
    assert reading(year=None, release_date="1999-12-31")["year"] == 1999
    assert reading(year="0", release_date="1999-12-31")["year"] == 1999
    assert reading(year="1975", release_date="0000")["year"] == 1975
    assert reason(year="soon") == "year 'soon' is not a whole number"


def test_a_date_before_recordings_is_rejected_with_the_date():
    assert reason(year=None, release_date="1500-01-01") == "year '1500-01-01' is not 1860 to 2100"


# ---- oddities


def met(**changes):
    return {name for name, count in clean(**changes).oddities.items() if count}


def emptied(**changes):
    got, usual = reading(**changes), reading()
    return {name for name in got if got[name] is None and usual[name] is not None}


ODD = {
    "no_beat_found": ({"tempo": "0"}, {"tempo", "time_signature"}),
    "no_bar_found": ({"time_signature": "0"}, {"time_signature"}),
    "no_key_found": ({"key": "-1"}, {"key", "mode"}),
    "no_length": ({"duration_ms": "0"}, {"duration_ms"}),
    "no_year": ({"year": "0", "release_date": None}, {"year", "release_date"}),
    "no_date": ({"release_date": "0000"}, {"release_date"}),
    "louder_than_full_scale": ({"loudness": "3.1"}, set()),
    "popularity_zero": ({"popularity": "0"}, set()),
}


@pytest.mark.parametrize(("changes", "columns"), ODD.values(), ids=ODD)
def test_what_is_odd_is_counted_and_mended_or_kept(request, changes, columns):
    name = request.node.callspec.id
    assert met(**changes) == {name}
    assert emptied(**changes) == columns


def test_a_song_in_which_nothing_was_heard_loses_its_zeros():
    silent = dict.fromkeys(("tempo", "danceability", "valence", "speechiness"), "0")
    assert met(**silent) == {"no_beat_found", "nothing_heard"}
    assert emptied(**silent) == {*silent, "time_signature"}


def test_zeros_are_kept_where_a_beat_was_found_or_one_of_them_is_not_zero():
    assert emptied(danceability="0", valence="0", speechiness="0") == set()
    assert emptied(tempo="0", danceability="0") == {"tempo", "time_signature"}


def test_unknown_values_are_not_taken_for_zeros():
    unknown = dict.fromkeys(("tempo", "danceability", "valence", "speechiness"))
    assert met(**unknown) == set()
    assert "nothing_heard" not in met(**unknown | {"tempo": "0"})


def test_values_that_only_sum_to_zero_are_judged_one_by_one():
    assert reason(tempo="0", danceability="0.5", valence="-0.5", speechiness="0") == (
        "valence '-0.5' is not 0 to 1"
    )


def test_no_date_at_all_is_year_0_and_date_0000_together():
    assert met(year="0", release_date="0000") == {"no_year", "no_date"}
    assert emptied(year="0", release_date="0000-00-00") == {"year", "release_date"}


SEEN_ELSEWHERE = ("missing_by_a_mark", "unseen_characters")


def test_every_oddity_is_tested_and_has_a_reason_in_a_sentence():
    assert {rule.name for rule in ODDITIES} == {*ODD, "nothing_heard", *SEEN_ELSEWHERE}
    for rule in ODDITIES:
        assert rule.reason.endswith(".")


# ---- genres


def test_genres_are_split_folded_to_lower_case_and_named_once_a_row():
    found = clean(genres=" Pop;dance pop;;POP ; R&B")
    GENRE_READINGS.check(found.genres)
    assert found.genres["genre"].to_list() == ["pop", "dance pop", "r&b"]


def test_a_rejected_row_gives_no_genre_and_a_song_without_one_none():
    assert clean(genres="pop", energy="2").genres.is_empty()
    assert clean(genres=None).genres.is_empty()
    assert clean(genres=" ; ").genres.is_empty()


@pytest.mark.parametrize("char", ["\x1b", "\x00", "\x7f", "\x85", "\n", "\t"])
def test_control_characters_in_names_become_a_blank_by_a_named_rule(char):
    found = clean(title=f"a{char}b", album=f"c{char}d", artists=f"e{char}f", genres=f"g{char}h")
    got = found.readings.row(0, named=True)
    assert (got["title"], got["album"], got["artist"]) == ("a b", "c d", "e f")
    assert found.genres["genre"].to_list() == ["g h"]
    assert found.oddities["unseen_characters"] == 1


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\ufeff"])
def test_what_turns_the_direction_of_text_goes(char):
    assert reading(title=f"a{char}b")["title"] == "ab"
