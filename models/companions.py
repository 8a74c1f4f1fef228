"""Count what stands in the same playlists as a song: playlists come in, its companions go out.

A song that no playlist holds has the companions of its artist.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array, diags_array

from models.arrays import FloatMatrix, IndexMatrix, SingleMatrix
from models.encoder.listening_blocks import Listening

OF_FAMILY = 50  # families that are kept for a family
OF_ARTIST = 30  # and for an artist
VERSIONS = 2  # songs of each of them
BLOCK = 1000


@dataclass(frozen=True)
class Companions:
    """What stands in the same playlists, most often first.

    Args:
        plays: shape ``(n_songs,)``, how many playlists hold the song's family.
        rows: shape ``(n_songs,)``, the row of ``songs`` for each song: that of its family, or of
            its artist where no playlist holds the family; -1 where none holds either.
        songs: shape ``(n_rows, OF_FAMILY * VERSIONS)``, the versions of a family side by side, -1
            for none, as throughout the last row.
        together: as ``songs``; over the playlists in common, the sum of one over the root of the
            playlist's length.
        families: shape ``(n_songs,)``, a number from 0 up for each song's family.
    """

    plays: SingleMatrix
    rows: IndexMatrix
    songs: IndexMatrix
    together: SingleMatrix
    families: IndexMatrix

    def of(self, songs: IndexMatrix) -> tuple[IndexMatrix, SingleMatrix]:
        """Return the companions of some songs and what they have in common; -1 and 0 for none.

        Columns that are of no use to any of the songs are left out.
        """
        own = self.rows[songs]
        others = self.songs[own]
        used = np.flatnonzero((others >= 0).any(axis=0)).max(initial=-1) // VERSIONS + 1
        others = others[:, : used * VERSIONS]
        return others, np.where(others < 0, 0, self.together[own, : used * VERSIONS])

    def shared(self, songs: IndexMatrix, others: IndexMatrix) -> SingleMatrix:
        """Return what each song has in common with other songs, 0 where they are no companions.

        Args:
            songs: shape ``(n_rows,)``.
            others: shape ``(n_rows, n_columns)``.
        """
        keys, values = self._pairs
        if not len(keys):
            return np.zeros(others.shape, dtype=np.float32)
        asked = self.rows[songs][:, None] * self._width + self.families[others]
        place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        return np.where(keys[place] == asked, values[place], np.float32(0))

    @property
    def _width(self) -> np.int64:
        return np.int64(self.families.max(initial=0)) + 1

    @cached_property
    def _pairs(self) -> tuple[IndexMatrix, SingleMatrix]:
        """Sorted keys of a row and the family of a companion, and what they have in common."""
        first = self.songs[:, ::VERSIONS]
        row, column = np.nonzero(first >= 0)
        keys = row * self._width + self.families[first[row, column]]
        order = np.argsort(keys)
        return keys[order], self.together[:, ::VERSIONS][row, column][order]


def companions(
    listening: Listening, families: IndexMatrix, artists: IndexMatrix, popularity: FloatMatrix
) -> Companions:
    """Find the companions of every family and artist that a playlist holds.

    A song of an artist is a companion once, in its most popular version, a song of a family in
    ``VERSIONS``, so that more lists may hold it. Companions of an artist are by others.

    Args:
        listening: playlists, by the same numbers of families and artists.
        families: shape ``(n_songs,)``, a number from 0 up for each family.
        artists: shape ``(n_songs,)``, a number from 0 up for each primary artist.
        popularity: shape ``(n_songs,)``, NaN where unknown.
    """
    of_family, of_artist = _held(listening, families, artists)
    versions = _versions(families, popularity)
    lengths = np.maximum(of_family.sum(axis=1), 1)
    plays, known = (np.asarray(held.sum(axis=0)) for held in (of_family, of_artist))
    heard, by = np.flatnonzero(plays), np.flatnonzero(known)
    weighted = csr_array(diags_array(lengths**-0.5) @ of_family).astype(np.float32)[:, heard]
    makers = artists[versions[:, 0]]
    near, together = _most(of_family[:, heard], weighted, heard, heard, OF_FAMILY)
    theirs, shared = _most(of_artist[:, by], weighted, makers[heard], by, OF_ARTIST)
    songs = np.full((len(heard) + len(by) + 1, OF_FAMILY, VERSIONS), -1)
    counts = np.zeros(songs.shape, dtype=np.float32)
    songs[: len(heard)] = np.where(near[..., None] < 0, -1, versions[heard][near])
    counts[: len(heard)] = together[..., None]
    songs[len(heard) : -1, :OF_ARTIST, 0] = np.where(theirs < 0, -1, versions[heard, 0][theirs])
    counts[len(heard) : -1, :OF_ARTIST, 0] = shared
    rows = np.full(len(plays), -1)
    rows[heard] = np.arange(len(heard))
    row_of_artist = np.full(len(known), -1)
    row_of_artist[by] = len(heard) + np.arange(len(by))
    return Companions(
        plays[families].astype(np.float32),
        np.where(rows[families] < 0, row_of_artist[artists], rows[families]),
        songs.reshape(len(songs), OF_FAMILY * VERSIONS),
        counts.reshape(len(songs), OF_FAMILY * VERSIONS),
        families,
    )


def _held(
    listening: Listening, families: IndexMatrix, artists: IndexMatrix
) -> tuple[csr_array, csr_array]:
    """Return which playlists of two families or more hold which families and artists."""
    held = []
    for of, numbers in (("families", families), ("artists", artists)):
        matrix = listening.matrix(of)  # type: ignore[arg-type]
        matrix.resize((matrix.shape[0], max(int(numbers.max(initial=-1)) + 1, matrix.shape[1])))
        held.append(matrix[:, : int(numbers.max(initial=-1)) + 1])
    several = np.diff(held[0].indptr) > 1
    return held[0][several], held[1][several]


def _versions(families: IndexMatrix, popularity: FloatMatrix) -> IndexMatrix:
    """Return the most popular songs of each family, shape ``(n_families, VERSIONS)``, -1 for none.

    Ties go to the smaller number.
    """
    order = np.lexsort((-np.nan_to_num(popularity, nan=-1.0), families))
    first = np.searchsorted(families[order], np.arange(int(families.max(initial=-1)) + 1))
    place = np.arange(len(order)) - first[families[order]]
    versions = np.full((len(first), VERSIONS), -1)
    few = place < VERSIONS
    versions[families[order][few], place[few]] = order[few]
    return versions


def _most(
    held: csr_array, weighted: csr_array, labels: IndexMatrix, own: IndexMatrix, most: int
) -> tuple[IndexMatrix, SingleMatrix]:
    """Return which columns of ``weighted`` each unit stands with most, and how much; -1 for none.

    Args:
        held: shape ``(n_playlists, n_units)``, 0 or 1.
        weighted: shape ``(n_playlists, n_columns)``.
        labels: shape ``(n_columns,)``, whose each column is.
        own: shape ``(n_units,)``, the label of the columns that are left out for a unit.
        most: columns to return.
    """
    found = np.full((held.shape[1], most), -1)
    counts = np.zeros(found.shape, dtype=np.float32)
    by_unit = held.T.tocsr()
    for start in range(0, held.shape[1], BLOCK):
        block = csr_array(by_unit[start : start + BLOCK] @ weighted)
        for row, (begin, end) in enumerate(pairwise(block.indptr), start):
            columns, values = block.indices[begin:end], block.data[begin:end]
            others = labels[columns] != own[row]
            columns, values = columns[others], values[others]
            first = np.lexsort((columns, -values))[:most]
            found[row, : len(first)] = columns[first]
            counts[row, : len(first)] = values[first]
    return found, counts
