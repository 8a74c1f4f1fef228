"""See what a build would read of a file: a path comes in, columns, rows and advice go out.

The first ``ROWS`` records are read and cleaned as a build does it; nothing is written.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from transforms import signals, tracks
from transforms.notation import MARKS, NAME_MARKS, Notation, in_words, judged
from warehouse.errors import InputError
from warehouse.files import sources
from warehouse.files.columns import Use
from warehouse.files.content import Content
from warehouse.files.sources import Batch, Kind, Source
from warehouse.files.vocabulary import meanings

ROWS = 10_000
BLOCK_BYTES = 2**20
SHOWN = 3
COMMON = 5
NARROW = 60
KINDS: tuple[Kind, ...] = ("tracks", "playlists", "genres", "ratings")
# Of these alone a file is a list of songs; with more it is a catalogue.
LISTED = {"song_id", "title", "artists"}
ROW = ("song_id", "title", "artists", "album", "year", "duration_ms", "energy", "key", "tempo")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file; ``missing`` and ``odd`` count the records read."""

    name: str
    used_as: str
    how: str
    missing: int
    odd: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a build would read of a file.

    Args:
        source: the file as it was recognised.
        records: how many were read.
        whole: whether that is all of them.
        columns: in the order of the file; none of an export that has no columns.
        rows: the first usable records as they will be.
        rejected: the commonest reasons, with a line each.
        passed_over: records that are no songs.
        advice: what could be mended.
    """

    source: Source
    records: int
    whole: bool
    columns: list[Column]
    rows: list[dict[str, object]]
    rejected: list[tuple[str, int, int]]
    passed_over: int
    advice: list[str]


def inspected(path: Path, kind: str | None, chosen: Mapping[str, str]) -> Inspection:
    """Read the beginning of a file as a build would.

    Args:
        path: the file.
        kind: what it would be given as; guessed where it is None.
        chosen: Segue's column to the file's, where somebody has said so.

    Raises:
        InputError: it cannot be read, or there is no such kind.
    """
    source = _source(path, kind, chosen)
    batches, whole = _first(source)
    rows = pl.concat((batch.rows for batch in batches), how="diagonal_relaxed")
    malformed = pl.concat(batch.malformed for batch in batches)
    notation = judged(rows.head(ROWS), source.names) if source.kind == "tracks" else Notation()
    readings, rejected, passed_over, odd = _cleaned(source, rows, notation)
    reasons = pl.concat([rejected, malformed.select(rejected.columns)]).sort("line")
    return Inspection(
        source=source,
        records=rows.height + malformed.height,
        whole=whole,
        columns=_columns(source, rows, notation, reasons),
        rows=readings.head(SHOWN).to_dicts(),
        rejected=_commonest(reasons),
        passed_over=passed_over + sum(batch.passed_over for batch in batches),
        advice=_advice(source, readings, odd),
    )


def _source(path: Path, kind: str | None, chosen: Mapping[str, str]) -> Source:
    if kind is not None and kind not in KINDS:
        raise InputError(f"Expected --as tracks, genres, playlists or ratings, got {kind!r}.")
    refusals: list[InputError] = []
    found: dict[str, Source] = {}
    for one in [name for name in KINDS if kind in (None, name)]:
        try:
            found[one] = sources.recognised(Content.at(path), one, path.name, chosen)
        except InputError as error:
            refusals.append(error)
        if kind is None and _is_catalogue(found):
            break
    if not found:
        raise refusals[0]
    return found[_guess(found)]


def _is_catalogue(found: Mapping[str, Source]) -> bool:
    """Whether a file has columns that only songs of a catalogue have, and nobody who rates."""
    if "tracks" not in found:
        return False
    unused = [use.column for use in found["tracks"].uses if not use.used_as]
    rated = {ours for name in unused for _, ours in meanings(name, "ratings")}
    return bool(set(found["tracks"].names) - LISTED) and not {"user", "rating"} <= rated


def _guess(found: Mapping[str, Source]) -> str:
    """Return what a file most likely is among what it can be read as."""
    if "ratings" in found:
        return "ratings"
    if "tracks" in found and (_is_catalogue(found) or "playlists" not in found):
        return "tracks"
    return "playlists" if "playlists" in found else "genres"


def _first(source: Source) -> tuple[list[Batch], bool]:
    """Return the batches that hold the first records, and whether they are all."""
    found: list[Batch] = []
    for batch in sources.batches(replace(source, block_bytes=BLOCK_BYTES)):
        found.append(batch)
        if sum(one.records for one in found) >= ROWS:
            return found, False
    return found, True


def _cleaned(
    source: Source, rows: pl.DataFrame, notation: Notation
) -> tuple[pl.DataFrame, pl.DataFrame, int, dict[str, int]]:
    """Return readings, rejected rows, how many are passed over, and what is odd."""
    if source.kind == "tracks":
        clean = tracks.cleaned(rows, source.name, 0, notation)
        shown = [name for name in ROW if clean.readings[name].count()]
        return clean.readings.select(shown), clean.rejected, clean.passed_over, clean.oddities
    if source.kind == "genres":
        signal = signals.cleaned_genres(rows, source.name)
    elif source.kind == "ratings":
        signal = signals.cleaned_ratings(rows, source.name, 0)
    else:
        signal = signals.cleaned_entries(rows, source.name, source.stem)
    return signal.readings.drop("source", "line"), signal.rejected, signal.passed_over, {}


def _columns(
    source: Source, rows: pl.DataFrame, notation: Notation, reasons: pl.DataFrame
) -> list[Column]:
    words = in_words(notation, [*source.names]) if source.kind == "tracks" else {}
    return [_column(use, rows, words.get(use.used_as, ""), reasons) for use in source.uses]


def _column(use: Use, rows: pl.DataFrame, words: str, reasons: pl.DataFrame) -> Column:
    how = "; ".join(part for part in (use.why, words) if part)
    if not use.used_as or use.used_as not in rows.columns:
        return Column(use.column, use.used_as, how, 0, 0)
    values = rows[use.used_as]
    missing = values.null_count() + int(
        values.is_in(NAME_MARKS if use.used_as in LISTED else MARKS).sum()
    )
    odd = int(reasons["reason"].str.contains(rf"(?:^|; ){use.used_as} '").sum())
    return Column(use.column, use.used_as, how, missing, odd)


def _commonest(reasons: pl.DataFrame) -> list[tuple[str, int, int]]:
    """Return the commonest reasons, how many rows each has, and the first line."""
    lines: dict[str, int] = {}
    for line, reason in reasons.select("line", "reason").iter_rows():
        lines.setdefault(reason, line)
    common = Counter(reasons["reason"].to_list()).most_common(COMMON)
    return [(reason, count, lines[reason]) for reason, count in common]


def _advice(source: Source, readings: pl.DataFrame, odd: Mapping[str, int]) -> list[str]:
    advice = [*source.notes]
    names = source.names
    unused = [use for use in source.uses if not use.used_as and use.column.strip()]
    if source.kind == "tracks":
        if "song_id" not in names:
            advice.append("no ids: they are made of artist and title, the same every night")
        lacking = [name for name in ("year", "genres", "energy") if name not in names]
        if "release_date" in names and "year" in lacking:
            lacking.remove("year")
        if lacking and unused:
            example = f'--map {lacking[0]}="{unused[0].column}"'
            advice.append(f"without {', '.join(lacking)}: if a column holds it, say so: {example}")
    rules = [(name.replace("_", " "), count) for name, count in odd.items() if count]
    advice += [f"{name}: {count:,} of the rows" for name, count in rules]
    if not readings.height:
        advice.append("no record is usable: a build would stop")
    return advice


def described(found: Inspection) -> str:
    """Return an inspection in words, for a terminal."""
    source = found.source
    of = "all" if found.whole else "the first"
    lines = [
        f"{source.path}: {source.format}, read as {source.kind}; {of} {found.records:,} records",
        "",
        *_table_of_columns(found.columns),
    ]
    over = [column.name or "(no name)" for column in found.columns if not column.used_as]
    lines += ["", f"Passed over: {', '.join(over) or 'no column'}"]
    lines += [f"Not songs: {found.passed_over:,} records"] if found.passed_over else []
    lines += ["", "First rows as they will be:"]
    lines += [f"  {json.dumps(row, ensure_ascii=False, default=str)}" for row in found.rows]
    if found.rejected:
        lines += ["", "Rejected:"]
        lines += [f"  {n:,} x {reason} (first: line {line})" for reason, n, line in found.rejected]
    if found.advice:
        lines += ["", "To know:", *(f"  {words}" for words in found.advice)]
    return "\n".join(lines) + "\n"


def _table_of_columns(columns: Sequence[Column]) -> list[str]:
    if not columns:
        return ["It has no columns: every entry is read by its shape."]
    head = ("column", "read as", "missing", "odd", "how")
    rows = [
        (
            column.name[:NARROW] or "(no name)",
            column.used_as or "-",
            f"{column.missing:,}" if column.used_as else "",
            f"{column.odd:,}" if column.used_as else "",
            column.how,
        )
        for column in columns
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(4)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True))
        + f"  {row[4]}"
        for row in (head, *rows)
    ]
