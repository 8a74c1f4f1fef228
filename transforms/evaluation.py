"""Lay measures out as the table ``evaluation``: tuples come in, a frame goes out."""

from collections.abc import Iterable

import polars as pl

from warehouse.contracts import EVALUATION

Row = tuple[str, str, str, float, float | None, float | None, int]


def evaluation_rows(measures: Iterable[Row]) -> pl.DataFrame:
    """Return the ``evaluation`` table, in the order of its key.

    Args:
        measures: metric, model, split, value, low, high and n of each.

    Raises:
        ContractError: a measure is not a number, or stands there twice.
    """
    frame = pl.DataFrame(list(measures), schema=EVALUATION.schema, orient="row")
    return EVALUATION.check(frame.sort(EVALUATION.key))
