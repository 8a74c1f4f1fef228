"""The text of JSON bodies: a request comes in, and is refused where no encoding can write it."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")
SURROGATE = re.compile("[\ud800-\udfff]")

Place = tuple[str | int, ...]


class TextRoute(APIRoute):
    """An address whose bodies hold Unicode text only.

    JSON can escape half of a surrogate pair (RFC 8259, section 8.2), but UTF-8 has no bytes for it:
    it would fail wherever it is compared, matched or answered.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            require_unicode(await request.body())
            return await answer(request)

        return answered


def require_unicode(body: bytes) -> None:
    """Refuse JSON with half of a surrogate pair; what is no JSON is for others to refuse.

    Raises:
        RequestValidationError: says where each stands.
    """
    if not ESCAPED.search(body):
        return
    try:
        value = json.loads(body)
        halves = [*_halves(value, ("body",))]
    except (ValueError, RecursionError):
        return
    message = "Input should be Unicode text without half of a surrogate pair"
    if halves:
        raise RequestValidationError(
            [{"type": "string_unicode", "loc": p, "msg": message, "input": t} for p, t in halves]
        )


def _halves(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Yield where a text holds half of a pair, and the text; names of an object count, too."""
    if isinstance(value, str) and SURROGATE.search(value):
        yield place, value
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _halves(item, (*place, number))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _halves(name, place)
            yield from _halves(item, (*place, name))
