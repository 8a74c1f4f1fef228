"""Ask every route for what nobody should ask: no fault, no echo of markup, no long wait.

Bounded: a fixed number of requests, from a fixed seed, in process.
"""

import asyncio
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest

from flows.site.serve import site
from tests.site.conftest import pages_of
from warehouse.contracts import TABLES, VIEWS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:coroutine"),  # of Datasette, after a bad address
]

MOST = 1500  # requests by GET
SENT = 300  # by POST
LONGEST = 2.0  # seconds of the processor, as other tests may run beside this one
MARK = "<x-fuzz>"

NASTY = [
    f"{MARK}<script>alert(1)</script>",
    f"\"'>{MARK}",
    f"'{MARK} onmouseover=alert(1) x='",
    f"javascript:alert(1)//{MARK}",
    f"{{{{7*7}}}}{{% raw %}}{MARK}${{7*7}}",
    "' or 1=1 --",
    "'; drop table songs; --",
    "1 union select sql from sqlite_master",
    '"; attach database "/tmp/x" as y; --',
    '" OR NEAR(a b, 99999999999) AND title:* -x ^y {z}',
    "NOT", "AND AND", "*", "a*", '"', "'", "(", "\\", "%", "%%s", "{0.__class__}", "~", "~zz",
    "\x00", "a\x00b", "\x01\x02\x1b[31m", "a\r\nSet-Cookie: x=1", "\t", " ", "",
    "\u202e\u2066שלום", "e\u0301" * 40, "👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿", "ﷺ" * 50, "\ufeff\uffff\U0010ffff",
    "NaN", "nan", "Infinity", "-Infinity", "1e999", "-1", "0", "1.5", "9" * 40, "0x10", "1_000",
    "true", "null", "[]", "{}", "[1,2", '{"a":1}', "2147483648", "9223372036854775808",
    "../../../../etc/passwd", "..\\..\\x", "/etc/passwd", "file:///etc/passwd", "//example.com/",
    "http://example.com/", "%2e%2e%2f", "%00", "a" * 300, "a" * 20_000, "ab " * 5_000, "🔥" * 3_000,
]  # fmt: skip
RAW = ["%ED%A0%80", "%ED%BF%BF", "%FF%FE", "%C0%AF", "%", "%zz", "%u0041", "a%00b"]
OF_TABLES = ("_search", "_sort", "_sort_desc", "_facet", "_facet_genre", "_facet_array", "_next",
    "_size", "_genre", "_where", "_shape", "_through", "_col", "_nocol", "_trace", "_extra", "_nl",
    "_filter_column", "_facet_size", "_labels", "_ttl", "title", "title__contains", "year__gt",
    "title__like", "title__glob", "title__in", "artists__arraycontains", "x__exact")  # fmt: skip
FORMATS = {"application/json", "application/problem+json", "text/html", "text/plain", "text/csv",
    "application/xml", "text/xml", "audio/x-mpegurl", "application/xspf+xml",
    "application/octet-stream", "application/vnd.apache.mpegurl", "text/uri-list"}  # fmt: skip


EMPTY = (204, 302, 303, 304, 307)


@dataclass
class Asked:
    """One answer, and what may be wrong with it."""

    method: str
    path: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    @property
    def faults(self) -> list[str]:
        kind = self.headers.get("content-type", "").partition(";")[0]
        page = kind == "text/html"
        leads_away = re.match(r"(https?:)?[/\\]{2}", self.headers.get("location", ""))
        sent_along = re.search(r"[\r\n]", "".join(self.headers.values()))
        faults = {
            f"status {self.status}": self.status >= 500 or self.status == 0,
            f"{self.seconds:.1f} s": self.seconds > LONGEST,
            f"content type {kind!r}": self.status not in EMPTY and kind not in FORMATS,
            "markup comes back as it was sent": page and MARK.encode() in self.body,
            "a page in place of JSON": page and self.path.startswith("/api/"),
            "no JSON": "json" in kind and not readable(self.body),
            "a header that was sent along": sent_along or "set-cookie" in self.headers,
            "leads to another site": leads_away,
            "a traceback": b"Traceback (most recent call last)" in self.body,
        }
        at = f"{self.method} {self.path[:200]}"
        return [f"{at}: {fault}" for fault, found in faults.items() if found]


def readable(body: bytes) -> bool:
    """Say whether it is JSON as everybody reads it: with no NaN."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(body or b"null", parse_constant=refuse)
    except ValueError:
        return False
    return True


class Caller:
    """Calls the site as a server would, with paths and bodies that no client would send."""

    def __init__(self, build) -> None:
        self.loop = asyncio.new_event_loop()
        self.site = site(build)
        self.loop.run_until_complete(self.site.invoke_startup())
        self.app = self.site.app()

    def ask(self, path: str, method: str = "GET", body: bytes = b"", kind: str = "") -> Asked:
        return self.loop.run_until_complete(self._ask(path, method, body, kind))

    async def _ask(self, path: str, method: str, body: bytes, kind: str) -> Asked:
        raw, _, query = path.partition("?")
        headers = [(b"host", b"localhost"), (b"content-length", b"%d" % len(body))]
        asked = Asked(method, path)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode("utf-8", "surrogatepass"),
            "query_string": query.encode("utf-8", "surrogatepass"),
            "root_path": "",
            "headers": headers + ([(b"content-type", kind.encode())] if kind else []),
        }

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            if message["type"] == "http.response.start":
                asked.status = message["status"]
                asked.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            else:
                asked.body += message.get("body", b"")

        began = time.process_time()
        await self.app(scope, receive, send)
        asked.seconds = time.process_time() - began
        return asked


@pytest.fixture(scope="module")
def caller(demo) -> Iterator[Caller]:
    made = Caller(demo)
    for path in pages_of(demo):
        made.ask(path)  # what is read once is read now
    yield made
    made.loop.close()


@pytest.fixture(scope="module")
def interface(caller):
    return json.loads(caller.ask("/api/v1/openapi.json").body)["paths"]


def nasty() -> list[str]:
    return [*(quote(text, safe="") for text in NASTY), *RAW]


def spoiled(path: str, names: list[str]) -> Iterator[str]:
    """Yield an address with each parameter spoiled, repeated, left out, or one that is unknown."""
    parts = urlsplit(path)
    known = parse_qsl(parts.query, keep_blank_values=True)
    for name in dict.fromkeys([*names, *(key for key, _ in known), "nobody_asked"]):
        others = [f"{key}={quote(value)}" for key, value in known if key != name]
        for value in nasty():
            yield f"{parts.path}?{'&'.join([*others, f'{name}={value}'])}"
        yield f"{parts.path}?{'&'.join([*others, *[f'{name}={quote(NASTY[0])}'] * 40])}"
        yield f"{parts.path}?{'&'.join([*others, name])}"
        yield f"{parts.path}?{'&'.join(others)}"


def replaced(template: str, known: list[str]) -> Iterator[str]:
    """Yield an address with nasty text in place of the last part of a known one."""
    yield from (f"{template.rpartition('/')[0]}/{value}" for value in nasty())
    yield from (f"{template}/{value}" for value in known)


def of_pages(build) -> Iterator[str]:
    pages = [*pages_of(build), "/robots.txt", "/sitemap.xml", "/datapackage.json", "/static/x.js"]
    for page in pages:
        yield from spoiled(page, [])
        if page.count("/") > 1:
            yield from replaced(page.partition("?")[0], [".json", ".csv", "x"])


def of_interface(interface) -> Iterator[str]:
    for path, methods in interface.items():
        asked = methods.get("get", {}).get("parameters", [])
        for name in (p["name"] for p in asked if p["in"] == "path"):
            yield from (path.replace(f"{{{name}}}", value) for value in nasty())
        if "get" in methods and "{" not in path:
            yield from spoiled(path, [p["name"] for p in asked])


def of_tables() -> Iterator[str]:
    for item in (*TABLES, *VIEWS):
        for ending in ("", ".json", ".csv"):
            yield from spoiled(f"/segue/{item.name}{ending}", list(OF_TABLES))


def test_what_is_asked_in_an_address_does_no_harm(caller, demo, interface):
    rng = random.Random(20261121)
    kinds = (of_pages(demo), of_interface(interface), of_tables())
    chosen = [path for kind in kinds for path in rng.sample([*kind], MOST // len(kinds))]
    faults = [fault for path in chosen for fault in caller.ask(path).faults]
    assert faults == []


def bodies(rng: random.Random) -> Iterator[tuple[bytes, str]]:
    """Yield what is sent: broken JSON, and JSON of other shapes and sizes than is asked for."""
    names = ("q", "limit", "song", "k", "profile", "features", "songs", "text", "ratings", "places",
        "rated", "tracks", "name", "format", "id", "title", "artist", "year_from")  # fmt: skip
    plain = [b"", b"{", b"[]", b"null", b"NaN", b"[NaN]", b'"\\ud800"', b"\xff\xfe", b"0" * 100,
        b'{"q": 1e999}', b"[" * 5_000, b'{"a":' * 5_000, b'{"q": "\x00"}', b"[1" * 100]  # fmt: skip
    kinds = ["application/json", "text/plain", "", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x", "multipart/form-data", "application/json; charset=utf-7",
        "text/csv", MARK]  # fmt: skip
    while True:
        if rng.random() < 0.3:
            yield rng.choice(plain), rng.choice(kinds)
            continue
        value = rng.choice([*NASTY, "\ud800", "x\udfff", 1, -1, 10**30, 1.5, True, None, [], {}])
        nested = rng.choice([value, [value], {"song_id": value, "rating": value}, [{"q": value}]])
        made = {name: rng.choice([value, nested]) for name in rng.sample(names, rng.randint(1, 6))}
        whole = rng.choice([made, [made], [made] * 30])
        yield json.dumps(whole).encode(), rng.choice(["application/json", *kinds])


def test_what_is_sent_does_no_harm(caller, interface):
    rng = random.Random(7)
    paths = [path for path, methods in interface.items() if "post" in methods]
    paths += ["/mix", "/rate", "/", "/segue/songs", "/compare"]
    sent = zip(range(SENT), bodies(rng), strict=False)
    asked = [caller.ask(rng.choice(paths), "POST", body, kind) for _, (body, kind) in sent]
    assert [fault for answer in asked for fault in answer.faults] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "X\r\n"])
def test_other_methods_do_no_harm(caller, method):
    for path in ("/", "/compare", "/api/v1/compare", "/segue/songs", "/parquet/songs.parquet"):
        assert caller.ask(path, method).status < 500


def test_nothing_was_written(caller, demo):
    from warehouse.manifest import read_manifest, sha256

    assert sha256(demo / "segue.db") == read_manifest(demo).files["segue.db"]["sha256"]


def test_a_fault_would_be_seen():
    assert not Asked("GET", "/", 200, {"content-type": "text/html"}).faults
    assert Asked("GET", "/", 500, {"content-type": "text/html"}).faults
    assert Asked("GET", "/", 200, {"content-type": "text/html"}, MARK.encode()).faults
    assert Asked("GET", "/", 200, {"content-type": "application/json"}, b"[NaN]").faults
    assert Asked("GET", "/", 200, {"content-type": "text/html"}, seconds=LONGEST + 1).faults
    assert Asked("GET", "/", 302, {"location": "//example.com"}).faults
