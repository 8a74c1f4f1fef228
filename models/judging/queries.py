"""Ask what real playlists answer: held-out playlists come in, queries and what is relevant go out.

Songs are rows from 0 in the order of ``song_id``. All versions of a song are one answer, its
family, and the family's first song stands for it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from models.arrays import Flags, IndexMatrix

SHORTEST, LONGEST = 10, 200
A_PLAYLIST = 5
MOST = 3000
SEED = 20261121
COPIED = 0.9
BLOCK = 256


@dataclass(frozen=True, slots=True)
class Entries:
    """Playlists as pairs of a playlist's number and a song's row, the playlists ascending.

    A number means the same playlist wherever it stands, in training or held out.
    """

    playlists: IndexMatrix
    songs: IndexMatrix


class Catalogue:
    """The songs as an evaluation sees them: families, and who is credited on each.

    Args:
        families: shape ``(n_songs,)``, a number for each song's family.
        credit_starts: shape ``(n_songs + 1,)``; the credits of song ``i`` are
            ``credits[credit_starts[i]:credit_starts[i + 1]]``.
        credits: numbers of the credited artists, from 0 up.
    """

    def __init__(
        self, families: IndexMatrix, credit_starts: IndexMatrix, credits: IndexMatrix
    ) -> None:
        _, self.first_songs, self.families = np.unique(
            families, return_index=True, return_inverse=True
        )
        artists = int(credits.max(initial=-1)) + 1
        ones = np.ones(len(credits), dtype=np.int32)
        by = csr_array((ones, credits, credit_starts), shape=(len(families), artists))
        self.credited = by[self.first_songs]

    def matrix(self, entries: Entries) -> csr_array:
        """Return what each playlist holds, shape ``(last playlist + 1, n_families)``, 0 or 1."""
        shape = (int(entries.playlists.max(initial=-1)) + 1, len(self.first_songs))
        held = np.unique(self.keys(entries.playlists, self.families[entries.songs]))
        row, column = np.divmod(held, shape[1])
        return csr_array((np.ones(len(row), dtype=np.float32), (row, column)), shape=shape)

    def keys(self, rows: IndexMatrix, families: IndexMatrix) -> IndexMatrix:
        """Return one number for each pair of a row and a family."""
        return np.asarray(rows * np.int64(len(self.first_songs)) + families)

    def share_artist(self, families: IndexMatrix, others: IndexMatrix) -> Flags:
        """Return for each pair of families whether one artist is credited on both."""
        shared = self.credited[families].multiply(self.credited[others])
        return np.asarray(shared.sum(axis=1)).ravel() > 0


@dataclass(frozen=True, slots=True)
class Queries:
    """What is asked, and what answers it; the playlists ascend.

    Args:
        songs: shape ``(n_queries,)``, the song whose list is judged.
        playlists: shape ``(n_queries,)``, the playlist that it was drawn from.
        warm: shape ``(n_queries,)``, whether its family stands in a training playlist.
        relevant: sorted keys (``Catalogue.keys``) of each query and the other families of its
            playlist.
        by_same_artist: sorted keys of each query and the families that share a credited artist
            with it, its own among them.
        learnt: true where the playlists were learnt from, so that nothing is held out.
    """

    songs: IndexMatrix
    playlists: IndexMatrix
    warm: Flags
    relevant: IndexMatrix
    by_same_artist: IndexMatrix
    learnt: bool


def drawn_queries(
    catalogue: Catalogue, held_out: Entries, training: Entries, learnt: bool = False
) -> Queries:
    """Draw the queries: at most ``A_PLAYLIST`` songs of a playlist and ``MOST`` in all.

    Playlists of ``SHORTEST`` to ``LONGEST`` families are asked. A song is a query where its
    playlist holds a family without an artist of its own. Each playlist has a stream of random
    numbers of its own, so that one more playlist or song leaves the other draws as they were.

    Args:
        catalogue: the songs.
        held_out: playlists that nothing was learnt from.
        training: playlists that were learnt from; perhaps none.
        learnt: ask training playlists on purpose, to see how far a model fits what it learnt.
            The queries are marked, and so is every number made from them.

    Raises:
        ValueError: a playlist that is asked was learnt from, or is a copy of one that was.
    """
    leaks = () if learnt else leaked(catalogue, held_out, training).tolist()
    if leaks:
        raise ValueError(
            f"expected held-out playlists, but {len(leaks)} of them were learnt from, such as "
            f"{leaks[:5]}: take them out of one side or mark the queries as learnt"
        )
    held = catalogue.matrix(held_out)
    playlists, families = _drawn(catalogue, held)
    relevant = _keys(catalogue, held[playlists])
    relevant = relevant[~np.isin(relevant, catalogue.keys(np.arange(len(families)), families))]
    credited = catalogue.credited
    by_same_artist = np.union1d(
        _keys(catalogue, credited[families] @ credited.T),
        catalogue.keys(np.arange(len(families)), families),
    )
    return Queries(
        songs=catalogue.first_songs[families],
        playlists=playlists,
        warm=np.isin(families, catalogue.families[training.songs]),
        relevant=relevant,
        by_same_artist=by_same_artist,
        learnt=learnt,
    )


def leaked(catalogue: Catalogue, held_out: Entries, training: Entries) -> IndexMatrix:
    """Return the held-out playlists that were learnt from: none, if all is well.

    A playlist was learnt from if its number stands among the training playlists, or if one of
    them holds nearly the same families (``COPIED`` of both together): public playlists are copied
    under other ids. Only playlists that can be asked count; two short ones are alike by chance.
    """
    held, learnt = catalogue.matrix(held_out), catalogue.matrix(training)
    asked = _asked(held)
    known = np.isin(asked, training.playlists)
    for start in range(0, len(asked), BLOCK):
        part = held[asked[start : start + BLOCK]]
        both = (part @ learnt.T).tocoo()
        row, column = both.coords
        either = _sizes(part)[row] + _sizes(learnt)[column] - both.data
        known[start + row[both.data >= COPIED * either]] = True
    return np.asarray(asked[known])


def _drawn(catalogue: Catalogue, held: csr_array) -> tuple[IndexMatrix, IndexMatrix]:
    """Return the playlist and the family of each query."""
    playlists, families, order = [], [], []
    for playlist in _asked(held):
        inside = held.indices[held.indptr[playlist] : held.indptr[playlist + 1]]
        rng = np.random.default_rng((SEED, int(playlist)))
        drawn = rng.choice(np.sort(inside), A_PLAYLIST, replace=False)
        pairs = np.repeat(drawn, len(inside)), np.tile(inside, len(drawn))
        apart = ~catalogue.share_artist(*pairs) & (pairs[0] != pairs[1])
        drawn = drawn[apart.reshape(len(drawn), -1).any(axis=1)]
        playlists.append(np.full(len(drawn), playlist))
        families.append(drawn)
        order.append(rng.random(len(drawn)))
    if not playlists:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    kept = np.sort(np.argsort(np.concatenate(order), kind="stable")[:MOST])
    return np.concatenate(playlists)[kept], np.concatenate(families)[kept].astype(np.int64)


def _asked(held: csr_array) -> IndexMatrix:
    """Return the playlists that are neither too short nor too long."""
    sizes = _sizes(held)
    return np.flatnonzero((sizes >= SHORTEST) & (sizes <= LONGEST))


def _sizes(held: csr_array) -> IndexMatrix:
    return np.asarray(np.diff(held.indptr))


def _keys(catalogue: Catalogue, matrix: csr_array) -> IndexMatrix:
    """Return the sorted keys of what a matrix of queries by families holds."""
    row, column = matrix.tocoo().coords
    return np.sort(catalogue.keys(row.astype(np.int64), column.astype(np.int64)))
