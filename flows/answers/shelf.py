"""The songs nearest to some vectors under the rules: a published build comes in, rows go out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models import ranking
from models.arrays import IndexMatrix
from models.neighbours.around import Around, around
from transforms import arrays as features
from warehouse import contracts, export
from warehouse.published import Published

KNOWN = ("song_id", "title", "artist", "year", "duration_ms", "label", "family_id")


@dataclass(frozen=True, slots=True)
class Shelf:
    """The songs in the order of their vectors.

    Args:
        songs: ``KNOWN`` and ``by``, the artist as it is compared; by ``song_id``.
        families: number of each song's family.
        artists: number of each song's artist.
        numbers: of each artist, by what ``by`` says.
    """

    songs: pl.DataFrame
    families: IndexMatrix
    artists: IndexMatrix
    numbers: Mapping[str, int]

    def places(self, song_ids: Collection[str]) -> IndexMatrix:
        """Return the row of each id that is known, -1 of any other."""
        wanted, ids = pl.Series(song_ids, dtype=pl.String), self.songs["song_id"]
        if not len(wanted) or not len(ids):
            return np.full(len(wanted), -1)
        rows = ids.search_sorted(wanted).clip(0, len(ids) - 1)
        return np.where(ids[rows] == wanted, rows.to_numpy().astype(np.int64), -1)


def shelf_of(build: Published) -> Shelf:
    """Read the shelf of a build; ask for it by ``build.once``."""
    songs = export.frame(build.file, contracts.SONGS, KNOWN).sort("song_id")
    songs = songs.with_columns(by=features.artists(songs))
    numbers = features.numbered(songs["by"])
    names = dict(zip(songs["by"], numbers.tolist(), strict=True))
    return Shelf(songs, features.numbered(songs["family_id"]), numbers, names)


def nearest(
    build: Published, queries: NDArray[np.floating], taken: Collection[int], k: int
) -> Around:
    """Return the ``k`` songs nearest to any of some vectors that a list may hold.

    Args:
        build: a published build.
        queries: shape ``(n_queries, n_columns)``, one at least.
        taken: rows of songs whose families are left out.
        k: fewer are returned where the rules allow no more.
    """
    shelf = build.once(shelf_of)
    families = set(shelf.families[list(taken)].tolist())
    depth = 8 * k + 64 + len(taken)
    while True:
        found = around(build.vectors, queries, depth)
        chosen = ranking.allowed(found.songs, families, shelf.families, shelf.artists, k)
        if len(chosen) == k or depth >= len(shelf.songs):
            return Around(found.songs[chosen], found.distances[chosen], found.nearest[chosen])
        depth *= ranking.DEEPER
