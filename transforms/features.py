"""Turn songs into the measurements that the encoder reads, into labels, and its recipe into rows.

What ``COMPARED`` does not name cannot reach the distance.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.contracts import COMPARED, FEATURES


def measurements(songs: pl.DataFrame) -> NDArray[np.float64]:
    """Return shape ``(n_songs, len(COMPARED))`` in the rows' order; what is unknown is NaN."""
    numbers = songs.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in COMPARED)
    return numbers.to_numpy(order="c")


def label() -> pl.Expr:
    """Return ``Title - Artist (Year)``, which tells two songs of one title apart."""
    year = pl.format(" ({})", "year").fill_null("")
    return pl.concat_str("title", pl.lit(" - "), "artist", year)


def recipe(rows: Mapping[str, list[str] | NDArray[np.float64]]) -> pl.DataFrame:
    """Lay out the encoder's recipe in the order of the ``features`` contract."""
    frame = pl.DataFrame(dict(rows)).select(FEATURES.schema.keys())
    return FEATURES.check(frame.sort("feature"))
