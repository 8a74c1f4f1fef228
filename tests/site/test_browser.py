import pytest
from playwright.sync_api import Locator, Page, expect

from tests.site.conftest import page_of


def onward(page: Page, been: list[str]) -> Locator:
    """Return the first recommendation on a song's page that leads to a song not yet visited."""
    links = page.locator("ol.segues > li .what > a")
    expect(links).to_have_count(5)
    return next(link for link in links.all() if link.get_attribute("href") not in been)


def follow(page: Page, choose) -> None:
    """Go on twice from a song's page, each time to what is recommended there."""
    been = [page.url.partition("/segue/")[1] + page.url.partition("/segue/")[2]]
    for _ in range(2):
        link = onward(page, been)
        title, target = link.inner_text(), link.get_attribute("href")
        choose(link)
        page.wait_for_url(f"**{target}")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        assert title in page.title()
        been.append(target)
    assert len(set(been)) == 3
    page.go_back()
    page.wait_for_url(f"**{been[1]}")


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until what is wanted has the focus, and shows it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            assert wanted.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
            return
    pytest.fail("Tab does not lead there")


@pytest.mark.parametrize("width", [1200, 375])
def test_song_to_recommendation_to_its_recommendation_with_a_pointer(browser, demo_address, width):
    with page_of(browser, width) as page:
        page.goto(demo_address)
        title = page.locator(".tile .title").first.inner_text()
        page.get_by_label("Title or artist").press_sequentially(title[:-2].lower())
        page.get_by_role("option", name=title).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        follow(page, lambda link: link.click())
        assert page.complaints == []


def test_song_to_recommendation_to_its_recommendation_without_javascript(browser, demo_address):
    with page_of(browser, 375, script=False) as page:
        page.goto(demo_address)
        title = page.locator(".tile .title").first.inner_text()
        page.get_by_label("Title or artist").fill(title.lower())
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(title.lower())
        page.locator("ol.found > li").first.get_by_role("link", name=title, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        follow(page, lambda link: link.click())
        assert page.complaints == []


def test_song_to_recommendation_to_its_recommendation_by_keyboard_alone(browser, demo_address):
    def press(link: Locator) -> None:
        tab_to(page, link)
        page.keyboard.press("Enter")

    with page_of(browser, 1200) as page:
        page.goto(demo_address)
        title = page.locator(".tile .title").first.inner_text()
        tab_to(page, page.get_by_label("Title or artist"))
        page.keyboard.type(title.lower())
        expect(page.get_by_role("option").first).to_contain_text(title)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        follow(page, press)
        assert page.complaints == []


def test_searched_words_lead_to_the_song_that_is_meant_and_on(browser, address):
    with page_of(browser, 375) as page:
        page.goto(address)
        page.get_by_label("Title or artist").fill("hello lanterns")
        page.keyboard.press("Enter")
        page.locator("main a", has_text="Hello").first.click()
        assert page.get_by_role("heading", level=1).inner_text() == "Hello"
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
        page.emulate_media(reduced_motion="reduce")  # routes empty the cache that it needs
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
        links = page.locator(".masthead nav a, footer nav a, .ways a, .near a").all()
        assert len(links) > 10
        for link in links:
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


def test_a_record_that_is_followed_is_the_one_that_grows(browser, address):
    """Two elements of one name would make the browser skip the transition, and say so."""
    named = "[...document.querySelectorAll('.disc')].filter(disc => " \
        "getComputedStyle(disc).viewTransitionName === 'record').length"  # fmt: skip
    with page_of(browser, 1200) as page:
        page.goto(f"{address}/segue/songs/quoted")
        assert page.evaluate(named) == 1
        page.locator("ol.segues > li .what > a").nth(2).focus()
        assert page.evaluate(named) == 1
        page.keyboard.press("Tab")
        assert page.evaluate(named) == 1
