"""From a pending warehouse to a published build: the tables come in, the manifest goes out."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flows.judging import measures as evaluating
from flows.nightly.plan import Plan, last_build
from flows.nightly.progress import Progress, peak_memory_mb
from models.lists import ARTIST_CAP
from transforms.arrays import sameness
from transforms.changes import churn
from warehouse import contracts, export, gates, release, store
from warehouse.choices import CHURN, read_choices, write_choices
from warehouse.errors import BuildWaits
from warehouse.identity import code_version
from warehouse.manifest import Manifest, file_facts, read_manifest, sha256, write_manifest


def write_build(plan: Plan, progress: Progress) -> None:
    """Write the SQLite file and, beside it, the Parquet files; the checks run on it later."""
    target = plan.build / export.FILE
    target.unlink(missing_ok=True)
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("written", unit="rows") as advance,
        ThreadPoolExecutor(max_workers=1) as beside,
    ):
        warehouse.replace(contracts.BUILDS, _history(plan, warehouse))
        twins = beside.submit(_write_twins, plan)
        export.bake(warehouse, target, advance)
        twins.result()


def _write_twins(plan: Plan) -> None:
    with store.opened(plan.home.pending_warehouse) as warehouse:
        tables = [table for table in contracts.TABLES if table is not contracts.CHECKS]
        export.write_twins(warehouse, plan.build, tables)


def _history(plan: Plan, warehouse: store.Warehouse) -> pl.DataFrame:
    """Return the earlier builds, then this one without times."""
    before = {m.build_id: _build_row(m) for m in release.builds(plan.home)}
    served = last_build(plan.home)
    known = _earlier(served / export.FILE) if served else {}
    rows = {k: row for k, row in {**known, **before}.items() if k != plan.build_id}
    now = (
        plan.build_id,
        None,
        None,
        warehouse.count(contracts.SONGS),
        warehouse.count(contracts.RECOMMENDATIONS),
        warehouse.count(contracts.REJECTED_ROWS),
        code_version(),
        json.dumps(plan.source_hashes, sort_keys=True, ensure_ascii=False),
        json.dumps(plan.parameters, sort_keys=True),
    )
    schema = contracts.BUILDS.schema
    return pl.DataFrame([*rows.values(), now], schema=schema, orient="row").sort(
        "published_at", "build_id", nulls_last=True
    )


def _build_row(manifest: Manifest) -> tuple[Any, ...]:
    counts = manifest.counts
    return (
        manifest.build_id,
        manifest.published_at,
        round(sum(manifest.seconds.values()), 3),
        counts["songs"],
        counts["recommendations"],
        counts["rejected"],
        manifest.code_version,
        json.dumps(manifest.sources, sort_keys=True, ensure_ascii=False),
        json.dumps(manifest.parameters, sort_keys=True),
    )


def _earlier(database: Path) -> dict[str, tuple[Any, ...]]:
    """Return the builds that a published file lists with times, including pruned ones."""
    return {row[0]: row for row in export.rows(database, contracts.BUILDS) if row[1] is not None}


def check_build(plan: Plan, progress: Progress) -> int:
    """Check the file against every rule, and write the outcome into it and the Parquet files.

    Returns:
        How many rules there are.

    Raises:
        BuildRejected: a rule is broken; the folder is left without a manifest, to be removed.
    """
    settings = plan.settings
    bounds = gates.Bounds(
        settings.neighbours,
        ARTIST_CAP,
        settings.max_variance_share,
        settings.row_count_tolerance,
    )
    last = _comparable(plan)
    with progress.stage("checked", unit="rules") as advance:
        checks = gates.checked(plan.build / export.FILE, bounds, sameness, last, advance)
        tolerance = settings.evaluation_tolerance
        served = last_build(plan.home)
        checks.append(evaluating.headline_check(plan.build, served, tolerance, plan.parameters))
        checks.append(evaluating.recall_check(plan.build, settings.engine, settings.min_recall))
        advance(2)
        gates.require_passed(checks)
        export.add_checks(plan.build / export.FILE, gates.as_frame(checks))
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("twinned", unit="tables") as advance,
    ):
        warehouse.replace(contracts.CHECKS, gates.as_frame(checks))
        export.write_twins(warehouse, plan.build, [contracts.CHECKS])
        export.describe_twins(plan.build)
        advance(len(contracts.TABLES))
    return len(checks)


def _comparable(plan: Plan) -> Path | None:
    """Return the file whose row counts those of the new build should be near, if there is one.

    The demo catalogue says nothing about a real one that replaces it.
    """
    served = last_build(plan.home)
    demo_file = plan.home.root / "demo" / "tracks.csv"
    if served is None:
        return None
    if plan.settings.tracks and demo_file.is_file():
        before = read_manifest(served).sources
        if sha256(demo_file) in before.values():
            return None
    return served / export.FILE


def publish_build(plan: Plan, progress: Progress) -> Manifest:
    """Write the manifest, put the warehouse in place and serve the build from now on.

    Raises:
        BuildWaits: more lists changed on the same sources than may; it is held, whole.
    """
    with progress.stage("published", unit="files") as advance:
        with store.opened(plan.home.pending_warehouse) as warehouse:
            share = churn(warehouse.frame(contracts.LIST_CHANGES))
            counts = {t.name: warehouse.count(t) for t in contracts.TABLES}
        manifest = _finished(plan, progress, counts)
        plan.home.pending_warehouse.replace(plan.home.warehouse)
        _require_little_churn(plan, share)
        release.promote(plan.home, plan.build.name)
        release.prune(plan.home, plan.settings.keep)
        advance(len(manifest.files) + 1)
    return manifest


def _finished(plan: Plan, progress: Progress, counts: dict[str, int]) -> Manifest:
    """Write the manifest, by which the build is complete, and return it."""
    manifest = Manifest(
        build_id=plan.build_id,
        name=plan.build.name,
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=code_version(),
        parameters=plan.parameters,
        sources=plan.source_hashes,
        counts={**counts, "rejected": counts["rejected_rows"]},
        seconds={stage: round(took, 3) for stage, took in progress.seconds.items()},
        peak_memory_mb=round(peak_memory_mb(), 1),
        files=file_facts(plan.build),
    )
    write_manifest(plan.build, manifest)
    return manifest


def _require_little_churn(plan: Plan, share: float) -> None:
    """Hold the build where the same sources lead to too many other lists."""
    served, bound = last_build(plan.home), plan.settings.max_churn
    if served is None or share <= bound:
        return
    if read_manifest(served).sources != plan.source_hashes:
        return
    reason = (
        f"{share:.1%} of the lists changed on the same sources, more than the {bound:.1%} that "
        "SEGUE_MAX_CHURN allows"
    )
    choices = read_choices(plan.home.root)
    held = choices.holding(plan.build_id, plan.build.name, CHURN, reason)
    write_choices(plan.home.root, held)
    raise BuildWaits(
        f"{plan.build.name} is whole and waits: {reason}. See: segue diff {served.name} "
        f"{plan.build.name}\nTo serve it: segue publish {plan.build.name}"
    )
