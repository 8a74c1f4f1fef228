"""Hand out the drawings that lie in the build: a file's name comes in, an SVG goes out."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from datasette.utils.asgi import NotFound, Request, Response

from warehouse.site import charts
from warehouse.site.describe import DATABASE


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Any]]]:
    """Take the address of the drawings."""
    return [(rf"^/{charts.FOLDER}/(?P<name>[a-z-]+\.svg)$", drawing)]


async def drawing(datasette: Datasette, request: Request) -> Response:
    """Return a drawing; one that the build lacks is not found."""
    file = Path(datasette.get_database(DATABASE).path).parent / charts.FOLDER
    try:
        text = (file / request.url_vars["name"]).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound("The build has no such chart") from error
    return Response(text, content_type="image/svg+xml; charset=utf-8")
