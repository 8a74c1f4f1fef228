"""Errors of the HTTP interface: what went wrong comes in, problem details (RFC 9457) go out.

A problem says what was expected and what came, all breaches at once, and never more than the
beginning of what was sent. What nobody expected is logged and answered without its inside.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from flows.answers.questions import MOST_TOLD, breach, cut, in_words
from warehouse.errors import InputError, TooMuch, Unknown

logger = logging.getLogger(__name__)

STATUS: dict[type[Exception], int] = {Unknown: 404, TooMuch: 413, InputError: 422}
KIND = "application/problem+json"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def tell(api: FastAPI) -> None:
    """Let an application answer every error as a problem."""
    for kind, status in STATUS.items():
        api.add_exception_handler(kind, _refusal(status))
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    api.add_middleware(Guarded)


def problem(status: int, title: str, **more: Any) -> JSONResponse:
    """Return an error as RFC 9457 has it; ``title`` says what was expected and what came."""
    content = {"type": "about:blank", "title": title, "status": status, **more}
    return JSONResponse(content, status, media_type=KIND)


class Guarded:
    """Answers HEAD as GET without a body, and as a problem whatever nobody expected."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        bare = scope["type"] == "http" and scope["method"] == "HEAD"
        started = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            body = bare and message["type"] == "http.response.body"
            await send({**message, "body": b""} if body else message)

        try:
            request = {**scope, "method": "GET"} if bare else scope
            await self.app(request, receive, sending)
        except Exception:
            logger.exception("failed to answer %s %s", scope.get("method"), _route(scope))
            if started:
                raise
            title = "Segue failed to answer. This is not your fault; the error has been logged."
            await problem(500, title)(scope, receive, sending)


def _route(scope: Scope) -> str:
    """Return the pattern of the address, which holds nothing that was sent."""
    return str(getattr(scope.get("route"), "path", "an address"))


def _refusal(status: int) -> Any:
    def refused(_: Request, error: Exception) -> JSONResponse:
        return problem(status, cut(str(error), 2000))

    return refused


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    breaches = error.errors()
    if breaches and breaches[0]["type"] == "json_invalid":
        why = breaches[0].get("ctx", {}).get("error", "")
        return problem(400, f"Expected JSON as the body: {cut(str(why))}.")
    errors = [asdict(breach(one)) for one in breaches[:MOST_TOLD]]
    return problem(422, f"The request cannot be answered: {in_words(breaches)}.", errors=errors)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    titles = {
        400: "Expected JSON in UTF-8 as the body.",
        404: f"There is nothing at {cut(request.url.path, 80)!r}. See /api/v1/openapi.json",
        405: f"{request.method[:20]} is not allowed here; the Allow header lists what is.",
    }
    answer = problem(error.status_code, titles.get(error.status_code, str(error.detail)))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    """Return the methods that are answered at the address of a request."""
    prefix = request.app.openapi_url.removesuffix("/openapi.json")
    path = prefix + getattr(request.scope.get("route"), "path_format", "")
    operations = request.app.openapi()["paths"].get(path, {})
    methods = {method.upper() for method in operations}
    return methods | ({"HEAD"} if "GET" in methods else set())
