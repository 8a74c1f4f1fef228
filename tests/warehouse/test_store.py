"""The warehouse takes frames that match their contract, and gives them back by key."""

import polars as pl
import pytest

from warehouse import export, store
from warehouse.contracts import REJECTED_ROWS, SONG_GENRES
from warehouse.errors import ContractError


@pytest.fixture
def warehouse(tmp_path):
    with store.created(tmp_path / "warehouse.duckdb") as opened:
        yield opened


def genres(*pairs):
    return pl.DataFrame(pairs, schema=SONG_GENRES.schema, orient="row")


def rejected(*places):
    rows = [(source, line, "why", "row") for source, line in places]
    return pl.DataFrame(rows, schema=REJECTED_ROWS.schema, orient="row")


def test_rows_come_back_by_their_key_however_they_went_in(warehouse):
    assert warehouse.append(SONG_GENRES, genres(("b", "pop"), ("a", "rock"))) == 2
    assert warehouse.append(SONG_GENRES, genres(("a", "folk"))) == 1
    expected = [("a", "folk"), ("a", "rock"), ("b", "pop")]
    assert warehouse.frame(SONG_GENRES).rows() == expected
    assert [row for part in warehouse.slices(SONG_GENRES) for row in part.rows()] == expected
    assert warehouse.frame(SONG_GENRES, ("genre",)).rows() == [(genre,) for _, genre in expected]
    assert warehouse.count(SONG_GENRES) == 3


@pytest.mark.parametrize("way", ["append", "replace"])
@pytest.mark.parametrize("bad", [genres(("b", None)), genres(("b", "pop")).with_columns(more=1)])
def test_a_frame_that_breaks_its_contract_changes_nothing(warehouse, way, bad):
    warehouse.append(SONG_GENRES, genres(("a", "folk")))
    with pytest.raises(ContractError, match="song_genres"):
        getattr(warehouse, way)(SONG_GENRES, bad)
    assert warehouse.frame(SONG_GENRES).rows() == [("a", "folk")]


def test_what_is_replaced_is_gone(warehouse):
    warehouse.append(SONG_GENRES, genres(("a", "folk"), ("b", "pop")))
    assert warehouse.replace(SONG_GENRES, genres(("a", "rock"))) == 1
    assert warehouse.frame(SONG_GENRES).rows() == [("a", "rock")]


def test_the_rows_of_one_source_can_be_cleared(warehouse):
    warehouse.append(REJECTED_ROWS, rejected(("one.csv", 2), ("two.csv", 2), ("two.csv", 5)))
    warehouse.clear(REJECTED_ROWS, "two.csv")
    assert warehouse.frame(REJECTED_ROWS)["source"].to_list() == ["one.csv"]
    warehouse.clear(REJECTED_ROWS)
    assert warehouse.count(REJECTED_ROWS) == 0


def test_a_warehouse_is_made_once_and_can_be_opened_again(tmp_path):
    path = tmp_path / "folder" / "warehouse.duckdb"
    with store.created(path) as warehouse:
        warehouse.append(SONG_GENRES, genres(("a", "folk")))
    with store.opened(path) as warehouse:
        assert warehouse.frame(SONG_GENRES).rows() == [("a", "folk")]


def test_a_published_file_is_written_once(warehouse, tmp_path):
    (tmp_path / "segue.db").write_text("a build")
    with pytest.raises(FileExistsError, match=r"segue\.db"):
        export.bake(warehouse, tmp_path / "segue.db", lambda _: None)
    assert (tmp_path / "segue.db").read_text() == "a build"
