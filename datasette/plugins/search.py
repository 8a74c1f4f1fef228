"""Give SQL the function ``search_songs``: what a reader typed comes in, song ids go out as JSON.

Nothing of what is typed is kept.
"""

# mypy: disable-error-code="untyped-decorator"

import json
import sqlite3
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from datasette.hookspecs import hookimpl

from models.search import Searcher
from warehouse import export
from warehouse.search.index import Arrays, SearchIndex
from warehouse.site.describe import DATABASE

LIMIT = 50


@hookimpl
def prepare_connection(conn: sqlite3.Connection, database: str) -> None:
    """Make ``search_songs`` known to the connections to the published file."""
    if database != DATABASE:
        return

    def search_songs(text: object) -> str:
        """Return the ids of the songs found, best first, as a JSON array."""
        searcher = Searcher(SearchIndex(conn, _arrays(_file(conn))))
        return json.dumps([hit.song_id for hit in searcher.search(str(text or ""), LIMIT)])

    conn.create_function("search_songs", 1, search_songs)


def _file(connection: sqlite3.Connection) -> str:
    return str(connection.execute("pragma database_list").fetchone()[2])


@lru_cache(maxsize=1)
def _arrays(file: str) -> Arrays:
    """Return what a search reads whole, once for all connections to one file."""
    with closing(export.opened(Path(file))) as connection:
        return Arrays(connection)
