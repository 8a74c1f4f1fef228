"""What a visitor is asked and recommended: a published build and ratings come in, songs go out.

Nothing of it is kept: every answer depends on the build and on what is sent with the question.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import Field

from flows.answers.bounds import MOST_BYTES, MOST_RATINGS, MOST_TO_RATE
from flows.answers.catalogue import keyed_songs, songs_of, table, tastes_of
from models.arrays import IndexMatrix
from models.ratings import visitors
from models.ratings.factorisation import HIGHEST, LOWEST, Factors
from transforms import matching, signals
from warehouse import contracts
from warehouse.errors import InputError, Unknown
from warehouse.files.columns import lacking, refusal, uses
from warehouse.files.lists import BETWEEN
from warehouse.published import Published

ASKED = 5
RECOMMENDED = 3
ROUNDS = 20
TRIES = 3
MORE = "m"
FACTOR_COLUMNS = tuple(f"factor_{number}" for number in range(1, contracts.FACTORS + 1))
SPREADS = tuple(f"spread of {part}" for part in ("bias", *FACTOR_COLUMNS))
VISITOR = "person"  # a name for the column of users, where a file has none

NAMES = ("song_id", "title", "artist", "year", "key", "mode")

Reply = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class SongToRate:
    """A song that a visitor is asked to rate."""

    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    mode: int | None
    label: str


@dataclass(frozen=True, slots=True)
class LeadingRating:
    """A rating, as the one that led to a recommendation."""

    song_id: str
    label: str
    rating: float


@dataclass(frozen=True, slots=True)
class PredictedSong:
    """A song that a visitor would like; ``because`` is none where it is liked by most."""

    rank: int
    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    mode: int | None
    predicted_rating: float
    because: LeadingRating | None


@dataclass(frozen=True, slots=True)
class NextQuestion:
    """What a visitor has answered so far.

    Args:
        rated: ids of the songs that they rated.
        passed: ids of those that they were asked about and do not know.
        again: ids of songs to ask once more, in place of new ones.
        n: songs to ask.
    """

    rated: Annotated[list[str], Field(max_length=MOST_RATINGS)] = field(default_factory=list)
    passed: Annotated[list[str], Field(max_length=MOST_RATINGS)] = field(default_factory=list)
    again: Annotated[list[str], Field(max_length=MOST_RATINGS)] = field(default_factory=list)
    n: Annotated[int, Field(ge=1, le=MOST_TO_RATE)] = ASKED


@dataclass(frozen=True, slots=True)
class VisitorRatings:
    """A visitor's ratings, ``song_id`` to stars from 1 to 5, and how many songs they wish."""

    ratings: Annotated[
        dict[str, Annotated[float, Field(ge=LOWEST, le=HIGHEST)]], Field(max_length=MOST_RATINGS)
    ]
    n: Annotated[int, Field(ge=1, le=MOST_TO_RATE)] = RECOMMENDED


@dataclass(frozen=True, slots=True)
class RatingsAnswer:
    """What a visitor is recommended.

    Args:
        recommended: best first.
        rated: the ratings that it rests on, as they were sent.
        not_found: ids of songs of which ratings say nothing, or that the build does not have.
    """

    recommended: list[PredictedSong]
    rated: list[LeadingRating]
    not_found: list[str]


@dataclass(frozen=True, slots=True)
class Desk:
    """What visitors are answered from; get it from ``build.once(desk)``.

    Args:
        rows: shape ``(n_songs,)``, those of the catalogue that ratings say something of, ascending.
        shelf: what they say.
    """

    rows: IndexMatrix
    shelf: visitors.Shelf


@dataclass(frozen=True, slots=True)
class RatingsOfFile:
    """What a file of one person's ratings says.

    Args:
        ratings: ``song_id`` to stars, of songs of the catalogue.
        not_found: songs that the catalogue does not have, as the file names them.
        unread: what else could not be used, and why.
    """

    ratings: dict[str, float]
    not_found: list[str]
    unread: list[str]


def desk(build: Published) -> Desk:
    """Read what visitors of a build are answered from.

    Raises:
        Unknown: the build was made without ratings.
    """
    if not build.database.execute("select 1 from rating_factors limit 1").fetchone():
        raise Unknown(
            "This build has no ratings. Build with some: segue build --ratings FILE, or without "
            "--tracks to use those of the demo."
        )
    factors, parameters = (
        table(build, name).sort(name.key)
        for name in (contracts.RATING_FACTORS, contracts.RATING_PARAMETERS)
    )
    values = dict(parameters.select("parameter", "value").iter_rows())
    model = Factors(
        values["mean"],
        np.array([values[name] for name in SPREADS]),
        factors["bias"].to_numpy(),
        factors.select(FACTOR_COLUMNS).to_numpy(order="c"),
        factors["noise"].to_numpy(),
        factors["ratings"].to_numpy(),
    )
    songs = songs_of(build)
    rows = songs.rows(factors["song_id"])
    tastes = tastes_of(build).of_song[rows]
    return Desk(rows, visitors.shelved(model, songs.sameness.of(rows), tastes))


def ask(
    build: Published, rated: Iterable[str] = (), passed: Iterable[str] = (), n: int = ASKED
) -> list[SongToRate]:
    """Return the songs to ask a visitor about next: well known, of several tastes, and telling.

    Args:
        build: whose songs they are.
        rated: ids of the songs that the visitor has rated.
        passed: ids of those that were asked and not rated, so that others come.
        n: songs to ask.

    Returns:
        Fewer where fewer are left.

    Raises:
        Unknown: the build was made without ratings.
    """
    shop = build.once(desk)
    done = _places(build, rated)[1], _places(build, passed)[1]
    return _songs_to_rate(build, visitors.asked(shop.shelf, *done, k=n))


def again(build: Published, song_ids: Iterable[str]) -> list[SongToRate]:
    """Return songs that were asked before, in their order, without those that ratings know not."""
    return _songs_to_rate(build, _places(build, song_ids)[1])


def rate(
    build: Published, ratings: Mapping[str, float], n: int = RECOMMENDED
) -> list[PredictedSong]:
    """Return the songs that a visitor would rate highest, each with the rating that led to it.

    Args:
        build: whose songs they are.
        ratings: ``song_id`` to stars; songs of which ratings say nothing count for nothing.
        n: songs to recommend.

    Raises:
        InputError: a rating is not from 1 to 5.
        Unknown: the build was made without ratings.
    """
    wrong = [value for value in ratings.values() if not LOWEST <= value <= HIGHEST]
    if wrong:
        raise InputError(f"Expected ratings from 1 to 5, got {wrong[0]:g}.")
    shop = build.once(desk)
    ids, songs = _places(build, ratings)
    stars = np.array([ratings[song_id] for song_id in ids], dtype=np.float64)
    picks = visitors.recommended(shop.shelf, songs, stars, n)
    rows = songs_of(build).songs[shop.rows[picks.songs]].select(NAMES).iter_rows(named=True)
    labels = songs_of(build).labels(shop.rows[songs])

    def because(place: int) -> LeadingRating | None:
        return None if place < 0 else LeadingRating(ids[place], labels[place], float(stars[place]))

    return [
        PredictedSong(rank, **row, predicted_rating=float(rating), because=because(int(place)))
        for rank, (row, rating, place) in enumerate(
            zip(rows, picks.ratings, picks.because, strict=True), start=1
        )
    ]


def answered(build: Published, given: VisitorRatings) -> RatingsAnswer:
    """Return what a visitor is recommended, and which of their ratings it rests on.

    Raises:
        As ``rate`` does.
    """
    picks = rate(build, given.ratings, given.n)
    songs = again(build, given.ratings)
    ids = {song.song_id for song in songs}
    return RatingsAnswer(
        picks,
        [LeadingRating(song.song_id, song.label, given.ratings[song.song_id]) for song in songs],
        [song_id for song_id in given.ratings if song_id not in ids],
    )


def interview(
    build: Published, reply: Reply, tell: Callable[[list[PredictedSong]], None]
) -> dict[str, float]:
    """Ask about five songs, tell what is recommended, and go on as long as the visitor likes.

    Args:
        build: whose songs they are.
        reply: told a question, returns what was typed, or none at the end of the input.
        tell: told what is recommended after every five songs that brought a rating.

    Returns:
        ``song_id`` to stars.
    """
    ratings: dict[str, float] = {}
    passed: list[str] = []
    for _ in range(ROUNDS):
        songs = ask(build, ratings, passed)
        for number, song in enumerate(songs, start=1):
            answer = _answer(f"{number}. {song.label}: ", reply)
            if answer is None:
                return ratings
            if answer == MORE:
                passed += [other.song_id for other in songs[number - 1 :]]
                break
            if isinstance(answer, float):
                ratings[song.song_id] = answer
            else:
                passed.append(song.song_id)
        else:
            if ratings:
                tell(rate(build, ratings))
            again = reply(f"{MORE}: five more songs; Enter: done ") if songs else None
            if again is None or again.strip().lower() != MORE:
                break
    return ratings


def _answer(question: str, reply: Reply) -> float | str | None:
    """Return stars, ``MORE``, nothing for a song not known, or none at the end of the input."""
    for _ in range(TRIES):
        text = reply(question)
        if text is None:
            return None
        word = text.strip().lower()
        if word in {"", MORE}:
            return word
        try:
            stars = float(word.replace(",", "."))
        except ValueError:
            stars = 0.0
        if LOWEST <= stars <= HIGHEST:
            return stars
        question = f"   1 to 5, Enter for a song you do not know, {MORE} for five others: "
    return ""


def given(build: Published, text: str, name: str) -> RatingsOfFile:
    """Read one person's ratings: CSV with a header, or JSON.

    JSON is an object of song to rating, or an array of objects with the names that a header may
    have. A song is an id, an address, "artist - title", or title and artist apart.

    Args:
        build: whose songs they are.
        text: what was given.
        name: what messages call it.

    Raises:
        InputError: it is neither, or too long, or holds no rating of a song of the catalogue.
    """
    if len(text) > MOST_BYTES:
        raise InputError(f"{name}: expected at most {MOST_BYTES:,} characters of ratings.")
    header, records = _records(text.removeprefix("\ufeff"), name)
    if len(records) > MOST_RATINGS:
        raise InputError(f"{name}: expected at most {MOST_RATINGS:,} ratings.")
    clean = signals.cleaned_ratings(_rows(header, records, name), name, 0)
    matches = matching.matched_among(clean.readings, keyed_songs(build))
    lost = matches.filter(pl.col("song_id").is_null())
    called = pl.coalesce("track_id", pl.format("{} - {}", "artist", "title"))
    unread = [f"rating {line}: {reason}" for line, reason, _ in clean.rejected.iter_rows()]
    last = matching.last_ratings(matches)
    if not last.height:
        raise InputError("\n".join([f"{name} rates no song in the catalogue.", *unread[:3]]))
    ratings = dict(last.select("song_id", "rating").iter_rows())
    return RatingsOfFile(
        ratings, lost.select(called.unique(maintain_order=True)).to_series().to_list(), unread
    )


def _records(text: str, name: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the names that a text has, and its records."""
    if text.lstrip()[:1] not in {"{", "["}:
        try:
            reader = csv.DictReader(io.StringIO(text, newline=""))
            return [*(reader.fieldnames or ())], [*reader]
        except csv.Error as error:
            raise InputError(f"{name}: cannot be read as CSV: {error}.") from error
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: cannot be read as JSON: {error}.") from error
    if isinstance(value, dict):
        value = [{"song": song, "rating": rating} for song, rating in value.items()]
    if not all(isinstance(record, dict) for record in value):
        raise InputError(f"{name}: expected an object of songs to ratings, or an array of objects.")
    return [*dict.fromkeys(key for record in value for key in record)], value


def _rows(header: list[str], records: list[dict[str, Any]], name: str) -> pl.DataFrame:
    """Return the records that rate as text under Segue's names; whose they are is no matter."""
    names = [*filter(None, header), VISITOR]
    known = uses(names, [], "ratings")
    if lacks := lacking(known, [], "ratings"):
        raise refusal(name, "ratings", known[:-1], lacks)
    columns = {use.used_as: use.column for use in known if use.used_as}
    rows = []
    for line, record in enumerate(records, start=1):
        values = {ours: _text(record.get(theirs)) for ours, theirs in columns.items()}
        if values["rating"] is None:
            continue
        artist, *title = BETWEEN.split(values.get("song_id") or "", maxsplit=1)
        apart = {"artists": artist, "title": title[0]} if title else {}
        rows.append({"line": line, "row": "", **values, **apart, "user": VISITOR})
    schema = {"line": pl.Int64, **dict.fromkeys(("row", *signals.RATED), pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _text(value: object) -> str | None:
    """Return a value as text that can be written, so "?" for half of a surrogate pair."""
    if not isinstance(value, str | int | float):
        return None
    return str(value).encode("utf-8", "replace").decode().strip() or None


def _songs_to_rate(build: Published, places: IndexMatrix) -> list[SongToRate]:
    """Return songs of the desk to show them, in their order."""
    rows = build.once(desk).rows[places]
    songs = songs_of(build)
    shown = songs.songs[rows].select(NAMES).iter_rows(named=True)
    return [
        SongToRate(**song, label=label)
        for song, label in zip(shown, songs.labels(rows), strict=True)
    ]


def _places(build: Published, song_ids: Iterable[str]) -> tuple[list[str], IndexMatrix]:
    """Return the ids that the desk has, in their order, and the place of each."""
    ids, rows = [*song_ids], build.once(desk).rows
    wanted = songs_of(build).rows(ids)
    places = np.searchsorted(rows, wanted).clip(0, len(rows) - 1)
    present = rows[places] == wanted
    return [song_id for song_id, fine in zip(ids, present, strict=True) if fine], places[present]
