"""Open a published build as a web site: a build's folder comes in, a running Datasette goes out."""

import json
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from datasette.app import Datasette
from uvicorn.supervisors import Multiprocess

from flows.answers import compare, overview, search
from flows.answers import playlists as mix
from flows.answers import ratings as rate
from flows.answers.bounds import MOST_BYTES
from flows.site import api, middleware, origin
from flows.site.client import client
from flows.site.live import App, Live
from flows.site.middleware.caching import unkept
from flows.site.protocol import BoundedProtocol
from warehouse import release
from warehouse.contracts import RECOMMENDATIONS, RECOMMENDED_SONGS
from warehouse.ddl import quoted
from warehouse.errors import InputError, SegueError
from warehouse.published import Published
from warehouse.site.describe import DATABASE

MOST_CONNECTIONS = 1_000
BACKLOG = 2_048
GRACE_SECONDS = 10
START_SECONDS = 60  # a worker that says nothing for as long is replaced
CONFIGURATION = Path(__file__).parents[2] / "datasette"


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator lets visitors do, and where the site is.

    Args:
        allow_sql: let anyone ask in SQL; a query is stopped after ``sql_time_limit_ms``.
        allow_download: let anyone fetch the whole file, and tables that hold private things.
        suggest_facets: let Datasette look for columns worth counting, which makes pages slow.
        exports: let anyone fetch the other tables whole.
        base_url: of the site, as others reach it; empty where it is not known.
        hosts: names that visitors may reach it by, where ``base_url`` is empty.
        max_age: time without a run that ended well after which the build counts as stale.
    """

    allow_sql: bool = False
    allow_download: bool = False
    suggest_facets: bool = False
    exports: bool = True
    base_url: str = ""
    hosts: tuple[str, ...] = ()
    max_age: timedelta = timedelta(hours=26)


def site(build: Path, options: Options = Options()) -> Datasette:
    """Return the site of one build, opened by its resolved path and never to be written.

    Args:
        build: the build's folder, or a link to it; a link that moves later changes nothing here.
        options: what visitors may do.

    Raises:
        NothingPublished: the folder holds no ``segue.db``.
    """
    published = Published(build)
    file = published.file
    settings = json.loads((CONFIGURATION / "settings.json").read_text(encoding="utf-8"))
    switches = {
        "default_allow_sql": options.allow_sql,
        "allow_download": options.allow_download,
        "suggest_facets": options.suggest_facets,
    }
    opened = Datasette(
        immutables=[str(file)],
        config_dir=CONFIGURATION,
        settings={**settings, **switches, "base_url": origin.prefix(options.base_url)},
        inspect_data={DATABASE: inspected(file)},
    )
    tell_rows_of_view(opened)
    # Datasette copies the metadata of all tables whenever it asks whether one may be seen.
    opened._table_permission_allows = cache(opened._table_permission_allows)
    opened.api = api.app(
        published, switches, options.max_age
    )  # what the pages are made of; see plugins/pages.py
    opened.ask = client(opened.api)
    opened.wrap = middleware.of(opened)
    opened.most_bytes = MOST_BYTES
    opened.unkept = unkept
    opened.published = published
    opened.exports = options.exports
    opened.absolute_url = origin.absolute_addresses(options.base_url, options.hosts)
    return opened


def application(home: Path, options: Options = Options()) -> Live:
    """Return the site that shows whatever build of a home is served, now and later.

    Args:
        home: where the builds are.
        options: what visitors may do.

    Raises:
        NothingPublished: there is no build to begin with.
    """

    def opened(build: Path) -> tuple[App, Callable[[], None]]:
        pages = site(build, options)
        Thread(target=warm, args=[pages.published], daemon=True).start()
        return pages.app(), lambda: _close(pages)

    return Live(release.Home(home), opened)


def _close(pages: Datasette) -> None:
    """Let go of the files of a site that nobody asks any more."""
    for database in pages.databases.values():
        database.close()
    pages.executor.shutdown(wait=False)
    pages.published.close()


def serve(
    home: Path, listener: socket.socket, workers: int = 1, options: Options = Options()
) -> None:
    """Answer requests until the process is told to stop.

    Args:
        home: where the builds are.
        listener: a bound socket.
        workers: processes that answer, each by itself; one that dies is replaced.
        options: what visitors may do.
    """
    config = uvicorn.Config(
        partial(application, home, options),
        factory=True,
        workers=workers,
        loop="auto",  # uvloop, where there is one
        http=BoundedProtocol,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
    else:
        Multiprocess(config, sockets=[listener]).run()


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address; port 0 takes a free one.

    Raises:
        InputError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InputError(
            f"The site cannot listen on {host}, port {port}: {error.strerror}. "
            "Choose another with --port (0 takes a free one) or --host."
        ) from error
    listener.listen(BACKLOG)  # who comes before the site is ready waits for it
    listener.set_inheritable(True)
    return listener


def warm(build: Published) -> None:
    """Read what answers need, so that no first visitor waits for it: seconds of a large build.

    What a build does not have, such as ratings, is left out.
    """
    starts = overview.overview(build).starts
    pair = [start.song_id for start in (*starts[:1], *starts[-1:])]
    questions = (
        lambda: search.search(build, "a", filters=search.Filters(explicit=False)),
        lambda: overview.song_map(build),
        lambda: mix.mixed(build, mix.SavedSongs(songs=pair)),
        lambda: rate.ask(build),
        lambda: compare.compare(build, *pair),
    )
    for question in questions:
        if build.closed:
            return
        with suppress(SegueError, OSError):
            question()


def inspected(file: Path) -> dict[str, Any]:
    """Return what Datasette would otherwise measure itself: the rows of each table.

    Without it every page of a table counts its rows again. The hash, for which Datasette would
    read the whole file, is the name of the build.
    """
    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as database:
        names = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        counts = {
            name: database.execute(f"select count(*) from {quoted(name)}").fetchone()[0]
            for (name,) in names
        }
    return {
        "hash": file.parent.name,
        "size": file.stat().st_size,
        "file": str(file),
        "tables": {name: {"count": count} for name, count in counts.items()},
    }


def tell_rows_of_view(opened: Datasette) -> None:
    """Let Datasette know the rows of ``recommended_songs``: one for each recommendation.

    Counting them takes two joins for each, 2 s at 1.6 million, on every page of the view. Datasette
    takes a list of tables from the same counts, and fails on a view there, so it must have made
    that list before the view is added.
    """
    counts = opened.get_database(DATABASE).cached_table_counts
    tables = opened.inspect_data[DATABASE]["tables"]
    tables[RECOMMENDED_SONGS.name] = {"count": counts[RECOMMENDATIONS.name]}
