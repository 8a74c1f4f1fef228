import asyncio
import os
import re
from html import unescape

import pytest

from tests.site.conftest import FORM, page_of


@pytest.fixture(scope="module")
def asked(demo_reader):
    return [song["song_id"] for song in demo_reader.get("/api/v1/ask").json()]


def filled(page, *stars, do="rate"):
    """Return what a browser would send of the form of a page, with stars from the first song on."""
    form = page.partition('class="questions"')[2].partition("</form>")[0]
    sent = {}
    for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form):
        sent.setdefault(unescape(name), []).append(value)
    for name, value in re.findall(r'type="radio" name="([^"]+)" value="(\d?)" checked', form):
        sent[unescape(name)] = [value]
    for song, star in zip(sent["asked"], stars, strict=False):
        sent[f"stars:{song}"] = [str(star)]
    return {**sent, "do": do}


def recommended_on(page):
    listed = page.partition('<ol class="segues liked">')[2].partition("</ol>")[0]
    return re.findall(r'<a href="(/segue/songs/[^"]+)">', listed)


def test_five_are_asked_and_others_once_they_are_answered(demo_reader, asked):
    first = demo_reader.get("/api/v1/ask").json()
    assert len({song["song_id"] for song in first}) == 5
    told = {"rated": asked[:2], "passed": asked[2:], "n": 7}
    answer = demo_reader.post("/api/v1/ask", json=told)
    assert answer.headers["cache-control"] == "no-store"
    further = [song["song_id"] for song in answer.json()]
    assert len({*further, *asked}) == 12
    again = demo_reader.post("/api/v1/ask", json={"again": [*reversed(asked), "nobody"]}).json()
    assert [song["song_id"] for song in again] == asked[::-1]


def test_three_are_recommended_each_with_the_rating_that_led_to_it(demo_reader, asked):
    stars = dict(zip(asked, (5, 1, 4.5, 2, 3), strict=True))
    answer = demo_reader.post("/api/v1/rate", json={"ratings": {**stars, "nobody": 3}})
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert [song["rank"] for song in found["recommended"]] == [1, 2, 3]
    for song in found["recommended"]:
        assert stars[song["because"]["song_id"]] == song["because"]["rating"]
    assert {one["song_id"]: one["rating"] for one in found["rated"]} == stars
    assert found["not_found"] == ["nobody"]
    turned = {song: 6 - star for song, star in stars.items()}
    others = demo_reader.post("/api/v1/rate", json={"ratings": turned, "n": 3}).json()[
        "recommended"
    ]
    assert {s["song_id"] for s in others} != {s["song_id"] for s in found["recommended"]}


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("rate", {}, 422),
        ("rate", {"ratings": [1]}, 422),
        ("rate", {"ratings": {"a": 0}}, 422),
        ("rate", {"ratings": {"a": 5.5}}, 422),
        ("rate", {"ratings": {"a": "many"}}, 422),
        ("rate", {"ratings": {"a": 3}, "n": 0}, 422),
        ("rate", {"ratings": {str(n): 3 for n in range(10_001)}}, 422),
        ("rate", {"ratings": {"x" * 3_000_000: 3}}, 413),
        ("rate", {"ratings": {"<b>' or 1=1": 3}}, 200),
        ("ask", {"rated": "x"}, 422),
        ("ask", {"n": 21}, 422),
        ("ask", {"rated": ["'\"<"], "passed": ["\x00"]}, 200),
        ("ask", [], 422),
    ],
)
def test_what_cannot_be_answered_is_a_problem(demo_reader, path, sent, status):
    answer = demo_reader.post(f"/api/v1/{path}", json=sent)
    assert answer.status_code == status
    kind = "application/json" if status == 200 else "application/problem+json"
    assert answer.headers["content-type"] == kind
    assert len(answer.content) < 20_000


def test_numbers_that_are_none_and_signs_that_are_none_are_refused(demo_reader):
    for body in (b'{"ratings": {"a": NaN}}', b'{"ratings": {"\\ud800": 9}}', b"{", b"\xff"):
        answer = demo_reader.post(
            "/api/v1/rate", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422)


def test_a_build_without_ratings_says_what_to_do(reader):
    for path in ("/api/v1/ask", "/rate"):
        answer = reader.get(path)
        assert answer.status_code == 404
        assert "segue build --ratings FILE" in answer.text


def test_rating_changing_one_and_five_more_work_without_script(demo_reader, asked):
    page = demo_reader.get("/rate").text
    assert recommended_on(page) == []
    assert page.count("checked") == 5
    sent = filled(page, 5, 2, "", 1, 4)
    assert sent["asked"] == asked
    answer = demo_reader.post("/rate", data=sent)
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    three = recommended_on(answer.text)
    assert len(three) == 3
    assert answer.text.count("because you gave") == 3
    assert filled(answer.text) == sent
    changed = demo_reader.post("/rate", data=filled(answer.text, 1, 5, 5, 5, 1))
    assert recommended_on(changed.text) != three
    more = demo_reader.post("/rate", data=filled(answer.text, do="more")).text
    assert recommended_on(more) == three
    form = filled(more)
    assert not {*form["asked"]} & {*asked}
    assert form["passed"] == [asked[2]]
    assert {f"stars:{song}" for song in asked if song != asked[2]} <= form.keys()
    nine = demo_reader.post("/rate", data=filled(more, 5, 5, 5, 5, 5)).text
    assert recommended_on(nine) != three
    assert nine.partition("Your earlier ratings")[2].count("<li>") == 4


def test_without_a_rating_the_page_asks_for_one_and_goes_on_to_others(demo_reader, asked):
    page = demo_reader.get("/rate").text
    assert "You haven’t rated anything yet" in demo_reader.post("/rate", data=filled(page)).text
    more = demo_reader.post("/rate", data=filled(page, do="more")).text
    assert "You haven’t rated anything yet" not in more
    assert filled(more)["passed"] == asked


def test_five_more_come_until_none_is_left_and_nothing_fails(demo_reader):
    page = demo_reader.get("/rate").text
    seen = set()
    for _ in range(30):
        form = filled(page, do="more")
        assert not seen & {*form["asked"]}
        seen |= {*form["asked"]}
        page = demo_reader.post("/rate", data=form).text
    assert len(seen) == 150


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"", "headers": {"content-type": FORM}}, 200),
        ({"data": {"stars:a": "6"}}, 422),
        ({"data": {"stars:a": "<b>"}}, 422),
        ({"data": {"stars:a": "9" * 5000}}, 422),
        ({"data": {"stars:<b>x</b>": "5"}}, 200),
        ({"data": {"stars:": "5", "stars:' or 1=1": "3", "do": ["more", "rate"]}}, 200),
        ({"data": {"asked": ["<b>", "' --"], "passed": ["<b>"], "do": "more"}}, 200),
        ({"data": {"asked": ["x" * 10_000] * 2, "do": "<b>"}}, 200),
        ({"data": {"passed": ["a"] * 600}}, 422),
        ({"data": {"passed": "x" * 200_000}}, 413),
        (
            {"content": b"stars:a=5&stars:a=1&stars:a=&%ff=%00", "headers": {"content-type": FORM}},
            200,
        ),
        ({"content": os.urandom(500), "headers": {"content-type": FORM}}, 200),
        ({"content": os.urandom(500)}, 415),
        ({"files": {"stars:a": ("a.txt", b"5"), "asked": ("b.txt", b"5")}}, 200),
        ({"json": {"stars:a": 5}}, 415),
    ],
)
def test_forms_of_every_kind_get_a_page_and_no_failure(demo_reader, sent, status):
    page = demo_reader.post("/rate", **sent)
    assert page.status_code == status
    assert page.headers["cache-control"] == "no-store"
    assert "<b>" not in page.text


def test_people_at_once_get_their_own(demo_reader, asked):
    given = [{asked[n % 5]: 5, asked[(n + 1) % 5]: 1 + n % 3} for n in range(12)]
    alone = [demo_reader.post("/api/v1/rate", json={"ratings": one}).json() for one in given]

    async def together():
        sent = [
            demo_reader.asked("POST", "/api/v1/rate", json={"ratings": one}) for one in given * 3
        ]
        return [answer.json() for answer in await asyncio.gather(*sent)]

    assert asyncio.run(together()) == alone * 3


@pytest.mark.parametrize("script", [True, False])
def test_five_are_rated_and_one_is_changed_by_keyboard_alone(browser, demo_address, script):
    with page_of(browser, 375, script=script) as page:
        page.goto(f"{demo_address}/rate")
        page.locator("input[type=radio]").first.focus()
        for stars in (5, 1, 4, 2, 5):
            for _ in range(stars):
                page.keyboard.press("ArrowRight")
            page.keyboard.press("Tab")
        with page.expect_navigation(url="**/rate#three"):
            page.keyboard.press("Enter")
        three = page.locator("ol.liked .title").all_inner_texts()
        assert len(three) == 3
        assert page.locator("fieldset").first.get_by_label("5 stars").is_checked()
        page.keyboard.press("Tab")  # the answer was jumped to, so that its first song comes next
        name = page.evaluate("document.activeElement.textContent") if script else three[0]
        assert name == three[0]
        page.locator("fieldset").first.get_by_label("5 stars").focus()
        for _ in range(4):
            page.keyboard.press("ArrowLeft")
        for _ in range(5):
            page.keyboard.press("Tab")
        with page.expect_navigation(url="**/rate#three"):
            page.keyboard.press("Enter")
        assert page.locator("fieldset").first.get_by_role("radio", name="1 star").is_checked()
        assert page.locator("ol.liked .title").all_inner_texts() != three
        assert page.complaints == []


def test_a_reader_hears_each_song_with_its_six_answers_and_the_reason(browser, demo_address):
    with page_of(browser, 1000) as page:
        page.goto(f"{demo_address}/rate")
        names = page.locator("legend .title").all_inner_texts()
        for name in names:
            group = page.get_by_role("group", name=re.compile(f"^{re.escape(name)} "))
            heard = [group.get_by_role("radio").nth(n).evaluate("r => r.labels[0].innerText")
                for n in range(6)]  # fmt: skip
            assert [told.split("\n")[-1] for told in heard] == ["don’t know it", "1 star",
                "2 stars", "3 stars", "4 stars", "5 stars"]  # fmt: skip
            assert group.get_by_role("radio", name="don’t know it").is_checked()
        page.get_by_role("group").first.get_by_role("radio", name="5 stars").check()
        page.get_by_role("button", name="What would I like?").click()
        told = page.get_by_role("region", name="You might like").inner_text()
        assert f"5 stars to {names[0]} - " in " ".join(told.split())


def test_stars_are_large_enough_and_fit_320_px(browser, demo_address):
    with page_of(browser, 320) as page:
        page.goto(f"{demo_address}/rate")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        boxes = [label.bounding_box() for label in page.locator(".stars label").all()]
        assert min(min(box["width"], box["height"]) for box in boxes) >= 24
        tops = {round(box["y"] + box["height"] / 2) for box in boxes[:6]}
        assert len(tops) == 1
