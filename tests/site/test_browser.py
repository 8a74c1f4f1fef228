import pytest

from tests.site.conftest import page_of


def test_listener_searches_follows_a_song_and_goes_on_from_there(browser, address):
    with page_of(browser, 375) as page:
        page.goto(address)
        page.get_by_label("Title or artist").fill("hello lanterns")
        page.keyboard.press("Enter")
        page.locator("main a", has_text="Hello").first.click()
        assert page.get_by_role("heading", level=1).inner_text() == "Hello"
        assert page.locator("ol.segues > li").count() == 5
        page.locator("ol.segues > li a").first.click()
        assert page.url.endswith("/segue/songs/hello-live")
        assert page.get_by_role("heading", level=1).inner_text() == "Hello (Live)"
        assert page.complaints == []


PATHS = ["/", "/segue", "/segue/songs", "/segue/recommendations", "/segue/recommended_songs",
    "/segue/search?q=hello", "/segue/most_recommended", "/segue/songs/script",
    "/segue/songs/hebrew", "/segue/songs/timeless", "/segue/features", "/search?q=hello",
    "/about", "/analysts", "/compare"]  # fmt: skip


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


@pytest.mark.parametrize("script", [True, False])
def test_player_is_asked_of_spotify_only_on_a_click(browser, address, script):
    with page_of(browser, 800, script=script) as page:
        asked = []
        page.route("https://open.spotify.com/**", lambda route: route.fulfill(body="player"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/segue/songs/4uLU6hMCjMI75M1A2tKUQC")
        assert not [url for url in asked if "spotify" in url]
        page.get_by_role("link", name="Play here").click()
        page.frame_locator("#player").get_by_text("player").wait_for()
        assert [url for url in asked if "spotify" in url]
        assert page.complaints == []


def test_first_page_weighs_less_than_60_kb(browser, demo_address):
    with page_of(browser, 1200) as page:
        came = []
        page.on("response", lambda response: came.append(len(response.body())))
        page.goto(demo_address, wait_until="networkidle")
        assert len(came) >= 3
        assert sum(came) < 60_000


@pytest.mark.parametrize("path", ["/", "/segue/songs/quoted", "/segue/songs"])
def test_nothing_shifts_while_a_page_loads(browser, address, path):
    with page_of(browser, 375) as page:
        page.add_init_script(
            "window.shifted = 0; new PerformanceObserver(list => list.getEntries().forEach("
            "e => window.shifted += e.value)).observe({type: 'layout-shift', buffered: true})"
        )
        page.goto(address + path, wait_until="networkidle")
        assert page.evaluate("window.shifted") < 0.01


def test_menu_can_be_hit_with_a_finger(browser, address):
    with page_of(browser, 320) as page:
        page.goto(f"{address}/segue/songs/quoted")
        for link in page.locator(".masthead nav a, footer nav a, .ways a, .near a").all():
            assert link.bounding_box()["height"] >= 24


def test_a_second_visit_asks_for_nothing(browser, address):
    with page_of(browser, 800) as page:
        page.goto(f"{address}/segue/songs/quoted", wait_until="networkidle")
        page.goto(f"{address}/segue/songs/hello-2", wait_until="networkidle")
        from_cache = page.evaluate(
            "performance.getEntriesByType('resource').map(e => [e.name, e.transferSize])"
        )
        assert from_cache
        assert all(size == 0 for _, size in from_cache)
