"""The commands that judge: builds and playlists come in, measures go out."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.terminal import (
    Genres,
    Home,
    Playlists,
    Tracks,
    app,
    build_named,
    err,
    home_of,
    out,
    reported_errors,
    settings_of,
    table_of,
)


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

    with reported_errors():
        folder = build_named(home_of(settings_of(home=home)), name)
        score = scoring.scored(folder, playlists) if playlists else scoring.of_itself(folder)
        for warning in score.warnings:
            err.print(f"[bold yellow]Warning:[/] {warning}")
        if as_json:
            rows = [measure._asdict() for measure in score.measures]
            counts = {"entries": score.entries, "found": score.found} if playlists else {}
            print(json.dumps({"build": score.build, **counts, "evaluation": rows}, indent=2))
            return
        out.print(score.build)
        if playlists:
            out.print(f"{score.found:,} of {score.entries:,} entries are in the catalogue.")
        for headings, lines in (
            (scoring.HEADINGS, scoring.accuracy_in_words(score.measures)),
            (("metric", "model", "value", "95 %"), scoring.others_in_words(score.measures)),
        ):
            table = table_of(*headings)
            for line in lines:
                table.add_row(*line)
            if lines:
                out.print(table)


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

    with reported_errors():
        chosen = settings_of(tracks=tracks, genres=genres, playlists=playlists)
        progress = Progress()
        case = tuning.case(chosen, songs, learn, progress)
        start = tuning.started(case, chosen.hub_cap)
        with progress.stage("tried", total=trials, unit="recipes") as advance:
            done = tuning.searched(case, start, trials, log, advance)
        out.print(f"{len(case.queries.songs):,} queries, {len(case.songs):,} songs: {log}")
        table = table_of("recipe", "NDCG@5-AF", "N5 skewness", "never recommended", "bounds")
        for name, trial in (("in use", done[0]), ("best", tuning.best(done))):
            bounds = "kept" if trial.allowed else "broken"
            figures = (f"{trial.score:.4f}", f"{trial.skewness:.2f}", f"{trial.never:.1%}")
            table.add_row(name, *figures, bounds)
        out.print(table)
        out.print(tuning.in_words(tuning.best(done)))
