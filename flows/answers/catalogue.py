"""What a build holds, at a glance: a published build comes in, what it holds goes out."""

from dataclasses import dataclass

from flows.answers.published import Published


@dataclass(frozen=True, slots=True)
class Start:
    """A well-known song to start from."""

    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    popularity: int | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a build holds."""

    starts: list[Start]


def catalogue(build: Published) -> Catalogue:
    """Return what the build holds."""
    return Catalogue([Start(**row) for row in build.rows("starting_points")])
