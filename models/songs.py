"""What the encoder learns about songs: arrays with a row for each song, ordered by id."""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_array

from models.arrays import FloatMatrix, IndexMatrix, SingleMatrix


@dataclass(frozen=True)
class Songs:
    """What is known about songs, and the columns that the encoder has made from it so far.

    Args:
        measurements: shape ``(n_songs, len(COMPARED))``, columns in the order of ``COMPARED``,
            NaN where unknown.
        genres: shape ``(n_songs, n_genres)``, 1 if a song, or anyone credited on it, has the
            genre. No columns if no genres are known.
        artists: shape ``(n_songs,)``, a number from 0 up for each primary artist, -1 for one
            who is not in the catalogue.
        families: shape ``(n_songs,)``, a number from 0 up for each family, -1 for one that is
            not in the catalogue.
        columns: shape ``(n_songs, n_columns)``.
    """

    measurements: FloatMatrix
    genres: csr_array
    artists: IndexMatrix
    families: IndexMatrix
    columns: SingleMatrix = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def __len__(self) -> int:
        return len(self.measurements)

    def beside(self, columns: SingleMatrix) -> "Songs":
        """Return the same songs with further columns."""
        before = self.columns if self.columns.size else np.empty((len(self), 0), np.float32)
        return replace(self, columns=np.hstack([before, columns.astype(np.float32)]))
