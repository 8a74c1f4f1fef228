"""Prepare songs for an evaluation, and its measures for the table ``evaluation``.

Frames of songs come in and arrays go out; tuples of measures come in and rows go out.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms.arrays import Indices, numbered, numbers
from transforms.families import folded
from warehouse.contracts import EVALUATION

Row = tuple[str, str, str, float, float | None, float | None, int]
# The features that most published projects compare, z-scored.
AUDIO = (
    *("danceability", "energy", "loudness", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo", "duration_ms"),
)


def evaluation_rows(measures: Iterable[Row]) -> pl.DataFrame:
    """Return the ``evaluation`` table, in the order of its key.

    Args:
        measures: metric, model, split, value, low, high and n of each.

    Raises:
        ContractError: a measure is not a number, or is given twice.
    """
    frame = pl.DataFrame(list(measures), schema=EVALUATION.schema, orient="row")
    return EVALUATION.check(frame.sort(EVALUATION.key))


def credits(songs: pl.DataFrame) -> tuple[Indices, Indices]:
    """Return who is credited on each song; names are compared without case and accents.

    Args:
        songs: ``artists``, a JSON array of at least one name.

    Returns:
        Shape ``(n_songs + 1,)``, where the credits of each song begin and those of the last one
        end; and the numbers of the credited artists, from 0 up.
    """
    named = songs.select(pl.col("artists").str.json_decode(pl.List(pl.String)))
    ends = named["artists"].list.len().cast(pl.Int64).cum_sum().to_numpy()
    names = named.explode("artists").select(folded(pl.col("artists")).str.strip_chars())
    return np.concatenate([[0], ends]), numbered(names.to_series())


def audio(songs: pl.DataFrame) -> NDArray[np.float64]:
    """Return shape ``(n_songs, len(AUDIO))``, NaN where unknown."""
    return numbers(songs, AUDIO)


def popularity(songs: pl.DataFrame) -> NDArray[np.float64]:
    """Return shape ``(n_songs,)``, NaN where unknown."""
    return numbers(songs, ("popularity",))[:, 0]


def albums(songs: pl.DataFrame) -> Indices:
    """Return a number from 0 up for each album of an artist, -1 if none is named.

    Args:
        songs: ``album`` and ``artist``.
    """
    named = pl.col("album").is_not_null() & (pl.col("album") != "")
    number = pl.struct("artist", "album").rank("dense").cast(pl.Int64) - 1
    return songs.select(pl.when(named).then(number).otherwise(-1)).to_series().to_numpy()
