"""Read tables that are no text: a content comes in, slices of text columns go out.

Parquet is read a slice at a time; the others, which are never large, at once.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, cast

import duckdb
import polars as pl
import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

from warehouse.errors import InputError
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


SQLITE = b"SQLite format 3\0"
BOOK_ROWS = 10  # that may stand above a header in a workbook


def database(content: Content) -> pl.DataFrame:
    """Return a table of a SQLite or DuckDB file as text.

    Raises:
        InputError: there is no such table; names those that there are.
    """
    with content.path.open("rb") as file:
        lite = file.read(16) == SQLITE
    return _of_sqlite(content) if lite else _of_duckdb(content)


def _of_sqlite(content: Content) -> pl.DataFrame:
    address = f"file:{content.path.resolve()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as opened:
        listed = "select name from sqlite_master where type in ('table', 'view') order by name"
        _require_table(content, [name for (name,) in opened.execute(listed)])
        cursor = opened.execute(f"select * from {_quoted(content.part)}")
        names = [column[0] for column in cursor.description]
        rows = [[None if v is None else _plain(v) for v in row] for row in cursor]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _of_duckdb(content: Content) -> pl.DataFrame:
    with closing(duckdb.connect(str(content.path), read_only=True)) as opened:
        listed = opened.execute("select table_name from information_schema.tables order by 1")
        _require_table(content, [name for (name,) in listed.fetchall()])
        return as_text(cast(pl.DataFrame, opened.table(_quoted(content.part)).pl()))


def _require_table(content: Content, names: Sequence[str]) -> None:
    if content.part not in names:
        there = ", ".join(names) or "none"
        raise InputError(
            f"{content.path}: name the table that is meant, as {content.path}::TABLE. "
            f"Got {content.part!r}; there is: {there}."
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return SURROGATE.sub("\ufffd", text)


def workbook(content: Content) -> list[list[str]]:
    """Return the first sheet of a workbook that holds anything, as rows of text."""
    book = CalamineWorkbook.from_path(str(content.path))
    sheets = [content.part] if content.part else book.sheet_names
    for name in sheets:
        rows = [[_cell(v) for v in row] for row in book.get_sheet_by_name(name).to_python()]
        if any(any(row) for row in rows):
            return rows
    return []


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return SURROGATE.sub("\ufffd", str(value)).removesuffix(" 00:00:00")
