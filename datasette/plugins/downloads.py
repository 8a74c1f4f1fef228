"""Whole tables to fetch: the name of a table comes in; its Parquet file, or CSV of it, goes out.

Tables that hold nothing private are open to all unless ``exports`` is off. The others, and the
SQLite file, which Datasette itself serves, wait for ``allow_download``.
"""

# mypy: disable-error-code="untyped-decorator"

import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from datasette.utils.asgi import Forbidden, NotFound, Request
from starlette.responses import FileResponse, StreamingResponse

from warehouse.contracts import PRIVATE, TABLES
from warehouse.export import csv_of
from warehouse.site.describe import DATABASE

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

App = Callable[[Message, Receive, Send], Awaitable[None]]

PAGE = re.compile(rf"/{DATABASE}/([^/]+)\.csv$")
PARQUET = "application/vnd.apache.parquet"
NAMES = {table.name for table in TABLES}
GUARDED = {table.name for table in PRIVATE}


@hookimpl(tryfirst=True)  # inside of what compresses
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    """Let a CSV of a table page say where it is cut."""
    return lambda app: saying_where_cut(app, datasette)


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Any]]]:
    """Take the addresses of the files: they are those that ``datapackage.json`` gives them."""
    return [
        (r"^/parquet/(?P<table>[a-z_]+)\.parquet$", parquet),
        (r"^/csv/(?P<table>[a-z_]+)\.csv$", csv),
        (r"^/datapackage\.json$", package),
    ]


@hookimpl
def extra_template_vars(datasette: Datasette) -> dict[str, Any]:
    """Tell templates which tables may be fetched, and whether the SQLite file may be."""
    names = [table.name for table in TABLES if may_be_fetched(datasette, table.name)]
    return {"exports": names, "downloads": bool(datasette.setting("allow_download"))}


def may_be_fetched(datasette: Datasette, table: str) -> bool:
    """Return whether a table may be fetched whole from this site."""
    if datasette.setting("allow_download"):
        return True
    return bool(getattr(datasette, "exports", False)) and table not in GUARDED


async def parquet(datasette: Datasette, scope: Message, receive: Receive, send: Send) -> None:
    """Answer with a table's Parquet file, or the part of it that is asked for (``Range``)."""
    table = Request(scope, receive).url_vars["table"]
    answer = FileResponse(twin(datasette, table), media_type=PARQUET, filename=f"{table}.parquet")
    await answer(scope, receive, send)


async def csv(datasette: Datasette, scope: Message, receive: Receive, send: Send) -> None:
    """Answer with every row of a table as CSV, some rows at a time."""
    table = Request(scope, receive).url_vars["table"]
    named = {"content-disposition": f'attachment; filename="{table}.csv"'}
    rows = csv_of(twin(datasette, table))
    answer = StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=named)
    await answer(scope, receive, send)


async def package(datasette: Datasette, scope: Message, receive: Receive, send: Send) -> None:
    """Answer with the description of the Parquet files."""
    path = folder(datasette) / "datapackage.json"
    if not (getattr(datasette, "exports", False) or datasette.setting("allow_download")):
        raise Forbidden("Exports are switched off on this site")
    if not path.is_file():
        raise NotFound("There is no file called datapackage.json")
    await FileResponse(path, media_type="application/json")(scope, receive, send)


def twin(datasette: Datasette, table: str) -> Path:
    """Return the Parquet file of a table; only names that the contracts give are looked for.

    Raises:
        Forbidden: the table may not be fetched from this site.
        NotFound: there is no such table.
    """
    path = folder(datasette) / "parquet" / f"{table}.parquet"
    if table not in NAMES or not path.is_file():
        raise NotFound(f"There is no table called {table} to fetch")
    if not may_be_fetched(datasette, table):
        raise Forbidden(f"{table} cannot be fetched from this site")
    return path


def folder(datasette: Datasette) -> Path:
    """Return the folder of the build that is shown."""
    return Path(datasette.get_database(DATABASE).path).parent


def saying_where_cut(app: App, datasette: Datasette) -> App:
    """Return ``app`` with a last line, and a header, on each CSV that does not hold all rows."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        page = PAGE.search(scope["path"]) if scope["type"] == "http" else None
        cut = await where_cut(datasette, scope) if page else ""
        if page is None or not cut:
            await app(scope, receive, send)
            return
        whole = f"/csv/{page[1]}.csv has all of the table" if page[1] in NAMES else "ask for less"
        line = f'"# cut: {cut} rows; _size=max gives the most that a page holds, {whole}"\r\n'

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"segue-rows", cut.encode())]
                message = {**message, "headers": headers}
            elif not message.get("more_body"):
                message = {**message, "body": message.get("body", b"") + line.encode()}
            await send(message)

        await app(scope, receive, say)

    return answer


async def where_cut(datasette: Datasette, scope: Message) -> str:
    """Return how many of how many rows a page of CSV holds; nothing where it holds all."""
    query = scope["query_string"].decode("latin-1")
    path = scope["path"].removesuffix(".csv") + ".json"
    page = await datasette.client.get(f"{path}?{query}&_nofacet=1&_nosuggest=1")
    if page.status_code != 200:
        return ""
    rows = page.json()
    if not (rows.get("next") or rows.get("truncated")):
        return ""
    total = rows.get("filtered_table_rows_count")
    return f"{len(rows['rows'])} of {'more' if total is None else total}"
