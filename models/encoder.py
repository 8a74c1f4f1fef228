"""Turn measurements into vectors: one scikit-learn pipeline in which distance means likeness.

In: measurements in the order of ``COMPARED``, NaN where unknown. Out: the same
rows as weighted, roughly normal columns, so that Euclidean distance adds the blocks up.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, StandardScaler

from warehouse.contracts import COMPARED

FloatMatrix = NDArray[np.float64]

EVEN = ("danceability", "energy", "valence", "loudness")
SKEWED = ("speechiness", "acousticness", "instrumentalness", "liveness", "duration_ms")
FIFTHS = 7
RELATIVE_MAJOR = 3


@dataclass(frozen=True, slots=True)
class Weights:
    """Weight of each block: the spread that each of its columns is given.

    ``clip`` bounds a normal column, in standard deviations before its weight, so that no single
    measurement outvotes the rest.
    """

    mood: float = 1.0
    sound: float = 0.7
    rhythm: float = 0.7
    harmony: float = 0.3
    era: float = 1.5
    clip: float = 2.5

    def of(self, block: str) -> float:
        """Return the weight of a block by its name."""
        return float(asdict(self)[block])


@dataclass(frozen=True, slots=True)
class Block:
    """Columns that share a weight; ``transform`` says in words how they come about."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    transform: str


MOOD = Block("mood", EVEN, EVEN, "median where unknown, standardised")
SOUND = Block(
    "sound",
    SKEWED[:4],
    SKEWED[:4],
    "median where unknown, quantiles of the normal distribution, standardised",
)
DURATION = Block("rhythm", SKEWED[4:], ("duration",), SOUND.transform)
TEMPO = Block("rhythm", ("tempo",), ("tempo",), "median where unknown, log2, standardised")
HARMONY = Block(
    "harmony",
    ("key", "mode"),
    ("fifths_cos", "fifths_sin", "mode"),
    "place on the circle of fifths, a minor key at its relative major; the centre where unknown",
)
ERA = Block("era", ("year",), ("year",), "median where unknown, standardised")
BLOCKS = (MOOD, SOUND, DURATION, TEMPO, HARMONY, ERA)


def encoder(measurements: FloatMatrix, weights: Weights) -> Pipeline:
    """Fit the pipeline.

    A column that is unknown for every song, or the same for all, carries no information and
    becomes 0 throughout, for songs to come as well.

    Args:
        measurements: shape ``(n_songs, len(COMPARED))``, columns in the order of ``COMPARED``.
        weights: one for each block.
    """
    steps = []
    for block in BLOCKS:
        positions = [COMPARED.index(name) for name in block.inputs]
        shaped = _steps(block, weights, measurements[:, positions])
        steps.append((f"{block.name} {block.outputs[0]}", shaped, positions))
    return make_pipeline(ColumnTransformer(steps)).fit(measurements)


def encoded(pipeline: Pipeline, measurements: FloatMatrix) -> FloatMatrix:
    """Return the vectors, shape ``(n_songs, n_columns)``, columns in the order of ``columns``."""
    return np.ascontiguousarray(pipeline.transform(measurements), dtype=np.float64)


def columns() -> list[str]:
    """Return the names of the vectors' columns, in order."""
    return [name for block in BLOCKS for name in block.outputs]


def recipe(vectors: FloatMatrix, weights: Weights) -> dict[str, list[str] | NDArray[np.float64]]:
    """Describe each column of the vectors: block, transform, weight, mean, spread and share.

    Returns:
        The columns of the ``features`` table, one entry for each column of the vectors.
    """
    variance = vectors.var(axis=0)
    whole = max(float(variance.sum()), np.finfo(float).tiny)
    return {
        "feature": columns(),
        "block": [block.name for block in BLOCKS for _ in block.outputs],
        "transform": [block.transform for block in BLOCKS for _ in block.outputs],
        "weight": np.array([weights.of(block.name) for block in BLOCKS for _ in block.outputs]),
        "mean": vectors.mean(axis=0),
        "spread": np.sqrt(variance),
        "variance_share": variance / whole,
    }


def _steps(block: Block, weights: Weights, measured: FloatMatrix) -> Pipeline:
    """Compose a block's own transform with the clip and the weight that all blocks share."""
    values = _circle_of_fifths(measured) if block is HARMONY else measured
    varies = np.fmax.reduce(values) > np.fmin.reduce(values)
    weight = FunctionTransformer(_weighted, kw_args={"weight": weights.of(block.name) * varies})
    if block is HARMONY:
        return make_pipeline(FunctionTransformer(_circle_of_fifths), weight)
    known = SimpleImputer(strategy="median", keep_empty_features=True)
    clip = FunctionTransformer(np.clip, kw_args={"a_min": -weights.clip, "a_max": weights.clip})
    shape = [known]
    if block is TEMPO:
        shape = [FunctionTransformer(np.log2), known]
    elif block in (SOUND, DURATION):
        shape = [known, _normal_quantiles(len(measured))]
    return make_pipeline(*shape, StandardScaler(), clip, weight)


def _normal_quantiles(songs: int) -> QuantileTransformer:
    return QuantileTransformer(
        n_quantiles=min(1000, songs),
        output_distribution="normal",
        subsample=200_000,
        random_state=0,
    )


def _weighted(values: FloatMatrix, weight: FloatMatrix) -> FloatMatrix:
    return values * weight


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
