"""Blocks of the encoder for what is known of a song itself: ``Songs`` come in, columns go out.

Each is a scikit-learn transformer. ``unit_length`` says whether its rows have a length of their
own, or are to be scaled to a mean square length of 1.
"""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    QuantileTransformer,
    StandardScaler,
    normalize,
)
from sklearn.utils.extmath import randomized_svd

from models.arrays import FloatMatrix, SingleMatrix
from models.songs import Songs
from warehouse.contracts import COMPARED

EVEN = ("danceability", "energy", "valence", "loudness")
SKEWED = ("speechiness", "acousticness", "instrumentalness", "liveness")
CLIP = 2.5
FIFTHS = 7
RELATIVE_MAJOR = 3
NEWEST = 0.999


class Measured(TransformerMixin, BaseEstimator):
    """What is measured in the recording, each column roughly normal.

    Args:
        block: ``mood``, ``sound``, ``rhythm`` or ``harmony``.
    """

    unit_length = False

    def __init__(self, block: str) -> None:
        self.block = block

    @property
    def transform_in_words(self) -> str:
        """How a measurement becomes a column."""
        return {
            "mood": "median where unknown, standardised",
            "sound": "median where unknown, quantiles of the normal distribution",
            "rhythm": "median where unknown; length as quantiles of the normal distribution, "
            "tempo by its logarithm, standardised",
            "harmony": "place on the circle of fifths, a minor key at its relative major; "
            "the centre where unknown",
        }[self.block]

    def fit(self, songs: Songs, _: object = None) -> Self:
        """Fit medians, quantiles and spreads."""
        steps: dict[str, list[tuple[str, Any, tuple[str, ...]]]] = {
            "mood": [("even", _even(), EVEN)],
            "sound": [("skewed", _skewed(len(songs)), SKEWED)],
            "rhythm": [
                ("length", _skewed(len(songs)), ("duration_ms",)),
                ("tempo", make_pipeline(FunctionTransformer(np.log2), _even()), ("tempo",)),
            ],
            "harmony": [("key", FunctionTransformer(_circle_of_fifths), ("key", "mode"))],
        }
        placed = [(name, step, _positions(inputs)) for name, step, inputs in steps[self.block]]
        self.columns_ = ColumnTransformer(placed)
        made = self.columns_.fit_transform(songs.measurements)
        self.varies_ = made.max(axis=0) > made.min(axis=0)
        return self

    def transform(self, songs: Songs) -> SingleMatrix:
        """Return shape ``(n_songs, n_columns)``."""
        made = self.columns_.transform(songs.measurements)
        return np.asarray(made * self.varies_, dtype=np.float32)

    def names(self, _: int) -> list[str]:
        """Return the names of the columns."""
        return {
            "mood": [*EVEN],
            "sound": [*SKEWED],
            "rhythm": ["duration", "tempo"],
            "harmony": ["fifths_cos", "fifths_sin", "mode"],
        }[self.block]


class Era(TransformerMixin, BaseEstimator):
    """When a song came out; a year counts for more the younger the songs are.

    Two songs of this year and last are further apart than two of 1971 and 1972, by the logarithm
    of their age. A song without a year is given the mean of its artist's others.
    """

    unit_length = False
    transform_in_words = "logarithm of the age; the artist's mean, else the median, where unknown"

    def fit(self, songs: Songs, _: object = None) -> Self:
        """Learn the newest year and the mean place of each artist."""
        years = _years(songs)
        known = np.isfinite(years)
        self.newest_ = float(np.quantile(years[known], NEWEST)) if known.any() else 0.0
        places = self._place(years)
        number = int(songs.artists.max(initial=-1)) + 1
        by = songs.artists[known & (songs.artists >= 0)]
        sums = np.bincount(by, places[known & (songs.artists >= 0)], number)
        counts = np.bincount(by, minlength=number)
        self.middle_ = float(np.median(places[known])) if known.any() else 0.0
        varies = known.any() and np.ptp(places[known]) > 0
        self.spread_ = float(places[known].std()) if varies else 0.0
        self.of_artist_ = np.where(counts > 0, sums / np.maximum(counts, 1), self.middle_)
        return self

    def transform(self, songs: Songs) -> SingleMatrix:
        """Return shape ``(n_songs, 1)``."""
        years = _years(songs)
        places = self._place(years)
        usual = np.full(len(years), self.middle_)
        known = (songs.artists >= 0) & (songs.artists < len(self.of_artist_))
        usual[known] = self.of_artist_[songs.artists[known]]
        places = np.where(np.isfinite(years), places, usual) - self.middle_
        if self.spread_ == 0:
            return np.zeros((len(years), 1), dtype=np.float32)
        return np.clip(places / self.spread_, -CLIP, CLIP)[:, None].astype(np.float32)

    def names(self, _: int) -> list[str]:
        """Return the name of the column."""
        return ["year"]

    def _place(self, years: FloatMatrix) -> FloatMatrix:
        return np.asarray(-np.log(np.maximum(self.newest_ - years, 0) + 2))


class SameArtist(TransformerMixin, BaseEstimator):
    """Who made a song: all that there is to go by where nothing is measured, filed or listened to.

    Every artist has a direction of their own, so that their songs lie in one place and all others
    about equally far away. A song of nobody known lies in the middle.

    Args:
        dimensions: columns.
    """

    unit_length = True
    transform_in_words = "a direction for each artist"

    def __init__(self, dimensions: int = 16) -> None:
        self.dimensions = dimensions

    def fit(self, songs: Songs, _: object = None) -> Self:
        """Give every artist a direction, the same for the same number."""
        number = int(songs.artists.max(initial=-1)) + 1
        drawn = np.random.default_rng(0).standard_normal((number, self.dimensions))
        lengths = np.linalg.norm(drawn, axis=1, keepdims=True)
        self.directions_ = (drawn / lengths).astype(np.float32)
        return self

    def transform(self, songs: Songs) -> SingleMatrix:
        """Return shape ``(n_songs, dimensions)``."""
        found = np.zeros((len(songs), self.dimensions), dtype=np.float32)
        known = (songs.artists >= 0) & (songs.artists < len(self.directions_))
        found[known] = self.directions_[songs.artists[known]]
        return found

    def names(self, width: int) -> list[str]:
        """Return the names of the columns."""
        return [f"artist_{number}" for number in range(1, width + 1)]


class Genres(TransformerMixin, BaseEstimator):
    """The genres of a song and of its artists: TF-IDF, then a truncated SVD.

    A rare genre says more than a common one, and genres that go together lie together. A song
    without a genre stands at the mean of the others.

    Args:
        dimensions: columns to keep.
    """

    unit_length = True
    transform_in_words = "TF-IDF, truncated SVD, length 1; the mean where unknown"

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def fit(self, songs: Songs, _: object = None) -> Self:
        """Learn from each set of genres once, however many songs have it."""
        rng = np.random.default_rng(0)
        marks = rng.integers(0, 2**62, songs.genres.shape[1])
        _, firsts = np.unique(songs.genres.astype(np.int64) @ marks, return_index=True)
        sets = songs.genres[firsts]
        kept = min(self.dimensions, *sets.shape)
        self.tfidf_ = TfidfTransformer().fit(sets)
        _, _, axes = randomized_svd(self.tfidf_.transform(sets), kept, random_state=0)
        self.axes_ = axes.T.astype(np.float32)
        placed, known = self._placed(songs)
        self.middle_ = placed[known].mean(axis=0) if known.any() else placed.mean(axis=0)
        return self

    def transform(self, songs: Songs) -> SingleMatrix:
        """Return shape ``(n_songs, n_columns)``, rows of length 1 but for the unknown."""
        placed, known = self._placed(songs)
        placed[~known] = self.middle_
        return placed

    def names(self, width: int) -> list[str]:
        """Return the names of the columns."""
        return [f"genre_{number}" for number in range(1, width + 1)]

    def _placed(self, songs: Songs) -> tuple[SingleMatrix, Any]:
        placed = normalize(self.tfidf_.transform(songs.genres) @ self.axes_)
        return placed.astype(np.float32), placed.any(axis=1)


def _even() -> Pipeline:
    """Standardise; no single measurement may outvote the rest."""
    known = SimpleImputer(strategy="median", keep_empty_features=True)
    clip = FunctionTransformer(np.clip, kw_args={"a_min": -CLIP, "a_max": CLIP})
    return make_pipeline(known, StandardScaler(), clip)


def _skewed(songs: int) -> Pipeline:
    known = SimpleImputer(strategy="median", keep_empty_features=True)
    quantiles = QuantileTransformer(
        n_quantiles=min(1000, songs),
        output_distribution="normal",
        subsample=200_000,
        random_state=0,
    )
    return make_pipeline(known, quantiles, _even())


def _circle_of_fifths(key_and_mode: FloatMatrix) -> FloatMatrix:
    """Place keys so that related ones are near: a fifth apart is a twelfth of the circle.

    A minor key stands where its relative major does (C major and A minor), as both hold the same
    notes. The mode becomes -1/2 or 1/2; whatever is unknown becomes 0, the centre.
    """
    key, mode = key_and_mode[:, 0], key_and_mode[:, 1]
    major = np.where(mode == 0, key + RELATIVE_MAJOR, key)
    angle = 2 * np.pi * ((FIFTHS * major) % 12) / 12
    circle = np.column_stack([np.cos(angle), np.sin(angle), mode - 0.5])
    return np.asarray(np.nan_to_num(circle), dtype=np.float64)


def _positions(names: tuple[str, ...]) -> list[int]:
    return [COMPARED.index(name) for name in names]


def _years(songs: Songs) -> FloatMatrix:
    return songs.measurements[:, COMPARED.index("year")]
