"""What a build holds, at a glance: a published build comes in, what it holds goes out."""

from dataclasses import dataclass

from flows.answers.songs import Known
from warehouse.published import Published


@dataclass(frozen=True, slots=True)
class Taste:
    """A taste and how many songs are of it."""

    taste_id: str
    label: str
    songs: int


@dataclass(frozen=True, slots=True)
class Genre:
    """A genre and how many songs bear it."""

    genre: str
    songs: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a build holds.

    Args:
        build_id: hash of sources, code and settings.
        published_at: UTC, ISO 8601.
        songs, artists, genres: how many there are.
        first_year, last_year: of release, where any is known.
        tastes: those of most songs first.
        common_genres: the 36 that most songs bear, most first.
        starts: some of the best known songs.
    """

    build_id: str
    published_at: str
    songs: int
    artists: int
    genres: int
    first_year: int | None
    last_year: int | None
    tastes: list[Taste]
    common_genres: list[Genre]
    starts: list[Known]


def catalogue(build: Published) -> Catalogue:
    """Return what the build holds; it is found out once."""
    return build.once(_catalogue)


def _catalogue(build: Published) -> Catalogue:
    return Catalogue(
        build.manifest.build_id,
        build.manifest.published_at,
        **build.rows("catalogue_counts")[0],
        tastes=[Taste(**row) for row in build.rows("catalogue_tastes")],
        common_genres=[Genre(**row) for row in build.rows("catalogue_genres")],
        starts=[Known(**row) for row in build.rows("starting_points")],
    )
