"""Take the pictures of the docs: a site that shows the demo comes in, small PNG files go out.

    uv run segue serve
    uv run python docs/images/take.py http://127.0.0.1:8001

Needs an installed Chromium. Pictures are reduced to a few colours, which makes them a third as
large.
"""

import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
SONG = "/segue/songs/demoslNLW2gHqPbfZnggrr"  # "Road at Noon"
COLOURS = 200
GAP = 20
Press = Callable[[Page], None]


def mix_five(page: Page) -> None:
    """Mix the five songs that the page offers."""
    page.get_by_role("button", name="Mix these five").click()
    page.get_by_role("heading", name="Your mix").wait_for()


def rate_five(page: Page) -> None:
    """Give each of the five songs its stars."""
    for songs, stars in zip(page.locator("fieldset").all(), (5, 2, 4, 1, 5), strict=True):
        songs.locator(f"label.star:has(input[value='{stars}'])").click()
    page.get_by_role("button", name="What would I like?").click()
    page.get_by_role("heading", name="You might like").wait_for()


def leave(_: Page) -> None:
    """Show the page as it opens."""


def taken(
    browser: Browser, address: str, press: Press, size: tuple[int, int], scheme: str
) -> bytes:
    """Return the top of a page, ``size`` pixels wide and high, after ``press``."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    press(page)
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    picture = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": height})
    context.close()
    return picture


def kept(pictures: list[bytes], name: str) -> None:
    """Write pictures side by side as one file of few colours."""
    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    width = sum(image.width for image in images) + GAP * (len(images) - 1)
    whole = Image.new("RGB", (width, images[0].height), "gray")
    for place, image in enumerate(images):
        whole.paste(image, (place * (image.width + GAP), 0))
    few = whole.quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(HERE / name, optimize=True)


def main() -> None:
    """Take all pictures of the site at the address given."""
    site = sys.argv[1].rstrip("/")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, place, press, size in (
            ("home.png", "/", leave, (1000, 660)),
            ("song.png", SONG, leave, (1200, 1262)),
            ("explore.png", "/explore", leave, (1000, 1550)),
            ("mix.png", "/mix", mix_five, (1000, 960)),
        ):
            kept([taken(browser, site + place, press, size, "light")], name)
        small = (("/", leave), (SONG, leave), ("/rate", rate_five))
        phone = (375, 780)
        kept([taken(browser, site + at, press, phone, "dark") for at, press in small], "dark.png")


if __name__ == "__main__":
    main()
