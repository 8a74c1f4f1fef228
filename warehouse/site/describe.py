"""Turn the contracts into Datasette's metadata, a data dictionary and a data package.

Contracts and the SQL files of the canned queries come in; text and plain objects go out.
Nothing here opens a database.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from warehouse.contracts import TABLES, VIEWS, Column, DType, Table, View

DATABASE = "segue"
QUERIES = Path(__file__).parents[1] / "sql" / "queries"


@cache
def query(name: str) -> str:
    """Return the SQL of ``warehouse/sql/queries/<name>.sql``."""
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class CannedQuery:
    """A ready-made query of the site, for which visitors need no SQL."""

    name: str
    title: str
    about: str
    parameters: tuple[str, ...] = ()


CANNED = (
    CannedQuery(
        "five_like",
        "Songs like this one",
        "The songs recommended for one song, nearest first. Give the song_id.",
        ("song_id",),
    ),
    CannedQuery(
        "search",
        "Search",
        "Songs that q may mean, by title, artist or both. Accents, word order and a few typos do "
        "not matter; 'songs about money' also finds other words for money.",
        ("q",),
    ),
    CannedQuery(
        "most_recommended",
        "Most recommended",
        "The hundred songs that are recommended most often.",
    ),
    CannedQuery(
        "same_years_and_genre",
        "Same years, same genre",
        "Songs that share a genre with one song and were released within two years of it, "
        "the most popular first. Give the song_id.",
        ("song_id",),
    ),
)

# How the site lays out a table, beyond what its contract says.
# SQLite keeps the text index in a table of its own, so Datasette must be told where it is.
LAYOUT: dict[str, dict[str, Any]] = {
    "songs": {
        "label_column": "label",
        "fts_table": "songs_fts",
        "fts_pk": "rowid",
        "sort_desc": "popularity",
        "size": 25,
        "facet_size": 12,
        "facets": [{"genre": "genre"}],
    },
    "families": {"sort_desc": "versions", "size": 50},
    "song_genres": {"facets": ["genre"], "facet_size": 24, "size": 50},
    "artist_genres": {"facets": ["genre"], "facet_size": 24, "size": 50},
    "unmatched_tracks": {"sort_desc": "entries", "size": 50},
    "artists": {"sort_desc": "songs", "size": 50},
    "genres": {"sort_desc": "songs", "size": 50},
    "tastes": {"sort_desc": "songs"},
    "recommendations": {"size": 50},
    "user_recommendations": {"size": 50},
    "rating_factors": {"sort_desc": "ratings", "size": 50},
    "features": {"sort_desc": "variance_share", "facets": ["block"]},
    "rejected_rows": {"facets": ["reason", "source"]},
    "checks": {"facets": ["passed"]},
    "builds": {"sort_desc": "published_at"},
    "recommended_songs": {"size": 50},
}


SONG_AS_JSON = """\
## One song as JSON

`/segue/songs/<song_id>/recommendations.json` returns one object: the song and what is recommended
for it, in order. Members may be added; none is renamed. The columns are those above. For an unknown
`song_id` the answer is 404 with `{"ok": false, "error": "...", "status": 404}`. In the address,
characters other than letters, digits, `_` and `-` are written as `~` and two hexadecimal digits for
each byte.

```json
{
  "song_id": "...", "title": "...", "artist": "...", "year": 1999,
  "recommendations": [
    {
      "rank": 1, "song_id": "...", "title": "...", "artist": "...", "year": 2001,
      "distance": 0.41, "similarity": 0.71, "reason": "..."
    }
  ]
}
```"""


def datasette_metadata() -> str:
    """Return ``datasette/metadata.yml``: what the site says about itself, each table and query."""
    metadata = {
        "title": "Segue",
        "description": "Look up a song, find what goes with it, and keep going.",
        "license": "The data keeps the licence of the catalogue that it was built from",
        "source": "The catalogue files listed in the table of sources",
        "source_url": f"/{DATABASE}/sources",
        "about": "Segue, free software under the MIT licence",
        "databases": {
            DATABASE: {
                "description": "Songs, what is recommended for each, and how that was made. "
                "Columns may be added; none is renamed.",
                "tables": {item.name: _table_metadata(item) for item in (*TABLES, *VIEWS)},
                "queries": {canned.name: _query_metadata(canned) for canned in CANNED},
            }
        },
    }
    return _NOTICE + yaml.dump(
        metadata, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )


def data_dictionary() -> str:
    """Return ``docs/data-dictionary.md``: every table, view and column in words."""
    parts = [
        "# Data dictionary",
        "Every table and view of the published SQLite file, `segue.db`. The Parquet files hold "
        "the same tables and columns. Columns may be added; none is renamed.",
        "This page is generated from `warehouse/contracts` by `uv run segue docs`.",
        "\n".join(f"- [{item.name}](#{item.name}): {item.about}" for item in (*TABLES, *VIEWS)),
        *(_chapter(item) for item in (*TABLES, *VIEWS)),
        SONG_AS_JSON,
    ]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class Twin:
    """One published table as a Parquet file.

    Args:
        path: relative to the folder that holds ``datapackage.json``, with forward slashes.
        size: bytes of the file.
    """

    table: Table
    path: str
    rows: int
    size: int
    sha256: str


def datapackage(twins: Iterable[Twin]) -> dict[str, Any]:
    """Return the Frictionless descriptor of the Parquet files of a build.

    It follows the Data Package standard, version 2 (https://datapackage.org/standard/).
    A foreign key is left out where the table that it references is not among ``twins``.
    """
    twins = list(twins)
    names = {twin.table.name for twin in twins}
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": DATABASE,
        "title": "Segue",
        "description": "Songs and what is recommended for each. The data keeps the licence of the "
        "catalogue that it was built from.",
        "resources": [_resource(twin, names) for twin in twins],
    }


GENERATED: dict[str, Callable[[], str]] = {
    "datasette/metadata.yml": datasette_metadata,
    "docs/data-dictionary.md": data_dictionary,
}

_NOTICE = "# Generated from warehouse/contracts and warehouse/sql/queries by `uv run segue docs`.\n"

_FRICTIONLESS: dict[DType, str] = {
    pl.String: "string",
    pl.Int64: "integer",
    pl.Float64: "number",
    pl.Boolean: "boolean",
}
IN_WORDS: dict[DType, str] = {
    pl.String: "text",
    pl.Int64: "integer",
    pl.Float64: "real",
    pl.Boolean: "0 or 1",
}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines, such as queries, as readable blocks."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent)


def _table_metadata(item: Table | View) -> dict[str, Any]:
    return {
        "description": item.about,
        **LAYOUT.get(item.name, {}),
        "columns": {column.name: _with_unit(column) for column in item.columns},
    }


def _query_metadata(canned: CannedQuery) -> dict[str, Any]:
    parameters = {"params": list(canned.parameters)} if canned.parameters else {}
    return {
        "title": canned.title,
        "description": canned.about,
        **parameters,
        "hide_sql": True,
        "sql": query(canned.name),
    }


def _with_unit(column: Column) -> str:
    return f"{column.about} [{column.unit}]" if column.unit else column.about


def _chapter(item: Table | View) -> str:
    lines = [f"## {item.name}", "", item.about, ""]
    if isinstance(item, Table):
        lines += [f"Key: {', '.join(f'`{name}`' for name in item.key)}. Source: {item.source}", ""]
    lines += ["| column | type | unit | null | allowed | meaning |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(_entry(column) for column in item.columns)])


def _entry(column: Column) -> str:
    about = column.about
    if column.references:
        about += f" References `{column.references}`."
    cells = (
        f"`{column.name}`",
        IN_WORDS[column.dtype],
        column.unit,
        "yes" if column.nullable else "",
        column.bounds,
        about,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _resource(twin: Twin, names: set[str]) -> dict[str, Any]:
    return {
        "name": twin.table.name,
        "description": twin.table.about,
        "path": twin.path,
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "bytes": twin.size,
        "hash": f"sha256:{twin.sha256}",
        "rows": twin.rows,
        "schema": _schema(twin.table, names),
    }


def _schema(table: Table, names: set[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "fields": [_field(column) for column in table.columns],
        "primaryKey": list(table.key),
    }
    if table.unique:
        schema["uniqueKeys"] = [list(group) for group in table.unique]
    keys = [_foreign_key(column) for column in table.columns if column.references]
    present = [key for key in keys if key["reference"]["resource"] in names]
    return schema | ({"foreignKeys": present} if present else {})


def _field(column: Column) -> dict[str, Any]:
    bounds = {"minimum": column.low, "maximum": column.high}
    constraints = {name: value for name, value in bounds.items() if value is not None}
    if not column.nullable:
        constraints["required"] = True
    return {
        "name": column.name,
        "type": _FRICTIONLESS[column.dtype],
        "description": _with_unit(column),
        **({"constraints": constraints} if constraints else {}),
    }


def _foreign_key(column: Column) -> dict[str, Any]:
    table, key = column.references.split(".")
    return {"fields": [column.name], "reference": {"resource": table, "fields": [key]}}
