"""A seed comes in; the files of the demo go out: an invented catalogue and who listens to it.

What was planted in them is known (``demo_songs``, ``demo_listening``, ``demo_ratings``). A few rows
of each are deliberately broken, so that newcomers see how these are handled.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from warehouse.demo import listening
from warehouse.demo.catalogue import LEXICON, SCENES, SCHEMA, SEED, demo_songs, new_id, one_of

HEADERS = {
    "tracks.csv": tuple(SCHEMA),
    "artists.csv": ("artist", "genres"),
    "playlists.csv": ("playlist_id", "position", "track_id", "track_name", "artist_name"),
    "ratings.csv": ("user", "song_id", "rating", "rated_at"),
}

# How the entries of playlists name a song, and how often.
SPELLINGS = {"whole": 0.7, "id": 0.08, "edition": 0.12, "words": 0.07, "elsewhere": 0.03}
ELSEWHERE = 10
UNTAGGED_SHARE = 0.15
RESPELLED_SHARE = 0.1
STRANGERS = 6
RATED_AGAIN_SHARE = 0.03
FIRST_RATING = datetime(2023, 1, 1)
# The days after it on which the final ratings were given.
STANDING = (200, 730)

Row = Sequence[Any]


@dataclass(frozen=True)
class Demo:
    """The files of the demo, by the option of ``segue build`` that reads them."""

    tracks: list[Path]
    genres: list[Path]
    playlists: list[Path]
    ratings: list[Path]


def write_demo(folder: Path, seed: int = SEED) -> Demo:
    """Write the demo, replacing any that is there; the same seed gives the same bytes.

    - ``tracks.csv``: the songs, plus one line that is too short, one value that is not a number,
    one
      missing title and one exact duplicate.
    - ``artists.csv``: genres of most artists, some spelt differently, some not in the catalogue.
    - ``playlists.csv``: by id, by words or both, some from another edition or of songs that the
      catalogue lacks; one entry twice, one line cut short, one without a playlist.
    - ``ratings.csv``: some given again later, a few of unknown songs, two that are not ratings.
    """
    songs = listening.with_circles(demo_songs(seed), seed)
    entries, ratings = listening.playlists(songs, seed), listening.ratings(songs, seed)
    rng = np.random.default_rng([seed, 4])
    folder.mkdir(parents=True, exist_ok=True)

    def written(name: str, rows: list[Row]) -> list[Path]:
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADERS[name], *rows])
        return [folder / name]

    return Demo(
        tracks=written("tracks.csv", _track_rows(songs)),
        genres=written("artists.csv", _artist_rows(rng, songs)),
        playlists=written("playlists.csv", _playlist_rows(rng, songs, entries)),
        ratings=written("ratings.csv", _rating_rows(rng, ratings)),
    )


def demo_listening(seed: int = SEED) -> pl.DataFrame:
    """Return who hears each song of the demo.

    Returns:
        ``song_id``, ``artist`` (the primary one), ``circle``, null if nobody has heard of the
        artist, and ``playlists``, the number that hold the song; in the order of ``demo_songs``.
    """
    songs = listening.with_circles(demo_songs(seed), seed)
    counts = listening.playlists(songs, seed).group_by("song_id").agg(playlists=pl.len())
    return (
        songs.select("song_id", "artist", "circle")
        .join(counts, on="song_id", how="left", maintain_order="left")
        .with_columns(pl.col("playlists").fill_null(0).cast(pl.Int64))
    )


def demo_ratings(seed: int = SEED) -> pl.DataFrame:
    """Return the true opinion of every user of the demo on every song.

    Returns:
        ``user``, ``song_id``, ``expected`` and ``rating``, the last one given, or null.
    """
    return listening.ratings(listening.with_circles(demo_songs(seed), seed), seed)


def _with_lines(rows: list[Row], lines: dict[int, Row]) -> list[Row]:
    """Return the rows with each line put in before the row of that number."""
    for at in sorted(lines, reverse=True):
        rows.insert(at, lines[at])
    return rows


def _track_rows(songs: pl.DataFrame) -> list[Row]:
    published = songs.select(pl.col(*SCHEMA)).with_columns(pl.col("explicit").cast(pl.Int64))
    rows: list[Row] = list(published.iter_rows())
    energy = list(SCHEMA).index("energy")
    cut, loud, nameless = ([f"demo{n:018d}", *rows[n][1:]] for n in (1, 2, 3))
    cut[1], loud[1], nameless[1] = "The Line That Was Cut Sh", "The Loud One", ""
    loud[energy] = "loud"
    return _with_lines(rows, {250: cut[:4], 500: loud, 750: nameless, 1000: rows[42]})


def _artist_rows(rng: np.random.Generator, songs: pl.DataFrame) -> list[Row]:
    tags = (
        songs.select("artist", tag=pl.col("genres").str.split(";"))
        .explode("tag")
        .group_by("artist", "tag", maintain_order=True)
        .len()
        .sort("len", descending=True, maintain_order=True)
        .group_by("artist", maintain_order=True)
        .agg(pl.col("tag").str.join(";"))
        .sort("artist")
    )
    missing = set(rng.choice(len(tags), round(UNTAGGED_SHARE * len(tags)), replace=False))
    rows: list[Row] = [
        (listening.respelled(rng, artist) if rng.random() < RESPELLED_SHARE else artist, genres)
        for at, (artist, genres) in enumerate(tags.iter_rows())
        if at not in missing
    ]
    scenes = rng.choice(len(SCENES), STRANGERS)
    return rows + [(_stranger(rng), ";".join(SCENES[scene].genres)) for scene in scenes]


def _stranger(rng: np.random.Generator) -> str:
    """Return the name of an artist who is not in the catalogue."""
    return f"{one_of(rng, LEXICON['first'])} van {one_of(rng, LEXICON['last'])}"


def _playlist_rows(
    rng: np.random.Generator, songs: pl.DataFrame, entries: pl.DataFrame
) -> list[Row]:
    known = {row[0]: row for row in songs.select("song_id", "title", "artist").iter_rows()}
    editions = {song_id: new_id(rng) for song_id in known}
    lacked = {circle: _songs_elsewhere(rng) for circle in listening.CIRCLES}
    rows: list[Row] = []
    for (playlist, circle), part in entries.group_by("playlist_id", "circle", maintain_order=True):
        others = cycle(rng.permutation(lacked[str(circle)]).tolist())
        spelled = _spelled(rng, [known[song] for song in part["song_id"]], editions, others)
        rows += [(playlist, position, *entry) for position, entry in enumerate(spelled)]
    playlist, position, *_ = rows[-1]
    rows.append((playlist, position + 1, *rows[-2][2:]))
    return _with_lines(rows, {1500: rows[1500][:2], 3000: ("", *rows[3000][1:])})


def _spelled(
    rng: np.random.Generator,
    songs: Sequence[Row],
    editions: dict[str, str],
    others: Iterator[Row],
) -> Iterator[Row]:
    """Yield id, title and artist of each entry of a playlist, as somebody wrote them.

    Args:
        rng: decides how.
        songs: id, title and artist as they are in the catalogue.
        editions: the id of another edition of each song.
        others: id, title and artist of songs that the catalogue lacks.
    """
    ways = rng.choice(list(SPELLINGS), size=len(songs), p=list(SPELLINGS.values()))
    for way, (song_id, title, artist) in zip(ways, songs, strict=True):
        match way:
            case "whole":
                yield song_id, title, artist
            case "id":
                yield song_id, "", ""
            case "edition":
                reissued = " - " not in title and rng.random() < 0.5
                again = f"{title} - Remastered 2011" if reissued else title.upper()
                yield editions[song_id], again, artist
            case "words":
                yield "", listening.respelled(rng, title), listening.respelled(rng, artist)
            case _:
                yield next(others)


def _songs_elsewhere(rng: np.random.Generator) -> list[Row]:
    days, places = LEXICON["day"], LEXICON["place"]
    return [
        (new_id(rng), f"{one_of(rng, places)} {one_of(rng, days)}", _stranger(rng))
        for _ in range(ELSEWHERE)
    ]


def _rating_rows(rng: np.random.Generator, ratings: pl.DataFrame) -> list[Row]:
    """Return the ratings in random order, so that only ``rated_at`` shows which are later."""
    given = ratings.drop_nulls("rating")
    days_after = rng.uniform(*STANDING, size=len(given))
    rows = list(zip(given["user"], given["song_id"], given["rating"], days_after, strict=True))
    again = rng.choice(len(rows), round(RATED_AGAIN_SHARE * len(rows)), replace=False)
    for user, song, rating, days in [rows[at] for at in again]:
        before = rating - 1 if rating > 2 else rating + 1
        rows.append((user, song, before, days * rng.random()))
    rows += [(rows[at][0], new_id(rng), 4.0, rows[at][3]) for at in range(5)]
    shuffled = [rows[at] for at in rng.permutation(len(rows))]
    dated: list[Row] = [(*row, f"{rating:g}", _instant(days)) for *row, rating, days in shuffled]
    (*loved, _, when), (*eleven, _, then) = dated[9], dated[99]
    return _with_lines(dated, {600: (*loved, "loved it", when), 1200: (*eleven, 11, then)})


def _instant(days: float) -> str:
    return f"{(FIRST_RATING + timedelta(days)).isoformat(timespec='seconds')}Z"
