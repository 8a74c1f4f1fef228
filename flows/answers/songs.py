"""One song and what is like it: a published build and a song_id come in, the song goes out."""

import json
from dataclasses import dataclass

from flows.answers.published import Published, Row, Unknown


@dataclass(frozen=True, slots=True)
class Recommended:
    """A song that is recommended for another."""

    rank: int
    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    mode: int | None
    distance: float
    similarity: float
    reason: str


@dataclass(frozen=True, slots=True)
class Version:
    """Another song of the same family."""

    song_id: str
    title: str
    album: str | None
    year: int | None


@dataclass(frozen=True, slots=True)
class Leading:
    """A song that leads here, and at which rank."""

    song_id: str
    label: str
    rank: int


@dataclass(frozen=True, slots=True)
class Song:
    """A song with all that is known of it.

    Args:
        song: the columns of the table ``songs``.
        artists: every credited name, in order.
        genres: in alphabetical order.
        recommendations: by rank.
        versions: the oldest first, 20 at most.
        recommended_by: how many songs lead here.
        leading: ten of those, who place it highest first.
    """

    song: Row
    artists: list[str]
    genres: list[str]
    recommendations: list[Recommended]
    versions: list[Version]
    recommended_by: int
    leading: list[Leading]


def song(build: Published, song_id: str) -> Song:
    """Return a song and what is recommended for it.

    Raises:
        Unknown: no song has this id.
    """
    found = build.rows("song", song_id=song_id)
    if not found:
        raise Unknown(f"No song has the song_id {song_id!r}.")
    row = found[0]
    genres, recommended_by = json.loads(row.pop("genres")), row.pop("recommended_by")
    return Song(
        row,
        json.loads(row["artists"]),
        genres,
        [Recommended(**other) for other in build.rows("song_recommendations", song_id=song_id)],
        [Version(**version) for version in build.rows("song_versions", song_id=song_id)],
        recommended_by,
        [Leading(**other) for other in build.rows("song_recommended_by", song_id=song_id)],
    )
