import json
import re
from xml.etree import ElementTree

import polars as pl
import pytest
from playwright.sync_api import Position

from flows.answers.overview import CHARTS
from tests.site.conftest import page_of
from warehouse.contracts import FEATURE_YEARS
from warehouse.site import charts


@pytest.fixture(scope="module")
def answer(demo_reader):
    return demo_reader.get("/api/v1/explore").json()


def test_every_chart_is_an_svg_of_the_size_that_the_page_says(demo_reader, answer):
    assert [chart["name"] for chart in answer["charts"]] == list(CHARTS)
    for picture in [answer["map"], *(chart["picture"] for chart in answer["charts"])]:
        for scheme in ("light", "dark"):
            drawn = demo_reader.get(picture[scheme])
            assert drawn.headers["content-type"].startswith("image/svg+xml")
            assert "max-age=" in drawn.headers["cache-control"]
            root = ElementTree.fromstring(drawn.text)
            assert round(float(root.get("width"))) == picture["width"] > 0
            assert round(float(root.get("height"))) == picture["height"] > 0


def test_every_chart_has_its_text_and_its_rows_beside_it(demo_reader, answer):
    page = demo_reader.get("/explore").text
    for chart in answer["charts"]:
        assert chart["text"] in page
        assert f'href="/segue/{chart["table"]}"' in page
        assert chart["rows"]
    assert page.count("<img") == page.count(" alt=") == len(answer["charts"]) + 1
    assert page.count("<caption") == len(answer["charts"])


def test_a_drawing_that_is_not_there_is_not_found(demo_reader, reader):
    assert demo_reader.get("/charts/nothing.svg").status_code == 404
    assert demo_reader.get("/charts/..~2Fmanifest.svg").status_code == 404
    assert reader.get("/charts/map-light.svg").status_code == 404


def test_a_build_without_drawings_still_has_the_page(reader):
    page = reader.get("/explore")
    assert page.status_code == 200
    assert "<img" not in page.text


def test_equal_rows_are_drawn_alike_and_no_rows_not_at_all(tmp_path):
    empty = {table.name: pl.DataFrame(schema=table.schema) for table, _ in charts.READ}
    years = pl.DataFrame({"year": [1990, 1991], "songs": [12, 30], "energy": [0.1, 0.9]})
    rows = {
        **empty,
        "feature_years": pl.concat([empty["feature_years"], years], how="diagonal"),
    }
    FEATURE_YEARS.check(rows["feature_years"])
    genre = {"genre": ["folk"], "songs": [30], "artists": [3], "energy": [0.9]}
    rows["genres"] = pl.concat([empty["genres"], pl.DataFrame(genre)], how="diagonal")
    for folder in ("one", "two"):
        assert charts.draw(rows, tmp_path / folder) == 6
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    drawn = ("features-by-genre", "features-by-year", "songs-by-year")
    assert names == [f"{what}-{scheme}.svg" for what in drawn for scheme in ("dark", "light")]
    gradient = (tmp_path / "one" / "features-by-genre-light.svg").read_text()
    assert 'id="gradient_0"' in gradient
    assert "url(#gradient_0)" in gradient
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_colour_of_oklch_is_what_a_browser_makes_of_it():
    # As Chromium paints them on a canvas.
    assert charts.hexadecimal(0.68, 0.19, 30) == "#f75f4c"
    assert charts.hexadecimal(0.72, 0.13, 172) == "#2bbe9b"
    assert charts.hexadecimal(0.6, 0.15, 250) == "#2784d5"
    assert charts.hexadecimal(1, 0, 0) == "#ffffff"
    assert charts.hexadecimal(0, 0, 0) == "#000000"


def test_tastes_that_lie_side_by_side_have_neighbouring_colours():
    centres = {"e": (1.0, 0.5), "s": (0.5, 1.0), "w": (0.0, 0.5), "n": (0.5, 0.0)}
    found = charts.colours(centres)
    assert len(set(found.values())) == 4
    assert list(found) == ["n", "e", "s", "w"]  # round the middle


def test_the_map_tells_the_best_known_song_of_each_family(demo_reader, answer):
    told = demo_reader.get("/api/v1/map").json()
    columns = ("song_id", "label", "taste", "x", "y")
    assert len({len(told[name]) for name in columns}) == 1
    assert 2000 < len(set(told["song_id"])) == len(told["song_id"]) <= 4000
    assert all(0 <= place <= 1 for place in (*told["x"], *told["y"]))
    assert {*told["taste"]} == {*range(len(told["tastes"]))}
    assert told["tastes"] == answer["tastes"]
    assert all(re.fullmatch("#[0-9a-f]{6}", taste["colour"]) for taste in told["tastes"])
    song = demo_reader.get(f"/api/v1/songs/{told['song_id'][0]}").json()["song"]
    assert (told["x"][0], told["y"][0]) == pytest.approx((song["map_x"], song["map_y"]), abs=1e-4)
    assert len(json.dumps(told)) < 600_000


def test_without_script_the_map_is_a_picture_with_words(browser, demo_address):
    with page_of(browser, 900, script=False) as page:
        page.goto(f"{demo_address}/explore")
        assert page.locator("#map img").evaluate("image => image.naturalWidth") > 0
        assert "With JavaScript" in page.locator("#still").inner_text()
        assert page.locator("canvas").count() == 0
        assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_is_read_by_keyboard(browser, demo_address, scheme):
    with page_of(browser, 900, scheme) as page:
        page.goto(f"{demo_address}/explore")
        page.locator("canvas").focus()
        near = page.locator(".near-song")
        page.keyboard.press("+")
        first = near.locator("a").inner_text()
        for _ in range(6):
            page.keyboard.press("ArrowRight")
        assert near.locator("a").inner_text() != first
        assert near.get_attribute("role") == "status"
        name = near.locator("a").inner_text()
        page.keyboard.press("Enter")
        page.wait_for_url("**/segue/songs/*")
        assert name in page.title()
        assert page.complaints == []


def test_the_map_is_read_by_pointer(browser, demo_address):
    with page_of(browser, 900) as page:
        page.goto(f"{demo_address}/explore")
        canvas = page.locator("canvas")
        canvas.scroll_into_view_if_needed()
        told = page.evaluate("fetch('/api/v1/map').then((answer) => answer.json())")
        side = canvas.bounding_box()["width"]
        at = Position(x=told["x"][0] * side, y=told["y"][0] * side)
        canvas.hover(position=at)
        assert page.locator(".near-song a").inner_text() in told["label"]
        page.get_by_role("button", name="Zoom in").click()
        canvas.click(position=Position(x=side / 2 + 1, y=side - 3))  # where nothing lies, at most
        page.goto(f"{demo_address}/explore")
        page.locator("canvas").click(position=at)
        page.wait_for_url("**/segue/songs/*")
        assert page.complaints == []


def test_nothing_moves_when_the_map_comes_alive(browser, demo_address):
    with page_of(browser, 900) as page:
        page.add_init_script(
            "window.moved = 0; new PerformanceObserver((list) => list.getEntries().forEach("
            "(entry) => { window.moved += entry.value; })).observe("
            "{ type: 'layout-shift', buffered: true });"
        )
        page.goto(f"{demo_address}/explore", wait_until="networkidle")
        page.locator("canvas").wait_for()
        assert page.evaluate("window.moved") < 0.02
