"""Every build measures itself, and one that fell or that learnt what it is asked is refused."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import polars as pl
import pytest

from flows.judging.measures import headline_check
from flows.nightly.recommend import Known
from models.encoder.listening_blocks import Listening
from models.judging.evaluation import HEADLINE, METRICS
from warehouse.errors import BuildRejected
from warehouse.manifest import file_facts, load_model, read_manifest, write_manifest
from warehouse.release import Home, published

pytestmark = pytest.mark.slow

MODELS = {"segue", "random", "popular", "same genre", "z-scored audio", "co-occurrence"}


def headline(rows, folder, model="segue", split="all"):
    sql = "select value, low, high, n from evaluation where metric = ? and model = ? and split = ?"
    return rows(folder, sql, HEADLINE, model, split)[0]


def raise_served_headline(home, value):
    file = published(Home(home)) / "segue.db"
    with closing(sqlite3.connect(file)) as database:
        sql = (
            "update evaluation set value = ? where metric = ? and model = 'segue' and split = 'all'"
        )
        assert database.execute(sql, [value, HEADLINE]).rowcount == 1
        database.commit()
    manifest = read_manifest(file.parent)
    (file.parent / "manifest.json").chmod(0o644)
    write_manifest(file.parent, replace(manifest, files=file_facts(file.parent)))


def test_a_build_with_playlists_measures_itself_beside_every_baseline(demo, rows):
    found = rows(demo, "select distinct metric, model from evaluation where split = 'all'")
    assert set(found) == {(metric, model) for metric in METRICS for model in MODELS}
    value, low, high, n = headline(rows, demo)
    assert low < value < high
    assert n > 200
    warm, cold = (headline(rows, demo, split=split)[3] for split in ("warm", "cold"))
    assert warm + cold == n


def test_what_was_learnt_is_better_by_more_than_chance_than_all_but_counts_without_a_cap(
    demo, rows
):
    value, low, *_ = headline(rows, demo)
    others = MODELS - {"segue", "co-occurrence"}
    assert low > max(headline(rows, demo, model)[2] for model in others)
    assert value > 0.75 * headline(rows, demo, "co-occurrence")[0]  # the price of the hub cap


def test_the_figures_of_the_catalogue_are_those_of_the_published_lists(demo, rows):
    told = dict(
        rows(demo, "select metric, value from evaluation where split = 'catalogue' and low is null")
    )
    counts = [
        n
        for (n,) in rows(
            demo,
            "select count(r.song_id) from songs s left join recommendations r "
            "on r.recommended_song_id = s.song_id group by s.song_id",
        )
    ]
    assert told["N5 maximum"] == max(counts)
    assert told["never recommended"] == pytest.approx(counts.count(0) / len(counts))
    families = rows(
        demo,
        "select count(distinct family_id) * 1.0 / (select count(*) from families) from songs "
        "where song_id in (select recommended_song_id from recommendations)",
    )
    assert told["catalogue coverage"] == pytest.approx(families[0][0])


def test_the_search_is_exact_in_every_build(demo, rows):
    assert rows(demo, "select value, n from evaluation where metric = 'exactness'") == [(1.0, 2000)]


def test_without_playlists_there_are_proxies_and_no_headline(build, golden, rows, tmp_path):
    tracks = pl.read_csv(golden / "tracks.csv", infer_schema_length=0)
    tracks.with_columns(genres=pl.lit("")).write_csv(tmp_path / "plain.csv")
    always = {"catalogue coverage", "never recommended", "N5 skewness", "N5 Gini", "exactness"}
    for file, more in (
        (tmp_path / "plain.csv", {"proxy: same album", "proxy: same artist"}),
        (golden / "tracks.csv", set()),  # an artist's genres are in the vectors
    ):
        folder = build(tmp_path / file.stem, file, neighbours=3)
        metrics = {metric for (metric,) in rows(folder, "select metric from evaluation")}
        assert not metrics & set(METRICS)
        assert {m for m in metrics if m.startswith("proxy")} == more
        assert always <= metrics


def test_a_planted_leak_is_caught_and_the_build_refused(build, small, tmp_path, monkeypatch):
    served = build(tmp_path, **small)

    def everything(told):
        return Listening(told.playlists, told.entries[:, 1], told.entries[:, 2])

    monkeypatch.setattr(Known, "listening", property(everything))
    with pytest.raises(BuildRejected) as caught:
        build(tmp_path, force=True, **small)
    text = str(caught.value)
    assert "nothing_scored_was_learnt" in text
    assert "metric 'held-out playlists learnt from', model 'segue'" in text
    assert published(Home(tmp_path)) == served


def test_copies_of_what_was_learnt_are_not_asked(build, small, rows, tmp_path):
    entries = pl.read_csv(small["playlists"][0], infer_schema_length=0)
    copies = entries.with_columns(playlist_id="copy of " + pl.col("playlist_id"))
    pl.concat([entries, copies]).write_csv(tmp_path / "twice.csv")
    folder = build(tmp_path / "var", **{**small, "playlists": [tmp_path / "twice.csv"]})
    counts = dict(
        rows(folder, "select metric, value from evaluation where metric like 'held-out%'")
    )
    held = rows(folder, "select n from evaluation where metric like 'held-out%' limit 1")[0][0]
    assert counts["held-out playlists learnt from"] == 0
    assert 0 < counts["held-out playlists set aside"] < held


def test_a_headline_that_fell_is_refused_with_both_numbers(build, small, rows, tmp_path):
    served = build(tmp_path, **small)
    now = headline(rows, served)[0]
    raise_served_headline(tmp_path, now * 1.2)
    with pytest.raises(BuildRejected) as caught:
        build(tmp_path, force=True, **small)
    text = str(caught.value)
    assert "headline_near_last_build" in text
    assert f"{HEADLINE} {now * 1.2:.4f} before, {now:.4f} now" in text
    assert "SEGUE_EVALUATION_TOLERANCE" in text
    assert published(Home(tmp_path)) == served


@pytest.mark.parametrize(
    ("before", "tolerance", "share", "passes"),
    [
        (1.2, 0.05, 0.1, False),
        (1.04, 0.05, 0.1, True),
        (0.5, 0.05, 0.1, True),  # better than before
        (1.2, 0.3, 0.1, True),
        (1.2, 0.05, 0.2, True),  # other playlists are asked
    ],
)
def test_a_headline_may_fall_by_the_tolerance_where_the_same_is_asked(
    demo, demo_home, rows, before, tolerance, share, passes
):
    raise_served_headline(demo_home, headline(rows, demo)[0] * before)
    last = published(Home(demo_home))
    check = headline_check(demo, last, tolerance, {"held_out_share": share})
    assert check.passed is passes


def test_builds_on_other_playlists_or_without_an_evaluation_are_not_compared(demo, demo_home, rows):
    raise_served_headline(demo_home, headline(rows, demo)[0] * 2)
    last = published(Home(demo_home))
    parameters = {"held_out_share": 0.1}
    assert not headline_check(demo, last, 0.05, parameters).passed
    assert headline_check(demo, None, 0.05, parameters).passed
    with closing(sqlite3.connect(last / "segue.db")) as database:
        database.execute("update sources set sha256 = 'another' where kind = 'playlists'")
        database.commit()
    assert headline_check(demo, last, 0.05, parameters).passed
    manifest = read_manifest(last)
    counts = {name: count for name, count in manifest.counts.items() if name != "evaluation"}
    write_manifest(last, replace(manifest, counts=counts))
    assert headline_check(demo, last, 0.05, parameters).passed


def test_what_is_needed_to_judge_a_build_later_is_kept_with_it(demo):
    kept = load_model(demo, "rules")
    assert len(kept["rules"]["families"]) == len(load_model(demo, "vectors"))
    assert kept["listening"]["playlists"].dtype == "int32"
