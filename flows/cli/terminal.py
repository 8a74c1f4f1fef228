"""What all commands share: words and settings come in; texts, tables and exit codes go out."""

import logging
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Column, Table

from warehouse.errors import InputError, SegueError

app = typer.Typer(
    help="Turn a catalogue of songs into recommendations every night, and serve them read-only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Into a file or a pipe a table may be wide; on a terminal it is as wide as that.
out = Console(
    highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200
)
err = Console(stderr=True, highlight=False, soft_wrap=True)
Home = Annotated[
    Path | None, typer.Option(help="Folder of the warehouse and the builds.", show_default="./var")
]
Tracks = Annotated[
    list[Path] | None,
    typer.Option(
        help="Track file (.csv, .json, .parquet, ...); repeat it for several. "
        "Without any, the built-in demo catalogue is used."
    ),
]
Genres = Annotated[
    list[Path] | None,
    typer.Option(help="File of artist genres (.csv, .json, .parquet, ...); repeat it for several."),
]
Playlists = Annotated[
    list[Path] | None,
    typer.Option(
        help="File of playlists (.csv, .txt, .parquet, or a .json export from Spotify, ...); "
        "repeat it for several."
    ),
]
Ratings = Annotated[
    list[Path] | None,
    typer.Option(
        help="File of ratings, 1 to 5 (.csv, .json, .parquet, ...); repeat it for several."
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="COLUMN=NAME",
        help='Which column of the files is meant, as title="Song name"; repeat it for several.',
    ),
]
Neighbours = Annotated[int | None, typer.Option(help="Recommendations per song.", show_default="5")]


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turn an error that Segue raises on purpose, or a disk's, into one message and exit code.

    Ctrl-C is noted when it comes, as libraries make errors of their own of it.
    """
    stopped = []

    def note(*_: object) -> None:
        stopped.append(True)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    except SegueError as error:
        err.print("[bold red]Error:[/] ", end="")
        err.print(str(error), markup=False)
        raise typer.Exit(error.exit_code) from None
    except BrokenPipeError:
        raise
    except (OSError, sqlite3.Error) as error:
        err.print("[bold red]Error:[/] ", end="")
        err.print(f"Could not read or write: {error}", markup=False)
        raise typer.Exit(1) from None
    finally:
        signal.signal(signal.SIGINT, before)
        if stopped:
            err.print("Stopped. What was published before is still served.")
            raise typer.Exit(130) from None


@app.callback()
def start() -> None:
    """Show warnings on a terminal; into a file or a pipe log every step."""
    if err.is_terminal:
        handler: logging.Handler = RichHandler(console=err, show_path=False, show_level=False)
        logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    else:
        form = "%(asctime)s %(levelname)s %(message)s"
        logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
        for noisy in ("httpx", "httpcore", "alembic", "prefect"):
            logging.getLogger(noisy).setLevel(logging.WARNING)


def table_of(*headings: str) -> Table:
    """Return an empty table whose first column, the name, is never cut."""
    name = Column(headings[0], no_wrap=True)
    return Table(name, *headings[1:], box=None, padding=(0, 1, 0, 0), pad_edge=False)


def files_by_option(*paths: list[Path] | None) -> dict[str, list[Path] | None]:
    """Return files by the option that names them: tracks, genres, playlists, ratings."""
    return dict(zip(("tracks", "genres", "playlists", "ratings"), paths, strict=True))


def settings_of(**given: Any) -> Any:
    """Return the settings, what was given on the command line before all else."""
    from flows.settings import settings

    return settings(**given)


def home_of(chosen: Any) -> Any:
    """Return the home that the settings name."""
    from warehouse.release import Home as Place

    return Place(chosen.home)


def build_named(place: Any, name: str | None) -> Path:
    """Return the folder of a build: the one named, or the one that is served."""
    from warehouse import release

    if name is None:
        return release.published(place)
    names = [manifest.name for manifest in release.builds(place)]
    if name not in names:
        there = ", ".join(names) or "none"
        raise InputError(f"There is no build {name} in {place.builds}. There is: {there}.")
    folder: Path = place.builds / name
    return folder


def text_of(place: str, most: int = -1) -> str:
    """Return the text of a file or of standard input, up to ``most`` bytes and one more."""
    from warehouse.files.dialects import text_of as decoded

    try:
        if place == "-":
            return sys.stdin.read(most + (most >= 0))
        with Path(place).open("rb") as file:
            return decoded(file.read(most + (most >= 0)), place)
    except FileNotFoundError as error:
        raise InputError(
            f"Expected a file, or - for standard input, but there is no {place!r} in {Path.cwd()}."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{place!r} cannot be read: {error}. Expected UTF-8 text.") from error
