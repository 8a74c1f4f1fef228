"""Write each contract as DDL, in the dialect of the database that will hold it."""

import polars as pl

from warehouse.contracts import Column, DType, Table

DUCKDB: dict[DType, str] = {
    pl.String: "varchar",
    pl.Int64: "bigint",
    pl.Float64: "double",
    pl.Boolean: "boolean",
}
SQLITE: dict[DType, str] = {
    pl.String: "text",
    pl.Int64: "integer",
    pl.Float64: "real",
    pl.Boolean: "integer",
}


def quoted(name: str) -> str:
    """Return an identifier that is safe even where it is a key word, such as ``check``."""
    return '"' + name.replace('"', '""') + '"'


def column_list(names: tuple[str, ...]) -> str:
    """Return identifiers, quoted and separated by commas."""
    return ", ".join(quoted(name) for name in names)


def create_duckdb(table: Table) -> str:
    """Return ``create table`` for DuckDB: types and not-null alone, as frames are checked."""
    lines = [f"    {_column(column, DUCKDB)}" for column in table.columns]
    return f"create table {quoted(table.name)} (\n" + ",\n".join(lines) + "\n)"


def create_sqlite(table: Table) -> str:
    """Return ``create table`` for SQLite, with keys; the comments are the contract's words."""
    rules = [
        f"primary key ({column_list(table.key)})",
        *(f"unique ({column_list(group)})" for group in table.unique),
        *(_foreign_key(column) for column in table.columns if column.references),
    ]
    columns = [f"    {_column(c, SQLITE)},  -- {_comment(c)}" for c in table.columns]
    end = "" if table.rowid else " without rowid"
    body = "\n".join(columns) + "\n    " + ",\n    ".join(rules)
    return f"create table {quoted(table.name)} (\n{body}\n){end}"


def create_indexes(table: Table) -> list[str]:
    """Return one ``create index`` for each group of columns that readers look up by."""
    return [
        f"create index {quoted('_'.join((table.name, *group)))} "
        f"on {quoted(table.name)} ({column_list(group)})"
        for group in table.indexes
    ]


def _column(column: Column, types: dict[DType, str]) -> str:
    required = "" if column.nullable else " not null"
    return f"{quoted(column.name)} {types[column.dtype]}{required}"


def _comment(column: Column) -> str:
    return f"{column.about} [{column.unit}]" if column.unit else column.about


def _foreign_key(column: Column) -> str:
    table, key = column.references.split(".")
    return f"foreign key ({quoted(column.name)}) references {quoted(table)} ({quoted(key)})"
