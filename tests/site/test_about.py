import json
import sqlite3
from contextlib import closing

import pytest

from tests.site.conftest import Reader


@pytest.fixture(scope="session")
def told(demo_reader):
    return demo_reader.get("/api/v1/about").json()


@pytest.fixture(scope="session")
def rows(demo):
    with closing(sqlite3.connect(demo / "segue.db")) as database:
        yield lambda sql: database.execute(sql).fetchall()


def test_build_says_what_its_manifest_says(told, demo):
    manifest = json.loads((demo / "manifest.json").read_text())
    for name in ("build_id", "published_at", "code_version", "parameters", "counts", "seconds"):
        assert told[name] == manifest[name]
    files = [path for path in demo.rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert told["bytes"] == sum(path.stat().st_size for path in files)


def test_every_row_read_is_accounted_for(told, rows):
    assert len(told["sources"]) == rows("select count(*) from sources")[0][0]
    went = ("songs", "merged", "matched_by_id", "matched_by_name", "unmatched", "passed_over",
            "rejected")  # fmt: skip
    for source in told["sources"]:
        assert source["rows_read"] == sum(source[name] for name in went)


def test_rejected_rows_are_counted_by_reason_with_a_link_to_them(told, rows, demo_reader):
    assert (
        sum(reason["rows"] for reason in told["rejected"])
        == rows("select count(*) from rejected_rows")[0][0]
    )
    page = demo_reader.get("/about").text
    link = "/segue/rejected_rows?reason=energy+%27loud%27+is+not+a+number&amp;source=tracks.csv"
    assert link in page
    led = demo_reader.get(link.replace("&amp;", "&"))
    assert led.status_code == 200
    assert "1 row where" in led.text


def test_every_check_and_measure_is_told(told, rows):
    checks = {(c["check"], c["value"], c["bound"], c["passed"]) for c in told["checks"]}
    assert checks == {(n, v, b, bool(p)) for n, v, b, p in rows(
        'select "check", value, bound, passed from checks')}  # fmt: skip
    measures = {
        (m["metric"], m["split"], v["model"], v["value"], v["low"], v["high"])
        for m in told["evaluation"]
        for v in m["values"]
    }
    assert measures == set(rows("select metric, split, model, value, low, high from evaluation"))


def test_every_metric_has_words_of_its_own(told):
    assert [m["metric"] for m in told["evaluation"] if m["about"] == m["metric"]] == []


def test_headline_comes_first_with_its_baselines_and_intervals(told, demo_reader):
    first = told["evaluation"][0]
    assert (first["metric"], first["split"]) == ("NDCG@5-AF", "all")
    assert {"segue", "random", "popular"} <= {value["model"] for value in first["values"]}
    own = next(value for value in first["values"] if value["model"] == "segue")
    page = demo_reader.get("/about").text
    assert f"{own['low']:.3f} to {own['high']:.3f}" in page


def test_shares_of_the_recipe_add_up(told):
    assert sum(part["share"] for part in told["recipe"]) == pytest.approx(1)
    shares = [part["share"] for part in told["recipe"]]
    assert shares == sorted(shares, reverse=True)


def test_earlier_builds_are_listed(tmp_path, demo):
    import shutil

    folder = tmp_path / "later"
    shutil.copytree(demo, folder)
    with closing(sqlite3.connect(folder / "segue.db")) as database, database:
        database.execute(
            "insert into builds select 'before00', '2026-01-02T03:04:05+00:00', 61.5, songs, "
            "recommendations, rejected, code_version, sources, parameters from builds"
        )
    reader = Reader(folder)
    assert [b["build_id"] for b in reader.get("/api/v1/about").json()["builds"]] == ["before00"]
    assert "2026-01-02 03:04" in reader.get("/about").text
