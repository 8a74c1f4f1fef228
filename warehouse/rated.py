"""What ratings say of songs: a published build comes in, names and arrays for visitors go out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from warehouse.contracts import FACTORS, RATING_FACTORS, RATING_PARAMETERS, SONGS

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SHOWN = ("title", "artist", "year", "key", "mode", "label")
NAMES = (*SHOWN, "family_id", "taste_id")


@dataclass(frozen=True)
class RatedSongs:
    """The songs of ``rating_factors``, in the order of their ids, and what goes with them.

    Args:
        songs: ``song_id`` and ``SHOWN``.
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


def rated_songs(build: Path) -> RatedSongs:
    """Read all that a visitor's ratings are answered with, from the Parquet twins of a build.

    Args:
        build: folder of a build that was made with ratings.
    """
    parquet = build / "parquet"
    factors, parameters = (
        pl.read_parquet(parquet / f"{table.name}.parquet")
        for table in (RATING_FACTORS, RATING_PARAMETERS)
    )
    wanted = ["song_id", *NAMES]
    named = pl.read_parquet(parquet / f"{SONGS.name}.parquet", columns=wanted)
    known = factors.join(named, on="song_id").sort("song_id")
    values = dict(parameters.select("parameter", "value").iter_rows())
    return RatedSongs(
        known.select("song_id", *SHOWN),
        _numbered(known["family_id"]),
        _numbered(known["artist"].str.to_lowercase()),
        _numbered(known["taste_id"]),
        values["mean"],
        np.array([values[name] for name in SPREADS]),
        known["bias"].to_numpy(),
        known.select(FACTOR_COLUMNS).to_numpy(order="c"),
        known["noise"].to_numpy(),
        known["ratings"].to_numpy(),
    )


FACTOR_COLUMNS = tuple(f"factor_{number}" for number in range(1, FACTORS + 1))
SPREADS = tuple(f"spread of {part}" for part in ("bias", *FACTOR_COLUMNS))


def _numbered(values: pl.Series) -> Numbers:
    return (values.rank("dense").cast(pl.Int64) - 1).to_numpy()
