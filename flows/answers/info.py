"""Whether a build is served and what it is: a published build comes in, facts of it go out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from flows.nightly.summary import age
from warehouse.published import Published


@dataclass(frozen=True, slots=True)
class Health:
    """The build can be asked."""

    ok: bool
    build_id: str


@dataclass(frozen=True, slots=True)
class Info:
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


def health(build: Published) -> Health:
    """Return the id of the build, after reading a row of its file."""
    build.database.execute("select 1 from songs limit 1").fetchone()
    return Health(ok=True, build_id=build.manifest.build_id)


def info(build: Published, switches: Mapping[str, bool]) -> Info:
    """Return what the build is, and what is switched on where it is served."""
    manifest, now = build.manifest, datetime.now(UTC)
    published = datetime.fromisoformat(manifest.published_at).astimezone(UTC)
    counts = manifest.counts
    known = {
        "genres": bool(counts.get("song_genres") or counts.get("artist_genres")),
        "playlists": "playlists" in _blocks(build),
        "ratings": bool(counts.get("rating_factors")),
    }
    return Info(
        build_id=manifest.build_id,
        build=manifest.name,
        published_at=manifest.published_at,
        age=age(manifest.published_at, now),
        age_seconds=max(0, int((now - published).total_seconds())),
        version=version("segue"),
        code_version=manifest.code_version,
        settings=manifest.parameters,
        counts=counts,
        on={**switches, **known},
    )


def _blocks(build: Published) -> set[str]:
    """Return the blocks of the vectors."""
    return {block for (block,) in build.database.execute("select distinct block from features")}
