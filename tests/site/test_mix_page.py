import asyncio
import csv
import io
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from xml.etree import ElementTree as Xml

import pytest
from playwright.sync_api import FilePayload

from tests.site.conftest import FORM, page_of
from warehouse.files.playlists import MEDIA_TYPES, WRITERS


@pytest.fixture(scope="module")
def lines(demo_reader):
    example = demo_reader.get("/api/v1/mix").json()["example"]
    return [f"{song['artist']} - {song['title']}" for song in example]


def typed(text, places="50"):
    return {"files": {"text": (None, text), "places": (None, places)}}


def songs_on(page):
    listed = page.partition('<ol class="segues listed">')[2].partition("</ol>")[0]
    return re.findall(r'<a href="(/segue/songs/[^"]+)"><bdi class="title">', listed)


def test_a_list_of_lines_is_answered_in_json_with_shares_and_what_is_near(demo_reader, lines):
    answer = demo_reader.post("/api/v1/mix", json={"text": "\n".join([*lines, "No - One"])})
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert (found["saved"], len(found["songs"]), len(found["tastes"])) == (5, 50, 5)
    assert [row["row"] for row in found["unmatched"]] == ["No - One"]
    assert sum(taste["saved_share"] for taste in found["tastes"]) == pytest.approx(1)
    assert {song["near"]["label"].partition(" - ")[0] for song in found["songs"]} <= {
        line.partition(" - ")[2] for line in lines
    }
    again = demo_reader.post("/api/v1/mix", json={"songs": [*lines, "No - One"]})
    assert again.json() == found


@pytest.mark.parametrize("form", WRITERS)
def test_each_format_has_its_media_type_and_a_file_name(demo_reader, lines, form):
    sent = {"songs": lines, "places": 7, "name": "mine"}
    answer = demo_reader.post(f"/api/v1/mix?format={form}", json=sent)
    kind, ending = MEDIA_TYPES[form]
    assert answer.headers["content-type"] == kind
    name = f'attachment; filename="segue-mix.{ending}"'
    assert answer.headers["content-disposition"] == name
    text = answer.content.decode()
    if form == "xspf":
        assert len(Xml.fromstring(text).findall(".//{*}track")) == 7
    elif ending in ("json", "jspf"):
        assert json.loads(text)
    else:
        assert len([line for line in text.splitlines() if not line.startswith("#")]) in (7, 8)


def test_the_formats_of_the_interface_are_those_that_can_be_written(demo_reader):
    schema = demo_reader.get("/api/v1/openapi.json").json()
    parameters = schema["paths"]["/api/v1/mix"]["post"]["parameters"]
    (named,) = [p["schema"]["anyOf"][0]["enum"] for p in parameters if p["name"] == "format"]
    assert named == [*WRITERS] == [*MEDIA_TYPES]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 422),
        ({"text": "x", "songs": ["x"]}, 422),
        ({"text": ""}, 422),
        ({"text": 7}, 422),
        ({"songs": "x"}, 422),
        ({"songs": [1, None]}, 422),
        ({"text": "x", "places": 0}, 422),
        ({"text": "x", "places": 501}, 422),
        ({"text": "x", "places": "many"}, 422),
        ({"text": "x", "name": "n" * 201}, 422),
        ({"text": '{"a": 1}'}, 422),
        ({"text": "x - y\n" * 10_001}, 413),
        ({"songs": ["x"] * 10_001}, 413),
        ({"text": "x" * 1_000_001}, 413),
        ({"text": "\u00e9" * 600_000}, 413),
        ([1], 422),
        ("x", 422),
    ],
)
def test_what_cannot_be_mixed_is_a_problem(demo_reader, sent, status):
    answer = demo_reader.post("/api/v1/mix", json=sent)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) < 10_000


def test_a_body_is_read_no_further_than_its_bound(demo_reader):
    answer = demo_reader.post("/api/v1/mix", content=b'{"text": "' + b"x" * 3_000_000 + b'"}')
    assert answer.status_code == 413
    assert demo_reader.post("/api/v1/mix?format=mp3", json={"songs": ["x"]}).status_code == 422
    assert demo_reader.post("/mix", **typed("x" * 2_600_000)).status_code == 413
    long = {"content": b"text=" + b"x" * 200_000, "headers": {"content-type": FORM}}
    assert demo_reader.post("/mix", **long).status_code == 413


HOSTILE = [
    "<script>alert(1)</script> - <b>x</b>",
    '\' or 1=1; drop table songs; -- - "x"',
    "x" * 10_000 + " - y",
    "\x00\x01\x02 - \x7f",
    "{{ 7 * 7 }} - {% raw %}",
    "\u202e\u2066 - \U0001f525",
    "[[[[[[",
    '{"tracks": [{"uri": 5}]}',
    "Track URI,Track Name\n=cmd|' /C calc'!A0,x\n",
    '"' * 5000,
    "https://example.com/" + "%" * 3000,
    "\ud800 - x".encode("utf-8", "replace").decode(),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_lists_are_answered_and_shown_as_text(demo_reader, text):
    for sent in ({"text": text}, {"songs": [text]}, {"text": "x - y", "name": text[:200]}):
        answer = demo_reader.post("/api/v1/mix", json=sent)
        assert answer.status_code in (200, 422), answer.text
    page = demo_reader.post("/mix", **typed(text))
    assert page.status_code in (200, 422)
    assert "<script>alert" not in page.text
    assert "<b>x" not in page.text
    assert "49" not in page.text.partition("<main")[2].partition("</h1>")[0]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (typed(""), 422),
        (typed("x - y", "0"), 422),
        (typed("x - y", "<b>"), 422),
        (typed("x - y", "9" * 5000), 422),
        ({"content": b"", "headers": {"content-type": FORM}}, 422),
        (
            {"content": b"text=a&text=<b>&places=5&x=%ff", "headers": {"content-type": FORM}},
            422,
        ),
        ({"content": b"format=m3u8&format=csv&songs=x", "headers": {"content-type": FORM}}, 200),
        ({"content": b"format=<b>", "headers": {"content-type": FORM}}, 422),
        ({"content": b"a=&" * 20_000, "headers": {"content-type": FORM}}, 422),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 422),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 422),
        ({"content": b"x"}, 415),
        ({"json": {"text": "x - y"}}, 415),
        ({"files": [("file", ("a", b"x - y")), ("file", ("b", b"x - y"))]}, 200),
        ({"files": {"file": ("<b>.csv", b"\xff\xfe\x00"), "places": (None, "50")}}, 422),
        ({"files": {"file": ("x.csv", os.urandom(1000)), "places": (None, "50")}}, 422),
        ({"files": {"file": ("x.csv", b""), "places": (None, "50")}}, 422),
        ({"files": {"text": ("a.txt", b"x - y"), "file": (None, "x")}}, 422),
    ],
)
def test_forms_of_every_kind_get_a_page_and_no_failure(demo_reader, sent, status):
    page = demo_reader.post("/mix", **sent)
    assert page.status_code == status
    assert page.headers["cache-control"] == "no-store"
    assert "set-cookie" not in page.headers
    assert "<b>" not in page.text


def test_cookies_of_other_sites_on_the_same_host_do_not_lock_a_visitor_out(demo_reader, lines):
    told = {"headers": {"cookie": "theirs=1"}}
    assert demo_reader.post("/mix", **typed(lines[0]), **told).status_code == 200
    sent = {"songs": lines}
    assert demo_reader.post("/api/v1/mix", json=sent, **told).status_code == 200


def test_the_page_works_without_script_and_keeps_what_was_typed(demo_reader, lines):
    page = demo_reader.post("/mix", **typed("\n".join([*lines, "<i>No</i> - One"]), "12")).text
    assert len(songs_on(page)) == 12
    assert "5 songs found" in page
    assert "Not found: 1" in page
    assert "&lt;i&gt;No&lt;/i&gt; - One" in page
    kept = re.search(r'<textarea id="text".*?>\n(.*?)</textarea>', page, re.DOTALL)[1]
    assert unescape(kept).splitlines() == [*lines, "<i>No</i> - One"]
    refused = demo_reader.post("/mix", **typed("# nothing in it", "7")).text
    assert 'role="alert">Your list holds no songs.' in refused
    assert "# nothing in it</textarea>" in refused
    assert 'value="7"' in refused


def test_a_download_holds_what_the_page_shows(demo_reader, lines):
    page = demo_reader.post("/mix", **typed("\n".join(lines), "9")).text
    carried = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    sent = {**carried, "format": "csv"}
    answer = demo_reader.post("/mix", data=sent)
    assert answer.headers["content-type"] == MEDIA_TYPES["csv"][0]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    ids = [path.removeprefix("/segue/songs/") for path in songs_on(page)]
    assert [row["Track URI"] for row in rows] == [f"spotify:track:{song}" for song in ids]
    listed = demo_reader.post("/api/v1/playlist?format=m3u8", json={"songs": ids, "name": "a\nb"})
    assert "#PLAYLIST:a b\n" in listed.text
    assert listed.text.count("#EXTINF:") == 9


def test_an_address_with_a_song_begins_the_list_with_it(demo_reader, lines):
    song = demo_reader.get("/api/v1/mix").json()["example"][0]
    page = demo_reader.get(f"/mix?song={song['song_id']}&song=nobody&song=%3Cb%3E").text
    kept = re.search(r'<textarea id="text".*?>\n(.*?)</textarea>', page, re.DOTALL)[1]
    assert unescape(kept).splitlines() == [
        f"# {song['title']} - {song['artist']}",
        song["song_id"],
    ]
    assert demo_reader.post("/mix", **typed(unescape(kept))).text.count("1 song found") == 1


def test_people_at_once_get_their_own(demo_reader, demo, lines):
    lists = [*lines, *("\n".join(lines[n:]) for n in range(4))]
    alone = [demo_reader.post("/api/v1/mix", json={"text": text}).json() for text in lists]

    async def together():
        sent = [demo_reader.asked("POST", "/api/v1/mix", json={"text": text}) for text in lists * 3]
        return [answer.json() for answer in await asyncio.gather(*sent)]

    assert asyncio.run(together()) == alone * 3


def test_nothing_of_what_is_sent_is_written(demo_reader, demo, lines, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened = []
    real = os.open

    def spy(path, flags, *more, **named):
        if flags & (os.O_WRONLY | os.O_RDWR):
            opened.append(path)
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", spy)
    big = ("\n".join(lines) + "\n" + "# x\n" * 240_000).encode()
    sent = {"files": {"file": ("big.txt", big), "places": (None, "5")}}
    before = {path: path.stat().st_mtime_ns for path in demo.parents[1].rglob("*")}
    assert demo_reader.post("/mix", **sent).status_code == 200
    too_big = {"files": {"file": ("big.txt", big * 2), "places": (None, "5")}}
    assert demo_reader.post("/mix", **too_big).status_code == 413
    assert not list(tmp_path.iterdir())
    assert opened == []
    assert before == {path: path.stat().st_mtime_ns for path in demo.parents[1].rglob("*")}


def exportify(songs):
    told = io.StringIO()
    table = csv.writer(told)
    table.writerow(["Track URI", "Track Name", "Album Name", "Artist Name(s)", "Added At"])
    for song in songs:
        uri = f"spotify:track:{song['song_id']}"
        table.writerow([uri, song["title"], song["album"], song["artist"], "2024-01-02T03:04:05Z"])
    table.writerow(["spotify:track:0000000000000000000000", "Gone", "", "Nobody", ""])
    return told.getvalue().encode("utf-8-sig")


@pytest.mark.parametrize("script", [True, False])
def test_an_export_is_mixed_and_downloaded_in_a_browser(browser, demo_address, demo_reader, script):
    with ThreadPoolExecutor(1) as pool:  # as the browser's own loop is running here
        example = pool.submit(demo_reader.get, "/api/v1/mix").result().json()["example"]
    with page_of(browser, 1000, script=script) as page:
        page.goto(f"{demo_address}/mix")
        file = exportify(example)
        export = FilePayload(name="liked.csv", mimeType="text/csv", buffer=file)
        page.get_by_label("Or a file").set_input_files(export)
        page.get_by_label("Songs in the playlist").fill("10")
        page.get_by_role("button", name="Mix", exact=True).click()
        assert "liked.csv: 5 songs found, 1 not" in page.locator(".lead").inner_text()
        shown = page.locator("ol.listed a:has(.title)").all_inner_texts()
        assert len(shown) == 10
        with page.expect_download() as started:
            page.get_by_role("button", name="M3U8").click()
        told = started.value.path().read_text(encoding="utf-8").splitlines()
        assert started.value.suggested_filename == "segue-mix.m3u8"
        assert told[:2] == ["#EXTM3U", "#PLAYLIST:Mix of liked.csv"]
        assert [line.partition(" - ")[2] for line in told if " - " in line][:3] == shown[:3]
        with page.expect_download() as started:
            page.get_by_role("button", name="CSV").click()
        rows = list(csv.DictReader(started.value.path().open(encoding="utf-8")))
        assert [row["Track Name"] for row in rows] == shown
        assert page.get_by_role("button", name="Copy the URIs").is_visible() == script
        assert page.get_by_label("Spotify URIs").input_value().count("spotify:track:") == 10
        assert page.complaints == []


def test_uris_are_copied_and_a_file_can_be_dropped(browser, demo_address):
    with page_of(browser, 800) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{demo_address}/mix")
        page.evaluate(
            """() => {
                const given = new DataTransfer();
                given.items.add(new File(["x - y"], "dropped.txt"));
                const drop = new DragEvent("drop", { dataTransfer: given, bubbles: true });
                document.querySelector("#text").dispatchEvent(drop);
            }"""
        )
        assert page.get_by_label("Or a file").evaluate("f => f.files[0].name") == "dropped.txt"
        page.get_by_role("button", name="Mix these five").click()
        page.get_by_role("button", name="Copy the URIs").click()
        page.get_by_text("Copied 50 URIs.").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.get_by_label("Spotify URIs").input_value()


def test_the_mix_is_made_by_keyboard_alone_at_320_px(browser, demo_address):
    with page_of(browser, 320) as page:
        page.goto(f"{demo_address}/mix")
        page.get_by_label("Songs to mix").focus()
        page.keyboard.type("Nobody - Nothing")
        visited = []
        for _ in range(3):
            page.keyboard.press("Tab")
            visited.append(page.evaluate("document.activeElement.id || 'button'"))
        assert visited == ["file", "places", "button"]
        page.keyboard.press("Enter")
        page.get_by_role("alert").wait_for()
        assert "None of these songs" in page.get_by_role("alert").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
