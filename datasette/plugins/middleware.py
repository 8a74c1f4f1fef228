"""Put the site behind what ``flows.site.middleware`` made for it, and bound what SQL can make.

``flows.site.serve`` hands it over as ``datasette.wrap``: without it there is no site.
"""

# mypy: disable-error-code="untyped-decorator"

import sqlite3
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import datasette.handle_exception
from datasette.app import Datasette
from datasette.hookspecs import hookimpl

App = Callable[[Any, Any, Any], Awaitable[None]]

LONGEST_VALUE = 5_000_000  # bytes of one SQL value; hex(zeroblob(2e8)) would fill the memory

# Where rich is installed Datasette prints every 404 with all its local variables: 50 lines for a
# mistyped address, among which real errors are lost. Errors of status 500 are still printed.
datasette.handle_exception.rich = None


@hookimpl(trylast=True)
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    """Wrap the whole site, outside of all that other plugins wrap it in.

    Datasette makes its first application before ``serve`` can hand anything over, so it is wrapped
    when it is first asked.
    """

    def wrapped(app: App) -> App:
        @cache
        def whole() -> App:
            guarded: App = datasette.wrap(app)
            return guarded

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await whole()(scope, receive, send)

        return answer

    return wrapped


@hookimpl
def extra_template_vars(datasette: Datasette) -> dict[str, Any]:
    """Offer templates ``unkept``, for a page that is not as whole as it could be."""
    return {"unkept": datasette.unkept}


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Bound the size of a value that a query can make."""
    conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
