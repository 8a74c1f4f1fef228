"""Words come in, what they mean goes out as vectors: the static word vectors of WordLlama.

The vectors lie in the package itself, so nothing is downloaded.
"""

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

DIMENSIONS = 64  # of 256: enough to tell money from honey, a quarter of the memory
RARE = 1e-3  # share of all words at which a word counts half; the a of SIF
FIT = 20_000  # titles that the projection is fitted on


@cache
def word_vectors() -> Any:
    """Return the model of WordLlama, read from the installed package.

    Importing it would set up logging for the whole process, so that is undone.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    import wordllama  # noqa: PLC0415 - a third of a second that only a search by meaning needs

    root.handlers[:] = handlers
    root.setLevel(level)
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)


def embedded(words: Sequence[str]) -> Vectors:
    """Return one vector of length 1 for each word, shape ``(n_words, 256)``."""
    vectors: Vectors = word_vectors().embed(list(words), norm=True)
    return vectors


def weights(shares: npt.NDArray[np.float64]) -> Vectors:
    """Return how much a word counts: less, the more common it is.

    Smooth inverse frequency of Arora, Liang and Ma, "A simple but tough-to-beat baseline for
    sentence embeddings" (ICLR 2017), equation 1.

    Args:
        shares: of each word among all words.
    """
    return (RARE / (RARE + shares)).astype(np.float32)


def pooled(vectors: Vectors, starts: npt.NDArray[np.int64]) -> Vectors:
    """Return the direction of the sum of each run of vectors.

    Args:
        vectors: shape ``(n, d)``.
        starts: where each run begins, rising strictly from 0.
    """
    sums = np.add.reduceat(vectors, starts, axis=0)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def projection(titles: Vectors) -> Vectors:
    """Return the main directions of ``titles``, shape ``(256, DIMENSIONS)``, widest first.

    Args:
        titles: centred vectors, shape ``(n, 256)``; ``n`` may be small.
    """
    _, directions = np.linalg.eigh(titles.T.astype(np.float64) @ titles)
    widest = directions[:, ::-1][:, :DIMENSIONS]
    largest = np.abs(widest).argmax(axis=0)
    signs = np.sign(widest[largest, np.arange(widest.shape[1])])
    return np.ascontiguousarray(widest * signs, dtype=np.float32)
