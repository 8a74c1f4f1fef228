"""The commands that make builds: files and settings come in, a published build goes out.

Commands import what they run when they run it, so that ``--help`` answers at once.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.terminal import (
    Genres,
    Home,
    Map,
    Neighbours,
    Playlists,
    Ratings,
    Tracks,
    app,
    files_by_option,
    home_of,
    out,
    reported_errors,
    settings_of,
)
from warehouse.errors import InputError


@app.command()
def build(
    tracks: Tracks = None,
    genres: Genres = None,
    playlists: Playlists = None,
    ratings: Ratings = None,
    columns: Map = None,
    neighbours: Neighbours = None,
    home: Home = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler whose workers do the search, or local for processes here.",
            show_default="threads",
        ),
    ] = None,
    direct: Annotated[bool, typer.Option("--direct", help="Run without Prefect.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Build even if nothing has changed.")
    ] = False,
) -> None:
    """Read the catalogue, find recommendations for every song, check them and publish them."""
    from flows.nightly import run as refresh
    from flows.nightly import summary

    with reported_errors():
        files = files_by_option(tracks, genres, playlists, ratings)
        chosen = settings_of(**files, map=columns, neighbours=neighbours, home=home, dask=dask)
        run = refresh.directly if direct else refresh.by_prefect
        outcome = run(chosen, force)
        manifest = outcome.manifest
        if outcome.published:
            out.print(summary.text(manifest, home_of(chosen)))
        elif outcome.words:
            out.print(outcome.words)
        else:
            out.print(f"Nothing to do: {manifest.name} was made from the same sources, code and")
            out.print("settings. Use --force to build it again.")
        home_option = f" --home {chosen.home}" if home else ""
        out.print(f"Now look at it: uv run segue serve{home_option}")


@app.command()
def schedule(
    cron: Annotated[
        str | None, typer.Option(help="When to refresh.", show_default="0 3 * * *")
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option("--time-zone", "--timezone", help="As Europe/Berlin.", show_default="UTC"),
    ] = None,
    tracks: Tracks = None,
    genres: Genres = None,
    playlists: Playlists = None,
    ratings: Ratings = None,
    columns: Map = None,
    neighbours: Neighbours = None,
    pages: Annotated[
        bool, typer.Option("--ui", help="Also serve Prefect's own pages on this machine.")
    ] = False,
    home: Home = None,
) -> None:
    """Refresh the build every night until stopped; missed runs are made up for."""
    from flows.nightly.due import next_run
    from flows.nightly.plan import planned
    from flows.nightly.schedule import serve_nightly
    from flows.settings import keep_prefect_private

    with reported_errors():
        files = files_by_option(tracks, genres, playlists, ratings)
        given = {**files, "map": columns, "neighbours": neighbours, "home": home}
        chosen = settings_of(**given, cron=cron, time_zone=time_zone)
        next_run(chosen.cron, chosen.time_zone, datetime.now(UTC))
        planned(chosen)  # so that a wrong file is refused now, not tonight
        keep_prefect_private(chosen.home)
        options = chosen.model_dump(mode="json", include={k for k, v in given.items() if v})
        options["home"] = str(chosen.home.resolve())
        for kind in files:
            options[kind] = [str(path.resolve()) for path in getattr(chosen, kind)]
        serve_nightly(home_of(chosen), chosen.cron, chosen.time_zone, options, pages)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="Files that a build might read.")],
    kind: Annotated[
        str | None,
        typer.Option("--as", help="tracks, genres, playlists or ratings.", show_default="guess"),
    ] = None,
    columns: Map = None,
) -> None:
    """Show what a build would read of files: columns, values, the first rows; nothing is built."""
    from flows.nightly.inspect import described, inspected
    from warehouse.files.columns import chosen_columns

    with reported_errors():
        chosen = chosen_columns(columns or ())
        for file in files:
            out.print(described(inspected(file, kind, chosen)))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    connected: Annotated[
        bool,
        typer.Option(
            "--connected",
            help="Also start stand-ins for ListenBrainz, MusicBrainz, an OpenSubsonic server and "
            "Spotify on this machine, until stopped.",
        ),
    ] = False,
) -> None:
    """Write the demo catalogue as CSV: songs, genres of artists, playlists and ratings."""
    from warehouse.demo.files import HEADERS, write_demo

    with reported_errors():
        there = [str(folder / name) for name in HEADERS if (folder / name).exists()]
        if there:
            raise InputError(f"Already there: {', '.join(there)}. Choose another folder.")
        files = write_demo(folder)
        for path in (*files.tracks, *files.genres, *files.playlists, *files.ratings):
            out.print(f"Wrote {path}")
        given = files_by_option(files.tracks, files.genres, files.playlists, files.ratings)
        words = [f"--{option} {path}" for option, paths in given.items() for path in paths or ()]
        out.print(f"To build from them: uv run segue build {' '.join(words)}")
        if connected:
            _stand_in(folder)


def _stand_in(folder: Path) -> None:
    """Answer as other services do until stopped."""
    import time

    from flows.connections.demo import JOURNEY
    from flows.connections.demo import connected as answering

    with answering(folder) as file:
        out.print(JOURNEY.format(file=file))
        out.print("Ctrl-C stops them.")
        sys.stdout.flush()
        while True:
            time.sleep(3600)


@app.command(hidden=True)
def docs() -> None:
    """Write the generated files of a checkout, from the contracts and the interface."""
    from flows.site.api import described
    from warehouse.site.describe import GENERATED

    top = Path(__file__).parents[2]
    for relative, text in {**GENERATED, "docs/openapi.json": described}.items():
        (top / relative).parent.mkdir(parents=True, exist_ok=True)
        (top / relative).write_text(text(), encoding="utf-8")
        out.print(f"Wrote {relative}")
