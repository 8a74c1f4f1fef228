"""The command line: words come in, one of the flows runs, an exit code goes out.

Commands import what they run when they run it, so that ``--help`` answers at once.
"""

import json
import logging
import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
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
LONGEST_REPLY = 200  # characters
err = Console(stderr=True, highlight=False, soft_wrap=True)

Home = Annotated[
    Path | None, typer.Option(help="Folder of the warehouse and the builds.", show_default="./var")
]
Tracks = Annotated[
    list[Path] | None,
    typer.Option(
        help="Track file (.csv, .csv.gz, .parquet); repeat it for several. "
        "Without any, the built-in demo catalogue is used."
    ),
]
Genres = Annotated[
    list[Path] | None,
    typer.Option(help="File of artist genres (.csv, .csv.gz, .parquet); repeat it for several."),
]
Playlists = Annotated[
    list[Path] | None,
    typer.Option(
        help="File of playlists (.csv, .csv.gz, .parquet, or a .json export from Spotify); "
        "repeat it for several."
    ),
]
Ratings = Annotated[
    list[Path] | None,
    typer.Option(help="File of ratings, 1 to 5 (.csv, .csv.gz, .parquet); repeat it for several."),
]
Neighbours = Annotated[int | None, typer.Option(help="Recommendations per song.", show_default="5")]

UNMATCHED_SHOWN = 20


@contextmanager
def _told() -> Iterator[None]:
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
def _start() -> None:
    if err.is_terminal:
        handler: logging.Handler = RichHandler(console=err, show_path=False, show_level=False)
        logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    else:
        form = "%(asctime)s %(levelname)s %(message)s"
        logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
        for noisy in ("httpx", "httpcore", "alembic", "prefect"):
            logging.getLogger(noisy).setLevel(logging.WARNING)


@app.command()
def build(
    tracks: Tracks = None,
    genres: Genres = None,
    playlists: Playlists = None,
    ratings: Ratings = None,
    neighbours: Neighbours = None,
    home: Home = None,
    direct: Annotated[bool, typer.Option("--direct", help="Run without Prefect.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Build even if nothing has changed.")
    ] = False,
) -> None:
    """Read the catalogue, find recommendations for every song, check them and publish them."""
    from flows.nightly import run as refresh
    from flows.nightly import summary

    with _told():
        files = _files(tracks, genres, playlists, ratings)
        chosen = _settings(**files, neighbours=neighbours, home=home)
        run = refresh.directly if direct else refresh.by_prefect
        outcome = run(chosen, force)
        manifest = outcome.manifest
        if outcome.published:
            out.print(summary.text(manifest, _home(chosen)))
        elif outcome.words:
            out.print(outcome.words)
        else:
            out.print(f"Nothing to do: {manifest.name} was made from the same sources, code and")
            out.print("settings. Use --force to build it again.")
        home_option = f" --home {chosen.home}" if home else ""
        out.print(f"Now look at it: uv run segue serve{home_option}")


@app.command()
def serve(
    home: Home = None,
    host: Annotated[str | None, typer.Option(help="Address.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8001")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that answer.", show_default="1")
    ] = None,
    allow_sql: Annotated[bool | None, typer.Option(help="Let visitors run their own SQL.")] = None,
    allow_download: Annotated[
        bool | None, typer.Option(help="Let visitors download the database.")
    ] = None,
    exports: Annotated[
        bool | None, typer.Option(help="Let visitors fetch whole tables.", show_default="on")
    ] = None,
    suggest_facets: Annotated[bool | None, typer.Option(help="Suggest facets (slow).")] = None,
) -> None:
    """Serve the published build as a web site."""
    from flows.site import serve as site
    from warehouse import release

    with _told():
        chosen = _settings(
            home=home,
            host=host,
            port=port,
            workers=workers,
            allow_sql=allow_sql,
            allow_download=allow_download,
            suggest_facets=suggest_facets,
            exports=exports,
        )
        folder = release.published(_home(chosen))
        listener = site.bound(chosen.host, chosen.port)
        number = listener.getsockname()[1]
        out.print(f"Serving {folder.name}: open http://{chosen.host}:{number}/ (Ctrl-C stops it)")
        site.serve(
            chosen.home,
            listener,
            chosen.workers,
            allow_sql=chosen.allow_sql,
            allow_download=chosen.allow_download,
            suggest_facets=chosen.suggest_facets,
            exports=chosen.exports,
        )


@app.command()
def schedule(
    cron: Annotated[str | None, typer.Option(help="When.", show_default="0 3 * * *")] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Such as Europe/Berlin.", show_default="UTC")
    ] = None,
    tracks: Tracks = None,
    genres: Genres = None,
    playlists: Playlists = None,
    ratings: Ratings = None,
    neighbours: Neighbours = None,
    pages: Annotated[
        bool, typer.Option("--ui", help="Serve Prefect's own pages on this machine too.")
    ] = False,
    home: Home = None,
) -> None:
    """Refresh the build every night, until stopped; a run that was missed is caught up."""
    from flows.nightly.plan import planned
    from flows.nightly.schedule import next_run, serve_nightly
    from flows.settings import keep_prefect_private

    with _told():
        files = _files(tracks, genres, playlists, ratings)
        given = {**files, "neighbours": neighbours, "home": home}
        chosen = _settings(**given, cron=cron, time_zone=time_zone)
        next_run(chosen.cron, chosen.time_zone, datetime.now(UTC))
        planned(chosen)  # so that a wrong file is refused now, not tonight
        keep_prefect_private(chosen.home)
        options = chosen.model_dump(mode="json", include={k for k, v in given.items() if v})
        options["home"] = str(chosen.home.resolve())
        for kind in files:
            options[kind] = [str(path.resolve()) for path in getattr(chosen, kind)]
        serve_nightly(_home(chosen), chosen.cron, chosen.time_zone, options, pages)


@app.command()
def status(
    check: Annotated[
        bool, typer.Option("--check", help="Exit with code 1 where anything is wrong.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    home: Home = None,
) -> None:
    """Say which build is served, how the last runs went, when the next is, what was fetched."""
    from flows.connections import fetch as fetching
    from flows.nightly import status as watching
    from flows.nightly import summary
    from warehouse import release
    from warehouse.manifest import read_manifest

    with _told():
        chosen = _settings(home=home)
        place = _home(chosen)
        found = watching.status(place, chosen.max_age)
        if as_json:
            print(json.dumps(asdict(found), indent=2))
        elif found.build or found.last_run:
            out.print("\n".join(watching.in_words(found)))
        manifest = read_manifest(release.published(place))
        if not as_json:
            out.print(summary.text(manifest, place))
            _show_snapshots(fetching.ages(chosen, datetime.now(UTC)))
        if check and found.problems:
            raise typer.Exit(1)


def _show_snapshots(snapshots: Sequence[tuple[str, ...]]) -> None:
    table = _table("fetched", "rows", "licence", "age")
    for row in snapshots:
        table.add_row(*row)
    if snapshots:
        out.print(table)


@app.command()
def runs(
    limit: Annotated[int, typer.Option(min=1, help="Runs to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    home: Home = None,
) -> None:
    """List the runs, failed ones too, newest first."""
    from flows.nightly.status import first_line
    from warehouse.runs import runs as noted

    with _told():
        known = noted(_settings(home=home).home, limit)
        if as_json:
            rows = [{**asdict(run), "seconds": run.seconds} for run in known]
            print(json.dumps(rows, indent=2))
            return
        table = _table("started (UTC)", "seconds", "cause", "outcome", "code", "stage", "message")
        for run in known:
            took = "" if run.seconds is None else f"{run.seconds:.0f}"
            code = "" if run.exit_code is None else str(run.exit_code)
            started = f"{run.started_at[:10]} {run.started_at[11:19]}"
            words = first_line(run)
            table.add_row(started, took, run.cause, run.outcome, code, run.stage, words)
        out.print(table if known else "No run has been noted here yet.")


@app.command()
def builds(
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="Delete all but this many besides what stays anyway."),
    ] = None,
    home: Home = None,
) -> None:
    """List the builds that are kept, newest last.

    What is served, pinned, waiting to be published or open in a site stays anyway.
    """
    from warehouse import release
    from warehouse.choices import read_choices

    with _told():
        place = _home(_settings(home=home))
        if keep is not None:
            with release.held(place, "prune"):
                gone = release.prune(place, keep)
            out.print(f"Deleted: {', '.join(gone) or 'none'}")
        table = _table("build", "published (UTC)", "songs", "rejected", "seconds", "is")
        current, choices = place.current.resolve().name, read_choices(place.root)
        for manifest in release.builds(place):
            hold = choices.hold_on(manifest.build_id)
            marks = {
                "served": manifest.name == current,
                "pinned": manifest.name in choices.pinned,
                hold.kind if hold else "": hold is not None and manifest.name == hold.build,
            }
            table.add_row(
                manifest.name,
                f"{manifest.published_at[:10]} {manifest.published_at[11:16]}",
                f"{manifest.counts['songs']:,}",
                f"{manifest.counts['rejected']:,}",
                f"{sum(manifest.seconds.values()):.1f}",
                ", ".join(mark for mark, holds in marks.items() if holds),
            )
        out.print(table)


@app.command()
def rollback(
    name: Annotated[str | None, typer.Argument(help="A build listed by `segue builds`.")] = None,
    home: Home = None,
) -> None:
    """Serve an earlier build again: the one named, or the one before.

    What was served is held back: it is not published again by itself, until `segue publish` or
    until its sources, the code or the settings change.
    """
    from warehouse import operate

    with _told():
        target, before, hold = operate.roll_back(_home(_settings(home=home)), name)
        out.print(f"Now serving {target} (was {before}).")
        if hold:
            out.print(f"Held back from now on: {hold.build}. To serve it again:")
            out.print(f"segue publish {hold.build}")


@app.command()
def publish(
    name: Annotated[str | None, typer.Argument(help="A build of `segue builds`.")] = None,
    home: Home = None,
) -> None:
    """Serve a build that waits or is held back: the one named, or the last."""
    from warehouse import operate

    with _told():
        out.print(f"Now serving {operate.publish(_home(_settings(home=home)), name).name}.")


@app.command()
def pin(
    name: Annotated[str, typer.Argument(help="A build of `segue builds`.")],
    remove: Annotated[bool, typer.Option("--remove", help="Let it be deleted again.")] = False,
    home: Home = None,
) -> None:
    """Keep a build, however many are made after it."""
    from warehouse import operate

    with _told():
        operate.pin(_home(_settings(home=home)), name, pinned=not remove)
        out.print(f"{name} is {'no longer ' if remove else ''}pinned.")


@app.command()
def diff(
    old: Annotated[str | None, typer.Argument(help="A build.", show_default="before")] = None,
    new: Annotated[str | None, typer.Argument(help="A build.", show_default="served")] = None,
    examples: Annotated[int, typer.Option(min=0, help="To show of each kind.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="All changes, in JSON.")] = False,
    home: Home = None,
) -> None:
    """Say what changed between two builds: songs, lists, columns, settings, sources, evaluation."""
    from flows.nightly import changes
    from warehouse import operate

    with _told():
        place = _home(_settings(home=home))
        folders = operate.pair(place, old, new)
        states = (changes.state_of(folder) for folder in folders)
        tables = changes.compared(*states)
        if as_json:
            rows = {table.name: frame.to_dicts() for table, frame in tables.items()}
            print(json.dumps(rows, indent=1, ensure_ascii=False))
            return
        out.print(f"{folders[0].name} -> {folders[1].name}")
        out.print("\n".join(changes.in_words(tables, examples)))


@app.command()
def similar(
    song: Annotated[
        str | None, typer.Argument(help="A song_id or a title; or give --features instead.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="JSON object of features, a file with one, or - for stdin."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show the mean audio features of the list.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    neighbours: Neighbours = None,
    home: Home = None,
) -> None:
    """Show songs similar to one in the catalogue, or to a new one with the given features.

    With --json and neither SONG nor --features, the features are read from stdin.
    """
    from flows.answers import similar as lookup
    from warehouse import release
    from warehouse.published import Published

    with _told():
        chosen = _settings(home=home, neighbours=neighbours)
        build = Published(release.published(_home(chosen)))
        if song is not None and features is not None:
            raise InputError("Give a song or --features, not both.")
        if song is not None:
            found = lookup.similar(build, song, neighbours and chosen.neighbours, profile)
        else:
            given = _features("-" if features is None and as_json else features)
            found = lookup.like_features(build, given, chosen.neighbours, profile)
        if as_json:
            hidden = () if profile else ("feature_profile",)
            told = {name: v for name, v in asdict(found).items() if name not in hidden}
            print(json.dumps(told, indent=2))
            return
        table = _table("", "song", "artist", "year", "distance", "why")
        for m in found.similar:
            year = str(m.year or "")
            table.add_row(str(m.rank), m.title, m.artist, year, f"{m.distance:.2f}", m.reason or "")
        out.print(f"Similar to {found.song}")
        out.print(table)
        if found.feature_profile:
            means = _table("feature", "the song", "its list", "catalogue", "unit")
            for f in found.feature_profile:
                values = (f.song, f.recommended, f.catalogue)
                means.add_row(f.feature, *("" if v is None else f"{v:.4g}" for v in values), f.unit)
            out.print(means)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A title, an artist, both, or what it is about.")],
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many songs to show.")] = 20,
    year_from: Annotated[int | None, typer.Option(help="Only songs from this year on.")] = None,
    year_to: Annotated[int | None, typer.Option(help="Only songs up to this year.")] = None,
    genre: Annotated[str | None, typer.Option(help="Genre of the song or its artist.")] = None,
    explicit: Annotated[
        bool | None, typer.Option("--explicit/--clean", help="Only songs marked so, or not so.")
    ] = None,
    home: Home = None,
) -> None:
    """Find songs, whatever the spelling, case or word order."""
    from flows.answers import search as finding
    from warehouse import release
    from warehouse.published import Published

    with _told():
        build = Published(release.published(_home(_settings(home=home))))
        filters = finding.Filters(year_from, year_to, genre, explicit)
        found = finding.search(build, text, limit, filters)
        if as_json:
            told = {"query": text, "total": found.total, "songs": [asdict(s) for s in found.songs]}
            print(json.dumps(told, indent=2))
            return
        table = _table("song", "artist", "year", "album", "versions", "found by", "song_id")
        for s in found.songs:
            versions = str(s.others + 1) if s.others else ""
            year = str(s.year or "")
            table.add_row(s.title, s.artist, year, s.album or "", versions, s.how, s.song_id)
        out.print(table if found.songs else "No songs found.")
        if found.total > len(found.songs):
            out.print(f"The best {len(found.songs)} of {found.total:,} matches.")


@app.command()
def request(
    file: Annotated[str, typer.Argument(help="A JSON file with questions, or - for stdin.")],
    home: Home = None,
) -> None:
    """Answer a batch of questions in JSON, each a search and a playlist.

    Answers give names, ids and distances. FILE holds an array such as [{"search": "money",
    "playlist": ["<song_id>"], "recommender_neighbors": 50, "search_neighbors": 20}].
    """
    from flows.answers import batch as asking
    from flows.answers.playlists import MOST_BYTES
    from flows.answers.questions import questions
    from warehouse import release
    from warehouse.published import Published

    with _told():
        build = Published(release.published(_home(_settings(home=home))))
        asked = questions(_text_of(file, MOST_BYTES))
        print(json.dumps([asdict(one) for one in asking.answers(build, asked)], indent=2))


@app.command()
def evaluate(
    playlists: Playlists = None,
    name: Annotated[
        str | None,
        typer.Option("--build", help="A build listed by `segue builds`.", show_default="served"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    home: Home = None,
) -> None:
    """Measure how good the recommendations of a build are, beside simple baselines.

    With --playlists they are scored on playlists that the build has not seen, otherwise on those
    that it held out.
    """
    from flows.judging import score as scoring

    with _told():
        folder = _build(_home(_settings(home=home)), name)
        found = scoring.scored(folder, playlists) if playlists else scoring.of_itself(folder)
        for warning in found.warnings:
            err.print(f"[bold yellow]Warning:[/] {warning}")
        if as_json:
            rows = [measure._asdict() for measure in found.measures]
            counts = {"entries": found.entries, "found": found.found} if playlists else {}
            print(json.dumps({"build": found.build, **counts, "evaluation": rows}, indent=2))
            return
        out.print(found.build)
        if playlists:
            out.print(f"{found.found:,} of {found.entries:,} entries are in the catalogue.")
        for headings, lines in (
            (scoring.HEADINGS, scoring.accuracy_in_words(found.measures)),
            (("metric", "model", "value", "95 %"), scoring.others_in_words(found.measures)),
        ):
            table = _table(*headings)
            for line in lines:
                table.add_row(*line)
            if lines:
                out.print(table)


@app.command()
def rate(
    file: Annotated[
        str | None,
        typer.Argument(
            help="Your ratings as CSV or JSON, or - for stdin. Without it, you are asked for them."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    home: Home = None,
) -> None:
    """Rate some songs from 1 to 5 and see what you might like.

    You are asked about five songs and get three; press Enter for a song you do not know, m for
    five others. Nothing is kept.
    """
    from flows.answers import ratings as visiting
    from warehouse import release
    from warehouse.published import Published

    with _told():
        build = Published(release.published(_home(_settings(home=home))))
        unused: dict[str, list[str]] = {}
        if file is None:
            err.print("Rate these songs from 1 to 5; Enter: don't know it; m: five others.")
            tell = (lambda _: None) if as_json else _show_recommended
            ratings = visiting.interview(build, _reply, tell)
        else:
            given = visiting.given(build, _text_of(file, visiting.LONGEST_INPUT), file)
            ratings, unused = given.ratings, {"not_found": given.not_found, "unread": given.unread}
            for why, lines in unused.items():
                shown = "; ".join(lines[:5]) + ("; ..." if len(lines) > 5 else "")
                if lines:
                    err.print(f"{why.replace('_', ' ').capitalize()}: {shown}", markup=False)
        if as_json:
            found = [asdict(song) for song in visiting.rate(build, ratings)] if ratings else []
            print(json.dumps({"ratings": ratings, **unused, "recommended": found}, indent=2))
        elif file is not None:
            _show_recommended(visiting.rate(build, ratings))
        elif not ratings:
            out.print("You rated nothing, so nothing is recommended.")


@app.command()
def tune(
    tracks: Tracks = None,
    genres: Genres = None,
    playlists: Playlists = None,
    trials: Annotated[int, typer.Option(min=1, help="How many recipes to try.")] = 40,
    songs: Annotated[int, typer.Option(min=100, help="How many songs to try them on.")] = 20_000,
    learn: Annotated[
        bool,
        typer.Option(
            "--learn/--judge-only",
            help="Learn from the playlists, or only judge by them (for catalogues without).",
        ),
    ] = True,
    log: Annotated[Path, typer.Option(help="File to append every trial to, as JSON.")] = Path(
        "tune.jsonl"
    ),
) -> None:
    """Search for the weights of the distance that best find what real playlists hold."""
    from flows.judging import tune as tuning
    from flows.nightly.progress import Progress

    with _told():
        chosen = _settings(tracks=tracks, genres=genres, playlists=playlists)
        progress = Progress()
        known = tuning.case(chosen, songs, learn, progress)
        start = tuning.started(known, chosen.hub_cap)
        with progress.stage("tried", total=trials, unit="recipes") as advance:
            done = tuning.searched(known, start, trials, log, advance)
        out.print(f"{len(known.queries.songs):,} queries, {len(known.songs):,} songs: {log}")
        table = _table("recipe", "NDCG@5-AF", "N5 skewness", "never recommended", "bounds")
        for name, trial in (("in use", done[0]), ("best", tuning.best(done))):
            bounds = "kept" if trial.allowed else "broken"
            figures = (f"{trial.score:.4f}", f"{trial.skewness:.2f}", f"{trial.never:.1%}")
            table.add_row(name, *figures, bounds)
        out.print(table)
        out.print(tuning.in_words(tuning.best(done)))


@app.command()
def mix(
    file: Annotated[str, typer.Argument(help="A list of saved songs, or - for stdin.")],
    places: Annotated[int, typer.Option(min=1, max=500, help="Songs in the playlist.")] = 50,
    form: Annotated[
        str | None,
        typer.Option("--format", help="csv, m3u8, xspf, jspf, uris or json; by default a table."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="File to write; its ending gives the format.")
    ] = None,
    home: Home = None,
) -> None:
    """Make a playlist of other songs from saved ones, balanced across their tastes.

    FILE holds Spotify links, URIs or ids, lines "artist - title", a CSV such as Exportify's, or
    Spotify's YourLibrary.json.
    """
    from flows.answers import playlists as mixes
    from warehouse import release
    from warehouse.files.playlists import WRITERS
    from warehouse.published import Published

    with _told():
        form = form or (to.suffix[1:] if to else None)
        if form is not None and form not in WRITERS:
            raise InputError(f"Expected one of {', '.join(WRITERS)} as --format, got {form!r}.")
        build = Published(release.published(_home(_settings(home=home))))
        name = "stdin" if file == "-" else Path(file).name
        text = _text_of(file, mixes.MOST_BYTES)
        made = mixes.mixed(build, mixes.Saved(text, name=name, places=places))
        _tell_unmatched(made)
        if not made.saved:
            raise InputError(f"No song in {name} is in the catalogue.")
        if form is None:
            _tell_mix(made)
            return
        if form == "json":
            text = json.dumps(asdict(made), ensure_ascii=False, indent=1) + "\n"
        else:
            text = mixes.written(build, made.songs, form, f"Mix of {name}")
        if to is None:
            print(text, end="")
        else:
            to.write_text(text, encoding="utf-8")
            out.print(f"Wrote {len(made.songs)} songs to {to}")


@app.command()
def demo(folder: Annotated[Path, typer.Argument(help="Folder to write to.")]) -> None:
    """Write the demo catalogue as CSV: songs, genres of artists, playlists and ratings."""
    from warehouse.demo.files import HEADERS, write_demo

    with _told():
        there = [str(folder / name) for name in HEADERS if (folder / name).exists()]
        if there:
            raise InputError(f"Already there: {', '.join(there)}. Choose another folder.")
        files = write_demo(folder)
        for path in (*files.tracks, *files.genres, *files.playlists, *files.ratings):
            out.print(f"Wrote {path}")
        given = _files(files.tracks, files.genres, files.playlists, files.ratings)
        words = [f"--{option} {path}" for option, paths in given.items() for path in paths or ()]
        out.print(f"To build from them: uv run segue build {' '.join(words)}")


@app.command(hidden=True)
def docs() -> None:
    """Write the generated files of a checkout, from the contracts and the interface."""
    from flows.site.api import described
    from warehouse.site.describe import GENERATED

    top = Path(__file__).parent.parent
    for relative, text in {**GENERATED, "docs/openapi.json": described}.items():
        (top / relative).parent.mkdir(parents=True, exist_ok=True)
        (top / relative).write_text(text(), encoding="utf-8")
        out.print(f"Wrote {relative}")


def _reply(question: str) -> str | None:
    """Ask on standard error; return a line of standard input, or nothing at its end."""
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline(LONGEST_REPLY)
    if not line:
        print(file=sys.stderr)
    return line or None


def _show_recommended(songs: Any) -> None:
    table = _table("", "song", "artist", "year", "stars", "why")
    for song in songs:
        led = song.because
        why = f"you gave {led.rating:g} to {led.label}" if led else "most people like it"
        stars = f"{song.predicted_rating:.1f}"
        table.add_row(str(song.rank), song.title, song.artist, str(song.year or ""), stars, why)
    out.print("You might like")
    out.print(table)


def _table(*headings: str) -> Table:
    """Return an empty table whose first column, the name, is never cut."""
    name = Column(headings[0], no_wrap=True)
    return Table(name, *headings[1:], box=None, padding=(0, 1, 0, 0), pad_edge=False)


def _files(*paths: list[Path] | None) -> dict[str, list[Path] | None]:
    """Return files by the option that names them: tracks, genres, playlists, ratings."""
    return dict(zip(("tracks", "genres", "playlists", "ratings"), paths, strict=True))


def _settings(**given: Any) -> Any:
    from flows.settings import settings

    return settings(**given)


def _home(chosen: Any) -> Any:
    from warehouse.release import Home as Place

    return Place(chosen.home)


def _build(place: Any, name: str | None) -> Path:
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


def _features(given: str | None) -> dict[str, Any]:
    if given is None:
        raise InputError("Give a song, or --features with a JSON object. See segue similar --help.")
    text = given if given.lstrip().startswith(("{", "[")) else _text_of(given)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(
            f'Expected a JSON object such as \'{{"energy": 0.8, "tempo": 120}}\', got '
            f"{text[:80]!r}: {error}."
        ) from error
    if not isinstance(value, dict):
        raise InputError(f"Expected a JSON object of features, got {type(value).__name__}.")
    return value


def _tell_mix(made: Any) -> None:
    table = _table("song", "artist", "year", "taste", "close to")
    for song in made.songs:
        table.add_row(song.title, song.artist, str(song.year or ""), song.taste, song.near.label)
    out.print(table)
    shares = _table("taste", "saved", "playlist")
    for taste in made.tastes:
        shares.add_row(taste.taste, f"{taste.saved_share:.0%}", f"{taste.played_share:.0%}")
    out.print(shares)


def _tell_unmatched(made: Any) -> None:
    lost = made.unmatched
    if not lost:
        return
    err.print(
        f"Songs found: {made.saved:,}. Lines that match no song: {len(lost):,}.", markup=False
    )
    for row in lost[:UNMATCHED_SHOWN]:
        err.print(f"  line {row.line}: {row.reason}: {row.row[:100]}", markup=False)
    if len(lost) > UNMATCHED_SHOWN:
        err.print(f"  and {len(lost) - UNMATCHED_SHOWN:,} more")


def _text_of(place: str, most: int = -1) -> str:
    """Return the text of a file or of standard input, up to ``most`` characters and one more."""
    try:
        if place == "-":
            return sys.stdin.read(most + (most >= 0))
        with Path(place).open(encoding="utf-8") as file:
            return file.read(most + (most >= 0))
    except FileNotFoundError as error:
        raise InputError(
            f"Expected a file, or - for standard input, but there is no {place!r} in {Path.cwd()}."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{place!r} cannot be read: {error}. Expected UTF-8 text.") from error


from flows.connections import commands as _connections  # noqa: E402, F401 - registers its commands
