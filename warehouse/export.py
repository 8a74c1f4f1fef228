"""Write a warehouse out for readers: one SQLite file, Parquet twins and their description.

Equal rows give equal files, byte for byte: rows go in by key, and nothing of the clock goes in.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow.parquet as pq

from warehouse.contracts import CHECKS, TABLES, VIEWS, Table
from warehouse.ddl import column_list, create_indexes, create_sqlite, quoted
from warehouse.manifest import sha256
from warehouse.search.tables import write_search
from warehouse.site.describe import DATABASE, Twin, datapackage
from warehouse.store import SQL, Warehouse

Advance = Callable[[int], None]

FILE = f"{DATABASE}.db"  # in the folder of a build

CSV_ROWS = 20_000  # at a time
FORMULA = r"^[=+\-@\t\r]"  # what a spreadsheet takes a cell for that begins so

# The file is made in one go and flushed to disk by the manifest's writer; a run that is
# interrupted leaves nothing to recover, so SQLite need not keep a journal.
PRAGMAS = ("journal_mode = off", "synchronous = off", "locking_mode = exclusive")


def bake(warehouse: Warehouse, target: Path, advance: Advance) -> None:
    """Write every published table but ``checks``, the indexes, the search and the views.

    Raises:
        FileExistsError: ``target`` is already there; a build is written once.
    """
    if target.exists():
        raise FileExistsError(target)
    with closing(sqlite3.connect(target)) as database:
        for pragma in PRAGMAS:
            database.execute(f"pragma {pragma}")
        for table in TABLES:
            database.execute(create_sqlite(table))
        for table in TABLES:
            for frame in warehouse.slices(table) if table is not CHECKS else ():
                _insert(database, table, frame)
                advance(frame.height)
        for statement in [sql for table in TABLES for sql in create_indexes(table)]:
            database.execute(statement)
        write_search(database)
        for view in VIEWS:
            database.execute((SQL / "views" / f"{view.name}.sql").read_text())
        database.execute("analyze")
        database.commit()


def add_checks(target: Path, checks: pl.DataFrame) -> None:
    """Write the outcome of the checks into the file that they were run on."""
    with closing(sqlite3.connect(target)) as database:
        for pragma in PRAGMAS:
            database.execute(f"pragma {pragma}")
        database.execute(f"delete from {quoted(CHECKS.name)}")  # of a try before this one
        _insert(database, CHECKS, CHECKS.check(checks).sort(CHECKS.key))
        database.commit()


def write_twins(warehouse: Warehouse, folder: Path, tables: Iterable[Table]) -> None:
    """Write each table to ``folder/parquet/<table>.parquet``, in place of what is there."""
    parquet = folder / "parquet"
    parquet.mkdir(exist_ok=True)
    for table in tables:
        schema = pl.DataFrame(schema=table.schema).to_arrow().schema
        path = parquet / f"{table.name}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for frame in warehouse.slices(table):
                writer.write_table(frame.to_arrow().cast(schema))


def describe_twins(folder: Path) -> None:
    """Describe the Parquet twins in ``folder/datapackage.json``, a Frictionless Data Package."""
    twins = [_twin(folder, table) for table in TABLES]
    text = json.dumps(datapackage(twins), indent=2, ensure_ascii=False)
    (folder / "datapackage.json").write_text(text + "\n", encoding="utf-8")


def csv_of(twin: Path) -> Iterator[bytes]:
    """Yield a Parquet twin as CSV in UTF-8, a bounded number of rows at a time, header first.

    Text that a spreadsheet would take for a formula begins with an apostrophe (OWASP, "CSV
    Injection"); Parquet and SQLite hold it as it is.
    """
    with pq.ParquetFile(twin) as file:
        schema = pl.DataFrame(file.schema_arrow.empty_table())
        yield schema.write_csv().encode()
        for batch in file.iter_batches(CSV_ROWS):
            rows = cast(pl.DataFrame, pl.from_arrow(batch))
            safe = rows.with_columns(_no_formula(name) for name in _texts(rows))
            yield safe.write_csv(include_header=False).encode()


def _texts(rows: pl.DataFrame) -> list[str]:
    return [name for name, dtype in rows.schema.items() if dtype == pl.String]


def _no_formula(name: str) -> pl.Expr:
    text = pl.col(name)
    return pl.when(text.str.contains(FORMULA)).then(pl.lit("'") + text).otherwise(text).alias(name)


def opened(database: Path) -> sqlite3.Connection:
    """Open a published file to read; the caller closes it."""
    return sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def rows(database: Path, table: Table, columns: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every row of a table of a published file, or some of its columns."""
    with closing(opened(database)) as reader:
        wanted = column_list(columns or tuple(table.schema))
        return reader.execute(f"select {wanted} from {quoted(table.name)}").fetchall()


def frame(database: Path, table: Table, columns: tuple[str, ...] = ()) -> pl.DataFrame:
    """Return a table of a published file, or some of its columns, with the contract's types."""
    schema = {name: table[name].dtype for name in columns or table.schema}
    return pl.DataFrame(rows(database, table, columns), schema=schema, orient="row")


def _insert(database: sqlite3.Connection, table: Table, frame: pl.DataFrame) -> None:
    slots = ", ".join("?" * len(table.columns))
    database.executemany(f"insert into {quoted(table.name)} values ({slots})", frame.iter_rows())


def _twin(folder: Path, table: Table) -> Twin:
    path = folder / "parquet" / f"{table.name}.parquet"
    rows = pq.read_metadata(path).num_rows
    return Twin(table, f"parquet/{path.name}", rows, path.stat().st_size, sha256(path))
