"""Describe a finished build: a manifest comes in, text for people goes out."""

from datetime import UTC, datetime

from warehouse import export
from warehouse.contracts import SOURCES, UNMATCHED_TRACKS
from warehouse.manifest import Manifest
from warehouse.release import Home

SIGNALS = ("source", "kind", "matched_by_id", "matched_by_name", "unmatched")


def text(manifest: Manifest, home: Home) -> str:
    """Return the closing lines of a build for a terminal or a log."""
    counts, stages = manifest.counts, manifest.seconds
    took = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in stages.items())
    return "\n".join(
        [
            f"Published {manifest.name}",
            f"  songs            {counts['songs']:,} in {counts['families']:,} families",
            f"  recommendations  {counts['recommendations']:,}",
            f"  rejected rows    {counts['rejected']:,}" + _where_rejected(counts["rejected"]),
            *_signals(manifest, home),
            f"  checks           {counts['checks']} passed",
            f"  seconds          {sum(stages.values()):.1f} in total: {took}",
            f"  peak memory      {manifest.peak_memory_mb:,.0f} MB",
            f"  folder           {home.builds / manifest.name}",
        ]
    )


def _signals(manifest: Manifest, home: Home) -> list[str]:
    """Say how much of each signal file is in the catalogue; old builds have no signal files."""
    if UNMATCHED_TRACKS.name not in manifest.counts:
        return []
    files = export.rows(home.builds / manifest.name / export.FILE, SOURCES, SIGNALS)
    lines = []
    for source, kind, by_id, by_name, unmatched in files:
        if kind == "tracks":
            continue
        tracks = kind != "genres"
        how = f"{by_id:,} by id, {by_name:,} by name" if tracks else "by name"
        found = f"{by_id + by_name:,} of {by_id + by_name + unmatched:,} found ({how})"
        where = "; the rest are listed in unmatched_tracks" if tracks else ""
        lines.append(f"  {kind:<16} {found} from {source}{where if unmatched else ''}")
    return lines


def _where_rejected(count: int) -> str:
    return ", each with its reason in the table rejected_rows" if count else ""


def markdown(manifest: Manifest, home: Home) -> str:
    """Return the same as a Markdown page."""
    counts = "\n".join(f"| {table} | {rows:,} |" for table, rows in manifest.counts.items())
    took = "\n".join(f"| {stage} | {seconds:.1f} |" for stage, seconds in manifest.seconds.items())
    sources = "\n".join(f"- `{name}` {sha256[:12]}" for name, sha256 in manifest.sources.items())
    return (
        f"# {manifest.name}\n\nPublished {manifest.published_at} in `{home.builds}`, "
        f"made by {manifest.code_version}.\n\n"
        f"## Rows\n\n| table | rows |\n|---|---:|\n{counts}\n\n"
        f"## Seconds\n\n| stage | s |\n|---|---:|\n{took}\n\n"
        f"Peak memory {manifest.peak_memory_mb:,.0f} MB.\n\n## Sources\n\n{sources}\n"
    )


def age(published_at: str, now: datetime) -> str:
    """Return how long ago a build was published, in the largest fitting unit."""
    seconds = (now - datetime.fromisoformat(published_at).astimezone(UTC)).total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return "just now"
