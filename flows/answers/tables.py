"""What the published tables promise: a build comes in, tables, columns and examples go out."""

from dataclasses import dataclass
from pathlib import Path

import warehouse
from warehouse.contracts import (
    RECOMMENDATIONS,
    RECOMMENDED_SONGS,
    TABLES,
    VIEWS,
    Column,
    Table,
    View,
)
from warehouse.export import FILE
from warehouse.published import Published
from warehouse.site.describe import IN_WORDS

EXAMPLES = Path(warehouse.__file__).parent / "examples"
TOOLS = {"SQLite": "sqlite.sql", "DuckDB": "duckdb.sql", "Polars": "polars.py"}
QUESTIONS = {
    "open": "Open the file, read-only",
    "report": "What is recommended first, and why",
    "tastes": "From one taste to another",
    "genres": "Which genres lead furthest",
}


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """One column; ``references`` is the ``table.column`` that it points at, if it does."""

    name: str
    type: str
    unit: str
    nullable: bool
    allowed: str
    about: str
    references: str


@dataclass(frozen=True, slots=True)
class TableDescription:
    """One table or view.

    Args:
        kind: table or view.
        key: the columns that identify a row; none of a view.
        source: where the rows come from.
        parquet_bytes: size of its Parquet file; none of a view, which has no file.
    """

    name: str
    kind: str
    about: str
    key: list[str]
    source: str
    rows: int
    parquet_bytes: int | None
    columns: list[ColumnDescription]


@dataclass(frozen=True, slots=True)
class ExampleCode:
    """An example as one tool has it; the file lies in ``warehouse/examples``."""

    tool: str
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """A question that the tables answer, in each of ``TOOLS``; all give the same rows."""

    name: str
    question: str
    code: list[ExampleCode]


@dataclass(frozen=True, slots=True)
class PublishedTables:
    """What is published, and how to begin with it.

    Args:
        file: name of the SQLite file.
        file_bytes: its size.
    """

    file: str
    file_bytes: int
    tables: list[TableDescription]
    examples: list[Example]


def tables(build: Published) -> PublishedTables:
    """Return every table and view of the build with its columns, and examples to start from."""
    return build.once(_tables)


def _tables(build: Published) -> PublishedTables:
    held = [table for table in TABLES if table.name in build.manifest.counts]
    descriptions = [
        *(_description(build, table) for table in held),
        *(_description(build, view) for view in VIEWS),
    ]
    return PublishedTables(FILE, build.file.stat().st_size, descriptions, examples())


def examples() -> list[Example]:
    """Return the examples, as they stand in their files."""
    return [
        Example(
            name,
            question,
            [
                ExampleCode(
                    tool, f"{name}_{ending}", (EXAMPLES / f"{name}_{ending}").read_text("utf-8")
                )
                for tool, ending in TOOLS.items()
            ],
        )
        for name, question in QUESTIONS.items()
    ]


def _description(build: Published, item: Table | View) -> TableDescription:
    counts, files = build.manifest.counts, build.manifest.files
    counted = RECOMMENDATIONS.name if item is RECOMMENDED_SONGS else item.name
    twin = files.get(f"parquet/{item.name}.parquet")
    return TableDescription(
        item.name,
        "table" if isinstance(item, Table) else "view",
        item.about,
        list(item.key) if isinstance(item, Table) else [],
        item.source if isinstance(item, Table) else "",
        counts[counted],
        twin["bytes"] if twin else None,
        [_column(column) for column in item.columns],
    )


def _column(column: Column) -> ColumnDescription:
    return ColumnDescription(
        column.name,
        IN_WORDS[column.dtype],
        column.unit,
        column.nullable,
        column.bounds,
        column.about,
        column.references,
    )
