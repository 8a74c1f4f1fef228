"""One song and what is like it: a published build and a song_id come in, the song goes out."""

import json
from dataclasses import dataclass

from warehouse.errors import Unknown
from warehouse.published import Published, Row

BECAUSE = "because_"


@dataclass(frozen=True, slots=True)
class Known:
    """A song that a list is shown by."""

    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    popularity: int | None


@dataclass(frozen=True, slots=True)
class Recommended:
    """A song that is recommended for another.

    Args:
        map_x, map_y: where it lies on the map of the catalogue, from the top left.
        mutual: whether it leads back.
        because: how much nearer each block of the recipe brings the two than songs taken at random
            are, in thousandths of squared distance; blocks that the recipe lacks are left out.
    """

    rank: int
    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    mode: int | None
    map_x: float
    map_y: float
    distance: float
    similarity: float
    reason: str
    mutual: bool
    because: dict[str, int]


@dataclass(frozen=True, slots=True)
class Version:
    """Another song of the same family."""

    song_id: str
    title: str
    album: str | None
    year: int | None


@dataclass(frozen=True, slots=True)
class Leading:
    """A song that leads here, and at which rank.

    Args:
        map_x, map_y: where it lies on the map of the catalogue, from the top left.
        mutual: whether this song leads there too.
    """

    song_id: str
    label: str
    key: int | None
    map_x: float
    map_y: float
    rank: int
    mutual: bool


@dataclass(frozen=True, slots=True)
class Song:
    """A song with all that is known of it.

    Args:
        song: the columns of the table ``songs``.
        artists: every credited name, in order.
        first_artists: those of them that are the first who is credited for a song, and so have
            a page.
        genres: in alphabetical order.
        taste: which it is of: id, label and number of songs.
        means: of each audio feature, over the whole catalogue.
        recommendations: by rank.
        versions: the oldest first, 20 at most.
        recommended_by: how many songs lead here.
        leading: ten of those, who place it highest first.
    """

    song: Row
    artists: list[str]
    first_artists: list[str]
    genres: list[str]
    taste: Row
    means: dict[str, float | None]
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
        [found["artist"] for found in build.rows("artists_with_songs", names=row["artists"])],
        genres,
        build.rows("taste_of_song", taste_id=row["taste_id"])[0],
        build.once(means),
        [_recommended(other) for other in build.rows("song_recommendations", song_id=song_id)],
        [Version(**version) for version in build.rows("song_versions", song_id=song_id)],
        recommended_by,
        [
            Leading(**{**other, "mutual": bool(other["mutual"])})
            for other in build.rows("song_recommended_by", song_id=song_id)
        ],
    )


def means(build: Published) -> dict[str, float | None]:
    """Return the mean of each audio feature over the catalogue; reads every song."""
    return build.rows("mean_features")[0]


def _recommended(row: Row) -> Recommended:
    blocks = [name for name in row if name.startswith(BECAUSE)]
    because = {name.removeprefix(BECAUSE): row.pop(name) for name in blocks}
    row["mutual"] = bool(row["mutual"])
    return Recommended(**row, because={block: said for block, said in because.items() if said})
