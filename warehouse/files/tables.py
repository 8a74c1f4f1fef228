"""Read tables that are no text: a content comes in, slices of text columns go out.

Parquet is read a slice at a time; the others, which are never large, at once.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import polars as pl
import pyarrow.parquet as pq

from warehouse.files.content import Content
from warehouse.files.records import MALFORMED_SCHEMA, SURROGATE

PARQUET_ROWS = 50_000


def parquet_header(content: Content) -> tuple[str, ...]:
    """Return the names of a Parquet file's columns."""
    return tuple(pq.read_schema(content.path).names)


def parquet_count(content: Content) -> int:
    """Return how many rows a Parquet file has."""
    return int(pq.read_metadata(content.path).num_rows)


def parquet_slices(content: Content, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield some columns of a Parquet file as text, a bounded number of rows at a time.

    Arrow's own reader reports damage that takes the whole process down in Polars'.
    """
    wanted = list(dict.fromkeys(names))
    for part in pq.ParquetFile(content.path).iter_batches(PARQUET_ROWS, columns=wanted):
        part.validate(full=True)
        yield as_text(cast(pl.DataFrame, pl.from_arrow(part)))


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Write typed columns as the text that a file would hold; lists as Python writes them."""
    return frame.select(_text(name, dtype) for name, dtype in frame.schema.items())


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Boolean):
        return column.cast(pl.Int8).cast(pl.String)
    if isinstance(dtype, pl.Struct):
        return column.struct.json_encode()
    if not isinstance(dtype, pl.List):
        return column.cast(pl.String)
    escaped = pl.element().str.replace_all("\\", "\\\\", literal=True)
    for character, written in (("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")):
        escaped = escaped.str.replace_all(character, written, literal=True)
    names = column.cast(pl.List(pl.String)).list.drop_nulls().list.eval(escaped)
    return (
        pl.when(names.list.len() > 0).then(pl.format("['{}']", names.list.join("', '"))).alias(name)
    )


DEEPEST = 4  # levels of objects that are looked into for a table


def json_lines(content: Content) -> tuple[list[tuple[int, Any]], pl.DataFrame]:
    """Return the objects of a file that holds one a line, and the lines that hold none."""
    found, malformed = [], []
    text = content.plain().decode("utf-8-sig", "surrogateescape")
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        try:
            value = json.loads(written)
        except (ValueError, RecursionError) as error:
            malformed.append((line, f"is not JSON: {error}", SURROGATE.sub("\ufffd", written)))
            continue
        if isinstance(value, dict):
            found.append((line, value))
        else:
            malformed.append((line, "is not an object", SURROGATE.sub("\ufffd", written)))
    return found, pl.DataFrame(malformed, MALFORMED_SCHEMA, orient="row")


def objects(value: Any, depth: int = 0) -> list[tuple[int, Any]]:
    """Return the longest array of objects in a JSON value, with the place of each from 1."""
    if isinstance(value, list):
        rows = [(place, item) for place, item in enumerate(value, 1) if isinstance(item, dict)]
        return rows if len(rows) * 2 > len(value) else []
    if not isinstance(value, dict) or depth >= DEEPEST:
        return []
    arrays = [objects(part, depth + 1) for part in value.values()]
    if value and all(isinstance(part, dict) for part in value.values()) and len(value) > 1:
        arrays.append([*enumerate(value.values(), 1)])
    return max(arrays, key=len, default=[])


def object_rows(found: Sequence[tuple[int, Any]]) -> pl.DataFrame:
    """Lay objects out as text: ``line``, ``row`` and a column for each name, inner ones by a point.

    An array of objects that have names, such as artists, becomes the list of those names.
    """
    rows = []
    for line, value in found:
        cells = {k: v for k, v in _cells(value) if v is not None and k not in ("line", "row")}
        row = SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False))
        rows.append({"line": line, "row": row, **cells})
    names = dict.fromkeys(name for row in rows for name in row)
    schema = {"line": pl.Int64, "row": pl.String} | dict.fromkeys(
        (name for name in names if name not in ("line", "row")), pl.String
    )
    return pl.DataFrame(rows, schema=schema, orient="row")


def _cells(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str | None]]:
    for name, part in value.items():
        path = SURROGATE.sub("\ufffd", f"{before}{name}")
        if isinstance(part, dict):
            yield from _cells(part, f"{path}.")
        elif isinstance(part, list):
            yield path, _listed(part)
        elif isinstance(part, bool):
            yield path, str(int(part))
        elif part is not None:
            yield path, SURROGATE.sub("\ufffd", str(part))


def _listed(parts: Sequence[Any]) -> str | None:
    named = [part.get("name") if isinstance(part, dict) else part for part in parts]
    names = [SURROGATE.sub("\ufffd", str(part)) for part in named if isinstance(part, str | int)]
    return repr(names) if names else None
