import pytest

from tests.site.conftest import page_of


def test_listener_searches_follows_a_song_and_goes_on_from_there(browser, address):
    with page_of(browser, 375) as page:
        page.goto(address)
        page.get_by_label("Title or artist").fill("hello lanterns")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Hello - The Lanterns (1984)").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Hello"
        assert page.locator("ol.segues > li").count() == 5
        page.locator("ol.segues > li a").first.click()
        assert page.url.endswith("/segue/songs/hello-live")
        assert page.get_by_role("heading", level=1).inner_text() == "Hello (Live)"
        assert page.complaints == []


PATHS = ["/", "/segue", "/segue/songs", "/segue/recommendations", "/segue/recommended_songs",
    "/segue/search?q=hello", "/segue/most_recommended", "/segue/songs/script",
    "/segue/songs/hebrew", "/segue/songs/timeless", "/segue/features"]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_320_px_and_break_no_rule_of_their_own(browser, address, scheme):
    with page_of(browser, 320, scheme) as page:
        for path in PATHS:
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert page.complaints == []


def test_dark_and_light_differ_and_the_style_sheet_is_applied(browser, address):
    colours = set()
    for scheme in ("light", "dark"):
        with page_of(browser, 800, scheme) as page:
            page.goto(address)
            colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2
    assert "rgba(0, 0, 0, 0)" not in colours


def test_first_tab_stop_skips_to_the_content(browser, address):
    with page_of(browser, 800) as page:
        page.goto(f"{address}/segue/songs/quoted")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
