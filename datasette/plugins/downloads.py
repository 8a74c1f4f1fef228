"""Let anyone fetch the Parquet files of the build where downloads are switched on.

The name of a table comes in; its file goes out, or 403 where ``allow_download`` is off. Datasette
itself serves the SQLite file by the same setting.
"""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from datasette.utils.asgi import AsgiFileDownload, Forbidden, NotFound, Request

from warehouse.contracts import TABLES
from warehouse.site.describe import DATABASE

PARQUET = "application/vnd.apache.parquet"
FILES = {f"parquet/{table.name}.parquet": PARQUET for table in TABLES}
FILES["datapackage.json"] = "application/json"


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Any]]]:
    """Take the addresses of the files: they are those that ``datapackage.json`` gives them."""
    return [(r"^/(?P<name>parquet/[a-z_]+\.parquet|datapackage\.json)$", file)]


@hookimpl
def extra_template_vars(datasette: Datasette) -> dict[str, bool]:
    """Tell templates whether files may be fetched."""
    return {"downloads": bool(datasette.setting("allow_download"))}


async def file(datasette: Datasette, request: Request) -> AsgiFileDownload:
    """Answer with a file of the build; only names that the contracts give are looked for."""
    name = request.url_vars["name"]
    if not datasette.setting("allow_download"):
        raise Forbidden("Downloads are switched off on this site")
    path = Path(datasette.get_database(DATABASE).path).parent / name
    if name not in FILES or not path.is_file():
        raise NotFound(f"There is no file called {name}")
    return AsgiFileDownload(str(path), filename=path.name, content_type=FILES[name])
