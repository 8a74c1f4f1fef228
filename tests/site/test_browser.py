import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update"]  # fmt: skip
SERVE = "import sys; from pathlib import Path; from flows.serve import serve; " \
    "serve(Path(sys.argv[1]), port=int(sys.argv[2]))"  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_open(port, process, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(port)


@contextmanager
def running(build):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(build), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_open(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@pytest.fixture(scope="module")
def address(build):
    with running(build) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@contextmanager
def page_of(browser, width, scheme="light"):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("dialog", lambda dialog: page.complaints.append("dialog"))
    yield page
    context.close()


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
