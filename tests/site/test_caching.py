import asyncio
import json
import runpy
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datasette.plugins import pm  # type: ignore[attr-defined]
from flows.site.client import client
from flows.site.middleware.caching import Edition
from tests.site.conftest import Reader

PLUGINS = Path(__file__).parents[2] / "datasette" / "plugins"
MIDNIGHT = datetime(2026, 3, 21, tzinfo=UTC)

KEPT = ["/", "/segue", "/segue/songs", "/segue/songs.json", "/segue/songs.csv", "/static/segue.css",
    "/segue/songs/quoted", "/segue/songs/quoted.json", "/segue/songs/quoted/recommendations.json",
    "/api/v1/songs/quoted", "/api/v1/catalogue", "/segue/most_recommended", "/robots.txt",
    "/sitemap.xml", "/search?q=hello", "/about"]  # fmt: skip


def ask(reader, path, method="GET", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def asked():
        await reader.site.invoke_startup()
        return await reader.site.client.request(method, path, headers=headers)

    return asyncio.run(asked())


@pytest.mark.parametrize("path", KEPT)
def test_what_was_read_need_not_be_sent_again(reader, path):
    first = ask(reader, path)
    assert first.status_code == 200
    again = ask(reader, path, if_none_match=first.headers["etag"])
    assert again.status_code == 304
    assert again.content == b""
    for name in ("etag", "cache-control", "content-security-policy"):
        assert again.headers[name] == first.headers[name]
    assert "accept-encoding" in again.headers["vary"].lower()


@pytest.mark.parametrize("path", KEPT)
def test_head_is_answered_like_get_without_the_body(reader, path):
    get, head = ask(reader, path), ask(reader, path, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "cache-control", "content-type"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("tags", ['W/"other"', "", "nonsense", '"', "*", ",,"])
def test_who_has_something_else_is_sent_the_page(reader, tags):
    assert ask(reader, "/", if_none_match=tags).status_code == 200


def test_tag_is_found_among_others_weak_or_strong(reader):
    tag = ask(reader, "/").headers["etag"]
    for tags in (f'"a", {tag}', tag.removeprefix("W/"), f'{tag},W/"b"'):
        assert ask(reader, "/", if_none_match=tags).status_code == 304


@pytest.mark.parametrize("path", ["/nothing", "/segue/songs/nobody", "/api/v1/songs/nobody"])
def test_what_is_not_there_is_kept_for_a_minute_at_most(reader, path):
    answer = ask(reader, path)
    assert answer.headers["cache-control"] == "max-age=60"
    assert "etag" not in answer.headers


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/segue?sql=select+1", "GET", 403),
        ("/segue/songs?_where=1", "GET", 403),
        ("/", "POST", 405),
        ("/-/versions.json", "GET", 200),
        ("/api/v1/health", "GET", 200),
        ("/api/v1/songs/quoted", "DELETE", 405),
    ],
)
def test_refusals_what_is_sent_and_what_tells_of_the_process_are_never_kept(
    reader, path, method, status
):
    answer = ask(reader, path, method)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_one_caches_what_is_asked_for_with_a_secret_for_oneself_only(reader):
    assert ask(reader, "/").headers["cache-control"].startswith("public, ")
    assert ask(reader, "/", cookie="a=b").headers["cache-control"].startswith("private, ")
    assert ask(reader, "/", authorization="Basic x").headers["cache-control"].startswith("private,")


def test_files_under_the_name_of_their_version_are_kept_for_long(reader):
    assert (
        "max-age=31536000, immutable" in ask(reader, "/static/segue.css?1").headers["cache-control"]
    )
    assert "max-age=3600" in ask(reader, "/static/segue.css").headers["cache-control"]


def test_pages_name_the_version_of_every_file(reader):
    page = ask(reader, "/").text
    style = reader.site.jinja_env.globals["style"]
    assert page.count("/static/") == page.count(f"?{style}") >= 3


def test_pages_are_kept_until_the_next_build_is_due():
    edition = Edition("x", MIDNIGHT)
    assert edition.seconds(MIDNIGHT + timedelta(hours=20)) == 4 * 3600
    assert edition.seconds(MIDNIGHT + timedelta(hours=23, minutes=59, seconds=30)) == 60
    assert edition.seconds(MIDNIGHT + timedelta(days=9)) == 60
    assert edition.seconds(MIDNIGHT - timedelta(days=9)) == 24 * 3600


def test_tag_changes_when_the_age_that_pages_tell_does():
    edition = Edition("x", MIDNIGHT)
    assert edition.tag(MIDNIGHT) == edition.tag(MIDNIGHT + timedelta(hours=23.9)) == b'W/"x-0"'
    assert edition.tag(MIDNIGHT + timedelta(hours=24)) == b'W/"x-1"'


def test_age_is_told_in_days():
    age = runpy.run_path(str(PLUGINS / "build_facts.py"))["age"]
    for hours, told in ((1, "less than a day old"), (25, "1 day old"), (80, "3 days old")):
        assert age((datetime.now(UTC) - timedelta(hours=hours)).isoformat()) == told


def test_another_build_and_other_settings_have_other_tags(build, open_reader, reader, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(build, other)
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "build_id": "def456"}))
    tags = {ask(r, "/").headers["etag"] for r in (reader, open_reader, Reader(other))}
    assert len(tags) == 3


def test_without_a_usable_manifest_nothing_is_kept(build, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(build, other)
    (other / "manifest.json").unlink()
    answer = ask(Reader(other), "/segue/songs/quoted")
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_page_whose_counts_took_too_long_is_not_kept(build, monkeypatch):
    async def too_long(self):
        return [], ["genre"]

    reader = Reader(build)
    ask(reader, "/segue/songs")
    classes = [c for found in pm.hook.register_facet_classes() for c in found]
    facet = next(c for c in classes if c.type == "genre")
    monkeypatch.setattr(facet, "facet_results", too_long)
    answer = ask(reader, "/segue/songs")
    assert "Counting took too long: genre" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_failure_is_told_in_our_look_without_its_inside_and_not_kept(build, capsys):
    async def broken(scope, receive, send):
        raise RuntimeError("the inside")

    reader = Reader(build)
    reader.site.ask = client(broken)
    answer = ask(reader, "/segue/songs/quoted")
    assert answer.status_code == 500
    assert answer.headers["cache-control"] == "no-store"
    assert "</footer>" in answer.text
    assert "the inside" not in answer.text
    assert "the inside" in capsys.readouterr().err


def test_pages_are_compressed_for_who_can_read_that(reader):
    packed = ask(reader, "/segue/songs/quoted", accept_encoding="gzip")
    plain = ask(reader, "/segue/songs/quoted", accept_encoding="identity")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < int(len(plain.content) / 2)
    assert "accept-encoding" in plain.headers["vary"].lower()


def test_files_to_fetch_are_not_compressed_again(open_reader):
    answer = ask(open_reader, "/segue.db", accept_encoding="gzip")
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers
