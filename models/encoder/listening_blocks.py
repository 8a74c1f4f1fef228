"""Learn from what people listen to: playlists come in, vectors of songs or artists go out.

Two songs are near where they stand in the same playlists. What no playlist holds gets a vector
by regression from what else is known of it.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from scipy.sparse import csr_array, diags_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.utils.extmath import randomized_svd

from models.arrays import IndexMatrix, SingleMatrix
from models.songs import Songs

LONGEST = 500
SMOOTHING = 0.75
SWEEPS = 4
PAIRS_AT_ONCE = 2**22
PENALTY = 10.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Which families and which artists stand in which playlists.

    Args:
        playlists: shape ``(n,)``, a number from 0 up for the playlist of each entry.
        families: shape ``(n,)``, the entry's family; -1 where the catalogue does not have it.
        artists: shape ``(n,)``, the entry's artist; -1 where none is named. Artists that the
            catalogue does not have go by numbers above those that it has.
    """

    playlists: IndexMatrix
    families: IndexMatrix
    artists: IndexMatrix

    def matrix(self, of: Literal["families", "artists"]) -> csr_array:
        """Return which playlist holds what, shape ``(n_playlists, n_items)``, 0 or 1.

        A playlist of more than ``LONGEST`` is thinned to that many, evenly by number: it says
        little of each pair, and pairs grow by the square.
        """
        items = self.families if of == "families" else self.artists
        known = items >= 0
        width = int(items.max(initial=-1)) + 1
        keys = np.unique(self.playlists[known] * np.int64(width) + items[known])
        playlists, found = np.divmod(keys, max(width, 1))
        sizes = np.bincount(playlists)
        place = np.arange(len(keys)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        size = sizes[playlists]
        kept = (size <= LONGEST) | ((place * LONGEST) // size != ((place - 1) * LONGEST) // size)
        ones = np.ones(int(kept.sum()), dtype=np.float32)
        shape = (int(self.playlists.max(initial=-1)) + 1, width)
        return csr_array((ones, (playlists[kept], found[kept])), shape=shape)


def co_listening(held: csr_array, dimensions: int, power: float) -> SingleMatrix:
    """Return a vector for each item, so that items of the same playlists lie in one direction.

    Positive pointwise mutual information of pairs, a playlist counting by 1 over its length, then
    a truncated singular value decomposition (Levy & Goldberg, "Neural word embedding as implicit
    matrix factorization", NeurIPS 2014; context smoothing by Levy, Goldberg & Dagan, TACL 2015).

    Args:
        held: shape ``(n_playlists, n_items)``, 0 or 1.
        dimensions: columns to keep.
        power: of the singular values; above 1 the strongest structure counts for more.

    Returns:
        Shape ``(n_items, dimensions)``, rows of length 1, or 0 for an item that is in no playlist
        or alone in all of its playlists.
    """
    vectors = np.zeros((held.shape[1], dimensions), dtype=np.float32)
    heard = np.flatnonzero(held.sum(axis=0) > 0)
    held = held[:, heard]
    lengths = np.maximum(held.sum(axis=1), 1)
    pairs = _information(held.T @ diags_array(1 / lengths, dtype=np.float32) @ held)
    columns = min(dimensions, len(heard) - 1)
    if columns < 1 or not pairs.nnz:
        return vectors
    left, strength, _ = randomized_svd(pairs, columns, n_iter=SWEEPS, random_state=0)
    found = left * (strength / strength[0]) ** power
    length = np.linalg.norm(found, axis=1, keepdims=True)
    vectors[heard, :columns] = np.divide(found, length, out=np.zeros_like(found), where=length > 0)
    return vectors


def _information(together: csr_array) -> csr_array:
    """Return how much more often than by chance each pair occurs, on a log scale, where it does.

    Pairs are many more than items, so they are worked on some rows at a time.
    """
    together, items = csr_array(together), together.shape[0]
    step = max(1, PAIRS_AT_ONCE * items // max(together.nnz, 1))
    parts = [slice(start, min(start + step, items)) for start in range(0, items, step)]
    total = np.zeros(items)
    for part in parts:
        row, _, count = _pairs(together, part)
        total[part] = np.bincount(row, count, part.stop - part.start)
    context = total**SMOOTHING / max((total**SMOOTHING).sum(), np.finfo(float).tiny)
    columns, values, sizes = [np.empty(0, np.int32)], [np.empty(0, np.float32)], [np.zeros(1, int)]
    for part in parts:
        row, column, count = _pairs(together, part)
        value = np.log(count / (total[part][row] * context[column]))
        more = value > 0
        columns.append(column[more])
        values.append(value[more].astype(np.float32))
        sizes.append(np.bincount(row[more], minlength=part.stop - part.start))
    starts = np.cumsum(np.concatenate(sizes)).astype(together.indices.dtype)
    found = csr_array((np.concatenate(values), np.concatenate(columns), starts), together.shape)
    found.sort_indices()
    return found


def _pairs(together: csr_array, rows: slice) -> tuple[IndexMatrix, IndexMatrix, SingleMatrix]:
    """Return row (from the first one on), column and count of each pair of two items."""
    starts = together.indptr[rows.start : rows.stop + 1]
    inside = slice(starts[0], starts[-1])
    row = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    column, count = together.indices[inside], together.data[inside]
    apart = column != row + rows.start
    return row[apart], column[apart], count[apart]


class CoListening(TransformerMixin, BaseEstimator):
    """Place songs by what their family, or their artist, is listened to with.

    Args:
        of: whether songs share a vector by family or by artist.
        dimensions: columns.
        power: see ``co_listening``.
        trust: playlists that weigh as much as all else that is known of a song. A vector learnt
            from ``n`` playlists counts ``n / (n + trust)``, the regression the rest.
        cold: factor on vectors by regression, which are less sure, so that they stay nearer to
            the middle.
    """

    unit_length = True

    def __init__(
        self,
        of: Literal["families", "artists"],
        dimensions: int,
        power: float,
        trust: float,
        cold: float,
    ) -> None:
        self.of = of
        self.dimensions = dimensions
        self.power = power
        self.trust = trust
        self.cold = cold

    def fit(self, songs: Songs, listening: Listening) -> Self:
        """Learn a vector for each family or artist, and the regression for the others.

        Args:
            songs: with the columns of the blocks before, from which the regression learns.
            listening: playlists of the same numbers of families and artists.
        """
        units = self._units(songs)
        number = int(units.max(initial=-1)) + 1
        held = listening.matrix(self.of)
        playlists = np.zeros(number)
        learnt = np.zeros((number, self.dimensions), dtype=np.float32)
        shared = min(number, held.shape[1])
        playlists[:shared] = held.sum(axis=0)[:shared]
        learnt[:shared] = co_listening(held, self.dimensions, self.power)[:shared]
        heard = np.flatnonzero(learnt.any(axis=1))
        known = _means(_told(songs), units, number)
        from_what = heard if len(heard) else np.arange(number)
        self.regression_ = Ridge(PENALTY).fit(
            known[from_what],
            learnt[from_what],
            sample_weight=np.sqrt(np.maximum(playlists[from_what], 1)),
        )
        sure = (playlists[heard] / (playlists[heard] + self.trust))[:, None]
        self.vectors_ = (self.cold * self.regression_.predict(known)).astype(np.float32)
        self.vectors_[heard] = sure * learnt[heard] + (1 - sure) * self.vectors_[heard]
        self.heard_ = np.zeros(number, dtype=np.bool_)
        self.heard_[heard] = True
        return self

    def transform(self, songs: Songs) -> SingleMatrix:
        """Return shape ``(n_songs, dimensions)``; what was not heard by regression."""
        units = self._units(songs)
        predicted = self.cold * self.regression_.predict(_told(songs))
        placed = np.asarray(predicted, dtype=np.float32)
        heard = (units >= 0) & (units < len(self.heard_))
        heard[heard] = self.heard_[units[heard]]
        placed[heard] = self.vectors_[units[heard]]
        return placed

    @property
    def transform_in_words(self) -> str:
        """How a column comes about."""
        return "PPMI of pairs in playlists, truncated SVD; ridge regression where unheard"

    def names(self, width: int) -> list[str]:
        """Return the names of the columns."""
        stem = "playlists" if self.of == "families" else "artists"
        return [f"{stem}_{number}" for number in range(1, width + 1)]

    def _units(self, songs: Songs) -> IndexMatrix:
        return songs.families if self.of == "families" else songs.artists


def _told(songs: Songs) -> SingleMatrix:
    """Return what the regression learns from: one column of zeros where there is nothing."""
    return songs.columns if songs.columns.size else np.zeros((len(songs), 1), np.float32)


def _means(columns: SingleMatrix, units: IndexMatrix, number: int) -> SingleMatrix:
    """Return the mean of the songs of each unit, shape ``(number, n_columns)``."""
    songs = np.arange(len(units))
    of = csr_array((np.ones(len(units), np.float32), (units, songs)), shape=(number, len(units)))
    sizes = np.maximum(np.bincount(units, minlength=number), 1)
    return np.asarray(of @ columns / sizes[:, None], dtype=np.float32)
