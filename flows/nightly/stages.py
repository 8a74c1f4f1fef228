"""The steps of a refresh as plain functions: a plan comes in, a published build goes out.

The plan is all that the steps share; what they make lies on disk between them, in the pending
warehouse and in the build's folder, so that any of them can be tried again.
"""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flows.judging import measures as evaluating
from flows.nightly import overview as mapping
from flows.nightly import ratings as rating
from flows.nightly import recommend as recommending
from flows.nightly.plan import Plan, begin, last_build, stamp
from flows.nightly.progress import Progress, peak_memory_mb
from transforms import arrays as features
from transforms import families, matching, signals
from transforms import tracks as cleaning
from warehouse import contracts, export, gates, release, store
from warehouse.errors import InputError
from warehouse.files import sources
from warehouse.identity import code_version
from warehouse.manifest import Manifest, file_facts, read_manifest, sha256, write_manifest

logger = logging.getLogger(__name__)

COMMON_REASONS = 3
SIGNAL_READINGS = {
    "genres": contracts.ARTIST_READINGS,
    "playlists": contracts.PLAYLIST_READINGS,
    "ratings": contracts.RATING_READINGS,
}


def read_tracks(plan: Plan, progress: Progress) -> None:
    """Read and clean every file into a new warehouse.

    Raises:
        InputError: a file is damaged, holds no rows, or has too many bad ones.
    """
    release.clear_pending_warehouse(plan.home)
    oddities: Counter[str] = Counter()
    with store.created(plan.home.pending_warehouse) as warehouse:
        with progress.stage("read", unit="rows") as advance:
            for file, source in enumerate(plan.tracks):
                read = 0
                for batch in sources.batches(source):
                    oddities.update(_clean_into(warehouse, batch, source, file))
                    read += batch.records
                    advance(batch.records)
                row = (file, source.name, source.format.name, source.sha256, read)
                warehouse.append(contracts.FILES, _one_row(contracts.FILES, row))
        _require_unchanged(plan, plan.tracks)
        _require_usable(warehouse, contracts.FILES, plan.settings.max_rejected_share)
        warehouse.append(contracts.ODDITIES, cleaning.oddity_rows(oddities))


def _clean_into(
    warehouse: store.Warehouse, batch: sources.Batch, source: sources.Source, file: int
) -> dict[str, int]:
    clean = cleaning.cleaned(batch.rows, source.name, file, source.format.artists)
    warehouse.append(contracts.READINGS, clean.readings)
    warehouse.append(contracts.GENRE_READINGS, clean.genres)
    _reject(warehouse, clean.rejected, batch.malformed, source)
    return clean.oddities


def _reject(
    warehouse: store.Warehouse,
    rejected: pl.DataFrame,
    malformed: pl.DataFrame,
    source: sources.Source,
) -> None:
    both = pl.concat([rejected, malformed]).sort("line").with_columns(source=pl.lit(source.name))
    schema = contracts.REJECTED_ROWS.schema.keys()
    warehouse.append(contracts.REJECTED_ROWS, both.select(schema))


def _one_row(table: contracts.Table, row: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame([row], schema=table.schema, orient="row")


def _require_unchanged(plan: Plan, read: Sequence[sources.Source]) -> None:
    """Stop where a file was written to since it was hashed: rows and hash would not belong."""
    names = (source.name for source in plan.sources)
    before = dict(zip(names, plan.stamps, strict=True))
    changed = [str(source.path) for source in read if stamp(source.path) != before[source.name]]
    if changed:
        raise InputError(
            f"{', '.join(changed)}: changed while being read. Run again once it is complete."
        )


def _require_usable(
    warehouse: store.Warehouse, table: contracts.Table, max_rejected_share: float
) -> None:
    """Stop where a file of a table has no rows, or too many that could not be used."""
    files = warehouse.frame(table)
    empty = files.filter(pl.col("rows_read") == 0)["source"].to_list()
    if empty:
        raise InputError(f"{', '.join(empty)}: no rows below the header. Fetch it again.")
    rejected = warehouse.frame(contracts.REJECTED_ROWS)
    counts = files.join(
        rejected.group_by("source").len("rejected"), on="source", how="left"
    ).with_columns(pl.col("rejected").fill_null(0))
    over = counts.filter(pl.col("rejected") > max_rejected_share * pl.col("rows_read"))
    if over.height:
        raise InputError("\n".join(_too_many(row, rejected) for row in over.iter_rows(named=True)))


def _too_many(file: dict[str, Any], rejected: pl.DataFrame) -> str:
    reasons = rejected.filter(pl.col("source") == file["source"])["reason"]
    kinds = Counter(reasons.str.replace_all("'[^']*' ", ""))  # whatever the value was
    shown = [f"  {count:,} x {kind}" for kind, count in kinds.most_common(COMMON_REASONS)]
    share = file["rejected"] / file["rows_read"]
    head = (
        f"{file['source']}: {file['rejected']:,} of {file['rows_read']:,} rows ({share:.1%}) "
        "cannot be used, more than SEGUE_MAX_REJECTED_SHARE allows. Most often:"
    )
    return "\n".join([head, *shown, "Mend the file, or raise SEGUE_MAX_REJECTED_SHARE."])


def read_signals(plan: Plan, progress: Progress) -> None:
    """Read and clean the files of artist genres, playlists and ratings, if there are any.

    Raises:
        InputError: a file is damaged, holds no rows, or has too many bad ones.
    """
    if not plan.signals:
        return
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("gathered", unit="rows") as advance,
    ):
        for table in (*SIGNAL_READINGS.values(), contracts.SIGNAL_FILES):
            warehouse.clear(table)
        for file, source in enumerate(plan.signals):
            warehouse.clear(contracts.REJECTED_ROWS, source.name)  # of a try before this one
            read = passed_over = 0
            for batch in sources.batches(source):
                clean = _cleaned_signal(batch, source, file)
                warehouse.append(SIGNAL_READINGS[source.kind], clean.readings)
                _reject(warehouse, clean.rejected, batch.malformed, source)
                read += batch.records
                passed_over += clean.passed_over
                advance(batch.records)
            known = (file, source.name, source.kind, source.format.name, source.sha256, read)
            row = _one_row(contracts.SIGNAL_FILES, (*known, 0, 0, 0, passed_over))
            warehouse.append(contracts.SIGNAL_FILES, row)
        _require_unchanged(plan, plan.signals)
        _require_usable(warehouse, contracts.SIGNAL_FILES, plan.settings.max_rejected_share)


def _cleaned_signal(batch: sources.Batch, source: sources.Source, file: int) -> signals.Cleaned:
    if source.kind == "genres":
        return signals.cleaned_genres(batch.rows, source.name)
    if source.kind == "ratings":
        return signals.cleaned_ratings(batch.rows, source.name, file)
    return signals.cleaned_entries(batch.rows, source.name, source.stem)


def merge_songs(plan: Plan, progress: Progress) -> None:
    """Make one song of each id, find the versions and count where every row went."""
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("merged", unit="songs") as advance,
    ):
        merged = warehouse.query("merge_songs")
        # Which taste a song is of is known once it has a vector, and where it lies after that.
        nowhere = {"taste_id": pl.lit(""), "map_x": pl.lit(0.5), "map_y": pl.lit(0.5)}
        labelled = merged.with_columns(label=features.label(), **nowhere)
        songs = families.with_families(labelled).select(contracts.SONGS.schema.keys())
        _require_enough(songs.height, plan.settings.neighbours)
        advance(warehouse.replace(contracts.SONGS, songs))
        warehouse.replace(contracts.FAMILIES, families.families(songs))
        warehouse.replace(contracts.SONG_GENRES, warehouse.query("song_genres"))
        warehouse.replace(contracts.SOURCES, warehouse.query("sources"))


def match_signals(plan: Plan, progress: Progress) -> None:
    """Find the songs and artists that the signals mean, and count those that are not there.

    Raises:
        InputError: a file is of another catalogue: nothing of it is found.
    """
    if not plan.signals:
        return
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("matched", unit="rows") as advance,
    ):
        wanted = ("song_id", "title", "artist", "artists", "popularity")
        songs = warehouse.frame(contracts.SONGS, wanted)
        entries = matching.matched(warehouse.frame(contracts.PLAYLIST_READINGS), songs)
        rated = matching.matched(warehouse.frame(contracts.RATING_READINGS), songs)
        artists = matching.matched_artists(warehouse.frame(contracts.ARTIST_READINGS), songs)
        for tracks in (entries, rated):
            track = pl.coalesce(pl.format("'{}' by {}", "title", "artist"), "track_id")
            _require_found(tracks, track)
        _require_found(artists, pl.format("'{}'", "artist"))
        warehouse.replace(contracts.SIGNAL_FILES, _counted(warehouse, entries, rated, artists))
        learnt = matching.playlist_entries(entries, plan.settings.held_out_share)
        warehouse.replace(contracts.PLAYLIST_ENTRIES, learnt)
        warehouse.replace(contracts.RATINGS, matching.last_ratings(rated))
        warehouse.replace(contracts.UNMATCHED_TRACKS, matching.unmatched_tracks(entries, rated))
        warehouse.replace(contracts.ARTIST_GENRES, matching.artist_genres(artists))
        warehouse.replace(contracts.SOURCES, warehouse.query("sources"))
        advance(entries.height + rated.height + artists.height)


def _require_found(matches: pl.DataFrame, name: pl.Expr) -> None:
    """Stop where nothing of a file is in the catalogue, naming two things that it holds."""
    strange = matches.filter((pl.col("how") == "unmatched").all().over("source"))
    files = strange.group_by("source", maintain_order=True).agg(
        pl.len(), examples=name.unique(maintain_order=True).head(2)
    )
    if files.height:
        lines = [
            f"{source}: none of its {count:,} entries is in the catalogue, such as "
            f"{' and '.join(examples)}."
            for source, count, examples in files.iter_rows()
        ]
        advice = "Check that the file and the tracks belong together, or leave the file out."
        raise InputError("\n".join([*lines, advice]))


def _counted(warehouse: store.Warehouse, *matches: pl.DataFrame) -> pl.DataFrame:
    """Return the signal files with how many of their rows were found."""
    counts = matching.counts(pl.concat(match.select("source", "how") for match in matches))
    files = warehouse.frame(contracts.SIGNAL_FILES).drop(matching.COUNTS)
    counted = files.join(counts, on="source", how="left").sort("file")
    return counted.with_columns(pl.col(matching.COUNTS).fill_null(0)).select(
        contracts.SIGNAL_FILES.schema.keys()
    )


def _require_enough(songs: int, neighbours: int) -> None:
    if songs <= neighbours:
        raise InputError(
            f"{neighbours} recommendations for each song need {neighbours + 1} songs at least; "
            f"the catalogue has {songs}. Give more tracks, or fewer with --neighbours."
        )


def write_build(plan: Plan, progress: Progress) -> None:
    """Write the SQLite file and, beside it, the twins; the checks come later, being run on it."""
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
    """Return this build, without times, after the different ones before it."""
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
    """Return the builds that a published file names with their times, pruned ones among them."""
    return {row[0]: row for row in export.rows(database, contracts.BUILDS) if row[1] is not None}


def check_build(plan: Plan, progress: Progress) -> int:
    """Hold the file to every rule, write the outcome into it, and the Parquet twins beside it.

    Returns:
        How many rules hold.

    Raises:
        BuildRejected: a rule is broken; the folder is left without a manifest, to be removed.
    """
    settings = plan.settings
    bounds = gates.Bounds(
        settings.neighbours, settings.max_variance_share, settings.row_count_tolerance
    )
    last = _comparable(plan)
    with progress.stage("checked", unit="rules") as advance:
        checks = gates.checked(plan.build / export.FILE, bounds, last, advance)
        tolerance = settings.evaluation_tolerance
        served = last_build(plan.home)
        checks.append(evaluating.headline_check(plan.build, served, tolerance, plan.parameters))
        advance(1)
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

    The demo catalogue says nothing of a real one that takes its place.
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
    """Write the manifest, put the warehouse in place and serve the build from now on."""
    with progress.stage("published", unit="files") as advance:
        with store.opened(plan.home.pending_warehouse) as warehouse:
            counts = {t.name: warehouse.count(t) for t in contracts.TABLES}
        counts["rejected"] = counts["rejected_rows"]
        files = file_facts(plan.build)
        manifest = Manifest(
            build_id=plan.build_id,
            name=plan.build.name,
            published_at=datetime.now(UTC).isoformat(timespec="seconds"),
            code_version=code_version(),
            parameters=plan.parameters,
            sources=plan.source_hashes,
            counts=counts,
            seconds={stage: round(took, 3) for stage, took in progress.seconds.items()},
            peak_memory_mb=round(peak_memory_mb(), 1),
            files=files,
        )
        write_manifest(plan.build, manifest)
        plan.home.pending_warehouse.replace(plan.home.warehouse)
        release.promote(plan.home, plan.build.name)
        release.prune(plan.home, plan.settings.keep)
        advance(len(files) + 1)
    return manifest


def ingest(plan: Plan, progress: Progress) -> None:
    """Read the files into the warehouse, make songs of their rows and match the signals."""
    read_tracks(plan, progress)
    read_signals(plan, progress)
    merge_songs(plan, progress)
    match_signals(plan, progress)


def recommend(plan: Plan, progress: Progress) -> None:
    """Find what is recommended for every song and to everyone who rates, and sum it up."""
    recommending.find_recommendations(plan, progress)
    rating.fit_ratings(plan, progress)
    mapping.map_songs(plan, progress)


def publish(plan: Plan, progress: Progress) -> Manifest:
    """Write the build, check it, and serve it from now on."""
    write_build(plan, progress)
    check_build(plan, progress)
    return publish_build(plan, progress)


def refresh(plan: Plan, progress: Progress) -> Manifest:
    """Make and publish the planned build; the caller holds the lock."""
    begun = begin(plan)
    ingest(begun, progress)
    recommend(begun, progress)
    return publish(begun, progress)
