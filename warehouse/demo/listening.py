"""The demo's songs come in; who listens to them goes out: circles, playlists and ratings.

People in a circle listen to the same music, and a circle cuts across sound, genre and era: it likes
some artists of four scenes that are not neighbours in the ring. So only from what people do can one
learn that two songs belong together.
"""

import unicodedata

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.demo.catalogue import ARTISTS, SCENES

CIRCLES = (
    *("night shift", "long drive", "sunday kitchen", "reading room", "running club", "rooftop"),
    *("workshop", "slow morning", "last train", "allotment", "dinner party", "record fair"),
)
# A circle likes the scenes this many steps from its own place in the ring.
STEPS = (0, 2, 5, 9)
# From this many albums on, an artist has two circles.
SPLIT_ALBUMS = 4
COLD_ARTISTS = 12
COLD_SHARE = 0.18
# Artists before this rank have been heard of.
WELL_KNOWN = 40

PLAYLISTS = 700
LENGTHS = (10, 60)
# The weight of a song outside the circle relative to one inside, in playlists and in ratings.
STRAY = 0.006
CURIOUS = 0.1

USERS = 300
RATED = (15, 80)
TASTES = 4
MEAN_RATING = 3.4
BIAS_SPREAD = 0.35
TASTE_SPREAD = 0.65
NOISE = 0.35

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def with_circles(songs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add who hears each song: an artist's albums go to one circle, or to two if there are many.

    Args:
        songs: those of ``demo_songs``, in their order.
        seed: of the catalogue.

    Returns:
        The same rows with ``artist``, the primary one; ``circle``, null where nobody has heard
        of the artist; ``cold``, whether nobody has heard the song; ``appeal``, its weight
        within the circle.
    """
    rng = np.random.default_rng([seed, 1])
    own = songs.filter(pl.col("version_of").is_null()).select(
        "song_id", artist="artists", rank=pl.col("artists").rle_id(), album=pl.col("album").rle_id()
    )
    number = pl.col("album") - pl.col("album").min().over("rank")
    albums = pl.col("album").n_unique().over("rank")
    split = (albums >= SPLIT_ALBUMS) & (number * 2 >= albums)
    first, second = _artists_circles(rng)
    circles = own.with_columns(
        circle=pl.when(split).then(_by_rank(second)).otherwise(_by_rank(first))
    )
    found = songs.with_columns(original=pl.coalesce("version_of", "song_id")).join(
        circles.select("artist", "circle", original="song_id"),
        on="original",
        how="left",
        maintain_order="left",
    )
    missed = pl.Series(rng.random(len(songs)) < COLD_SHARE)
    appeal = (pl.col("popularity") / 15 + pl.Series(0.7 * rng.normal(size=len(songs)))).exp()
    return found.drop("original").with_columns(
        cold=pl.col("circle").is_null() | missed, appeal=appeal
    )


def _artists_circles(rng: np.random.Generator) -> tuple[list[str | None], list[str | None]]:
    """Return the circle of each artist's earlier albums and of the later ones, by rank.

    Of four artists of a scene in a row each goes to another of the scene's four circles; the later
    albums go where the other artist of the pair (``place ^ 1``) went.
    """
    rank = np.arange(ARTISTS)
    place, scene = rank // len(SCENES), rank % len(SCENES)
    rounds = -(-ARTISTS // (len(SCENES) * len(STEPS)))
    steps = rng.permuted(np.tile(STEPS, (len(SCENES), rounds, 1)), axis=2)
    steps = steps.reshape(len(SCENES), -1)
    unheard = set(rng.choice(np.arange(WELL_KNOWN, ARTISTS), COLD_ARTISTS, replace=False).tolist())
    first, second = (
        [
            None if artist in unheard else CIRCLES[circle]
            for artist, circle in enumerate((scene - steps[scene, at]) % len(CIRCLES))
        ]
        for at in (place, place ^ 1)
    )
    return first, second


def _by_rank(circles: list[str | None]) -> pl.Expr:
    known = {rank: circle for rank, circle in enumerate(circles) if circle is not None}
    return pl.col("rank").replace_strict(known, default=None, return_dtype=pl.String)


def playlists(songs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return what people put into their playlists, before anyone writes it down.

    Most of a playlist comes from one circle, in one of ten playlists from two. A playlist leans
    towards a few artists, and a song's appeal decides how many playlists hold it.

    Args:
        songs: those of ``with_circles``.
        seed: of the catalogue.

    Returns:
        ``playlist_id``, ``circle``, ``position`` from 0 and ``song_id``, in that order.
    """
    rng = np.random.default_rng([seed, 2])
    circles = _numbered_circles(songs)
    sizes = np.linspace(2, 1, len(CIRCLES))
    home, other = rng.choice(len(CIRCLES), size=(2, PLAYLISTS), p=sizes / sizes.sum())
    other = np.where(rng.random(PLAYLISTS) < 0.1, other, home)
    inside = (circles == home[:, None]) | (circles == other[:, None])
    artist = songs["artist"].rank("dense").to_numpy() - 1
    lean = rng.gamma(0.7, size=(PLAYLISTS, ARTISTS))[:, artist]
    weights = np.where(inside, 1, STRAY) * songs["appeal"].to_numpy() * lean
    lengths = np.exp(rng.normal(3.2, 0.5, size=PLAYLISTS)).round().clip(*LENGTHS).astype(int)
    playlist, song = _drawn(rng, weights * ~songs["cold"].to_numpy(), lengths)
    return pl.DataFrame(
        {
            "playlist_id": [f"list{number:04d}" for number in playlist + 1],
            "circle": [CIRCLES[circle] for circle in home[playlist]],
            "position": np.concatenate([np.arange(length) for length in lengths]),
            "song_id": songs["song_id"].gather(song),
        }
    )


def ratings(songs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return what everybody thinks of every song, and how they rated those that they rated.

    The expectation is the mean, the user's bias, the song's bias and the product of four tastes;
    songs of one circle are alike in these, and users like those of their own circle. A rating is
    the expectation with noise, to the nearest half from 1 to 5.

    Args:
        songs: those of ``with_circles``.
        seed: of the catalogue.

    Returns:
        ``user``, ``song_id``, ``expected`` and ``rating``, null where there is none; every user
        with every song, in that order.
    """
    rng = np.random.default_rng([seed, 3])
    circles = _numbered_circles(songs)
    home = rng.integers(len(CIRCLES), size=USERS)
    expected = _expected(rng, circles, home)
    inside = circles == home[:, None]
    weights = np.where(inside, 1, CURIOUS) * songs["appeal"].to_numpy() ** 1.2
    counts = np.exp(rng.normal(3.7, 0.45, size=USERS)).round().clip(*RATED).astype(int)
    given = np.full(expected.shape, np.nan)
    at = _drawn(rng, weights * ~songs["cold"].to_numpy(), counts)
    given[at] = np.round(2 * (expected[at] + NOISE * rng.normal(size=counts.sum()))) / 2
    names = pl.Series([f"listener{number:03d}" for number in range(1, USERS + 1)])
    return pl.DataFrame(
        {
            "user": names.gather(np.repeat(np.arange(USERS), len(songs))),
            "song_id": pl.concat([songs["song_id"]] * USERS),
            "expected": expected.ravel(),
            "rating": given.clip(1, 5).ravel(),
        }
    ).with_columns(pl.col("rating").fill_nan(None))


def _expected(rng: np.random.Generator, circles: Indices, home: Indices) -> Floats:
    """Return the true rating of each song by each user, of shape ``(users, songs)``."""
    tastes = rng.normal(size=(len(CIRCLES), TASTES))
    tastes /= np.linalg.norm(tastes, axis=1, keepdims=True)
    unheard = np.zeros((1, TASTES))
    of_songs = np.vstack([tastes, unheard])[circles] + 0.2 * rng.normal(size=(len(circles), TASTES))
    of_users = tastes[home] + 0.3 * rng.normal(size=(len(home), TASTES))
    taste = of_users @ of_songs.T
    user, song = (BIAS_SPREAD * rng.normal(size=len(n)) for n in (home, circles))
    shape = TASTE_SPREAD * taste / taste.std()
    expected: Floats = MEAN_RATING + user[:, None] + song + shape
    return expected.clip(1, 5)


def _numbered_circles(songs: pl.DataFrame) -> Indices:
    """Return the place of each song's circle in ``CIRCLES``, or one past the last for none."""
    number = {circle: at for at, circle in enumerate(CIRCLES)}
    return np.array([number.get(circle, len(CIRCLES)) for circle in songs["circle"]])


def _drawn(rng: np.random.Generator, weights: Floats, sizes: Indices) -> tuple[Indices, Indices]:
    """Draw columns for each row without replacement, in proportion to its weights.

    Those that come first in a race of exponential times, each at the rate of its weight, are such
    a draw (Efraimidis and Spirakis 2006, Weighted random sampling with a reservoir).

    Returns:
        Rows and columns of what was drawn, row by row; the columns of a row in random order.
    """
    weights = np.maximum(weights, 1e-100)
    times = rng.standard_exponential(weights.shape) / weights
    most = int(sizes.max())
    first = np.argpartition(times, most, axis=1)[:, :most]
    inner = np.argsort(np.take_along_axis(times, first, 1), axis=1)
    first = np.take_along_axis(first, inner, 1)
    columns = [rng.permutation(row[:size]) for row, size in zip(first, sizes, strict=True)]
    return np.repeat(np.arange(len(sizes)), sizes), np.concatenate(columns)


def respelled(rng: np.random.Generator, text: str) -> str:
    """Return the text as others may write it: in capitals, in lower case or without accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return (text.upper(), text.lower(), plain)[rng.integers(3)]
