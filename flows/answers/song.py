"""One song, what is like it and how that sounds: a build and a song_id come in, it goes out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from warehouse import contracts
from warehouse.errors import Unknown
from warehouse.published import Published, Row

BECAUSE = "because_"


@dataclass(frozen=True, slots=True)
class WellKnownSong:
    """A song that a list is shown by."""

    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    popularity: int | None


@dataclass(frozen=True, slots=True)
class RecommendedSong:
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
class SongVersion:
    """Another song of the same family."""

    song_id: str
    title: str
    album: str | None
    year: int | None


@dataclass(frozen=True, slots=True)
class RecommendingSong:
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
class SongDetails:
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
    recommendations: list[RecommendedSong]
    versions: list[SongVersion]
    recommended_by: int
    leading: list[RecommendingSong]


def song(build: Published, song_id: str) -> SongDetails:
    """Return a song and what is recommended for it.

    Raises:
        Unknown: no song has this id.
    """
    rows = build.rows("song", song_id=song_id)
    if not rows:
        raise Unknown(f"No song has the song_id {song_id!r}.")
    row = rows[0]
    genres, recommended_by = json.loads(row.pop("genres")), row.pop("recommended_by")
    return SongDetails(
        row,
        json.loads(row["artists"]),
        [rows["artist"] for rows in build.rows("artists_with_songs", names=row["artists"])],
        genres,
        build.rows("taste_of_song", taste_id=row["taste_id"])[0],
        build.once(means),
        [_recommended(other) for other in build.rows("song_recommendations", song_id=song_id)],
        [SongVersion(**version) for version in build.rows("song_versions", song_id=song_id)],
        recommended_by,
        [
            RecommendingSong(**{**other, "mutual": bool(other["mutual"])})
            for other in build.rows("song_recommended_by", song_id=song_id)
        ],
    )


def means(build: Published) -> dict[str, float | None]:
    """Return the mean of each audio feature over the catalogue; reads every song."""
    return build.rows("mean_features")[0]


def _recommended(row: Row) -> RecommendedSong:
    blocks = [name for name in row if name.startswith(BECAUSE)]
    because = {name.removeprefix(BECAUSE): row.pop(name) for name in blocks}
    row["mutual"] = bool(row["mutual"])
    return RecommendedSong(**row, because={block: said for block, said in because.items() if said})


MEASURED = (
    "danceability",
    "energy",
    "loudness",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
)


@dataclass(frozen=True, slots=True)
class FeatureMeans:
    """One audio feature; a value is none where nothing of it is known.

    Args:
        feature: name of the column of ``songs``.
        unit: as the column has it.
        song: its own value.
        recommended: the mean over its list.
        catalogue: the mean over every song.
    """

    feature: str
    unit: str
    song: float | None
    recommended: float | None
    catalogue: float | None


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """A song's audio features beside those of its list and of the catalogue."""

    song_id: str
    label: str
    songs: int
    feature_profile: list[FeatureMeans]


def profile(build: Published, song_id: str) -> FeatureProfile:
    """Return the features of a song beside the means of what is recommended for it.

    Raises:
        Unknown: no song has this id.
    """
    rows = build.rows("song", song_id=song_id)
    if not rows:
        raise Unknown(f"No song has the song_id {song_id!r}.")
    others = [row["song_id"] for row in build.rows("song_recommendations", song_id=song_id)]
    features = feature_profile(build, rows[0], others)
    return FeatureProfile(song_id, rows[0]["label"], len(others), features)


def feature_profile(
    build: Published, song: Mapping[str, Any], others: Sequence[str]
) -> list[FeatureMeans]:
    """Return each audio feature of a song beside its means over others and the catalogue.

    Args:
        build: a published build.
        song: its features by name; what is missing is unknown.
        others: ids.
    """
    theirs = build.rows("mean_features_of", songs=json.dumps(others))[0]
    everyone = build.once(means)
    return [
        FeatureMeans(name, contracts.SONGS[name].unit, song.get(name), theirs[name], everyone[name])
        for name in MEASURED
    ]
