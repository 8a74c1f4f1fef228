"""The commands that show what there is: a home comes in, a site or a table goes out."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from flows.cli.terminal import Home, app, home_of, out, reported_errors, settings_of, table_of


@app.command()
def serve(
    home: Home = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8001")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of server processes.", show_default="1")
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

    with reported_errors():
        chosen = settings_of(
            home=home,
            host=host,
            port=port,
            workers=workers,
            allow_sql=allow_sql,
            allow_download=allow_download,
            suggest_facets=suggest_facets,
            exports=exports,
        )
        folder = release.published(home_of(chosen))
        listener = site.bound(chosen.host, chosen.port)
        number = listener.getsockname()[1]
        out.print(f"Serving {folder.name}: open http://{chosen.host}:{number}/ (Ctrl-C stops it)")
        options = site.Options(
            allow_sql=chosen.allow_sql,
            allow_download=chosen.allow_download,
            suggest_facets=chosen.suggest_facets,
            exports=chosen.exports,
            base_url=chosen.base_url,
            hosts=(chosen.host, *chosen.hosts),
            max_age=chosen.max_age,
        )
        site.serve(chosen.home, listener, chosen.workers, options)


@app.command()
def status(
    check: Annotated[
        bool, typer.Option("--check", help="Exit with code 1 if anything is wrong.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    home: Home = None,
) -> None:
    """Show which build is served, how runs went, when the next is due, and what was fetched."""
    from flows.connections import fetch as fetching
    from flows.nightly import status as watching
    from flows.nightly import summary
    from warehouse import release
    from warehouse.manifest import read_manifest

    with reported_errors():
        chosen = settings_of(home=home)
        place = home_of(chosen)
        state = watching.status(place, chosen.max_age)
        if as_json:
            print(json.dumps(asdict(state), indent=2))
        elif state.build or state.last_run:
            out.print("\n".join(watching.in_words(state)))
        manifest = read_manifest(release.published(place))
        if not as_json:
            out.print(summary.text(manifest, place))
            _show_snapshots(fetching.ages(chosen, datetime.now(UTC)))
        if check and state.problems:
            raise typer.Exit(1)


def _show_snapshots(snapshots: Sequence[tuple[str, ...]]) -> None:
    table = table_of("fetched", "rows", "licence", "age")
    for row in snapshots:
        table.add_row(*row)
    if snapshots:
        out.print(table)


@app.command()
def runs(
    limit: Annotated[int, typer.Option(min=1, help="How many runs to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    home: Home = None,
) -> None:
    """List the runs, including failed ones, newest first."""
    from flows.nightly.status import first_line
    from warehouse.runs import runs as noted

    with reported_errors():
        history = noted(settings_of(home=home).home, limit)
        if as_json:
            rows = [{**asdict(run), "seconds": run.seconds} for run in history]
            print(json.dumps(rows, indent=2))
            return
        table = table_of("started (UTC)", "seconds", "cause", "outcome", "code", "stage", "message")
        for run in history:
            took = "" if run.seconds is None else f"{run.seconds:.0f}"
            code = "" if run.exit_code is None else str(run.exit_code)
            started = f"{run.started_at[:10]} {run.started_at[11:19]}"
            words = first_line(run)
            table.add_row(started, took, run.cause, run.outcome, code, run.stage, words)
        out.print(table if history else "No runs are on record here yet.")


@app.command()
def diff(
    old: Annotated[str | None, typer.Argument(help="A build.", show_default="before")] = None,
    new: Annotated[str | None, typer.Argument(help="A build.", show_default="served")] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many to show of each kind.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="All changes, in JSON.")] = False,
    home: Home = None,
) -> None:
    """Show the changes between two builds: songs, lists, columns, settings, sources, scores."""
    from flows.nightly import changes
    from warehouse import operate

    with reported_errors():
        place = home_of(settings_of(home=home))
        folders = operate.pair(place, old, new)
        states = (changes.state_of(folder) for folder in folders)
        tables = changes.compared(*states)
        if as_json:
            rows = {table.name: frame.to_dicts() for table, frame in tables.items()}
            print(json.dumps(rows, indent=1, ensure_ascii=False))
            return
        out.print(f"{folders[0].name} -> {folders[1].name}")
        out.print("\n".join(changes.in_words(tables, examples)))
