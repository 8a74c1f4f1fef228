"""What changed since the build that is served: two builds come in, two tables go out."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from flows.nightly.plan import Plan, last_build
from flows.nightly.progress import Progress
from transforms import changes
from transforms.changes import LIST_COLUMNS, SONG_COLUMNS, State
from warehouse import contracts, export, store
from warehouse.contracts import CHANGES, LIST_CHANGES
from warehouse.identity import code_version
from warehouse.manifest import read_manifest

SAME_AGAIN = (CHANGES, LIST_CHANGES)


def find_changes(plan: Plan, progress: Progress) -> None:
    """Compare what is about to be published with what is served.

    Made anew from the same, a build says what it said before, so that its bytes stay.
    """
    served = last_build(plan.home)
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("compared", unit="changes") as advance,
    ):
        if served and read_manifest(served).build_id == plan.build_id:
            tables = {table: export.frame(served / export.FILE, table) for table in SAME_AGAIN}
        else:
            tables = compared(state_of(served) if served else None, _planned(plan, warehouse))
        for table, frame in tables.items():
            advance(warehouse.replace(table, frame))


def compared(before: State | None, after: State) -> dict[contracts.Table, pl.DataFrame]:
    """Return both tables; a first build came from nothing, which is one row."""
    if before is None:
        facts = {"build": after.facts["build"]}
        nothing = State(after.songs.clear(), after.lists.clear(), {})
        first = State(nothing.songs, nothing.lists, facts)
        return compared(nothing, first)
    return {
        CHANGES: changes.changes(before, after),
        LIST_CHANGES: changes.list_changes(before, after),
    }


def state_of(build: Path) -> State:
    """Return what a published build is, from its Parquet twins, which are read in a moment."""
    manifest = read_manifest(build)
    evaluation = pl.read_parquet(_twin(build, contracts.EVALUATION.name))
    with closing(export.opened(build / export.FILE)) as database:
        columns = {
            table: tuple(row[1] for row in database.execute(f"pragma table_info({table})"))
            for table in sorted(path.stem for path in (build / "parquet").glob("*.parquet"))
        }
    return State(
        pl.read_parquet(_twin(build, contracts.SONGS.name), columns=list(SONG_COLUMNS)),
        pl.read_parquet(_twin(build, contracts.RECOMMENDATIONS.name), columns=list(LIST_COLUMNS)),
        _facts(manifest.build_id, manifest.code_version, manifest.parameters, manifest.sources)
        | _of_tables(columns)
        | {"evaluation": _measures(evaluation)},
    )


def _planned(plan: Plan, warehouse: store.Warehouse) -> State:
    columns = {table.name: tuple(table.schema) for table in contracts.TABLES}
    return State(
        warehouse.frame(contracts.SONGS, SONG_COLUMNS),
        warehouse.frame(contracts.RECOMMENDATIONS, LIST_COLUMNS),
        _facts(plan.build_id, code_version(), plan.parameters, plan.source_hashes)
        | _of_tables(columns)
        | {"evaluation": _measures(warehouse.frame(contracts.EVALUATION))},
    )


def _twin(build: Path, table: str) -> Path:
    return build / "parquet" / f"{table}.parquet"


def _facts(
    build_id: str, code: str, parameters: Mapping[str, Any], sources: Mapping[str, str]
) -> dict[str, Mapping[str, str]]:
    return {
        "build": {"build_id": build_id},
        "code": {"code_version": code},
        "setting": {name: json.dumps(value) for name, value in parameters.items()},
        "source": sources,
    }


def _of_tables(columns: Mapping[str, tuple[str, ...]]) -> dict[str, Mapping[str, str]]:
    return {
        "table": dict.fromkeys(columns, ""),
        "column": {f"{table}.{name}": "" for table, names in columns.items() for name in names},
    }


def _measures(evaluation: pl.DataFrame) -> dict[str, str]:
    rows = evaluation.select("metric", "model", "split", "value").iter_rows()
    return {f"{metric}, {model}, {split}": f"{value:.6g}" for metric, model, split, value in rows}


def in_words(tables: Mapping[contracts.Table, pl.DataFrame], examples: int = 5) -> list[str]:
    """Return lines for a terminal: each kind of change, how often, and the best known examples."""
    found, lists = tables[CHANGES], tables[LIST_CHANGES]
    lines = []
    for (change,), rows in found.group_by("change", maintain_order=True):
        lines.append(f"{change}: {rows.height:,}")
        shown = rows.sort("popularity", descending=True, nulls_last=True, maintain_order=True)
        lines += [f"  {_in_words(row)}" for row in shown.head(examples).iter_rows(named=True)]
    if lists.height:
        lines.append(f"lists that changed: {changes.churn(lists):.1%} of those in both builds")
    for popularity, overlap, count in lists.iter_rows():
        lines.append(f"  {popularity:<9} {overlap} of 5 shared: {count:,}")
    return lines


def _in_words(row: Mapping[str, Any]) -> str:
    if row["overlap"] is not None:
        return f"{row['label']}: {row['overlap']} of 5 shared"
    before, after = row["before"], row["after"]
    if not before and not after:
        return str(row["label"])
    return f"{row['label']}: {before or 'nothing'} -> {after or 'nothing'}"
