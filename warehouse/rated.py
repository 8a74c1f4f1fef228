"""What ratings say of songs: a published file comes in, names and arrays for visitors go out."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from warehouse import export
from warehouse.contracts import FACTORS, RATING_FACTORS, RATING_PARAMETERS
from warehouse.errors import InputError
from warehouse.store import SQL

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NAMES = ("title", "artist", "year", "label", "family_id", "taste_id")


@dataclass(frozen=True)
class RatedSongs:
    """The songs of ``rating_factors``, in the order of their ids, and what goes with them.

    Args:
        songs: ``song_id``, ``title``, ``artist``, ``year`` and ``label``.
        families: shape ``(n_songs,)``, a number for each family.
        artists: shape ``(n_songs,)``, a number for each primary artist, whatever the case.
        tastes: shape ``(n_songs,)``, a number for each taste.
        mean: of all ratings.
        spread: shape ``(1 + FACTORS,)``, variance of people's vectors, bias first.
        bias: shape ``(n_songs,)``.
        vectors: shape ``(n_songs, FACTORS)``.
        noise: shape ``(n_songs,)``.
        ratings: shape ``(n_songs,)``, how many have rated each.
    """

    songs: pl.DataFrame
    families: Numbers
    artists: Numbers
    tastes: Numbers
    mean: float
    spread: Floats
    bias: Floats
    vectors: Floats
    noise: Floats
    ratings: Numbers


def rated_songs(file: Path) -> RatedSongs:
    """Read all that a visitor's ratings are answered with.

    Raises:
        InputError: the build was made without ratings.
    """
    with closing(export.opened(file)) as database:
        tables = {row[0] for row in database.execute("select name from sqlite_master")}
        rows = _rows(database) if RATING_FACTORS.name in tables else []
        found = export.rows(file, RATING_PARAMETERS) if rows else []
    if not rows:
        raise InputError(
            "The build knows no ratings. Build with some: segue build --ratings FILE, or without "
            "--tracks for the demo's."
        )
    known = dict(zip((*RATING_FACTORS.schema, *NAMES), zip(*rows, strict=True), strict=True))
    factors = [np.array(known[name]) for name in FACTOR_COLUMNS]
    parameters = dict(found)
    names = {name: known[name] for name in ("song_id", *NAMES)}
    songs = pl.DataFrame(names, schema_overrides={"year": pl.Int64})
    return RatedSongs(
        songs.drop("family_id", "taste_id"),
        _numbered(songs["family_id"]),
        _numbered(songs["artist"].str.to_lowercase()),
        _numbered(songs["taste_id"]),
        parameters["mean"],
        np.array([parameters[name] for name in SPREADS]),
        np.array(known["bias"]),
        np.ascontiguousarray(np.column_stack(factors)),
        np.array(known["noise"]),
        np.array(known["ratings"], dtype=np.int64),
    )


FACTOR_COLUMNS = tuple(f"factor_{number}" for number in range(1, FACTORS + 1))
SPREADS = tuple(f"spread of {part}" for part in ("bias", *FACTOR_COLUMNS))


def _rows(database: sqlite3.Connection) -> list[tuple[object, ...]]:
    return database.execute((SQL / "rated_songs.sql").read_text()).fetchall()


def _numbered(values: pl.Series) -> Numbers:
    return (values.rank("dense").cast(pl.Int64) - 1).to_numpy()
