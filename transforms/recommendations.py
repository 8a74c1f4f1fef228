"""Shape the model's answer into the table that readers join against, each pair with its reason.

Indices, distances and vectors come in; ``recommendations`` rows go out, a bounded number at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from joblib import Parallel, delayed
from numpy.typing import NDArray

from warehouse.contracts import RECOMMENDATIONS

FloatMatrix = NDArray[np.float64]
IndexMatrix = NDArray[np.int64]

CHUNK_SONGS = 20_000
SAMPLED_PAIRS = 20_000
CLOSE = 0.2
NAMED_FEATURES = 3
YEARS_APART = 2
NOTHING_SHARED = "nearest by what is known"
GENRES_NAMED = 2
KEYS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
SPOKEN = {"valence": "mood", "duration": "length"}
HEARD = (
    *("danceability", "energy", "valence", "loudness", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "tempo", "duration"),
)


@dataclass(frozen=True, slots=True)
class Space:
    """The songs as the distance sees them, rows in the order of ``song_id``.

    Args:
        columns: names of the columns of ``vectors``.
        vectors: shape ``(n_songs, n_columns)``.
        unknown: shape ``(n_songs, len(HEARD))``, true where a measurement was filled in.
    """

    columns: Sequence[str]
    vectors: NDArray[np.float32]
    unknown: NDArray[np.bool_]

    def heard(self, rows: IndexMatrix) -> NDArray[np.float32]:
        """Return the columns of ``HEARD`` for some rows."""
        return self.vectors[rows][:, [self.columns.index(name) for name in HEARD]]


def unknown_measurements(songs: pl.DataFrame) -> NDArray[np.bool_]:
    """Return where a song lacks what ``HEARD`` names, shape ``(n_songs, len(HEARD))``."""
    names = ["duration_ms" if name == "duration" else name for name in HEARD]
    return songs.select(pl.col(name).is_null() for name in names).to_numpy()


def recommendation_rows(
    songs: pl.DataFrame,
    genres: pl.DataFrame,
    space: Space,
    indices: IndexMatrix,
    distances: FloatMatrix,
) -> Iterator[pl.DataFrame]:
    """Yield the ``recommendations`` in order, ``CHUNK_SONGS`` songs at a time.

    Args:
        songs: ``song_id``, ``year``, ``key`` and ``mode``, sorted by ``song_id``.
        genres: ``song_id`` and ``genre``.
        space: the vectors behind the distances, in the order of ``songs``.
        indices: shape ``(n_songs, k)``, nearest first; -1 where a list is short.
        distances: shape ``(n_songs, k)``, matching ``indices``.
    """
    typical = _typical_gaps(space)
    numbered = songs.select("song_id").with_row_index("song")
    tags = genres.join(numbered, on="song_id").select("song", "genre")
    tags = tags.join(tags.group_by("genre").len("songs"), on="genre")

    def rows(start: int) -> pl.DataFrame:
        pairs = _pairs(indices[start : start + CHUNK_SONGS], start)
        distance = pl.lit(_listed(distances, indices, start))
        return pairs.select(
            song_id=songs["song_id"].gather(pairs["song"]),
            rank=pl.col("rank"),
            recommended_song_id=songs["song_id"].gather(pairs["other"]),
            distance=distance,
            similarity=1 / (1 + distance),
            reason=pl.lit(_reasons(pairs, songs, tags, space, typical)),
        ).select(RECOMMENDATIONS.schema.keys())

    jobs = Parallel(n_jobs=-1, backend="threading", return_as="generator")
    yield from jobs(delayed(rows)(start) for start in range(0, len(indices), CHUNK_SONGS))


def _pairs(indices: IndexMatrix, first: int) -> pl.DataFrame:
    songs, k = indices.shape
    return pl.DataFrame(
        {
            "song": np.repeat(np.arange(first, first + songs), k),
            "rank": np.tile(np.arange(1, k + 1), songs),
            "other": indices.ravel(),
        }
    ).filter(pl.col("other") >= 0)


def _listed(distances: FloatMatrix, indices: IndexMatrix, start: int) -> pl.Series:
    part = slice(start, start + CHUNK_SONGS)
    return pl.Series(distances[part][indices[part] >= 0])


def _typical_gaps(space: Space) -> NDArray[np.float32]:
    """Return how far apart two random songs are in each heard column, sorted, one row a pair."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, len(space.vectors), (2, SAMPLED_PAIRS))
    return np.sort(np.abs(space.heard(first) - space.heard(second)), axis=0)


def _reasons(
    pairs: pl.DataFrame, songs: pl.DataFrame, tags: pl.DataFrame, space: Space, typical: FloatMatrix
) -> pl.Series:
    """Say what each pair shares: the closest features, genre, years and key."""
    song, other = pairs["song"].to_numpy(), pairs["other"].to_numpy()
    shared = pl.select(
        reason=pl.concat_str(
            pl.lit(_close_features(song, other, space, typical)),
            pl.lit(_shared_genres(pairs, tags)),
            pl.lit(_shared_years(songs, song, other)),
            pl.lit(_shared_key(songs, song, other)),
            separator="; ",
            ignore_nulls=True,
        )
    )
    return shared["reason"].replace("", NOTHING_SHARED)


def _close_features(
    song: IndexMatrix, other: IndexMatrix, space: Space, typical: FloatMatrix
) -> pl.Series:
    """Name the features in which a pair is closer than most random pairs are.

    A gap is judged by the share of random pairs that are at most as far apart; so a feature that
    is much the same everywhere does not count as something shared.
    """
    gaps = np.abs(space.heard(song) - space.heard(other))
    share = np.column_stack(
        [np.searchsorted(typical[:, i], gaps[:, i], side="right") for i in range(gaps.shape[1])]
    ) / len(typical)
    share[space.unknown[song] | space.unknown[other]] = 1.0
    closest = np.argsort(share, axis=1, kind="stable")[:, :NAMED_FEATURES]
    named = (np.take_along_axis(share, closest, axis=1) <= CLOSE).sum(axis=1)
    sets = np.where(np.arange(NAMED_FEATURES) < named[:, None], 1 << closest, 0).sum(axis=1)
    nothing_close = named == 0
    sets[nothing_close] = -(1 << closest[nothing_close, 0])
    sets[share.min(axis=1) == 1.0] = 0
    return pl.Series(sets).replace_strict(_phrases(), return_dtype=pl.String)


def _phrases() -> dict[int, str | None]:
    """Return the words for each set of features; a negative set means the least far of all."""
    spoken = [SPOKEN.get(name, name) for name in HEARD]
    phrases: dict[int, str | None] = {0: None}
    for size in range(1, NAMED_FEATURES + 1):
        for chosen in combinations(range(len(spoken)), size):
            names = [spoken[i] for i in chosen]
            phrases[sum(1 << i for i in chosen)] = f"close in {_listing(names)}"
    least = {-(1 << i): f"nearest in {name}" for i, name in enumerate(spoken)}
    return phrases | least


def _listing(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _shared_genres(pairs: pl.DataFrame, tags: pl.DataFrame) -> pl.Series:
    """Name the genres that both songs have, the rarest first."""
    numbered = pairs.select(pl.col("song", "other").cast(pl.UInt32)).with_row_index("pair")
    shared = (
        numbered.join(tags, on="song")
        .join(tags.select(other="song", genre="genre"), on=["other", "genre"])
        .sort("pair", "songs", "genre")
        .group_by("pair", maintain_order=True)
        .agg(pl.col("genre").head(GENRES_NAMED).str.join(" and "))
    )
    words = numbered.join(shared, on="pair", how="left", maintain_order="left")
    return words.select(pl.format("both {}", "genre")).to_series()


def _shared_years(songs: pl.DataFrame, song: IndexMatrix, other: IndexMatrix) -> pl.Series:
    """Say that two songs are of one year, or of years close together."""
    years = pl.DataFrame({"a": songs["year"].gather(song), "b": songs["year"].gather(other)})
    a, b = pl.col("a"), pl.col("b")
    near = pl.format("{} and {}", pl.min_horizontal(a, b), pl.max_horizontal(a, b))
    return years.select(
        pl.when(a == b)
        .then(pl.format("both from {}", a))
        .when((a - b).abs() <= YEARS_APART)
        .then(near)
    ).to_series()


def _shared_key(songs: pl.DataFrame, song: IndexMatrix, other: IndexMatrix) -> pl.Series:
    """Name the key where both songs are in it."""
    keys = songs.select(code=pl.col("key") * 2 + pl.col("mode"))["code"]
    names = {
        2 * key + mode: f"both in {name} {'major' if mode else 'minor'}"
        for key, name in enumerate(KEYS)
        for mode in (0, 1)
    }
    pair = pl.DataFrame({"a": keys.gather(song), "b": keys.gather(other)})
    same = pl.when(pl.col("a") == pl.col("b")).then(pl.col("a"))
    return pair.select(same.replace_strict(names, default=None, return_dtype=pl.String)).to_series()
