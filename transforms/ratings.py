"""Turn ratings into what the rating model reads, and what it has learnt into rows.

Frames come in and numbers go out, and the other way round.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms.arrays import Indices
from warehouse.contracts import (
    FACTORS,
    RATING_FACTORS,
    RATING_PARAMETERS,
    USER_RECOMMENDATIONS,
)

Floats = NDArray[np.float64]
List = tuple[Indices, Floats, Indices, Floats]
COLUMNS = tuple(f"factor_{number}" for number in range(1, FACTORS + 1))


def numbers(ratings: pl.DataFrame, songs: pl.Series) -> tuple[pl.Series, Indices, Indices, Floats]:
    """Return the users and, for each rating, its user, its song and its stars.

    Args:
        ratings: as ``RATINGS``, sorted by ``user`` and ``song_id``.
        songs: every ``song_id``.

    Returns:
        The users, sorted; the place of each rating's user among them and of its song among
        ``songs``; and the stars, 1 to 5.
    """
    users = ratings["user"].unique().sort()
    placed = ratings.join(_places("user", users), on="user", maintain_order="left").join(
        _places("song_id", songs), on="song_id", maintain_order="left"
    )
    return (
        users,
        placed["place of user"].to_numpy(),
        placed["place of song_id"].to_numpy(),
        placed["rating"].to_numpy(),
    )


def neighbours(recommendations: pl.DataFrame, songs: pl.Series) -> tuple[Indices, Floats]:
    """Return the songs recommended for each song, and how much each of them counts.

    Args:
        recommendations: ``song_id``, ``rank``, ``recommended_song_id`` and ``similarity``.
        songs: every ``song_id``.

    Returns:
        Shape ``(n_songs, k)``: places among ``songs``, -1 where a list is short, and similarities.
    """
    named = recommendations.join(_places("song_id", songs), on="song_id").join(
        _places("recommended_song_id", songs), on="recommended_song_id"
    )
    shape = (len(songs), recommendations.select(pl.col("rank").max().fill_null(0)).item())
    others, weights = np.full(shape, -1, dtype=np.int64), np.zeros(shape)
    at = named["place of song_id"].to_numpy(), named["rank"].to_numpy() - 1
    others[at] = named["place of recommended_song_id"].to_numpy()
    weights[at] = named["similarity"].to_numpy()
    return others, weights


def _places(name: str, values: pl.Series) -> pl.DataFrame:
    places = pl.int_range(len(values), dtype=pl.Int64, eager=True)
    return pl.DataFrame({name: values, f"place of {name}": places})


def factor_rows(
    songs: pl.Series, ratings: Indices, bias: Floats, noise: Floats, vectors: Floats
) -> pl.DataFrame:
    """Return ``rating_factors``, a row for each of ``songs``, in their order."""
    columns = {"song_id": songs, "ratings": ratings, "bias": bias, "noise": noise}
    factors = dict(zip(COLUMNS, vectors.T, strict=True))
    return pl.DataFrame({**columns, **factors}, schema=RATING_FACTORS.schema)


def parameter_rows(mean: float, spread: Floats) -> pl.DataFrame:
    """Return ``rating_parameters``; ``spread`` begins with that of the bias."""
    values = {f"spread of {part}": v for part, v in zip(("bias", *COLUMNS), spread, strict=True)}
    rows = sorted({"mean": mean, **values}.items())
    return pl.DataFrame(rows, schema=RATING_PARAMETERS.schema, orient="row")


def list_rows(
    users: pl.Series,
    songs: pl.Series,
    lists: Sequence[List],
) -> pl.DataFrame:
    """Return ``user_recommendations`` for some users, in their order.

    Args:
        users: one for each list.
        songs: every ``song_id``.
        lists: for each user, best first: places of songs, predicted ratings, places of the songs
            that led to them (-1 for none), and the user's ratings of those (NaN for none).
    """
    lengths = [len(one[0]) for one in lists]
    song, rating, because, stars = (np.concatenate(column) for column in zip(*lists, strict=True))
    causes = pl.Series(because)
    return pl.DataFrame(
        {
            "user": users.gather(np.repeat(np.arange(len(lists)), lengths)),
            "rank": np.concatenate([np.arange(1, length + 1) for length in lengths]),
            "song_id": songs.gather(song),
            "predicted_rating": rating,
            "because_song_id": songs.gather(causes.set(causes < 0, None)),
            "because_rating": pl.Series(stars).fill_nan(None),
        },
        schema=USER_RECOMMENDATIONS.schema,
    )
