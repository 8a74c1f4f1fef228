"""Name tastes and lay them out: songs, genres and numbers come in; ids, labels and rows go out.

A taste's id is a hash of the songs that it began with, and the taste keeps it as long as it lasts.
So nobody has to remember which ids were used: two tastes cannot begin with the same songs.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.contracts import AVERAGED, TASTES

IndexMatrix = NDArray[np.int64]

LEAST_SHARE = 0.1
LEAST_LIFT = 1.5
LEAST_DECADE = 0.3
LEAST_KNOWN = 20
FAR = 0.2
MIXED = "mixed"
WORDS = {
    "acousticness": ("acoustic", "electric"),
    "instrumentalness": ("instrumental", ""),
    "speechiness": ("spoken", ""),
    "energy": ("energetic", "calm"),
    "tempo": ("fast", "slow"),
    "valence": ("cheerful", "sombre"),
    "danceability": ("danceable", "undanceable"),
    "liveness": ("live", ""),
    "loudness": ("loud", "quiet"),
    "duration_ms": ("long", "short"),
    "popularity": ("popular", "little known"),
}


def yesterday_numbers(
    song_ids: pl.Series, yesterday: pl.DataFrame
) -> tuple[IndexMatrix, tuple[str, ...]]:
    """Return the number of each song's taste yesterday, -1 for none, and the id of each number.

    Args:
        song_ids: of today's songs.
        yesterday: ``song_id`` and ``taste_id`` of the last build.
    """
    ids = yesterday["taste_id"].unique().sort()
    numbers = pl.DataFrame({"taste_id": ids, "number": np.arange(len(ids))})
    numbers_of_songs = yesterday.join(numbers, on="taste_id").select("song_id", "number")
    songs = pl.DataFrame({"song_id": song_ids}).join(
        numbers_of_songs, on="song_id", how="left", maintain_order="left"
    )
    return songs["number"].fill_null(-1).cast(pl.Int64).to_numpy(), tuple(ids)


def taste_ids(
    song_ids: pl.Series,
    of_song: IndexMatrix,
    before: IndexMatrix | None = None,
    yesterday: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the id of each taste: yesterday's if it is the same one, otherwise a new one.

    Args:
        song_ids: shape ``(n_songs,)``, ascending.
        of_song: shape ``(n_songs,)``, the number of each song's taste, from 0 without gaps.
        before: shape ``(n_tastes,)``, the number that the taste had yesterday, -1 for none.
        yesterday: the ids of yesterday's numbers.
    """
    members = pl.DataFrame({"song_id": song_ids, "taste": of_song}).group_by("taste").agg("song_id")
    fresh = members.sort("taste")["song_id"].to_list()
    kept = [-1] * len(fresh) if before is None else before.tolist()
    return tuple(
        yesterday[number] if number >= 0 else _digest(songs)
        for number, songs in zip(kept, fresh, strict=True)
    )


def genres_of(
    songs: pl.DataFrame, song_genres: pl.DataFrame, artist_genres: pl.DataFrame
) -> pl.DataFrame:
    """Return ``song_id`` and ``genre``, each pair once: a song's own genres and its artist's.

    Args:
        songs: ``song_id`` and ``artist``.
        song_genres: ``song_id`` and ``genre``.
        artist_genres: ``artist`` and ``genre``.
    """
    by_artist = songs.select("song_id", "artist").join(artist_genres, on="artist")
    pairs = [song_genres.select("song_id", "genre"), by_artist.select("song_id", "genre")]
    return pl.concat(pairs).unique().sort("song_id", "genre")


def labels(
    songs: pl.DataFrame,
    of_song: IndexMatrix,
    genres: pl.DataFrame,
    kept: Sequence[str | None] = (),
) -> tuple[str, ...]:
    """Name each taste by up to three things that set it apart from the catalogue.

    These are genres that are more common in it than elsewhere, features far from the mean, and a
    decade of its own. Yesterday's label stays as long as everything that it says still sets the
    taste apart, as a name that changes every night is useless.

    Args:
        songs: ``song_id`` and the columns of ``AVERAGED``, in the order of ``of_song``.
        of_song: shape ``(n_songs,)``, the number of each song's taste, from 0 without gaps.
        genres: ``song_id`` and ``genre``, each pair once.
        kept: the label that each taste had yesterday, None for a new one; empty if all are new.

    Returns:
        Shape ``(n_tastes,)``; all different.
    """
    number = int(of_song.max(initial=-1)) + 1
    numbered = songs.with_columns(taste=pl.Series(of_song), decade=pl.col("year") // 10 * 10)
    styles = _commoner(numbered.join(genres, on="song_id"), "genre", numbered, LEAST_SHARE)
    dated = numbered.drop_nulls("decade")
    decades = _commoner(dated, "decade", dated, LEAST_DECADE)
    features = _far_features(numbered, number)
    terms = [
        _Terms(styles.get(n, []), features[n], [f"{d}s" for d in decades.get(n, [])])
        for n in range(number)
    ]
    return _unique(terms, kept or [None] * number)


def taste_rows(
    songs: pl.DataFrame, of_song: IndexMatrix, ids: Sequence[str], names: Sequence[str]
) -> pl.DataFrame:
    """Return the rows of the table ``tastes``, by id.

    Args:
        songs: the columns of ``AVERAGED``, in the order of ``of_song``.
        of_song: shape ``(n_songs,)``, the number of each song's taste, from 0 without gaps.
        ids: the id of each number.
        names: the label of each number.
    """
    sizes = np.bincount(of_song, minlength=len(ids))
    means = {name: _means(songs[name], of_song, len(ids))[0] for name in AVERAGED}
    columns = {"taste_id": ids, "label": names, "songs": sizes}
    rows = pl.DataFrame({**columns, **means}, schema=TASTES.schema, nan_to_null=True)
    return rows.sort(TASTES.key)


class _Terms:
    """What sets one taste apart, the strongest of each kind first."""

    def __init__(self, genres: list[str], features: list[str], decades: list[str]) -> None:
        self.all = [*genres, *features, *decades]
        styles = list[str]()
        for genre in genres:
            if not any(_within(genre, other) or _within(other, genre) for other in styles):
                styles.append(genre)
        first = [*styles[:2], *features[: max(0, 2 - len(styles))], *decades[:1]]
        self.first = first or [MIXED]
        self.others = [term for term in (*features, *styles, *decades) if term not in first]

    def label(self, taken: set[str]) -> str:
        """Return the shortest label not taken yet, with a number if words do not suffice."""
        for more in range(len(self.others) + 1):
            label = ", ".join([*self.first, *self.others[:more]])
            if label not in taken:
                return label
        base = ", ".join(self.first)
        return next(f"{base} {n}" for n in range(2, len(taken) + 3) if f"{base} {n}" not in taken)


def _unique(terms: Sequence[_Terms], kept: Sequence[str | None]) -> tuple[str, ...]:
    stays = [
        label if label and set(label.split(", ")) <= set(own.all) else None
        for label, own in zip(kept, terms, strict=True)
    ]
    taken = {label for label in stays if label}
    labels = []
    for own, label in zip(terms, stays, strict=True):
        chosen = label or own.label(taken)
        taken.add(chosen)
        labels.append(chosen)
    return tuple(labels)


def _commoner(
    rows: pl.DataFrame, column: str, among: pl.DataFrame, least_share: float
) -> dict[int, list[str]]:
    """Return, for each taste, the values more common in it than elsewhere, the most telling first.

    A value counts by its share times the logarithm of its lift, which is its part in the
    Kullback-Leibler divergence (1951) of the taste from the catalogue: a rare value with a high
    lift tells little.

    Args:
        rows: ``song_id``, ``taste`` and the column; a song may have several values.
        column: the column with the values.
        among: the songs to which ``least_share`` refers. For genres these are all songs: what is
            known about a few songs of a taste does not set it apart.
        least_share: share of a taste's songs that must have a value.
    """
    songs = rows.select("song_id", "taste").unique().group_by("taste").len("known")
    everywhere = pl.col("all") / songs["known"].sum()
    counts = rows.group_by("taste", pl.col(column).cast(pl.String).alias("value")).len("own")
    judged = (
        counts.with_columns(all=pl.col("own").sum().over("value"))
        .join(songs, on="taste")
        .join(among.group_by("taste").len("among"), on="taste")
        .filter(pl.col("known") >= LEAST_KNOWN)
        .filter(pl.col("own") >= least_share * pl.col("among"))
        .with_columns(share=pl.col("own") / pl.col("known"))
        .with_columns(lift=pl.col("share") / everywhere)
        .filter(pl.col("lift") >= LEAST_LIFT)
        .with_columns(weight=pl.col("share") * pl.col("lift").log())
        .sort("taste", "weight", "value", descending=[False, True, False])
    )
    grouped = judged.group_by("taste", maintain_order=True).agg("value")
    return dict(grouped.iter_rows())


def _far_features(songs: pl.DataFrame, number: int) -> list[list[str]]:
    """Return, for each taste, words for the features far from the mean, the furthest first.

    Far means ``FAR`` standard deviations of the catalogue.
    """
    terms_of: list[list[tuple[float, str]]] = [[] for _ in range(number)]
    of_song = songs["taste"].to_numpy()
    for name, words in WORDS.items():
        means, overall, spread = _means(songs[name], of_song, number)
        for taste in np.flatnonzero(np.abs(means - overall) >= FAR * max(spread, 1e-12)):
            apart = float(means[taste] - overall) / spread
            terms_of[taste].append((-abs(apart), words[apart < 0]))
    return [[word for _, word in sorted(far) if word] for far in terms_of]


def _means(
    values: pl.Series, of_song: IndexMatrix, number: int
) -> tuple[NDArray[np.float64], float, float]:
    """Return the mean of each taste, NaN if no value is known, and the overall mean and spread.

    Values are added up in the order of the songs, so that the last digit is the same every time.
    """
    numbers = values.cast(pl.Float64).to_numpy()
    present = ~np.isnan(numbers)
    count = np.bincount(of_song[present], minlength=number)
    total = np.bincount(of_song[present], numbers[present], minlength=number)
    means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    if not present.any():
        return means, np.nan, np.nan
    return means, float(numbers[present].mean()), float(numbers[present].std())


def _within(words: str, others: str) -> bool:
    return f" {words} " in f" {others} "


def _digest(songs: Sequence[str]) -> str:
    return "t" + hashlib.blake2b("\n".join(songs).encode(), digest_size=8).hexdigest()
