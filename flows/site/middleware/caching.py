"""Let browsers keep what they have until the next build: requests come in, 304 or answers go out.

A build never changes, so what a page says depends on its address, the build, the site's own files
and its settings alone. Their hash is the ETag of every page, and one decision serves them all.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from datasette.app import Datasette
from datasette.utils.asgi import Request
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from flows.site.asgi import App, Message, Receive, Send
from warehouse.identity import code_version
from warehouse.site.describe import DATABASE

NIGHT = timedelta(days=1)  # from one build to the next
LEAST_SECONDS = 60
YEAR_SECONDS = 31_536_000
HOUR_SECONDS = 3600

# What tells of the process rather than of the build.
LIVE = re.compile(r"/api/v1/(?:health|info)$|/-/")
# Files that are compressed already, or too large to compress again for everyone.
AS_THEY_ARE = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream")
GZIP_LEVEL = 5
UNKEPT = "segue.unkept"  # of a request's scope


@dataclass(frozen=True)
class Edition:
    """What the site shows for as long as this process runs.

    Args:
        name: hash of the build, of the code and of the settings.
        published: when the build was; the next one is expected a day later.
    """

    name: str
    published: datetime

    def tag(self, now: datetime) -> bytes:
        """Return the ETag of every page; it changes with the age that pages tell in days.

        It is weak, as an answer may be compressed or not.
        """
        return b'W/"%s-%d"' % (self.name.encode(), (now - self.published) // NIGHT)

    def seconds(self, now: datetime) -> int:
        """Return how long an answer can be kept: until the next build is due."""
        due = int((self.published + NIGHT - now).total_seconds())
        return min(max(due, LEAST_SECONDS), int(NIGHT.total_seconds()))


def compressed(app: App) -> App:
    """Return ``app`` compressing what is worth it."""
    return GZipMiddleware(app, compresslevel=GZIP_LEVEL, exclude_content_types=AS_THEY_ARE)


def unkept(request: Request) -> str:
    """Let nobody keep the page that answers a request; nothing is shown for it."""
    request.scope[UNKEPT]["told"] = True
    return ""


def edition_of(datasette: Datasette) -> Edition | None:
    """Return what the site shows, or nothing where the build has no usable manifest."""
    folder = Path(datasette.get_database(DATABASE).path).parent
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        build, published = manifest["build_id"], datetime.fromisoformat(manifest["published_at"])
    except (OSError, ValueError, KeyError):
        return None
    digest = hashlib.sha256(f"{build} {published} {code_version()}".encode())
    digest.update(json.dumps(datasette._settings, sort_keys=True, default=str).encode())
    files = (path for path in Path(datasette.config_dir).rglob("*") if path.is_file())
    for path in sorted(path for path in files if "__pycache__" not in path.parts):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return Edition(digest.hexdigest()[:16], published.astimezone(UTC))


def kept(app: App, edition: Edition | None) -> App:
    """Return ``app`` answering 304 to whoever has its answer, and HEAD like GET without a body."""

    async def keep(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        live = LIVE.search(scope["path"]) is not None
        validity = None if edition is None or live else policy(scope, sent, edition)
        if validity and has(sent, validity[b"etag"]):
            headers = [*validity.items(), (b"vary", b"Accept-Encoding")]
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        head, whether = scope["method"] == "HEAD", {"told": False}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                policed = with_policy(message, None if whether["told"] else validity)
                message = {**message, "headers": policed}
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        method = "GET" if head else scope["method"]
        await app({**scope, "method": method, UNKEPT: whether}, receive, answer)

    return keep


def policy(scope: Message, sent: dict[bytes, bytes], edition: Edition) -> dict[bytes, bytes] | None:
    """Return how the answer to a request can be kept, if it turns out well; POST is never kept.

    A style sheet or script whose address names its version never changes.
    """
    if scope["method"] not in ("GET", "HEAD"):
        return None
    now = datetime.now(UTC)
    whose = b"private" if {b"cookie", b"authorization"} & sent.keys() else b"public"
    lasts = b"max-age=%d, must-revalidate" % edition.seconds(now)
    if scope["path"].startswith("/static/"):
        named = bool(scope["query_string"])
        lasts = b"max-age=%d, immutable" % YEAR_SECONDS if named else b"max-age=%d" % HOUR_SECONDS
    return {b"etag": edition.tag(now), b"cache-control": whose + b", " + lasts}


def has(sent: dict[bytes, bytes], tag: bytes) -> bool:
    """Return whether a request says that its sender has the answer of this tag (RFC 9110)."""
    tags = (named.strip() for named in sent.get(b"if-none-match", b"").split(b","))
    return tag.removeprefix(b"W/") in {named.removeprefix(b"W/") for named in tags}


def with_policy(message: Message, validity: dict[bytes, bytes] | None) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer, with how long it can be kept.

    What is said of the process, by POST or as a failure is never kept; a song that is missing or
    an address that leads elsewhere is, for a minute.
    """
    status = message["status"]
    headers = [(k, v) for k, v in message.get("headers", []) if k.lower() != b"cache-control"]
    if validity and status == 200:
        return [*headers, *validity.items()]
    brief = validity and (status in (404, 410) or 300 <= status < 400)
    said = b"max-age=%d" % LEAST_SECONDS if brief else b"no-store"
    return [*headers, (b"cache-control", said)]
