"""Pick what is recommended: vectors, families and artists come in, ``k`` others a song go out.

The nearest others are taken in order, leaving out the song's own family, a second song of any
family and what would be too many songs by one artist.
"""

import numpy as np

from models.neighbours import Advance, FloatMatrix, IndexMatrix, Neighbours, ignore

ARTIST_CAP = 2
DEEPER = 4


def recommended(
    points: FloatMatrix,
    families: IndexMatrix,
    artists: IndexMatrix,
    k: int,
    advance: Advance = ignore,
) -> tuple[IndexMatrix, FloatMatrix]:
    """Find the ``k`` nearest others of every song that the rules allow.

    The search goes deeper, for the songs that need it, until the list is full; so the result is
    what the rules give over the complete ranking.

    Args:
        points: shape ``(n_songs, n_columns)``; rows sorted by id, so that ties go by id.
        families: shape ``(n_songs,)``, a number from 0 up for each song's family.
        artists: shape ``(n_songs,)``, a number from 0 up for each song's primary artist.
        k: songs per list.
        advance: told how many songs are done.

    Returns:
        ``(indices, distances)`` of shape ``(n_songs, k)``, nearest first. A row that the rules
        leave short is filled with -1 and infinity.
    """
    songs = len(points)
    search = Neighbours(points)
    indices = np.full((songs, k), -1, dtype=np.int64)
    distances = np.full((songs, k), np.inf)
    waiting = np.arange(songs)
    depth = k + k // 4 + 5
    while len(waiting) and songs > 1:
        depth = min(depth, songs - 1)
        near, far = search.nearest_others(depth, waiting)
        picked = allowed(near, families[waiting], families, artists, k)
        full = picked[:, -1] >= 0
        done = full | (depth == songs - 1)
        rows, columns = waiting[done], picked[done]
        indices[rows] = np.where(columns < 0, -1, np.take_along_axis(near[done], columns, 1))
        distances[rows] = np.where(columns < 0, np.inf, np.take_along_axis(far[done], columns, 1))
        advance(int(done.sum()))
        waiting = waiting[~done]
        depth *= DEEPER
    return indices, distances


def allowed(
    candidates: IndexMatrix,
    own_family: IndexMatrix,
    families: IndexMatrix,
    artists: IndexMatrix,
    k: int,
) -> IndexMatrix:
    """Return the columns of the first ``k`` candidates that the rules let through, -1 for none.

    A list holds at most ``ARTIST_CAP`` songs by one artist.

    Args:
        candidates: shape ``(n_rows, depth)``, nearest first.
        own_family: shape ``(n_rows,)``, the family that a row may not be given.
        families: family of every song, a number from 0 up.
        artists: artist of every song, a number from 0 up.
        k: columns to pick.
    """
    rows = len(candidates)
    picked = np.full((rows, k), -1, dtype=np.int64)
    taken_families = np.full((rows, k), -1, dtype=np.int64)
    taken_artists = np.full((rows, k), -1, dtype=np.int64)
    count = np.zeros(rows, dtype=np.int64)
    for column in range(candidates.shape[1]):
        family, artist = families[candidates[:, column]], artists[candidates[:, column]]
        fine = (count < k) & (family != own_family)
        fine &= (taken_families != family[:, None]).all(axis=1)
        fine &= (taken_artists == artist[:, None]).sum(axis=1) < ARTIST_CAP
        row = np.flatnonzero(fine)
        picked[row, count[row]] = column
        taken_families[row, count[row]] = family[row]
        taken_artists[row, count[row]] = artist[row]
        count[row] += 1
    return picked
