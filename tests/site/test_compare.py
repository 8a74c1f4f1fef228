import random
import sqlite3
from contextlib import closing
from itertools import pairwise
from urllib.parse import urlencode

import pytest

from tests.site.conftest import page_of

BLOCKS = ("sound", "era", "genre", "artists", "playlists")


@pytest.fixture(scope="session")
def rows(demo):
    """Return what answers SQL with the rows of the demo."""
    with closing(sqlite3.connect(demo / "segue.db")) as database:
        yield lambda sql, *values: database.execute(sql, values).fetchall()


def ask(reader, **names):
    return reader.get(f"/api/v1/compare?{urlencode(names)}")


def pair_of(reader, one, other):
    return ask(reader, a=one, b=other).json()["comparison"]


def test_recommended_pairs_have_the_distance_reason_and_parts_that_are_published(demo_reader, rows):
    published = rows(
        "select song_id, recommended_song_id, rank, distance, similarity, reason, "
        + ", ".join(f"because_{block}" for block in BLOCKS)
        + " from recommendations order by song_id, rank"
    )
    for one, other, rank, distance, similarity, reason, *because in random.Random(5).sample(
        published, 40
    ):
        told = pair_of(demo_reader, one, other)
        assert told["a"]["rank"] == rank
        assert told["distance"] == pytest.approx(distance, abs=1e-6)
        assert told["similarity"] == pytest.approx(similarity, abs=1e-6)
        assert told["reason"] == reason
        assert {b["block"]: b["because"] for b in told["blocks"]} == dict(
            zip(BLOCKS, because, strict=True)
        )


def test_words_of_the_parts_are_those_of_the_reason(demo_reader, rows):
    for one, other, reason in rows(
        "select song_id, recommended_song_id, reason from recommendations limit 25"
    ):
        told = pair_of(demo_reader, one, other)
        words = {word for block in told["blocks"] for word in block["words"]}
        assert set(reason.split("; ")) <= words


def test_no_part_brings_two_songs_nearer_than_if_they_were_the_same(demo_reader, rows):
    ids = [row[0] for row in rows("select song_id from songs order by popularity desc limit 20")]
    for one, other in pairwise(ids):
        assert all(b["because"] <= b["most"] for b in pair_of(demo_reader, one, other)["blocks"])


def test_every_step_of_a_way_is_a_recommendation(demo_reader, rows):
    ids = [row[0] for row in rows("select song_id from songs order by song_id")]
    random.Random(3).shuffle(ids)
    kinds = set()
    for one, other in pairwise(ids[:40]):
        way = pair_of(demo_reader, one, other)["way"]
        songs = [one, *(step["song"]["song_id"] for step in way["steps"])]
        assert songs[-1] == other
        assert way["either"] == any(step["back"] for step in way["steps"])
        for (before, song), step in zip(pairwise(songs), way["steps"], strict=True):
            pair = (song, before) if step["back"] else (before, song)
            found = rows(
                "select rank, distance, reason from recommendations "
                "where song_id = ? and recommended_song_id = ?",
                *pair,
            )
            assert found == [(step["rank"], step["distance"], step["reason"])]
        assert way["distance"] == pytest.approx(sum(step["distance"] for step in way["steps"]))
        kinds.add(way["either"])
    assert True in kinds


def test_a_recommended_song_is_one_step_away(demo_reader, rows):
    for one, other in rows("select song_id, recommended_song_id from recommendations limit 20"):
        way = pair_of(demo_reader, one, other)["way"]
        assert (way["either"], len(way["steps"])) == (False, 1)


def test_versions_of_one_song_are_called_so(demo_reader, rows):
    one, other = rows(
        "select min(song_id), max(song_id) from songs group by family_id having count(*) > 1"
    )[0]
    assert pair_of(demo_reader, one, other)["same_family"]
    page = demo_reader.get(f"/compare?{urlencode({'a': one, 'b': other})}").text
    assert "They are versions of one song" in page


def test_title_is_found_and_a_title_of_several_songs_asks_which(demo_reader, rows):
    song_id, label = rows("select song_id, label from songs order by popularity desc limit 1")[0]
    sure = ask(demo_reader, a=label).json()
    assert sure["a"]["song"]["song_id"] == song_id
    assert sure["comparison"] is None
    several = ask(demo_reader, a="the", b=song_id).json()
    assert several["a"]["song"] is None
    choices = [song["song_id"] for song in several["a"]["choices"]]
    assert len(choices) > 1
    page = demo_reader.get(f"/compare?{urlencode({'a': 'the', 'b': song_id})}").text
    for choice in choices:
        assert f"/compare?a={choice}&amp;b={song_id}" in page


def test_example_leads_to_a_comparison(demo_reader):
    one, other = ask(demo_reader).json()["example"]
    page = demo_reader.get("/compare").text
    link = f"/compare?a={one['song_id']}&amp;b={other['song_id']}"
    assert link in page
    assert "What they share" in demo_reader.get(link.replace("&amp;", "&")).text


def test_what_cannot_be_compared_is_said(demo_reader, rows):
    song_id = rows("select song_id from songs order by popularity desc limit 1")[0][0]
    unknown = ask(demo_reader, a=song_id, b="qqqqqqqqzzzz")
    assert unknown.status_code == 404
    assert "qqqqqqqqzzzz" in unknown.json()["title"]
    twice = ask(demo_reader, a=song_id, b=song_id)
    assert twice.status_code == 422
    assert "twice" in twice.json()["title"]
    page = demo_reader.get(f"/compare?a={song_id}&b=qqqqqqqqzzzz")
    assert page.status_code == 404
    assert 'role="search"' in page.text


def test_listener_compares_a_song_with_another_by_its_title(browser, demo_address, rows):
    one, other = rows("select song_id, label from songs order by popularity desc limit 2")
    with page_of(browser, 375, script=False) as page:
        page.goto(f"{demo_address}/segue/songs/{one[0]}")
        page.get_by_role("link", name="Compare", exact=True).last.click()
        page.get_by_label("Side B").fill(other[1])
        page.get_by_role("button", name="Compare").click()
        assert page.get_by_role("heading", level=1).inner_text().endswith("side by side")
        assert page.locator("ol.way > li").count() > 1
        page.locator("ol.way > li a").nth(1).click()
        assert "/segue/songs/" in page.url
        assert page.complaints == []
