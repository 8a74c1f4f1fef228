"""The HTTP interface: a published build comes in, an application that answers in JSON goes out.

Addresses, parameters and answers are described by its own OpenAPI file. Errors are problem
details (RFC 9457).
"""

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from flows.answers import catalogue, songs
from flows.answers.mix import TooMuch
from flows.answers.published import Published, Unknown
from warehouse.errors import InputError

PREFIX = "/api/v1"
STATUS: dict[type[Exception], int] = {Unknown: 404, TooMuch: 413, InputError: 422}


def app(build: Published) -> FastAPI:
    """Return the interface to one build; every path begins with ``PREFIX``."""
    api = FastAPI(
        title="Segue",
        version=version("segue"),
        summary="Songs, what is like them, and why.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for kind, status in STATUS.items():
        api.add_exception_handler(kind, _refusal(status))
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    for router in (_about_the_build(build), _about_songs(build)):
        api.include_router(router, prefix=PREFIX)
    return api


def _about_the_build(build: Published) -> APIRouter:
    router = APIRouter(tags=["build"])

    @router.get("/catalogue")
    def whole() -> catalogue.Catalogue:
        """Return what the build holds, at a glance."""
        return catalogue.catalogue(build)

    return router


def _about_songs(build: Published) -> APIRouter:
    router = APIRouter(tags=["songs"])

    @router.get("/songs/{song_id:path}")
    def song(song_id: str) -> songs.Song:
        """Return a song, what is recommended for it, and what leads to it."""
        return songs.song(build, song_id)

    return router


def problem(status: int, title: str, **more: Any) -> JSONResponse:
    """Return an error as RFC 9457 has it; ``title`` says what was expected and what came."""
    content = {"type": "about:blank", "title": title, "status": status, **more}
    return JSONResponse(content, status, media_type="application/problem+json")


def _refusal(status: int) -> Any:
    def refused(_: Request, error: Exception) -> JSONResponse:
        return problem(status, str(error))

    return refused


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    errors = [{"at": ".".join(map(str, e["loc"])), "expected": e["msg"]} for e in error.errors()]
    told = "; ".join(f"{e['at']}: {e['expected']}" for e in errors)
    return problem(422, f"The request cannot be answered: {told}.", errors=errors)


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return problem(error.status_code, str(error.detail))
