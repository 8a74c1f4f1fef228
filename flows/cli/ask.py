"""The commands that ask a build: a song, a list or ratings come in, songs go out."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.terminal import (
    Home,
    Neighbours,
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

LONGEST_REPLY = 200  # characters
UNMATCHED_SHOWN = 20


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

    with reported_errors():
        chosen = settings_of(home=home, neighbours=neighbours)
        build = Published(release.published(home_of(chosen)))
        if song is not None and features is not None:
            raise InputError("Give a song or --features, not both.")
        if song is not None:
            answer = lookup.similar(build, song, neighbours and chosen.neighbours, profile)
        else:
            given = _features("-" if features is None and as_json else features)
            answer = lookup.like_features(build, given, chosen.neighbours, profile)
        if as_json:
            hidden = () if profile else ("feature_profile",)
            shown = {name: v for name, v in asdict(answer).items() if name not in hidden}
            print(json.dumps(shown, indent=2))
            return
        table = table_of("", "song", "artist", "year", "distance", "why")
        for m in answer.similar:
            year = str(m.year or "")
            table.add_row(str(m.rank), m.title, m.artist, year, f"{m.distance:.2f}", m.reason or "")
        out.print(f"Similar to {answer.song}")
        out.print(table)
        if answer.feature_profile:
            means = table_of("feature", "the song", "its list", "catalogue", "unit")
            for f in answer.feature_profile:
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

    with reported_errors():
        build = Published(release.published(home_of(settings_of(home=home))))
        filters = finding.Filters(year_from, year_to, genre, explicit)
        results = finding.search(build, text, limit, filters)
        if as_json:
            shown = {
                "query": text,
                "total": results.total,
                "songs": [asdict(s) for s in results.songs],
            }
            print(json.dumps(shown, indent=2))
            return
        table = table_of("song", "artist", "year", "album", "versions", "found by", "song_id")
        for s in results.songs:
            versions = str(s.others + 1) if s.others else ""
            year = str(s.year or "")
            table.add_row(s.title, s.artist, year, s.album or "", versions, s.how, s.song_id)
        out.print(table if results.songs else "No songs found.")
        if results.total > len(results.songs):
            out.print(f"The best {len(results.songs)} of {results.total:,} matches.")


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
    from flows.answers.bounds import MOST_BYTES
    from flows.answers.questions import questions
    from warehouse import release
    from warehouse.published import Published

    with reported_errors():
        build = Published(release.published(home_of(settings_of(home=home))))
        requests = questions(text_of(file, MOST_BYTES))
        print(json.dumps([asdict(one) for one in asking.answers(build, requests)], indent=2))


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
    from flows.answers.bounds import MOST_BYTES
    from warehouse import release
    from warehouse.published import Published

    with reported_errors():
        build = Published(release.published(home_of(settings_of(home=home))))
        unused: dict[str, list[str]] = {}
        if file is None:
            err.print("Rate these songs from 1 to 5; Enter: don't know it; m: five others.")
            tell = (lambda _: None) if as_json else _print_recommended
            ratings = visiting.interview(build, _reply, tell)
        else:
            given = visiting.given(build, text_of(file, MOST_BYTES), file)
            ratings, unused = given.ratings, {"not_found": given.not_found, "unread": given.unread}
            for why, lines in unused.items():
                shown = "; ".join(lines[:5]) + ("; ..." if len(lines) > 5 else "")
                if lines:
                    err.print(f"{why.replace('_', ' ').capitalize()}: {shown}", markup=False)
        if as_json:
            songs = [asdict(song) for song in visiting.rate(build, ratings)] if ratings else []
            print(json.dumps({"ratings": ratings, **unused, "recommended": songs}, indent=2))
        elif file is not None:
            _print_recommended(visiting.rate(build, ratings))
        elif not ratings:
            out.print("You rated nothing, so nothing is recommended.")


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
    from flows.answers.bounds import MOST_BYTES
    from warehouse import release
    from warehouse.files.playlists import WRITERS
    from warehouse.published import Published

    with reported_errors():
        form = form or (to.suffix[1:] if to else None)
        if form is not None and form not in WRITERS:
            raise InputError(f"Expected one of {', '.join(WRITERS)} as --format, got {form!r}.")
        build = Published(release.published(home_of(settings_of(home=home))))
        name = "stdin" if file == "-" else Path(file).name
        text = text_of(file, MOST_BYTES)
        made = mixes.mixed(build, mixes.SavedSongs(text, name=name, places=places))
        _print_unmatched(made)
        if not made.saved:
            raise InputError(f"No song in {name} is in the catalogue.")
        if form is None:
            _print_mix(made)
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


def _reply(question: str) -> str | None:
    """Ask on standard error; return a line of standard input, or nothing at its end."""
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline(LONGEST_REPLY)
    if not line:
        print(file=sys.stderr)
    return line or None


def _print_recommended(songs: Any) -> None:
    table = table_of("", "song", "artist", "year", "stars", "why")
    for song in songs:
        led = song.because
        why = f"you gave {led.rating:g} to {led.label}" if led else "most people like it"
        stars = f"{song.predicted_rating:.1f}"
        table.add_row(str(song.rank), song.title, song.artist, str(song.year or ""), stars, why)
    out.print("You might like")
    out.print(table)


def _features(given: str | None) -> dict[str, Any]:
    if given is None:
        raise InputError("Give a song, or --features with a JSON object. See segue similar --help.")
    text = given if given.lstrip().startswith(("{", "[")) else text_of(given)
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


def _print_mix(made: Any) -> None:
    table = table_of("song", "artist", "year", "taste", "close to")
    for song in made.songs:
        table.add_row(song.title, song.artist, str(song.year or ""), song.taste, song.near.label)
    out.print(table)
    shares = table_of("taste", "saved", "playlist")
    for taste in made.tastes:
        shares.add_row(taste.taste, f"{taste.saved_share:.0%}", f"{taste.played_share:.0%}")
    out.print(shares)


def _print_unmatched(made: Any) -> None:
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
