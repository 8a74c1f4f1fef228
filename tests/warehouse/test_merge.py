import json
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse import store
from warehouse.contracts import FILES, GENRE_READINGS, READINGS, REJECTED_ROWS, SONG_GENRES, SOURCES
from warehouse.errors import ContractError

PLAIN = {name: None for name in READINGS.schema} | {"title": "Sample", "artist": "Ann"}
UNDECLARED = ("family_id", "label")


def reading(song_id, **changes):
    return PLAIN | {"song_id": song_id, "artists": json.dumps(["Ann"])} | changes


def merged(folder, *files, genres=(), rejected=()):
    """Merge files, each a list of readings; ``genres`` are file, line, song and genre."""
    names = [f"{chr(ord('a') + n)}.csv" for n in range(len(files))]
    rows = [
        song | {"source": names[n], "file": n, "line": line}
        for n, songs in enumerate(files)
        for line, song in enumerate(songs, start=2)
    ]
    lost = Counter(file for file, _ in rejected)
    known = [(n, name, "CSV", "0" * 64, len(files[n]) + lost[n], 0) for n, name in enumerate(names)]
    with store.created(folder / "warehouse.duckdb") as warehouse:
        warehouse.append(READINGS, pl.DataFrame(rows, schema=READINGS.schema))
        tags = [(names[file], line, song, genre) for file, line, song, genre in genres]
        warehouse.append(GENRE_READINGS, frame(GENRE_READINGS, tags))
        bad = [(names[file], line, "why", "row") for file, line in rejected]
        warehouse.append(REJECTED_ROWS, frame(REJECTED_ROWS, bad))
        warehouse.append(FILES, frame(FILES, known))
        return {name: warehouse.query(name) for name in ("merge_songs", "song_genres", "sources")}


def frame(table, rows):
    return pl.DataFrame(rows, schema=table.schema, orient="row")


def song(folder, *files):
    return merged(folder, *files)["merge_songs"].row(0, named=True)


# ---- songs


def test_each_id_becomes_one_song_in_the_order_of_ids(tmp_path):
    found = merged(tmp_path, [reading("b"), reading("a"), reading("b")], [reading("a")])
    assert found["merge_songs"]["song_id"].to_list() == ["a", "b"]


def test_the_fuller_reading_wins_whichever_file_it_stands_in(tmp_path):
    thin = reading("s", title="Thin", energy=0.1)
    full = reading("s", title="Full", energy=0.2, tempo=120.0, album="LP")
    for n, files in enumerate([([thin], [full]), ([full], [thin]), ([thin, full],)]):
        got = song(tmp_path / str(n), *files)
        assert (got["title"], got["energy"], got["album"]) == ("Full", 0.2, "LP")


def test_what_the_fuller_reading_lacks_comes_from_the_next_fullest(tmp_path):
    full = reading("s", energy=0.2, tempo=120.0, album="LP")
    next_full = reading("s", energy=0.3, popularity=7)
    thin = reading("s", popularity=9)
    got = song(tmp_path, [thin], [next_full], [full])
    assert (got["energy"], got["tempo"], got["popularity"]) == (0.2, 120.0, 7)


def test_of_equally_full_readings_the_first_wins(tmp_path):
    got = song(
        tmp_path, [reading("s", energy=0.1), reading("s", energy=0.2)], [reading("s", key=3)]
    )
    assert (got["energy"], got["key"]) == (0.1, 3)


def test_of_equally_full_readings_the_one_of_the_first_file_wins_wherever_it_stands(tmp_path):
    further_down = [reading("t"), reading("t"), reading("s", energy=0.1)]
    found = merged(tmp_path, further_down, [reading("s", energy=0.2)])["merge_songs"]
    assert dict(found.select("song_id", "energy").iter_rows())["s"] == 0.1


def test_a_full_date_refines_the_same_year_and_does_not_contradict_it(tmp_path):
    fuller = reading("s", year=1999, release_date="1999", energy=0.2, tempo=120.0)
    got = song(tmp_path / "1", [fuller], [reading("s", year=1999, release_date="1999-12-31")])
    assert (got["year"], got["release_date"], got["energy"]) == (1999, "1999-12-31", 0.2)
    got = song(tmp_path / "2", [fuller], [reading("s", year=2011, release_date="2011-05-01")])
    assert (got["year"], got["release_date"]) == (1999, "1999")
    got = song(tmp_path / "3", [reading("s", energy=0.2)], [reading("s", release_date="1999-12")])
    assert got["release_date"] == "1999-12"
    got = song(tmp_path / "4", [reading("s")], [reading("s")])
    assert got["release_date"] is None


def test_of_two_full_dates_of_the_year_that_of_the_fuller_reading_is_taken(tmp_path):
    year = reading("s", release_date="1999", energy=0.2, tempo=120.0)
    fuller = reading("s", release_date="1999-03-01", energy=0.3)
    thin = reading("s", release_date="1999-12-31")
    assert song(tmp_path / "1", [year], [thin], [fuller])["release_date"] == "1999-03-01"
    assert song(tmp_path / "2", [fuller], [year, thin])["release_date"] == "1999-03-01"


def test_of_otherwise_equal_readings_the_one_with_the_full_date_wins(tmp_path):
    year = reading("s", title="Year", release_date="1999")
    day = reading("s", title="Day", release_date="1999-12-31")
    assert song(tmp_path, [year], [day])["title"] == "Day"


def test_false_and_zero_are_values(tmp_path):
    got = song(
        tmp_path,
        [reading("s", explicit=False, popularity=0, energy=0.0, mode=0)],
        [reading("s", explicit=True, popularity=50)],
    )
    assert (got["explicit"], got["popularity"], got["energy"], got["mode"]) == (False, 0, 0.0, 0)


def test_the_source_names_every_file_once(tmp_path):
    files = [[reading("s"), reading("s"), reading("t")], [reading("s")], [reading("u")]]
    found = merged(tmp_path, *files)["merge_songs"]
    assert dict(found.select("song_id", "source").iter_rows()) == {
        **{"s": "a.csv; b.csv", "t": "a.csv", "u": "c.csv"},
    }


def test_the_merged_columns_are_those_of_a_song_but_for_what_is_found_later(tmp_path):
    found = merged(tmp_path, [reading("s")])["merge_songs"]
    expected = {name: READINGS.schema.get(name, pl.String) for name in found.columns}
    assert dict(found.schema) == {name: dtype() for name, dtype in expected.items()}
    assert not set(UNDECLARED) & set(found.columns)


# ---- genres


def test_a_song_keeps_the_genres_of_all_its_readings(tmp_path):
    genres = [
        *((0, 2, "s", "pop"), (0, 3, "s", "rock"), (1, 2, "s", "pop"), (1, 2, "s", "folk")),
        (0, 4, "t", "pop"),
    ]
    files = [reading("s"), reading("s"), reading("t")], [reading("s")]
    found = merged(tmp_path, *files, genres=genres)["song_genres"]
    SONG_GENRES.check(found)
    assert found.rows() == [("s", "folk"), ("s", "pop"), ("s", "rock"), ("t", "pop")]


# ---- where the rows went


def test_a_song_is_counted_for_the_file_that_brought_it_first(tmp_path):
    files = [reading("s"), reading("s"), reading("t")], [reading("t"), reading("u")]
    found = merged(tmp_path, *files, rejected=[(1, 9), (1, 10)])["sources"]
    SOURCES.check(found)
    counts = found.select("source", "rows_read", "songs", "merged", "rejected")
    assert counts.rows() == [("a.csv", 3, 2, 1, 0), ("b.csv", 4, 1, 1, 2)]


def test_a_file_of_rejected_rows_alone_is_counted(tmp_path):
    found = merged(tmp_path, [reading("s")], [], rejected=[(1, 2)])["sources"]
    assert found.select("rows_read", "songs", "merged", "rejected").rows() == [
        *((1, 1, 0, 0), (1, 0, 0, 1)),
    ]


ids = st.sampled_from("abcd")
rows_of_a_file = st.lists(
    st.one_of(
        st.builds(reading, ids, energy=st.sampled_from([None, 0.1, 0.2]), key=st.just(3)),
        st.builds(reading, ids, release_date=st.sampled_from([None, "1999", "1999-12-31"])),
        st.none(),
    ),
    max_size=6,
)


def shaped(files):
    """Split drawn rows into readings and the places of what was rejected."""
    good = [[song for song in file if song] for file in files]
    bad = [(n, 100 + i) for n, file in enumerate(files) for i, song in enumerate(file) if not song]
    return good, bad


@settings(max_examples=40, deadline=None)
@given(files=st.lists(rows_of_a_file, min_size=1, max_size=3).filter(any))
def test_every_row_of_every_file_went_somewhere(tmp_path_factory, files):
    good, bad = shaped(files)
    found = merged(tmp_path_factory.mktemp("merge"), *good, rejected=bad)
    sources = SOURCES.check(found["sources"])
    assert sources["rows_read"].to_list() == [len(file) for file in files]
    whole = sources.select(pl.col("songs") + pl.col("merged") + pl.col("rejected")).to_series()
    assert whole.to_list() == sources["rows_read"].to_list()
    assert sources.select(pl.col("songs", "merged", "rejected").min() >= 0).row(0) == (True,) * 3
    ids = {song["song_id"] for file in good for song in file}
    assert found["merge_songs"]["song_id"].to_list() == sorted(ids)
    assert sources["songs"].sum() == len(ids)


@settings(max_examples=25, deadline=None)
@given(files=st.lists(rows_of_a_file, min_size=2, max_size=3).filter(any), data=st.data())
def test_the_order_of_files_changes_no_id_and_no_known_value_into_an_unknown(
    tmp_path_factory, files, data
):
    good, _ = shaped(files)
    other = data.draw(st.permutations(good))
    first, second = (
        merged(tmp_path_factory.mktemp("order"), *order)["merge_songs"] for order in (good, other)
    )
    assert first["song_id"].to_list() == second["song_id"].to_list()
    for name in ("energy", "key", "release_date"):
        assert first[name].is_null().to_list() == second[name].is_null().to_list()


# ---- the warehouse itself


def test_a_frame_that_breaks_its_contract_leaves_no_row(tmp_path):
    with store.created(tmp_path / "w.duckdb") as warehouse:
        good = frame(SONG_GENRES, [("s", "pop")])
        assert warehouse.append(SONG_GENRES, good) == 1
        with pytest.raises(ContractError, match="repeats in 1 rows"):
            warehouse.replace(SONG_GENRES, pl.concat([good, good]))
        assert warehouse.frame(SONG_GENRES).rows() == [("s", "pop")]
        assert warehouse.replace(SONG_GENRES, good) == warehouse.count(SONG_GENRES) == 1
        warehouse.clear(SONG_GENRES)
        assert warehouse.count(SONG_GENRES) == 0


def test_a_warehouse_is_made_once_and_keeps_what_was_written(tmp_path):
    path = tmp_path / "new" / "w.duckdb"
    with store.created(path) as warehouse:
        warehouse.append(SONG_GENRES, frame(SONG_GENRES, [("s", "pop"), ("a", "rock")]))
    with store.opened(path) as warehouse:
        assert warehouse.frame(SONG_GENRES, ("genre",))["genre"].to_list() == ["rock", "pop"]
        slices = list(warehouse.slices(SONG_GENRES))
    assert pl.concat(slices).rows() == [("a", "rock"), ("s", "pop")]
