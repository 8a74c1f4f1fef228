"""Songs as an evaluation needs them go out, and measures as the table ``evaluation``.

Frames of songs come in for the one, tuples for the other.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms.arrays import Indices, numbered, numbers
from transforms.families import folded
from warehouse.contracts import EVALUATION

Row = tuple[str, str, str, float, float | None, float | None, int]
# What most published projects compare, z-scored.
AUDIO = (
    *("danceability", "energy", "loudness", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo", "duration_ms"),
)


def evaluation_rows(measures: Iterable[Row]) -> pl.DataFrame:
    """Return the ``evaluation`` table, in the order of its key.

    Args:
        measures: metric, model, split, value, low, high and n of each.

    Raises:
        ContractError: a measure is not a number, or stands there twice.
    """
    frame = pl.DataFrame(list(measures), schema=EVALUATION.schema, orient="row")
    return EVALUATION.check(frame.sort(EVALUATION.key))


def credits(songs: pl.DataFrame) -> tuple[Indices, Indices]:
    """Say who is credited on each song, names compared without case and accents.

    Args:
        songs: ``artists``, a JSON array of one name at least.

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
    """Return a number from 0 up for each album of an artist, -1 where none is named.

    Args:
        songs: ``album`` and ``artist``.
    """
    named = pl.col("album").is_not_null() & (pl.col("album") != "")
    number = pl.struct("artist", "album").rank("dense").cast(pl.Int64) - 1
    return songs.select(pl.when(named).then(number).otherwise(-1)).to_series().to_numpy()
