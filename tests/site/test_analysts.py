import asyncio
import hashlib
import io
import json
import re
import runpy
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from html import unescape
from statistics import mean

import duckdb
import polars as pl
import pytest

from flows.answers.tables import EXAMPLES, QUESTIONS, TOOLS, examples
from tests.site.conftest import Reader
from warehouse.contracts import PRIVATE, TABLES, VIEWS
from warehouse.export import csv_of


@pytest.fixture(scope="session")
def page(demo_reader):
    return demo_reader.get("/analysts").text


def run(tool, name, folder, monkeypatch):
    """Run an example in the folder of a build and return its rows."""
    monkeypatch.chdir(folder)
    file = EXAMPLES / f"{name}_{TOOLS[tool]}"
    if tool == "SQLite":
        path = ":memory:" if name == "open" else "file:segue.db?mode=ro&immutable=1"
        with closing(sqlite3.connect(path, uri=True)) as database:
            found = []
            for statement in file.read_text().split(";\n"):
                found = database.execute(statement).fetchall() or found
            return found
    if tool == "DuckDB":
        return duckdb.connect().execute(file.read_text()).fetchall()
    return runpy.run_path(str(file))["answer"].rows()


def frames(folder, *names):
    return [pl.read_parquet(folder / "parquet" / f"{name}.parquet").to_dicts() for name in names]


def answered(name, folder):
    """Answer the question of an example by loops over plain rows."""
    songs, recommendations, tastes, genres = frames(
        folder, "songs", "recommendations", "tastes", "song_genres"
    )
    by_id = {song["song_id"]: song for song in songs}
    if name == "open":
        return [(len(songs),)]
    if name == "report":
        first = {r["song_id"]: r for r in recommendations if r["rank"] == 1}
        known = [song for song in songs if song["song_id"] in first]
        known.sort(key=lambda s: (s["popularity"] is None, -(s["popularity"] or 0), s["song_id"]))
        return [
            (s["label"], by_id[f["recommended_song_id"]]["label"], f["distance"], f["reason"])
            for s in known[:10]
            for f in [first[s["song_id"]]]
        ]
    if name == "tastes":
        labels = {taste["taste_id"]: taste["label"] for taste in tastes}
        far = defaultdict(list)
        for r in recommendations:
            pair = [labels[by_id[r[n]]["taste_id"]] for n in ("song_id", "recommended_song_id")]
            if pair[0] != pair[1]:
                far[tuple(pair)].append(r["distance"])
        rows = [(*pair, len(found), mean(found)) for pair, found in far.items()]
        return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))[:10]
    songs_of = Counter(row["genre"] for row in genres)
    far = defaultdict(list)
    lists = defaultdict(list)
    for r in recommendations:
        lists[r["song_id"]].append(r["distance"])
    for row in genres:
        far[row["genre"]] += lists[row["song_id"]]
    rows = [(g, n, round(mean(far[g]), 3)) for g, n in songs_of.items() if n >= 20]
    return sorted(rows, key=lambda row: (-row[2], row[0]))[:10]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_example_answers_what_loops_over_the_rows_answer(tool, name, demo, monkeypatch):
    found = run(tool, name, demo, monkeypatch)
    expected = answered(name, demo)
    assert len(expected) > (0 if name == "open" else 3)
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        for value, right in zip(row, other, strict=True):
            assert value == (
                pytest.approx(right, abs=0.00051) if isinstance(right, float) else right
            )


def test_page_shows_the_very_text_of_the_examples(page):
    shown = [
        unescape(text)
        for text in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    ]
    assert shown == [code.text for example in examples() for code in example.code]
    files = {path.name for path in EXAMPLES.glob("*_*")}
    assert files == {code.file for example in examples() for code in example.code}


def test_attached_file_cannot_be_written(demo):
    with closing(sqlite3.connect(":memory:", uri=True)) as database:
        database.execute("attach 'file:{}?mode=ro&immutable=1' as segue".format(demo / "segue.db"))
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.execute("delete from segue.songs")


def test_every_table_and_column_is_told_with_a_link_to_its_page(page, demo_reader):
    told = {item["name"]: item for item in demo_reader.get("/api/v1/tables").json()["tables"]}
    assert set(told) == {item.name for item in (*TABLES, *VIEWS)}
    for item in (*TABLES, *VIEWS):
        assert [c["name"] for c in told[item.name]["columns"]] == [c.name for c in item.columns]
        assert f'href="/segue/{item.name}"' in page


def test_rows_are_counted_as_they_are(demo_reader, demo):
    with closing(sqlite3.connect(demo / "segue.db")) as database:
        told = demo_reader.get("/api/v1/tables").json()["tables"]
        assert len(told) == len((*TABLES, *VIEWS))
        for item in told:
            counted = database.execute(f'select count(*) from "{item["name"]}"').fetchone()[0]
            assert item["rows"] == counted, item["name"]


OPEN = [table.name for table in TABLES if table not in PRIVATE]


@pytest.mark.parametrize("table", [table.name for table in PRIVATE])
def test_tables_that_hold_private_things_are_closed_by_default(demo_reader, table):
    assert demo_reader.get(f"/parquet/{table}.parquet").status_code == 403
    assert demo_reader.get(f"/csv/{table}.csv").status_code == 403


@pytest.mark.parametrize("path", ["/parquet/songs.parquet", "/csv/songs.csv", "/datapackage.json"])
def test_exports_can_be_switched_off(demo, path):
    assert Reader(demo, exports=False).get(path).status_code == 403


def test_page_offers_what_can_be_fetched(demo, page):
    assert 'href="/parquet/songs.parquet"' in page
    assert 'href="/csv/songs.csv"' in page
    assert 'href="/segue.db"' not in page
    assert f"/parquet/{PRIVATE[0].name}.parquet" not in page
    assert '.parquet"' not in Reader(demo, exports=False).get("/analysts").text
    opened = Reader(demo, allow_download=True).get("/analysts").text
    assert 'href="/segue.db"' in opened
    assert f"/parquet/{PRIVATE[0].name}.parquet" in opened


@pytest.mark.parametrize("table", ["songs", "recommendations", "tastes", "checks"])
def test_csv_holds_every_row_of_a_table(demo, demo_reader, table):
    got = demo_reader.get(f"/csv/{table}.csv")
    assert got.headers["content-type"].startswith("text/csv")
    expected = pl.read_parquet(demo / "parquet" / f"{table}.parquet")
    read = pl.read_csv(io.BytesIO(got.content), schema=expected.schema)
    texts = [name for name, dtype in expected.schema.items() if dtype == pl.String]
    guarded = pl.col(texts).str.replace(r"^'([=+\-@])", "$1").fill_null("")
    assert read.with_columns(guarded).equals(expected.with_columns(pl.col(texts).fill_null("")))


def test_a_part_of_a_parquet_file_can_be_asked_for(demo, demo_reader):
    whole = (demo / "parquet" / "songs.parquet").read_bytes()
    ask = {"headers": {"range": "bytes=-8"}}
    part = asyncio.run(demo_reader.asked("GET", "/parquet/songs.parquet", **ask))
    assert part.status_code == 206
    assert part.content == whole[-8:]


def test_a_csv_of_a_page_says_where_it_is_cut(demo_reader):
    cut = demo_reader.get("/segue/songs.csv?_size=10")
    assert cut.headers["segue-rows"] == "10 of 2400"
    assert cut.text.splitlines()[-1].startswith('"# cut: 10 of 2400 rows;')
    assert len(cut.text.splitlines()) == 12
    whole = demo_reader.get("/segue/tastes.csv?_size=100")
    assert "segue-rows" not in whole.headers
    assert "# cut" not in whole.text


def test_a_title_that_looks_like_a_formula_is_text_in_csv(tmp_path):
    twin = tmp_path / "songs.parquet"
    titles = ["=1+1", "+1", "@home", "-", "\tx", "plain", None]
    pl.DataFrame({"title": titles}).write_parquet(twin)
    read = pl.read_csv(io.BytesIO(b"".join(csv_of(twin))))["title"].to_list()
    assert read == ["'=1+1", "'+1", "'@home", "'-", "'\tx", "plain", None]


def test_files_that_are_offered_are_those_of_the_build(demo):
    reader = Reader(demo, allow_download=True)
    package = reader.get("/datapackage.json")
    assert package.headers["content-type"] == "application/json"
    for resource in json.loads(package.content)["resources"]:
        got = reader.get(f"/{resource['path']}")
        assert got.headers["content-type"] == "application/vnd.apache.parquet"
        assert f"sha256:{hashlib.sha256(got.content).hexdigest()}" == resource["hash"]


ELSEWHERE = ["/parquet/nothing.parquet", "/parquet/%2e%2e%2fsegue.parquet", "/parquet/",
    "/manifest.json", "/models/encoder.joblib", "/parquet/songs.parquet/",
    "/parquet/..%2fmodels%2fencoder.joblib"]  # fmt: skip


@pytest.mark.parametrize("path", ELSEWHERE)
def test_nothing_else_of_the_build_can_be_fetched(demo, path):
    got = Reader(demo, allow_download=True).get(path)
    assert got.status_code in (302, 404)
    assert b"PAR1" not in got.content
