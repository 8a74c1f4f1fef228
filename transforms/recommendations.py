"""Shape the model's answer into the table that readers join to, each pair with its reason.

Indices, distances and vectors come in; ``recommendations`` rows go out, a limited number at a time.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from joblib import Parallel, delayed

from transforms.reasons import Facts, Floats, Indices, Reasons, Space
from warehouse.contracts import RECOMMENDATIONS

CHUNK_PAIRS = 50_000

# The blocks of the encoder that each column sums.
BECAUSE = {
    "because_sound": ("mood", "sound", "rhythm", "harmony"),
    "because_era": ("era",),
    "because_genre": ("genre",),
    "because_artists": ("artists",),
    "because_playlists": ("playlists",),
}


def recommendation_rows(
    facts: Facts, space: Space, indices: Indices, distances: Floats
) -> Iterator[pl.DataFrame]:
    """Yield the ``recommendations`` in order, about ``CHUNK_PAIRS`` at a time.

    Args:
        facts: what is known about the songs.
        space: the vectors behind the distances, in the order of the songs.
        indices: shape ``(n_songs, k)``, best first; -1 where a list is short.
        distances: shape ``(n_songs, k)``, matching ``indices``.
    """
    reasons = Reasons(facts, space)
    ids = facts.songs["song_id"]
    songs, k = indices.shape
    chunk = max(CHUNK_PAIRS // max(k, 1), 1)

    def rows(start: int) -> pl.DataFrame:
        listed = indices[start : start + chunk]
        row, place = np.nonzero(listed >= 0)
        song, other = row + start, listed[row, place]
        distance = distances[song, place]
        nearer = reasons.nearer(song, other)
        frame = pl.DataFrame(
            {
                "song_id": ids.gather(song),
                "rank": place + 1,
                "recommended_song_id": ids.gather(other),
                "distance": distance,
                "similarity": 1 / (1 + distance),
                "reason": reasons.words(song, other, nearer),
                **because(nearer, len(song)),
            }
        )
        return frame.select(RECOMMENDATIONS.schema.keys())

    jobs = Parallel(n_jobs=-1, backend="threading", return_as="generator")
    yield from jobs(delayed(rows)(start) for start in range(0, songs, chunk))


def because(nearer: Mapping[str, Floats], pairs: int) -> dict[str, Indices]:
    """Return the columns of ``BECAUSE`` in thousandths; 0 for blocks that the distance lacks.

    Args:
        nearer: as ``Reasons.nearer`` returns it.
        pairs: how many there are.
    """
    return {
        name: np.rint(
            1000 * sum((nearer[block] for block in blocks if block in nearer), np.zeros(pairs))
        ).astype(np.int64)
        for name, blocks in BECAUSE.items()
    }
