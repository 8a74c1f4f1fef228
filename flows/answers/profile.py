"""How a list sounds beside its song: a published build and songs come in, means go out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.answers.songs import means
from warehouse import contracts
from warehouse.errors import Unknown
from warehouse.published import Published

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
class Feature:
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
class Profile:
    """A song's audio features beside those of its list and of the catalogue."""

    song_id: str
    label: str
    songs: int
    feature_profile: list[Feature]


def profile(build: Published, song_id: str) -> Profile:
    """Return the features of a song beside the means of what is recommended for it.

    Raises:
        Unknown: no song has this id.
    """
    found = build.rows("song", song_id=song_id)
    if not found:
        raise Unknown(f"No song has the song_id {song_id!r}.")
    others = [row["song_id"] for row in build.rows("song_recommendations", song_id=song_id)]
    features = feature_profile(build, found[0], others)
    return Profile(song_id, found[0]["label"], len(others), features)


def feature_profile(
    build: Published, song: Mapping[str, Any], others: Sequence[str]
) -> list[Feature]:
    """Return each audio feature of a song beside its means over others and the catalogue.

    Args:
        build: a published build.
        song: its features by name; what is missing is unknown.
        others: ids.
    """
    theirs = build.rows("mean_features_of", songs=json.dumps(others))[0]
    everyone = build.once(means)
    return [
        Feature(name, contracts.SONGS[name].unit, song.get(name), theirs[name], everyone[name])
        for name in MEASURED
    ]
