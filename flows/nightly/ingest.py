"""From files to songs: a plan comes in, a pending warehouse with songs and signals goes out.

The plan is all that the steps share; what they make is on disk between them, in the pending
warehouse, so that any of them can be tried again.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from flows.nightly.plan import Plan, stamp
from flows.nightly.progress import Progress
from transforms import arrays as features
from transforms import families, matching, signals
from transforms import tracks as cleaning
from transforms.notation import Notation, in_words, judged
from warehouse import contracts, release, store
from warehouse.errors import InputError
from warehouse.files import sources

logger = logging.getLogger(__name__)


COMMON_REASONS = 3
LONGEST_REASON = 160
SAMPLE_ROWS = 20_000  # by which it is judged how a file writes its values


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
                read = passed_over = 0
                notation, batches = _judged(source)
                for batch in batches:
                    clean = cleaning.cleaned(batch.rows, source.name, file, notation)
                    _keep(warehouse, clean, batch, source)
                    oddities.update(clean.oddities)
                    read += batch.records
                    passed_over += clean.passed_over + batch.passed_over
                    advance(batch.records)
                _note_columns(warehouse, source, notation)
                row = (file, source.name, source.format, source.sha256, read, passed_over)
                warehouse.append(contracts.FILES, _one_row(contracts.FILES, row))
        _require_unchanged(plan, plan.tracks)
        _require_usable(plan, warehouse, contracts.FILES)
        warehouse.append(contracts.ODDITIES, cleaning.oddity_rows(oddities))


def _judged(source: sources.Source) -> tuple[Notation, Iterator[sources.Batch]]:
    """Judge how a file writes its values by its first records; return all of them, too."""
    batches = sources.batches(source)
    first: list[sources.Batch] = []
    for batch in batches:
        first.append(batch)
        if sum(one.rows.height for one in first) >= SAMPLE_ROWS:
            break
    if not first:
        return Notation(), batches
    sample = pl.concat(one.rows.head(SAMPLE_ROWS) for one in first)
    return judged(sample, source.names), chain(first, batches)


def _note_columns(warehouse: store.Warehouse, source: sources.Source, notation: Notation) -> None:
    """Write down, and log, what became of every column of a file."""
    words = in_words(notation, [*source.names]) if source.kind == "tracks" else {}
    rows = []
    for use in source.uses:
        how = "; ".join(part for part in (use.why, words.get(use.used_as, "")) if part)
        rows.append((source.name, use.position + 1, use.column, use.used_as or None, how))
    schema = contracts.SOURCE_COLUMNS.schema
    warehouse.append(contracts.SOURCE_COLUMNS, pl.DataFrame(rows, schema=schema, orient="row"))
    read = [f"{use.used_as} from {use.column!r}" for use in source.uses if use.used_as]
    over = [repr(use.column) for use in source.uses if not use.used_as]
    logger.info(
        "%s is read as %s (%s): %s; passed over: %s%s",
        *(source.name, source.kind, source.format, ", ".join(read) or "its entries"),
        *(", ".join(over) or "nothing", "".join(f"; {note}" for note in source.notes)),
    )


def _keep(
    warehouse: store.Warehouse,
    clean: cleaning.Cleaned,
    batch: sources.Batch,
    source: sources.Source,
) -> None:
    warehouse.append(contracts.READINGS, clean.readings)
    warehouse.append(contracts.GENRE_READINGS, clean.genres)
    _reject(warehouse, clean.rejected, batch.malformed, source)


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
    """Stop if a file was written to since it was hashed: its rows and hash would not match."""
    names = (source.name for source in plan.sources)
    before = dict(zip(names, plan.stamps, strict=True))
    changed = [str(source.path) for source in read if stamp(source.path) != before[source.name]]
    if changed:
        raise InputError(
            f"{', '.join(changed)}: changed while being read. Run again once it is complete."
        )


def _require_usable(plan: Plan, warehouse: store.Warehouse, table: contracts.Table) -> None:
    """Stop if a file has no rows, or too many that could not be used."""
    files = warehouse.frame(table)
    empty = files.filter(pl.col("rows_read") == 0)["source"].to_list()
    if empty:
        raise InputError(
            f"{', '.join(empty)}: there are no rows below the header. Get the file again."
        )
    rejected = warehouse.frame(contracts.REJECTED_ROWS)
    counts = files.join(
        rejected.group_by("source").len("rejected"), on="source", how="left"
    ).with_columns(pl.col("rejected").fill_null(0))
    over = counts.filter(
        pl.col("rejected") > plan.settings.max_rejected_share * pl.col("rows_read")
    )
    if over.height:
        kept = _kept_rejects(plan.home, rejected, over["source"].to_list())
        lines = [_too_many(row, rejected) for row in over.iter_rows(named=True)]
        advice = (
            f"Every rejected row is in {kept}. Mend the file, say which column is meant with "
            "--map (segue inspect shows what is read as what), or raise SEGUE_MAX_REJECTED_SHARE."
        )
        raise InputError("\n".join([*lines, advice]))


def _kept_rejects(home: release.Home, rejected: pl.DataFrame, names: list[str]) -> Path:
    """Write the rejected rows of files where they can be read although nothing is published."""
    path = home.root / "rejected.csv"
    rejected.filter(pl.col("source").is_in(names)).write_csv(path)
    return path


def _too_many(file: dict[str, Any], rejected: pl.DataFrame) -> str:
    rows = rejected.filter(pl.col("source") == file["source"]).with_columns(
        kind=pl.col("reason").str.replace_all("'[^']*' ", "")  # whatever the value was
    )
    kinds = rows.group_by("kind", maintain_order=True).agg(pl.len(), pl.first("line", "reason"))
    commonest = kinds.sort("len", descending=True, maintain_order=True).head(COMMON_REASONS)
    shown = [
        f"  {count:,} x {kind}; first in line {line}: {reason[:LONGEST_REASON]}"
        for kind, count, line, reason in commonest.iter_rows()
    ]
    share = file["rejected"] / file["rows_read"]
    head = (
        f"{file['source']}: {file['rejected']:,} of {file['rows_read']:,} rows ({share:.1%}) "
        "cannot be used, more than SEGUE_MAX_REJECTED_SHARE allows. Most common reasons:"
    )
    return "\n".join([head, *shown])


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
            for table in (contracts.REJECTED_ROWS, contracts.SOURCE_COLUMNS):
                warehouse.clear(table, source.name)  # of a try before this one
            read = passed_over = 0
            for batch in sources.batches(source):
                clean = _cleaned_signal(batch, source, file)
                warehouse.append(SIGNAL_READINGS[source.kind], clean.readings)
                _reject(warehouse, clean.rejected, batch.malformed, source)
                read += batch.records
                passed_over += clean.passed_over + batch.passed_over
                advance(batch.records)
            _note_columns(warehouse, source, Notation())
            known = (file, source.name, source.kind, source.format, source.sha256, read)
            row = _one_row(contracts.SIGNAL_FILES, (*known, 0, 0, 0, passed_over))
            warehouse.append(contracts.SIGNAL_FILES, row)
        _require_unchanged(plan, plan.signals)
        _require_usable(plan, warehouse, contracts.SIGNAL_FILES)


def _cleaned_signal(batch: sources.Batch, source: sources.Source, file: int) -> signals.Cleaned:
    if source.kind == "genres":
        return signals.cleaned_genres(batch.rows, source.name)
    if source.kind == "ratings":
        return signals.cleaned_ratings(batch.rows, source.name, file)
    return signals.cleaned_entries(batch.rows, source.name, source.stem)


def merge_songs(plan: Plan, progress: Progress) -> None:
    """Merge readings into one song per id, find the versions and count where every row went."""
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("merged", unit="songs") as advance,
    ):
        merged = warehouse.query("merge_songs")
        labelled = merged.with_columns(label=features.label())
        songs = families.with_families(labelled).select(contracts.MERGED_SONGS.schema.keys())
        _require_enough(songs.height, plan.settings.neighbours)
        advance(warehouse.replace(contracts.MERGED_SONGS, songs))
        warehouse.replace(contracts.FAMILIES, families.families(songs))
        warehouse.replace(contracts.SONG_GENRES, warehouse.query("song_genres"))
        warehouse.replace(contracts.SOURCES, _sources(plan, warehouse))


def _sources(plan: Plan, warehouse: store.Warehouse) -> pl.DataFrame:
    """Return where every row went, and where the files are from that were fetched."""
    known = [(n, o.licence, o.url, o.fetched_at) for n, o in plan.origins.items()]
    counted = warehouse.query("sources")
    facts = ("licence", "url", "fetched_at")
    origins = pl.DataFrame(known, ["source", *facts], orient="row") if known else None
    if origins is None:
        return counted
    return counted.drop(facts).join(origins, on="source", how="left", maintain_order="left")


def match_signals(plan: Plan, progress: Progress) -> None:
    """Find the songs and artists that the signals refer to, and count those that are missing.

    Raises:
        InputError: a file belongs to another catalogue: nothing in it is found.
    """
    if not plan.signals:
        return
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("matched", unit="rows") as advance,
    ):
        wanted = ("song_id", "title", "artist", "artists", "popularity")
        songs = warehouse.frame(contracts.MERGED_SONGS, wanted)
        entries = matching.matched(warehouse.frame(contracts.PLAYLIST_READINGS), songs)
        rated = matching.matched(warehouse.frame(contracts.RATING_READINGS), songs)
        artists = matching.matched_artists(warehouse.frame(contracts.ARTIST_READINGS), songs)
        for tracks in (entries, rated):
            track = pl.coalesce(pl.format("'{}' by {}", "title", "artist"), "track_id")
            _require_found(plan, tracks, track)
        _require_found(plan, artists, pl.format("'{}'", "artist"))
        warehouse.replace(contracts.SIGNAL_FILES, _counted(warehouse, entries, rated, artists))
        learnt = matching.playlist_entries(entries, plan.settings.held_out_share)
        warehouse.replace(contracts.PLAYLIST_ENTRIES, learnt)
        warehouse.replace(contracts.RATINGS, matching.last_ratings(rated))
        warehouse.replace(contracts.UNMATCHED_TRACKS, matching.unmatched_tracks(entries, rated))
        warehouse.replace(contracts.ARTIST_GENRES, matching.artist_genres(artists))
        warehouse.replace(contracts.SOURCES, _sources(plan, warehouse))
        advance(entries.height + rated.height + artists.height)


def _require_found(plan: Plan, matches: pl.DataFrame, name: pl.Expr) -> None:
    """Stop if nothing in a file is in the catalogue, naming two examples.

    Fetched files may well be about other music: that is reported, but does not stop a build.
    """
    strange = matches.filter((pl.col("how") == "unmatched").all().over("source"))
    files = strange.group_by("source", maintain_order=True).agg(
        pl.len(), examples=name.unique(maintain_order=True).head(2)
    )
    lines = {
        source: f"{source}: none of its {count:,} entries is in the catalogue, such as "
        f"{' and '.join(examples)}."
        for source, count, examples in files.iter_rows()
    }
    for source in lines.keys() & plan.origins.keys():
        logger.warning("%s", lines.pop(source))
    if lines:
        advice = "Check that the file and the tracks belong together, or leave the file out."
        raise InputError("\n".join([*lines.values(), advice]))


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
            f"{neighbours} recommendations for each song need at least {neighbours + 1} songs; "
            f"the catalogue has {songs}. Give more tracks, or ask for fewer with --neighbours."
        )
