"""Bound what an address asks for: a request comes in; it is passed on, or refused by 400."""

import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from flows.answers.bounds import LONGEST_QUERY, MOST_FACETS, MOST_PARAMETERS, MOST_ROWS
from flows.site.asgi import App, Message, Receive, Send
from flows.site.middleware.security import refuse

DATA = (".json", ".csv")


def bounded(app: App, page: Callable[[str], Awaitable[str]], interface: str) -> App:
    """Return ``app`` behind what refuses an address that would cost everybody else their time.

    Args:
        app: the whole of Datasette.
        page: returns what a browser is shown, which says the bound.
        interface: what addresses that answer in JSON begin with.
    """

    async def bound(scope: Message, receive: Receive, send: Send) -> None:
        query = scope.get("query_string", b"")
        excess = too_much(scope["path"], query) if query else ""
        if not excess:
            await app(scope, receive, send)
        elif scope["path"].startswith(interface) or scope["path"].endswith(DATA):
            problem = {"type": "about:blank", "title": excess, "status": 400}
            await refuse(send, 400, json.dumps(problem), b"application/problem+json")
        else:
            await refuse(send, 400, await page(excess))

    return bound


def too_much(path: str, query: bytes) -> str:
    """Return which bound an address breaks, and what it may have; nothing where it keeps all."""
    if len(query) > LONGEST_QUERY:
        return f"The address is too long: its query may have {LONGEST_QUERY:,} bytes."
    names = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    if len(names) > MOST_PARAMETERS:
        return f"The address has too many parameters: it may have {MOST_PARAMETERS}."
    if sum(name.startswith("_facet") for name, _ in names) > MOST_FACETS:
        return f"The address asks for too many facets: a page counts {MOST_FACETS} at most."
    sizes = [value for name, value in names if name == "_size"]
    if sizes and not path.endswith(DATA) and not _few(sizes[-1]):
        return f"A page shows {MOST_ROWS} rows at most (_size); JSON and CSV give more."
    return ""


def _few(size: str) -> bool:
    """Return whether a page of so many rows can be laid out; what is no number is not for us."""
    if size == "max":
        return False
    return not (size.isascii() and size.isdigit()) or int(size[:9]) <= MOST_ROWS
