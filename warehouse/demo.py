"""A seed comes in; the files of the demo go out: an invented catalogue and who listens to it.

A few rows of each are broken on purpose, so that a newcomer sees how they are handled.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from warehouse.demo_catalogue import SCHEMA, SEED, demo_songs

Row = Sequence[Any]


@dataclass(frozen=True)
class Demo:
    """The files of the demo, by the option of ``segue build`` that reads them."""

    tracks: list[Path]
    genres: list[Path]
    playlists: list[Path]
    ratings: list[Path]


def write_demo(folder: Path, seed: int = SEED) -> Demo:
    """Write the demo in place of one that is there; the same seed gives the same bytes.

    Besides the songs ``tracks.csv`` holds one line that is too short, one value that is no
    number, one missing title and one exact repeat.
    """
    songs = demo_songs(seed)
    folder.mkdir(parents=True, exist_ok=True)
    return Demo(
        tracks=[_written(folder / "tracks.csv", SCHEMA, _track_rows(songs))],
        genres=[],
        playlists=[],
        ratings=[],
    )


def _written(path: Path, header: Iterable[str], rows: Iterable[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def _track_rows(songs: pl.DataFrame) -> list[Row]:
    published = songs.select(pl.col(*SCHEMA)).with_columns(pl.col("explicit").cast(pl.Int64))
    rows = [list(row) for row in published.iter_rows()]
    energy = list(SCHEMA).index("energy")
    cut, loud, nameless = ([f"demo{n:018d}", *rows[n][1:]] for n in (1, 2, 3))
    cut[1], loud[1], nameless[1] = "The Line That Was Cut Sh", "The Loud One", ""
    loud[energy] = "loud"
    return [
        *(*rows[:250], cut[:4]),
        *(*rows[250:500], loud),
        *(*rows[500:750], nameless),
        *(*rows[750:1000], rows[42]),
        *rows[1000:],
    ]
