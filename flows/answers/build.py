"""What a build is, how it came about and how good it is: a build comes in, all it says goes out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import groupby
from typing import Any

from flows.nightly.status import status
from flows.nightly.summary import age
from warehouse import contracts
from warehouse.published import Published, Row
from warehouse.release import Home

REASONS = 12

# The metrics as people read them: what is measured, and whether more is better. The protocol and
# the formulas are in docs/evaluation.md.
METRICS = {
    "NDCG@5-AF": (
        "How well the first five find the rest of a playlist, leaving out the same artist",
        "higher",
    ),
    "NDCG@5": ("How well the first five find the rest of a playlist", "higher"),
    "hit rate@5-AF": (
        "How often one of the first five is in the playlist, leaving out the same artist",
        "higher",
    ),
    "recall@100-AF": (
        "How much of the playlist is in the first hundred, leaving out the same artist",
        "higher",
    ),
    "rating error": ("How far predicted ratings are from held-out ones, in stars", "lower"),
    "proxy: same album": ("How much of an album is among the hundred nearest", "higher"),
    "proxy: same artist": ("How much of an artist is among the hundred nearest", "higher"),
    "catalogue coverage": ("Share of families with a recommended song", "higher"),
    "never recommended": ("Share of songs in nobody's first five", "lower"),
    "N5 maximum": ("Number of lists of five that hold the most recommended song", "lower"),
    "N5 skewness": ("How unevenly songs are recommended; above 1.2 is a lot", "lower"),
    "N5 Gini": ("The same as an inequality: 0 is equal for all", "lower"),
    "popularity drift": ("How much more popular a list is than its song, out of 100", ""),
    "popularity correlation": ("How closely a list's popularity follows its song's", ""),
    "intra-list similarity": ("How alike the songs of one list are", ""),
    "genre lift": (
        "How much more often recommended pairs share a genre than random ones",
        "higher",
    ),
    "exactness": ("Share of the nearest songs confirmed by a search in double precision", "higher"),
    "held-out playlists learnt from": ("Held-out playlists that were learnt from", "lower"),
    "held-out playlists set aside": ("Held-out playlists that nearly repeat one learnt from", ""),
}
SPLITS = {
    "all": "all songs tested",
    "warm": "songs in the playlists learnt from",
    "cold": "songs new to playlists",
    "learnt": "playlists learnt from",
    "catalogue": "the whole catalogue",
}


@dataclass(frozen=True, slots=True)
class RejectedCount:
    """How many rows of a file were rejected for one reason."""

    source: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class ModelValue:
    """A measure of one model; ``low`` to ``high`` is the 95 % interval, where one is sampled."""

    model: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class MetricValues:
    """One thing that is measured, for every model that it is measured for.

    Args:
        metric: as in the table ``evaluation``.
        split: as there.
        about: what it is, in words.
        over: what the split is, in words.
        better: higher, lower, or nothing where neither is.
        n: queries, songs, pairs or ratings that were measured.
        values: the best first where one is better; Segue is among them.
    """

    metric: str
    split: str
    about: str
    over: str
    better: str
    n: int
    values: list[ModelValue]


@dataclass(frozen=True, slots=True)
class RecipeBlock:
    """One block of the recipe; ``share`` of the mean squared distance comes from it, 0 to 1."""

    block: str
    columns: int
    weight: float
    share: float
    transforms: list[str]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build says of itself.

    Args:
        parameters: the settings that shape the rows.
        counts: rows of each table.
        seconds: each stage in the order in which they ran.
        peak_memory_mb: the most that the build held at once.
        bytes: of all its files.
        sources: rows of the table ``sources``.
        columns: rows of the table ``source_columns``, those that were passed over first.
        rejected: the commonest reasons, the most rows first.
        other_reasons: how many more reasons there are.
        oddities: rules of the table ``oddities`` that rows showed.
        checks: rows of the table ``checks``.
        recipe: the block that decides most first.
        builds: rows of the table ``builds`` but those of this one, the newest first.
    """

    build_id: str
    name: str
    published_at: str
    code_version: str
    parameters: dict[str, Any]
    counts: dict[str, int]
    seconds: dict[str, float]
    peak_memory_mb: float
    bytes: int
    sources: list[Row]
    columns: list[Row]
    rejected: list[RejectedCount]
    other_reasons: int
    oddities: list[Row]
    checks: list[Row]
    evaluation: list[MetricValues]
    recipe: list[RecipeBlock]
    builds: list[Row]


def about(build: Published) -> BuildReport:
    """Return what the build says of itself; it never changes, so it is read once."""
    return build.once(_about)


def _about(build: Published) -> BuildReport:
    manifest = build.manifest
    reasons = [RejectedCount(**row) for row in build.rows("rejected_reasons")]
    checks = build.rows("checks_held")
    return BuildReport(
        manifest.build_id,
        manifest.name,
        manifest.published_at,
        manifest.code_version,
        manifest.parameters,
        manifest.counts,
        manifest.seconds,
        manifest.peak_memory_mb,
        sum(facts["bytes"] for facts in manifest.files.values()),
        build.rows("sources_read"),
        _columns(build),
        reasons[:REASONS],
        len(reasons[REASONS:]),
        build.rows("oddities_met"),
        [row | {"passed": bool(row["passed"])} for row in checks],
        _metrics(build.rows("evaluation_measured")),
        [_part(row) for row in build.rows("recipe_blocks")],
        [_earlier(row) for row in build.rows("builds_before", build_id=manifest.build_id)],
    )


def _columns(build: Published) -> list[Row]:
    """Return what became of every column; nothing of a build of before that was kept."""
    known = contracts.SOURCE_COLUMNS.name in build.manifest.counts
    return build.rows("columns_read") if known else []


def _metrics(rows: list[Row]) -> list[MetricValues]:
    """Gather the models of each metric and split, those that are compared first."""
    groups = groupby(rows, lambda row: (row["metric"], row["split"]))
    metrics = [_metric(*key, list(measures)) for key, measures in groups]
    places = {name: place for place, name in enumerate(METRICS)}
    return sorted(
        metrics, key=lambda m: (places.get(m.metric, len(places)), [*SPLITS].index(m.split))
    )


def _metric(metric: str, split: str, rows: list[Row]) -> MetricValues:
    words, better = METRICS.get(metric, (metric, ""))
    values = [ModelValue(row["model"], row["value"], row["low"], row["high"]) for row in rows]
    if better:
        values.sort(key=lambda value: value.value, reverse=better == "higher")
    return MetricValues(
        metric, split, words, SPLITS[split], better, max(r["n"] for r in rows), values
    )


def _part(row: Row) -> RecipeBlock:
    return RecipeBlock(**row | {"transforms": json.loads(row["transforms"])})


def _earlier(row: Row) -> Row:
    return row | {name: json.loads(row[name]) for name in ("sources", "parameters")}


@dataclass(frozen=True, slots=True)
class BuildHealth:
    """The build can be asked."""

    ok: bool
    build_id: str


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What is served.

    Args:
        build: name of the build's folder.
        published_at: UTC, ISO 8601.
        age: in words.
        age_seconds: the same, counted.
        version: of Segue, as it answers.
        code_version: of what made the build.
        settings: those that shape the build's rows.
        counts: rows of each table.
        on: what is switched on, and what the build has data for.
    """

    build_id: str
    build: str
    published_at: str
    age: str
    age_seconds: int
    version: str
    code_version: str
    settings: dict[str, Any]
    counts: dict[str, int]
    on: dict[str, bool]


@dataclass(frozen=True, slots=True)
class NightlyStatus:
    """How the nightly runs go; what they say of files is for the operator alone.

    Args:
        fresh_at: when a run last ended well, with a new build or because nothing was new; UTC.
        stale: whether that is longer ago than the operator allows.
        failing_since: when the first of the runs began that have failed since then.
        failures: how many have.
        held_back: builds that wait for the operator to publish them.
        scheduled: whether a schedule runs.
        next_run: when it runs next.
    """

    fresh_at: str
    stale: bool
    failing_since: str | None
    failures: int
    held_back: int
    scheduled: bool
    next_run: str | None

    @property
    def well(self) -> bool:
        """Whether nothing is stale, and the last run did not fail."""
        return not self.stale and not self.failures


def nights(build: Published, max_age: timedelta) -> NightlyStatus:
    """Return how the runs went in the home that a build lies in."""
    found = status(Home(build.folder.parents[1]), max_age)
    return NightlyStatus(
        fresh_at=found.fresh_at,
        stale=found.stale,
        failing_since=found.failing_since,
        failures=found.failures,
        held_back=len(found.held),
        scheduled=found.scheduled,
        next_run=found.next_run,
    )


def health(build: Published) -> BuildHealth:
    """Return the id of the build, after reading a row of its file."""
    build.database.execute("select 1 from songs limit 1").fetchone()
    return BuildHealth(ok=True, build_id=build.manifest.build_id)


def info(build: Published, switches: Mapping[str, bool]) -> BuildInfo:
    """Return what the build is, and what is switched on where it is served."""
    manifest, now = build.manifest, datetime.now(UTC)
    published = datetime.fromisoformat(manifest.published_at).astimezone(UTC)
    counts = manifest.counts
    has = {
        "genres": bool(counts.get("song_genres") or counts.get("artist_genres")),
        "playlists": "playlists" in _blocks(build),
        "ratings": bool(counts.get("rating_factors")),
    }
    return BuildInfo(
        build_id=manifest.build_id,
        build=manifest.name,
        published_at=manifest.published_at,
        age=age(manifest.published_at, now),
        age_seconds=max(0, int((now - published).total_seconds())),
        version=version("segue"),
        code_version=manifest.code_version,
        settings=manifest.parameters,
        counts=counts,
        on={**switches, **has},
    )


def _blocks(build: Published) -> set[str]:
    """Return the blocks of the vectors."""
    return {block for (block,) in build.database.execute("select distinct block from features")}
