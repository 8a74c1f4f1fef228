"""Turn what is known of songs into vectors: one scikit-learn pipeline, distance means likeness.

In: ``Songs`` and, where there are playlists, ``Listening``. Out: a vector for each song whose
Euclidean distance adds the blocks up, 1 being as far apart as two songs taken at random.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline

from models.arrays import FloatMatrix, SingleMatrix
from models.encoder.listening_blocks import CoListening, Listening
from models.encoder.song_blocks import Era, Genres, Measured, SameArtist
from models.songs import Songs

BLOCKS = {
    "mood": Measured("mood"),
    "sound": Measured("sound"),
    "rhythm": Measured("rhythm"),
    "harmony": Measured("harmony"),
    "era": Era(),
    "genre": Genres(dimensions=64),
    "artists": CoListening("artists", dimensions=24, power=0.5, trust=3, cold=1),
    "playlists": CoListening("families", dimensions=64, power=1.25, trust=1, cold=0.5),
}


@dataclass(frozen=True, slots=True)
class Weights:
    """Weight of each block: the root mean square length that it gives to a song's vector.

    Only their ratios matter. A block of playlists or artists has that length for a song that is
    well known from playlists, and less for others.
    """

    mood: float
    sound: float
    rhythm: float
    harmony: float
    era: float
    genre: float
    artists: float
    playlists: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """How songs are compared and ranked.

    Args:
        weights: one for each block.
        bonus: what is taken off the squared distance to the song that is listened to most.
        hub_cap: lists that may hold a song among their first five places, as high as the bound on
            hubs lets it be.
    """

    weights: Weights
    bonus: float
    hub_cap: int = 13


# For measurements alone, with genres and with playlists: found by trials on a large catalogue and
# held against `segue tune`; docs/decisions/0012 and 0013 have the numbers.
SOUND_ALONE = Recipe(Weights(2.0, 1.4, 1.0, 0.3, 1.5, 0, 0, 0), bonus=0.1)
WITH_GENRES = Recipe(Weights(1.2, 0.8, 0.6, 0.2, 4.0, 6.0, 0, 0), bonus=0.15)
WITH_PLAYLISTS = Recipe(Weights(1.2, 0.8, 0.6, 0.2, 4.0, 6.0, 8.0, 16.0), bonus=1.5, hub_cap=15)


def recipe_for(songs: Songs, listening: Listening | None) -> Recipe:
    """Return the recipe that suits what is known of the songs."""
    if listening is not None:
        return WITH_PLAYLISTS
    return WITH_GENRES if songs.genres.shape[1] else SOUND_ALONE


def encoder(
    songs: Songs,
    weights: Weights,
    listening: Listening | None = None,
    blocks: Mapping[str, BaseEstimator] = BLOCKS,
) -> Pipeline:
    """Return the pipeline, as ``fitted`` fits it."""
    return fitted(songs, weights, listening, blocks)[0]


def fitted(
    songs: Songs,
    weights: Weights,
    listening: Listening | None = None,
    blocks: Mapping[str, BaseEstimator] = BLOCKS,
) -> tuple[Pipeline, SingleMatrix]:
    """Fit the pipeline; a block without data, or without weight, drops out.

    A measurement that is unknown for every song, or the same for all, carries no information and
    becomes 0 throughout, for songs to come as well.

    Args:
        songs: the catalogue.
        weights: one for each block.
        listening: what may be learnt from playlists; none where there are none.
        blocks: by name, in order.

    Returns:
        The pipeline, and the vectors of the catalogue as ``encoded`` gives them, which fitting
        comes by.
    """
    absent = set() if songs.genres.shape[1] else {"genre"}
    absent |= {"artists", "playlists"} if listening is None else set()
    steps = [
        (name, Beside(block, getattr(weights, name)))
        for name, block in blocks.items()
        if name not in absent and getattr(weights, name) > 0
    ]
    if len(absent) == 3 and not np.isfinite(songs.measurements).any():
        steps.append(("artists", Beside(SameArtist(), 1.0)))  # a bare catalogue: names alone
    pipeline = Pipeline([*steps, ("unit", UnitDistance())])
    vectors = pipeline.fit_transform(songs, listening)
    return pipeline, np.ascontiguousarray(vectors, dtype=np.float32)


def encoded(pipeline: Pipeline, songs: Songs) -> SingleMatrix:
    """Return the vectors, shape ``(n_songs, n_columns)``, in single precision."""
    return np.ascontiguousarray(pipeline.transform(songs), dtype=np.float32)


def stranger(
    pipeline: Pipeline,
    measurements: FloatMatrix,
    artist: int = -1,
    genres: csr_array | None = None,
) -> Songs:
    """Return songs that are not in the catalogue as the pipeline takes them.

    Args:
        pipeline: fitted to the catalogue.
        measurements: shape ``(n_songs, len(COMPARED))``.
        artist: number of their artist in the catalogue, -1 if it does not have them.
        genres: as ``Songs`` has them, for the genres of the catalogue; none are known otherwise.
    """
    genre = pipeline.named_steps.get("genre")
    known = genre.block_.tfidf_.n_features_in_ if genre else 0
    number = len(measurements)
    nowhere = np.full(number, -1)
    none = csr_array((number, known), dtype=np.int8)
    return Songs(measurements, none if genres is None else genres, np.full(number, artist), nowhere)


def spans(pipeline: Pipeline) -> dict[str, slice]:
    """Return which columns of the vectors each block has."""
    found, start = {}, 0
    for name, step in pipeline.steps[:-1]:
        found[name] = slice(start, start + len(step.names_))
        start += len(step.names_)
    return found


def columns(pipeline: Pipeline) -> list[str]:
    """Return the names of the vectors' columns, in order."""
    return [name for _, step in pipeline.steps[:-1] for name in step.names_]


def recipe(pipeline: Pipeline, vectors: SingleMatrix) -> dict[str, list[str] | NDArray[Any]]:
    """Describe each column of the vectors: block, transform, weight, mean, spread and share.

    Returns:
        The columns of the ``features`` table, one entry for each column of the vectors.
    """
    variance = vectors.var(axis=0, dtype=np.float64)
    whole = max(float(variance.sum()), np.finfo(float).tiny)
    steps = [(name, step) for name, step in pipeline.steps[:-1] for _ in step.names_]
    return {
        "feature": columns(pipeline),
        "block": [name for name, _ in steps],
        "transform": [step.block.transform_in_words for _, step in steps],
        "weight": np.array([step.scale_ for _, step in steps]) * pipeline["unit"].scale_,
        "mean": vectors.mean(axis=0, dtype=np.float64),
        "spread": np.sqrt(variance),
        "variance_share": variance / whole,
    }


class Beside(TransformerMixin, BaseEstimator):
    """Set the columns of a block, with its weight, beside those that there are."""

    def __init__(self, block: Any, weight: float) -> None:
        self.block = block
        self.weight = weight

    def fit(self, songs: Songs, listening: Listening | None = None) -> Self:
        """Fit the block and its scale."""
        self.fit_transform(songs, listening)
        return self

    def fit_transform(self, songs: Songs, listening: Listening | None = None) -> Songs:
        """Fit the block and return the songs that it was fitted to with its columns."""
        self.block_ = clone(self.block).fit(songs, listening)
        made = self.block_.transform(songs)
        self.names_ = self.block_.names(made.shape[1])
        length = 1.0 if self.block_.unit_length else _length(made)
        self.scale_ = self.weight / length if length > 0 else 0.0
        return songs.beside(made * np.float32(self.scale_))

    def transform(self, songs: Songs) -> Songs:
        """Return the songs with the block's columns, in the scale that was fitted."""
        return songs.beside(self.block_.transform(songs) * np.float32(self.scale_))


class UnitDistance(TransformerMixin, BaseEstimator):
    """Scale all columns so that two songs taken at random are 1 apart in the root mean square."""

    def fit(self, songs: Songs, listening: Listening | None = None) -> Self:
        """Find the scale: the mean squared distance is twice the whole variance."""
        whole = np.sqrt(2) * _length(songs.columns)
        self.scale_ = 1 / whole if whole > 0 else 1.0
        return self

    def transform(self, songs: Songs) -> SingleMatrix:
        """Return the vectors."""
        return songs.columns * np.float32(self.scale_)


def _length(columns: NDArray[Any]) -> float:
    """Return the root mean square distance from the mean."""
    return float(np.sqrt(columns.var(axis=0, dtype=np.float64).sum()))
