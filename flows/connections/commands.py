"""The commands that reach other services: words come in, a fetch or a push runs."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import Home, _settings, _told, app, err, out
from warehouse.errors import InputError


@app.command()
def fetch(
    connections: Annotated[
        list[str] | None,
        typer.Argument(
            help="listenbrainz:NAME, musicbrainz, subsonic or spotify; those of SEGUE_CONNECTIONS "
            "without one."
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", help="An export of ListenBrainz (.zip) or a dump, in place of asking it."
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Fetch what other services know into the home, where builds read it; go on where it ended."""
    from flows.connections import fetch as fetching
    from flows.connections.files import connection

    with _told():
        chosen = _settings(home=home)
        names = connections or chosen.connections
        if not names:
            raise InputError(
                "Name a connection, such as listenbrainz:NAME, or set SEGUE_CONNECTIONS."
            )
        for one in [connection(name) for name in names]:
            done = (
                fetching.import_files(chosen, one, files) if files else fetching.fetch(chosen, one)
            )
            for snapshot in done:
                out.print(f"{one}: {fetching.in_words(snapshot)}")
        missing = [name for name in names if name not in chosen.connections]
        if missing:
            err.print(f"Builds read it with SEGUE_CONNECTIONS='{' '.join(names)}'.")
