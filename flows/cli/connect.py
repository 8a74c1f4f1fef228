"""The commands that reach other services: words come in, a fetch or a push runs."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.terminal import (
    Home,
    app,
    err,
    home_of,
    out,
    reported_errors,
    settings_of,
    table_of,
    text_of,
)
from warehouse.errors import InputError

UNNAMED_SHOWN = 20
PROBED_TRACK = "11dFghVXANMlKmJXsNCbNl"  # any will do; these are those of Spotify's own examples
PROBED_ARTIST = "0TnOYISbd1XYRBk9myaseg"


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
            "--from",
            help="What is read in place of asking: an export or a dump of ListenBrainz, the "
            "canonical dump for musicbrainz:mbids; or what to look up for spotify:metadata.",
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Fetch what other services know into the home, where builds read it; go on where it ended."""
    from flows.connections import fetch as fetching
    from flows.connections.files import connection

    with reported_errors():
        chosen = settings_of(home=home)
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


@app.command()
def push(
    service: Annotated[str, typer.Argument(help="listenbrainz, subsonic or spotify.")],
    file: Annotated[
        str | None, typer.Argument(help="Saved songs, to push a mix of them; - for stdin.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--for", help="Push the recommendations for this listener.")
    ] = None,
    as_it_is: Annotated[
        bool, typer.Option("--as-is", help="Push the list of FILE itself, not a mix of it.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="Title of the playlist.")] = None,
    export: Annotated[
        str | None,
        typer.Option(
            help="Where ListenBrainz passes it on, through the account that you linked there: "
            "spotify, apple_music or soundcloud."
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Write a list as a private playlist at another service; pushed again, it is the same one."""
    from flows.answers.bounds import MOST_BYTES
    from flows.connections import push as pushing
    from warehouse import release
    from warehouse.published import Published

    with reported_errors():
        chosen = settings_of(home=home)
        if service not in pushing.PUSHES:
            raise InputError(f"Expected one of {', '.join(pushing.PUSHES)}, got {service!r}.")
        if (file is None) == (user is None):
            raise InputError("Give either a FILE or --for NAME.")
        if export and (service != "listenbrainz" or export not in pushing.EXPORTS):
            raise InputError(f"--export is for listenbrainz: {', '.join(pushing.EXPORTS)}.")
        build = Published(release.published(home_of(chosen)))
        if file is None:
            listed = pushing.recommended(build, str(user))
        else:
            text = text_of(file, MOST_BYTES)
            made = pushing.as_it_is if as_it_is else pushing.mixed
            listed = made(build, text, "stdin" if file == "-" else Path(file).name)
        done = pushing.push(chosen, build, service, listed.called(title), export)
        out.print(f"{done.songs:,} songs: {done.place}")
        if done.elsewhere:
            out.print(f"Passed on to {export}: {done.elsewhere}")
        for song in done.missing[:UNNAMED_SHOWN]:
            err.print(f"  not there: {song.artist} - {song.title}", markup=False)
        if len(done.missing) > UNNAMED_SHOWN:
            err.print(f"  and {len(done.missing) - UNNAMED_SHOWN:,} more")


@app.command()
def connect(
    service: Annotated[str, typer.Argument(help="spotify.")],
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Ask what the application may still have, by a question each."
        ),
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the address in a browser.")
    ] = True,
    home: Home = None,
) -> None:
    """Sign in at Spotify, in a browser on this machine, with your own application's client id."""
    import webbrowser
    from datetime import UTC, datetime

    from flows.connections import services, sign_in
    from warehouse.connectors import spotify

    def show(address: str) -> None:
        out.print(f"Open this address and agree:\n{address}")
        if browser:
            webbrowser.open(address)

    with reported_errors():
        chosen = settings_of(home=home)
        if service != "spotify":
            raise InputError(f"Only spotify needs a sign-in, not {service!r}.")
        if probe:
            with services.spotify_session(chosen) as session:
                table = table_of("what", "for this application")
                for row in spotify.probe(session, PROBED_TRACK, PROBED_ARTIST):
                    table.add_row(*row)
                out.print(table)
            return
        tokens = sign_in.connect(chosen, show)
        until = datetime.fromtimestamp(tokens.ends_at, UTC)
        out.print(f"Connected as {tokens.user_id} until {until:%Y-%m-%d}, if not ended before.")


@app.command()
def disconnect(
    service: Annotated[str, typer.Argument(help="spotify.")],
    home: Home = None,
) -> None:
    """Forget what lets this home ask Spotify, and delete all that was fetched from it."""
    import shutil

    from flows.connections import services
    from warehouse.connectors.snapshots import FOLDER

    with reported_errors():
        chosen = settings_of(home=home)
        if service != "spotify":
            raise InputError(f"Only spotify is signed in to, not {service!r}.")
        services.token_file(chosen).forget()
        shutil.rmtree(chosen.home / FOLDER / "spotify", ignore_errors=True)
        out.print("Forgotten. Take the consent back at https://www.spotify.com/account/apps/ too.")
