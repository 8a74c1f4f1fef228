import asyncio
import subprocess
import sys
from urllib.parse import urlencode

import pytest

from flows.site.serve import CONFIGURATION, site
from tests.site.conftest import Reader
from warehouse.errors import NothingPublished

CLOSED = ["/-/allow-debug", "/-/messages", "/-/threads", "/-/threads.json", "/-/metadata.json",
    "/-/plugins.json", "/-/settings.json", "/-/config.json", "/-/databases.json", "/-/actor.json",
    "/-/auth-token", "/-/logout", "/-/permissions", "/-/patterns", "/_internal", "/_memory",
    "/_internal/tables.json", "/-/databases", "/%2D/threads.json"]  # fmt: skip
ELSEWHERE = ["/\\example.com/", "//example.com/", "/%5Cexample.com/", "/%5cexample.com/",
    "/%2Fexample.com/", "/\\\\example.com/", "//example.com", "/a\\b/", "/%09/example.com/",
    "/%0d%0aSet-Cookie:x/"]  # fmt: skip


def raw(reader, path, method="GET"):
    """Ask for a path as it is, which an HTTP client would mend first."""

    async def ask():
        sent = []
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(),
                 "query_string": b"", "headers": [(b"host", b"localhost")], "scheme": "http",
                 "http_version": "1.1"}  # fmt: skip

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await reader.site.invoke_startup()
        await reader.site.client.app(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"])

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ELSEWHERE)
def test_no_address_leads_to_another_site(reader, path):
    status, headers = raw(reader, path)
    assert status == 404
    assert b"location" not in {key.lower() for key in headers}


def test_trailing_slash_on_our_own_page_still_leads_to_it(reader):
    status, headers = raw(reader, "/segue/songs/")
    assert status == 302
    assert {key.lower(): value for key, value in headers.items()}[b"location"] == b"/segue/songs"


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_debug_pages_are_closed(open_reader, path, method):
    assert raw(open_reader, path, method)[0] == 404


def test_versions_stay_open(reader):
    assert reader.get("/-/versions.json").status_code == 200


@pytest.mark.parametrize("path", ["/", "/segue", "/segue/songs", "/segue/songs/quoted", "/nowhere",
    "/segue/songs/nobody", "/segue/songs.json", "/segue/songs.csv", "/static/segue.css", "/-/actor",
    "/segue/songs/quoted/recommendations.json"])  # fmt: skip
def test_every_answer_carries_the_headers(reader, path):
    headers = reader.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


def test_no_cookie_is_set(reader):
    for path in ("/", "/segue", "/segue/songs", "/segue/songs/quoted", "/segue/search?q=hello"):
        assert "set-cookie" not in reader.get(path).headers


def test_policy_lets_in_nothing_from_elsewhere_but_the_player(reader):
    policy = reader.get("/").headers["content-security-policy"]
    assert [p for p in policy.split("; ") if "http" in p] == ["frame-src https://open.spotify.com"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "POST", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/segue/songs", "/segue/songs/quoted", "/static/segue.css"])
def test_what_is_only_for_reading_takes_nothing(reader, path, method):
    status, headers = raw(reader, path, method)
    assert status == 405
    assert headers[b"allow"] == b"GET, HEAD"
    assert headers[b"content-type"].startswith(b"text/html")
    assert headers[b"cache-control"] == b"no-store"


def test_closed_pages_are_refused_before_anything_else_was_asked_for(build):
    assert raw(Reader(build), "/-/threads")[0] == 404


def test_pages_name_no_other_host_but_in_links(reader):
    for path in ("/", "/segue/songs", "/segue/songs/4uLU6hMCjMI75M1A2tKUQC"):
        assert 'src="http' not in reader.get(path).text


SQL = "/segue.json?" + urlencode({"sql": "select count(*) as n from songs", "_shape": "array"})


def test_sql_is_closed_by_default_and_open_when_asked(reader, open_reader):
    assert reader.get(SQL).status_code == 403
    assert "Your own SQL" not in reader.get("/segue").text
    assert open_reader.get(SQL).json() == [{"n": 22}]
    assert "Your own SQL" in open_reader.get("/segue").text
    assert open_reader.get("/segue?sql=select+1").status_code == 200


def test_where_clauses_are_sql_and_closed_by_default(reader):
    assert reader.get("/segue/songs?_where=1%3D1").status_code == 403


def test_sql_cannot_fill_the_memory_or_run_for_ever(open_reader):
    big = open_reader.get("/segue.json?" + urlencode({"sql": "select hex(zeroblob(2e8))"}))
    assert big.status_code == 400
    endless = "with recursive t(x) as (select 1 union all select x + 1 from t) select max(x) from t"
    assert open_reader.get("/segue.json?" + urlencode({"sql": endless})).status_code == 400


def test_file_is_closed_by_default_and_open_when_asked(reader, open_reader, build):
    assert reader.get("/segue.db").status_code == 403
    assert "segue.db" not in reader.get("/segue").text
    assert open_reader.get("/segue.db").content == (build / "segue.db").read_bytes()
    assert 'href="/segue.db"' in open_reader.get("/segue").text


def test_facets_are_suggested_only_when_asked(reader, open_reader):
    assert reader.get("/segue/families.json").json()["suggested_facets"] == []
    assert open_reader.get("/segue/families.json").json()["suggested_facets"]


def test_csv_is_never_streamed_whole(reader):
    assert reader.get("/segue/songs.csv?_stream=1").status_code == 400


def test_counts_need_no_query(reader):
    assert reader.get("/segue/recommended_songs.json").json()["filtered_table_rows_count"] == 110


def test_build_is_opened_by_its_resolved_path(build, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(build, target_is_directory=True)
    assert site(link).get_database("segue").path == str(build / "segue.db")


def test_configuration_folder_does_not_hide_the_installed_datasette():
    where = subprocess.run(
        [sys.executable, "-c", "import datasette; print(datasette.__version__)"],
        cwd=CONFIGURATION.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith("0.65")


def test_nothing_published_is_said(tmp_path):
    with pytest.raises(NothingPublished, match="segue build"):
        site(tmp_path)
