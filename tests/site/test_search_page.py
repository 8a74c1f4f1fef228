import re
from urllib.parse import quote, urlencode

import pytest

from tests.site.conftest import page_of

HELLO = "4uLU6hMCjMI75M1A2tKUQC"
TYPED = ["", " ", '"', "'", "AND", "a OR", "NEAR(", "title:", "*", "^hello", "(", "-x",
    '") or 1=1 --', "\x00", "%", "+" * 500, "a " * 300, "x" * 10_000, "<script>", "{{7*7}}",
    "🔥" * 100, "\u202eevil", "שלום"]  # fmt: skip


OPTION = ".suggestions [role=option]"


def searched(reader, **asked):
    answer = reader.get(f"/search?{urlencode(asked)}")
    assert answer.status_code == 200, answer.text
    return answer.text


def found(page):
    """Return the ids of the songs that a page shows, without the versions of each."""
    lines = re.split(r'<li class="tone-[^"]+">', page.partition('<ol class="found">')[2])[1:]
    return [re.search(r'href="/segue/songs/([^"]+)"', line).group(1) for line in lines]


def test_songs_of_one_title_are_told_apart(reader):
    page = searched(reader, q="hello")
    assert found(page) == [HELLO, "hello-2"]
    text = re.sub(r"<[^>]+>", "", page)
    assert "Ada Bell, 2015" in text
    assert "The Lanterns, 1984" in text
    assert "pop, soul" in text


def test_versions_stand_under_one_line(reader):
    page = searched(reader, q="hello")
    line = page.partition(f'href="/segue/songs/{HELLO}"')[2].partition("hello-2")[0]
    assert "1 other version<" in line
    assert 'href="/segue/songs/hello-live"' in line


def test_how_a_song_was_found_is_said_where_it_is_not_plain(reader):
    plain, misspelt = searched(reader, q="hello the lanterns"), searched(reader, q="teh lantrens")
    assert found(plain)[0] == found(misspelt)[0] == "hello-2"
    assert "similar spelling" not in plain.partition('<ol class="found">')[2].partition("</li>")[0]
    assert "similar spelling" in misspelt.partition('<ol class="found">')[2].partition("</li>")[0]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"year_to": 1990}, ["hello-2"]),
        ({"year_from": 2016}, ["hello-live"]),
        ({"genre": "SOUL"}, [HELLO]),
        ({"explicit": "0"}, [HELLO, "hello-2"]),
        ({"year_from": 1984, "year_to": 1984, "genre": "pop", "explicit": ""}, ["hello-2"]),
    ],
)
def test_filters_narrow_and_stay_in_the_form(reader, asked, expected):
    page = searched(reader, q="hello", **asked)
    assert found(page) == expected
    assert '<details class="narrow" open>' in page
    for name, value in asked.items():
        if name != "explicit":
            assert re.search(rf'name="{name}"[^>]* value="{value}"', page)


def test_what_is_chosen_of_the_lyrics_stays_chosen(reader):
    assert '<option value="1" selected>' in searched(reader, q="rude", explicit="1")
    assert found(searched(reader, q="rude", explicit="1")) == ["explicit"]
    assert found(searched(reader, q="rude words", explicit="0")) != ["explicit"]


def test_common_genres_are_offered(reader):
    options = re.findall(r'<option value="([^"]*)">', searched(reader).partition("<datalist")[2])
    assert "folk" in options
    assert "rap &amp; soul" in options


def test_nothing_typed_says_what_can_be(reader):
    page = searched(reader)
    assert "<h1>Search</h1>" in page
    assert "songs+about+rain" in page


def test_nothing_found_helps_on(reader):
    page = searched(reader, q="zzzzqqqq")
    assert "No songs found" in page
    assert "Try fewer words" in page
    narrowed = searched(reader, q="zzzzqqqq", year_from=1990)
    assert 'href="/search?q=zzzzqqqq"' in narrowed


def test_the_count_is_that_of_what_is_shown_and_more_can_be_asked_for(reader):
    few = searched(reader, q="filler", limit=3)
    assert len(found(few)) == 3
    assert re.search(r"The 3 best of \d+ matches", few)
    more = re.search(r'class="button" href="([^"]+)"', few).group(1).replace("&amp;", "&")
    assert len(found(reader.get(more).text)) >= 10
    assert "best of" not in searched(reader, q="quoted song", limit=100)


def test_page_is_json_at_its_like_address(reader):
    page = searched(reader, q="hello", year_to=1990)
    link = re.search(r'<a href="([^"]+)">As JSON', page).group(1).replace("&amp;", "&")
    assert [song["song_id"] for song in reader.get(link).json()["songs"]] == ["hello-2"]


@pytest.mark.parametrize("q", TYPED)
def test_whatever_is_typed_gets_a_page(reader, q):
    page = searched(reader, q=q)
    assert "<script>" not in page
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", page)[0]


@pytest.mark.parametrize("name", ["year_from", "year_to", "limit", "explicit"])
@pytest.mark.parametrize("value", ["x", "-1", "1e9", "<b>", "\x00", "9" * 400, "NaN"])
def test_wrong_filters_are_said_on_a_page_with_a_search(reader, name, value):
    answer = reader.get(f"/search?q=hello&{name}={quote(value)}")
    assert answer.status_code == 422
    assert 'action="/search"' in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize("width", [1200, 320])
def test_suggestions_come_as_one_types_and_lead_to_a_song_by_keyboard(browser, address, width):
    with page_of(browser, width) as page:
        page.goto(f"{address}/search")
        box = page.get_by_role("combobox")
        before = page.locator("main").bounding_box()
        box.press_sequentially("hell")
        page.locator(OPTION).first.wait_for()
        assert page.locator("main").bounding_box() == before
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("main").get_by_role("status").inner_text().startswith("2 songs")
        assert box.get_attribute("aria-expanded") == "true"
        box.press("ArrowDown")
        chosen = page.locator("[aria-selected=true]")
        assert box.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
        assert "Ada Bell, 2015" in chosen.inner_text()
        box.press("ArrowUp")
        assert page.locator("[aria-selected=true]").count() == 0
        box.press("Escape")
        assert page.locator(OPTION).count() == 0
        assert box.get_attribute("aria-expanded") == "false"
        assert box.input_value() == "hell"
        box.press_sequentially("o")
        page.locator(OPTION).first.wait_for()
        box.press("ArrowDown")
        box.press("Enter")
        page.wait_for_url(f"**/segue/songs/{HELLO}")
        assert page.complaints == []


def test_enter_without_a_choice_searches_and_a_press_follows(browser, address):
    with page_of(browser, 800) as page:
        page.goto(f"{address}/search")
        page.get_by_role("combobox").press_sequentially("odd addr")
        page.locator(OPTION).first.click()
        page.wait_for_url("**/segue/songs/dots~2Eand~2Fslash")
        assert "Odd Address" in page.title()
        box = page.get_by_role("combobox")
        box.press_sequentially("hello")
        box.press("Enter")
        page.wait_for_url("**/search?q=hello")
        assert page.complaints == []


def test_markup_in_a_title_is_shown_as_it_is(browser, address):
    with page_of(browser, 800) as page:
        page.goto(f"{address}/search")
        page.get_by_role("combobox").press_sequentially("script alert")
        option = page.locator(OPTION).first
        option.wait_for()
        assert "<script>alert(1)</script>" in option.inner_text()
        assert page.complaints == []


def test_without_script_the_box_and_the_filters_search(browser, address):
    with page_of(browser, 800, script=False) as page:
        page.goto(f"{address}/search")
        page.get_by_text("Narrow it down").click()
        page.get_by_label("To year").fill("1990")
        page.get_by_label("Title, artist").fill("hello")
        page.get_by_role("button", name="Search").click()
        assert page.locator("ol.found > li").count() == 1
        assert "The Lanterns" in page.locator("ol.found").inner_text()
