"""The two pages that take input: a form comes in, the interface is asked, a page or file goes out.

Both know nobody: there is no cookie, everything that a page has to know again is in its form, and
nothing of what is sent is kept or written to disk.
"""

# mypy: disable-error-code="untyped-decorator"

import re
import sys
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlencode

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from datasette.utils.asgi import Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request as Incoming

from warehouse.errors import InputError
from warehouse.files.dialects import text_of

PREFIX = "/api/v1"
LONGEST_FORM = 100_000  # bytes of a form without a file
MOST_FIELDS = 500
MOST_BEGUN = 20
MOST_SHOWN = 200  # lines that stand for no song
JSON = {"mix.html": "/mix", "rate.html": "/ask"}
STARS = "stars:"  # and the song_id: the name of the field with its rating
RATING = re.compile(r"[1-5](?:\.[0-9]{1,3})?")
UNKEPT = re.compile(rf"(?:{PREFIX}/.*|.*/(?:mix|rate))$")


class Refused(Exception):
    """A form cannot be answered: the status, and what was expected."""

    def __init__(self, status: int, expected: str) -> None:
        super().__init__(expected)
        self.status = status


class InMemory(MultiPartParser):
    """Reads a form without ever putting a file on disk; the whole of it is bounded."""

    spool_max_size = sys.maxsize


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    """Take the addresses of the two pages."""
    return [(r"^/mix$", mix), (r"^/rate$", rate)]


@hookimpl
def skip_csrf(scope: dict[str, Any]) -> bool:
    """Let forms in without a token: nobody is known by a cookie, so none can be misused."""
    return UNKEPT.match(scope["path"]) is not None


async def mix(datasette: Datasette, request: Request) -> Response:
    """Show the form for what was saved; with something in it, the playlist or a file of it."""
    reply = await datasette.ask(f"{PREFIX}/mix")
    status, offer = reply.status, reply.json()
    if status != 200:
        return await page(datasette, request, "problem.html", status, answer=offer)
    typed = {"text": await list_from_address(datasette, request), "places": str(offer["places"])}
    refused, made = None, None
    if request.method == "POST":
        try:
            form = await filled(datasette, request)
            if "format" in form:
                return await playlist(datasette, form)
            typed |= {name: field(form, name, typed[name]) for name in typed}
            made = await mix_context(datasette, form, typed, offer["most_places"])
        except Refused as error:
            status, refused = error.status, str(error)
    context = {"offer": offer, "typed": typed, "refused": refused, "most_shown": MOST_SHOWN}
    return await page(datasette, request, "mix.html", status, answer=made, **context)


async def list_from_address(datasette: Datasette, request: Request) -> str:
    """Return the list that an address begins, as song pages do by ``?song=``: ids under names."""
    songs = request.args.getlist("song")[:MOST_BEGUN]
    if not songs:
        return ""
    listed = await datasette.ask(f"{PREFIX}/playlist?format=json", {"songs": songs})
    named = ((f"{song['title']} - {song['artist']}", song) for song in listed.json()["songs"])
    lines = (["# " + " ".join(name.split()), song["song_id"]] for name, song in named)
    return "\n".join(line for pair in lines for line in pair)


async def mix_context(
    datasette: Datasette, form: FormData, typed: dict[str, str], most_places: int
) -> Any:
    """Return the playlist of a list that was typed or of a file.

    Raises:
        Refused: there is none.
    """
    text, name = typed["text"], "Your list"
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        name = file.filename[-200:]
        try:
            text = text_of(await file.read(), name)
        except InputError as error:
            raise Refused(422, str(error)) from error
    places = typed["places"].strip()
    if not re.fullmatch(r"[0-9]{1,4}", places) or not 1 <= int(places) <= most_places:
        raise Refused(422, f"Expected a number of songs from 1 to {most_places}.")
    if not text.strip():
        raise Refused(422, "There is nothing to mix yet. Paste some songs, or choose a file.")
    sent = {"text": text, "name": name, "places": int(places)}
    made = await answer_of(datasette, "/mix", sent)
    songs = [song["song_id"] for song in made["songs"]]
    uris = await datasette.ask(f"{PREFIX}/playlist?format=uris", {"songs": songs})
    return {"name": name, "uris": uris.text.split(), **made}


async def playlist(datasette: Datasette, form: FormData) -> Response:
    """Return the songs that the page showed as a file."""
    sent = {"songs": field(form, "songs").split(), "name": field(form, "name")}
    wanted = urlencode({"format": field(form, "format")})
    reply = await datasette.ask(f"{PREFIX}/playlist?{wanted}", sent)
    if reply.status != 200:
        raise Refused(reply.status, reply.json()["title"])
    disposition = {"Content-Disposition": reply.headers["content-disposition"]}
    return Response(reply.text, headers=disposition, content_type=reply.headers["content-type"])


async def rate(datasette: Datasette, request: Request) -> Response:
    """Show five songs to rate, and with ratings the songs that they lead to."""
    reply = await datasette.ask(f"{PREFIX}/ask")
    status, songs = reply.status, reply.json()
    if status != 200:
        return await page(datasette, request, "problem.html", status, answer=songs)
    context: dict[str, Any] = {"asked": songs, "stars": {}, "passed": []}
    refused = None
    if request.method == "POST":
        try:
            context = await rate_context(datasette, await filled(datasette, request))
        except Refused as error:
            status, refused = error.status, str(error)
    return await page(datasette, request, "rate.html", status, refused=refused, **context)


async def rate_context(datasette: Datasette, form: FormData) -> dict[str, Any]:
    """Return what is recommended for the ratings of a form, and the songs to ask next.

    These are the same once more, so that a rating can be changed, or others where they were
    wished.

    Raises:
        Refused: a rating is none.
    """
    stars = ratings(form)
    shown, passed = (form_list(form, name) for name in ("asked", "passed"))
    more = form.get("do") == "more"
    if more:
        passed += [song_id for song_id in shown if song_id not in stars]
        shown = []
    sent: dict[str, Any] = {"rated": list(stars), "passed": passed}
    songs = await answer_of(datasette, "/ask", {**sent, "again": shown})
    if shown and not songs:
        songs = await answer_of(datasette, "/ask", sent)
    answer = await answer_of(datasette, "/rate", {"ratings": stars}) if stars else None
    here = {song["song_id"] for song in songs}
    earlier = [one for one in answer["rated"] if one["song_id"] not in here] if answer else []
    context = {"asked": songs, "stars": stars, "passed": passed, "answer": answer}
    return {**context, "earlier": earlier, "more": more, "sent": True}


def ratings(form: FormData) -> dict[str, float]:
    """Return ``song_id`` to stars, without what is not known.

    Raises:
        Refused: a value is no rating.
    """
    named = {key.removeprefix(STARS): v for key, v in form.items() if key.startswith(STARS)}
    given = {song_id: value.strip() for song_id, value in named.items() if isinstance(value, str)}
    wrong = [value for value in given.values() if value and not RATING.fullmatch(value)]
    stars = {song_id: float(value) for song_id, value in given.items() if value and not wrong}
    if wrong or any(value > 5 for value in stars.values()):
        raise Refused(422, "Expected 1 to 5 stars for each song.")
    return stars


def form_list(form: FormData, name: str) -> list[str]:
    """Return the values of a repeated field, each once."""
    return list(dict.fromkeys(v for v in form.getlist(name) if isinstance(v, str)))


def field(form: FormData, name: str, default: str = "") -> str:
    """Return the last value of a field, where there is one that is no file."""
    value = form.get(name)
    return value if isinstance(value, str) else default


async def filled(datasette: Datasette, request: Request) -> FormData:
    """Return the fields of the form that was sent; one with a file is bounded as every body is.

    Raises:
        Refused: it is longer than it may be, or no form.
    """
    incoming = Incoming(request.scope, request.receive)
    kind = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise Refused(415, "Expected a form.")
    whole = kind == "multipart/form-data"
    most = datasette.most_bytes if whole else LONGEST_FORM
    body, limits = bounded(incoming, most), {"max_fields": MOST_FIELDS, "max_part_size": most}
    reader = InMemory if whole else FormParser
    try:
        return await reader(incoming.headers, body, **limits).parse()
    except MultiPartException as error:
        raise Refused(422, f"The form cannot be read. {error.message}") from error


async def bounded(incoming: Incoming, most: int) -> AsyncGenerator[bytes, None]:
    """Pass a body on.

    Raises:
        Refused: it is longer than ``most`` bytes.
    """
    size = 0
    async for chunk in incoming.stream():
        size += len(chunk)
        if size > most:
            raise Refused(413, f"Too much was sent: expected at most {most:,} bytes in all.")
        yield chunk


async def answer_of(datasette: Datasette, address: str, sent: Any) -> Any:
    """Return what the interface answers.

    Raises:
        Refused: it is an error.
    """
    reply = await datasette.ask(PREFIX + address, sent)
    if reply.status != 200:
        raise Refused(reply.status, reply.json()["title"])
    return reply.json()


async def page(
    datasette: Datasette, request: Request, template: str, status: int, **context: Any
) -> Response:
    """Return a page."""
    context["json_url"] = datasette.urls.path(PREFIX + JSON[template]) if template in JSON else None
    text = await datasette.render_template(template, context, request, view_name="page")
    return Response.html(text, status=status)
