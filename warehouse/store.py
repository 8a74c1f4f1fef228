"""The DuckDB warehouse: frames that match their contract go in, frames come out.

It is made anew for each build in a pending file and moved into place with the build, so that an
interrupted run leaves the last warehouse as it was.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import duckdb
import polars as pl

from warehouse.contracts import INTERNAL, TABLES, Table
from warehouse.ddl import column_list, create_duckdb, quoted

SQL = Path(__file__).parent / "sql"
SLICE_ROWS = 100_000


class Warehouse:
    """One open DuckDB file; get it from ``created`` or ``opened``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def append(self, table: Table, frame: pl.DataFrame) -> int:
        """Check a frame against its contract and write it; return how many rows.

        Raises:
            ContractError: the frame breaks the contract; nothing of it is written.
        """
        table.check(frame)
        self._insert(table, frame)
        return frame.height

    def clear(self, table: Table, source: str | None = None) -> None:
        """Remove every row of a table, or those of one source."""
        if source is None:
            self._connection.execute(f"delete from {quoted(table.name)}")
        else:
            self._connection.execute(f"delete from {quoted(table.name)} where source = ?", [source])

    def replace(self, table: Table, frame: pl.DataFrame) -> int:
        """Write a frame in place of what the table holds; return how many rows.

        Raises:
            ContractError: the frame breaks the contract; the table keeps its rows.
        """
        table.check(frame)
        self.clear(table)
        self._insert(table, frame)
        return frame.height

    def query(self, name: str) -> pl.DataFrame:
        """Return the rows of ``sql/<name>.sql``."""
        return cast(pl.DataFrame, self._connection.sql(_sql(name)).pl())

    def count(self, table: Table) -> int:
        """Return how many rows a table holds."""
        found = self._connection.execute(f"select count(*) from {quoted(table.name)}").fetchone()
        return int(found[0]) if found else 0

    def frame(self, table: Table, columns: tuple[str, ...] = ()) -> pl.DataFrame:
        """Return a table, or some of its columns, ordered by its key."""
        return cast(pl.DataFrame, self._ordered(table, columns).pl())

    def slices(self, table: Table) -> Iterator[pl.DataFrame]:
        """Yield a table ordered by its key, a bounded number of rows at a time."""
        for batch in self._ordered(table).to_arrow_reader(SLICE_ROWS):
            yield cast(pl.DataFrame, pl.from_arrow(batch))

    def _ordered(self, table: Table, columns: tuple[str, ...] = ()) -> duckdb.DuckDBPyRelation:
        wanted = column_list(columns or tuple(table.schema))
        return self._connection.sql(
            f"select {wanted} from {quoted(table.name)} order by {column_list(table.key)}"
        )

    def _insert(self, table: Table, frame: pl.DataFrame) -> None:
        self._connection.register("incoming", frame)
        self._connection.execute(f"insert into {quoted(table.name)} select * from incoming")
        self._connection.unregister("incoming")


@contextmanager
def created(path: Path) -> Iterator[Warehouse]:
    """Open a new warehouse with every table empty; ``path`` must not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(_connected(path)) as connection:
        for table in (*TABLES, *INTERNAL):
            connection.execute(create_duckdb(table))
        yield Warehouse(connection)


@contextmanager
def opened(path: Path) -> Iterator[Warehouse]:
    """Open a warehouse that ``created`` made."""
    with closing(_connected(path)) as connection:
        yield Warehouse(connection)


def _sql(name: str) -> str:
    return (SQL / f"{name}.sql").read_text()


def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path))
    connection.execute("set enable_progress_bar = false")  # Segue shows its own
    return connection
