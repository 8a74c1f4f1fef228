"""Answer 400 or 404, not 500, where an address asks Datasette for what it cannot read.

Datasette lets errors through that only the query string or a name is to blame for: a column to sort
by that is none, JSON that is none, a number past SQLite's. An exception comes in, its answer goes
out. What fails without a query string is a fault of ours and stays one.
"""

# mypy: disable-error-code="untyped-decorator"

import errno
import sqlite3
from collections.abc import Generator
from typing import Any

from datasette.app import Datasette
from datasette.handle_exception import handle_exception as answered
from datasette.hookspecs import hookimpl
from datasette.utils.asgi import BadRequest, NotFound, Request
from datasette.views.base import DatasetteError

from warehouse.site.describe import DATABASE

UNREADABLE = (
    *(ArithmeticError, AssertionError, LookupError, TypeError, ValueError),
    *(sqlite3.InterfaceError, sqlite3.OperationalError, sqlite3.ProgrammingError),
)


@hookimpl(hookwrapper=True)
def handle_exception(
    datasette: Datasette, request: Request, exception: Exception
) -> Generator[None, Any, None]:
    """Let Datasette answer as for the exception that this one should have been."""
    outcome = yield
    meant = refusal(request, exception)
    if meant is not None:
        outcome.force_result([answered(datasette, request, meant)])


def refusal(request: Request, exception: Exception) -> Exception | None:
    """Return what the visitor is told, where the address is to blame for the exception."""
    answer: Exception | None = None
    if isinstance(exception, OSError) and exception.errno == errno.ENAMETOOLONG:
        answer = NotFound("There is no file with so long a name")
    elif isinstance(exception, sqlite3.ProgrammingError) and "binding" in str(exception):
        answer = NotFound("The address has fewer parts than the key of this table")
    elif not request.query_string or f"/{DATABASE}" not in request.path:
        return None
    elif isinstance(exception, DatasetteError) and exception.status >= 500:
        answer = BadRequest(exception.message)
    elif isinstance(exception, UNREADABLE):
        answer = BadRequest(f"The address cannot be understood: {exception}")
    return answer
