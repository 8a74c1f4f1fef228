"""Say in words what made two songs near: pairs of songs come in, a few true phrases each go out.

A phrase is said only where it is true by the data and its block of the distance brings the two
nearer than two songs taken at random; what brings them nearest is said first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Phrase = tuple[NDArray[np.bool_], Floats, pl.Series]  # may it be said, its weight, the words

SAMPLED_PAIRS = 20_000
CLOSE = 0.2
NAMED_FEATURES = 3
YEARS_APART = 2
PHRASES = 4
NAMED = ("playlists", "artists", "genre", "era", "harmony")
TOGETHER = 2
MUCH_NEARER = 0.5
PAIRS_AT_ONCE = 10_000
WEIGHTY = 0.01  # of the mean squared distance, from which a block is worth a word
NOTHING_SHARED = "nearest by what is known"
KEYS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
SPOKEN = {
    "valence": "mood",
    "duration": "length",
    "speechiness": "speech",
    "instrumentalness": "vocals",
}
HEARD = (
    *("danceability", "energy", "valence", "loudness", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "tempo", "duration"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the songs, rows in the order of ``song_id``.

    Args:
        songs: ``song_id``, ``year``, ``key`` and ``mode``.
        genres: names of the columns of ``filed``.
        filed: shape ``(n_songs, n_genres)``, 1 where a song or who is credited on it is filed
            under a genre.
        families: shape ``(n_songs,)``, a row of ``by_family`` for each song.
        artists: shape ``(n_songs,)``, a row of ``by_artist`` for each song.
        by_family: shape ``(n_families, n_playlists)``, see ``held``.
        by_artist: shape ``(n_artists, n_playlists)``, see ``held``.
    """

    songs: pl.DataFrame
    genres: Sequence[str]
    filed: csr_array
    families: Indices
    artists: Indices
    by_family: csr_array
    by_artist: csr_array


@dataclass(frozen=True, slots=True)
class Space:
    """The songs as the distance sees them, rows in the order of ``song_id``.

    Args:
        columns: names of the columns of ``vectors``.
        spans: which columns each block has.
        vectors: shape ``(n_songs, n_columns)``.
        unknown: shape ``(n_songs, len(HEARD))``, true where a measurement was filled in.
    """

    columns: Sequence[str]
    spans: Mapping[str, slice]
    vectors: NDArray[np.float32]
    unknown: NDArray[np.bool_]


def unknown_measurements(songs: pl.DataFrame) -> NDArray[np.bool_]:
    """Return where a song lacks what ``HEARD`` names, shape ``(n_songs, len(HEARD))``."""
    names = ["duration_ms" if name == "duration" else name for name in HEARD]
    return songs.select(pl.col(name).is_null() for name in names).to_numpy()


def held(playlists: Indices, items: Indices, number: int) -> csr_array:
    """Return which of the playlists hold an item, shape ``(number, n_playlists)``, 0 or 1.

    Playlists of one item are left out, for they put nothing together.

    Args:
        playlists: shape ``(n_entries,)``, a number from 0 up.
        items: shape ``(n_entries,)``; entries that are not from 0 to ``number`` are passed over.
        number: of items.
    """
    known = (items >= 0) & (items < number)
    width = int(playlists.max(initial=-1)) + 1
    keys = np.unique(items[known] * np.int64(width) + playlists[known])
    item, playlist = np.divmod(keys, max(width, 1))
    several = np.bincount(playlist, minlength=width)[playlist] > 1
    ones = np.ones(int(several.sum()), dtype=np.int8)
    return csr_array((ones, (item[several], playlist[several])), shape=(number, width))


class Reasons:
    """Says what made songs near; made ready once, then asked for many pairs at a time."""

    def __init__(self, facts: Facts, space: Space) -> None:
        rarest_first = np.argsort(facts.filed.sum(axis=0), kind="stable")
        self._facts = facts
        self._space = space
        self._filed = facts.filed[:, rarest_first]
        self._filed.sort_indices()
        self._genres = pl.Series([*(facts.genres[i] for i in rarest_first), None], dtype=pl.String)
        self._keys = facts.songs.select(code=pl.col("key") * 2 + pl.col("mode"))["code"]
        self._heard = space.vectors[:, [space.columns.index(name) for name in HEARD]]
        rng = np.random.default_rng(0)
        first, second = rng.integers(0, len(space.vectors), (2, SAMPLED_PAIRS))
        self._typical = np.sort(np.abs(self._heard[first] - self._heard[second]), axis=0)
        self._far = {
            name: 2 * float(space.vectors[:, span].var(axis=0, dtype=np.float64).sum())
            for name, span in space.spans.items()
        }

    def nearer(self, song: Indices, other: Indices) -> dict[str, Floats]:
        """Return how much nearer each block brings the pairs than random songs are.

        It is the mean squared distance of two songs taken at random in the columns of the block,
        less that of the pair. Over the blocks this adds up to 1 less the whole squared distance.

        Args:
            song: shape ``(n_pairs,)``, rows of the songs that are listened to.
            other: shape ``(n_pairs,)``, rows of those that are recommended.

        Returns:
            For each block that the distance has, shape ``(n_pairs,)``.
        """
        found = {}
        for name, span in self._space.spans.items():
            columns = self._space.vectors[:, span]
            apart = (columns[song] - columns[other]).astype(np.float64, copy=False)
            found[name] = self._far[name] - np.einsum("ij,ij->i", apart, apart)
        return found

    def words(self, song: Indices, other: Indices, nearer: Mapping[str, Floats]) -> pl.Series:
        """Return the reason for each pair: at most ``PHRASES``, what brings nearest first.

        Args:
            song: as in ``nearer``.
            other: as in ``nearer``.
            nearer: what ``nearer`` returns for the same pairs.
        """
        return self.told(song, other, nearer)[0]

    def told(
        self, song: Indices, other: Indices, nearer: Mapping[str, Floats]
    ) -> tuple[pl.Series, dict[str, pl.Series]]:
        """Return the reasons, and what is true of the pairs in each block, null where nothing is.

        Args:
            song: as in ``nearer``.
            other: as in ``nearer``.
            nearer: what ``nearer`` returns for the same pairs.
        """
        close, least = self._features(song, other)
        phrases = self._phrases(song, other, nearer, close)
        reason = _in_order(list(phrases.values()))
        blocks = {
            block: pl.select(pl.when(pl.lit(may)).then(words)).to_series()
            for block, (may, _, words) in phrases.items()
        }
        return pl.select(pl.when(reason == "").then(least).otherwise(reason)).to_series(), blocks

    def _phrases(
        self, song: Indices, other: Indices, nearer: Mapping[str, Floats], close: pl.Series
    ) -> dict[str, Phrase]:
        """Return what can be said of the pairs, by the block that it speaks of."""
        none = np.zeros(len(song))
        of = {name: nearer.get(name, none) for name in NAMED}
        playlists, together = self._playlists(song, other, of["playlists"])
        artists = (of["artists"] > 0) & ~together
        heard = self._far.get("harmony", 0.0) >= WEIGHTY * sum(self._far.values())
        tuned = (of["harmony"] > 0) & heard
        sound = np.sum([nearer.get(name, none) for name in ("mood", "sound", "rhythm")], axis=0)
        return {
            "playlists": (of["playlists"] > 0, of["playlists"], playlists),
            "artists": (artists, of["artists"], self._artists(song, other)),
            "genre": (of["genre"] > 0, of["genre"], self._shared_genres(song, other)),
            "era": (of["era"] > 0, of["era"], _years(self._facts.songs, song, other)),
            "sound": (np.full(len(song), fill_value=True), sound, close),
            "harmony": (tuned, of["harmony"], self._key(song, other)),
        }

    def _playlists(
        self, song: Indices, other: Indices, nearer: Floats
    ) -> tuple[pl.Series, NDArray[np.bool_]]:
        """Say in how many playlists both stand, else that theirs are alike.

        One playlist may hold both by chance, so it is named where the vectors are near, too. That
        playlists are alike shows in the vectors, but not for a song that no playlist holds: where
        it stands is a guess.

        Returns:
            The words or null, and where several playlists hold both.
        """
        one, two = self._facts.families[song], self._facts.families[other]
        number = _together(self._facts.by_family, one, two)
        known = np.diff(self._facts.by_family.indptr) > 0
        alike = known[one] & known[two] & (nearer > MUCH_NEARER * self._far.get("playlists", 0.0))
        words = pl.select(
            pl.when(pl.lit(number >= TOGETHER))
            .then(pl.format("together in {} playlists", pl.lit(pl.Series(number))))
            .when(pl.lit(alike & (number == 1)))
            .then(pl.lit("together in a playlist"))
            .when(pl.lit(alike))
            .then(pl.lit("heard in similar playlists"))
        ).to_series()
        return words, number >= TOGETHER

    def _artists(self, song: Indices, other: Indices) -> pl.Series:
        """Say that the artist is the same, or in how many playlists both artists stand."""
        one, two = self._facts.artists[song], self._facts.artists[other]
        number = _together(self._facts.by_artist, one, two)
        return pl.select(
            pl.when(pl.lit(one == two))
            .then(pl.lit("by the same artist"))
            .when(pl.lit(number >= TOGETHER))
            .then(pl.format("their artists share {} playlists", pl.lit(pl.Series(number))))
        ).to_series()

    def _shared_genres(self, song: Indices, other: Indices) -> pl.Series:
        """Name the two rarest genres that both songs have, the rarest first."""
        common = csr_array(self._filed[song].multiply(self._filed[other]))
        first, number = common.indptr[:-1], np.diff(common.indptr)
        places = np.append(common.indices, [0, 0])
        nothing = len(self._genres) - 1
        rarest = self._genres.gather(np.where(number > 0, places[first], nothing))
        second = self._genres.gather(np.where(number > 1, places[first + 1], nothing))
        both = pl.concat_str(pl.lit(rarest), pl.lit(second), separator=" and ", ignore_nulls=True)
        return pl.select(pl.when(pl.lit(rarest).is_not_null()).then("both " + both)).to_series()

    def _features(self, song: Indices, other: Indices) -> tuple[pl.Series, pl.Series]:
        """Name the features in which a pair is closer than most random pairs are, or least far.

        A gap is judged by the share of random pairs that are at most as far apart; so a feature
        that is much the same everywhere does not count as something shared.
        """
        gaps = np.abs(self._heard[song] - self._heard[other])
        share = np.column_stack(
            [
                np.searchsorted(self._typical[:, i], gaps[:, i], side="right")
                for i in range(gaps.shape[1])
            ]
        ) / len(self._typical)
        share[self._space.unknown[song] | self._space.unknown[other]] = 1.0
        closest = np.argsort(share, axis=1, kind="stable")[:, :NAMED_FEATURES]
        named = (np.take_along_axis(share, closest, axis=1) <= CLOSE).sum(axis=1)
        sets = np.where(np.arange(NAMED_FEATURES) < named[:, None], 1 << closest, 0).sum(axis=1)
        least = np.where(share.min(axis=1) == 1.0, 0, -(1 << closest[:, 0]))
        said = (pl.Series(codes).replace_strict(_PHRASES) for codes in (sets, least))
        close, nearest = said
        return close.replace(NOTHING_SHARED, None), nearest

    def _key(self, song: Indices, other: Indices) -> pl.Series:
        """Name the key where both songs are in it."""
        names = {
            2 * key + mode: f"both in {name} {'major' if mode else 'minor'}"
            for key, name in enumerate(KEYS)
            for mode in (0, 1)
        }
        pair = pl.DataFrame({"a": self._keys.gather(song), "b": self._keys.gather(other)})
        same = pl.when(pl.col("a") == pl.col("b")).then(pl.col("a"))
        return pair.select(
            same.replace_strict(names, default=None, return_dtype=pl.String)
        ).to_series()


def _in_order(phrases: Sequence[Phrase]) -> pl.Series:
    """Join the phrases of each pair, those with the most weight first.

    Args:
        phrases: for each kind whether it may be said, its weight, and the words or null; all of
            shape ``(n_pairs,)``.
    """
    pairs = len(phrases[0][2])
    weight = np.column_stack(
        [np.where(may & words.is_not_null().to_numpy(), by, -np.inf) for may, by, words in phrases]
    )
    order = np.argsort(-weight, axis=1, kind="stable")[:, :PHRASES]
    said = np.take_along_axis(weight, order, axis=1) > -np.inf
    nothing = len(phrases) * pairs
    words = pl.concat([*(each for _, _, each in phrases), pl.Series([None], dtype=pl.String)])
    places = np.where(said, order * pairs + np.arange(pairs)[:, None], nothing)
    columns = [pl.lit(words.gather(places[:, i])) for i in range(places.shape[1])]
    return pl.select(pl.concat_str(columns, separator="; ", ignore_nulls=True)).to_series()


def _together(by: csr_array, one: Indices, two: Indices) -> Indices:
    """Return in how many playlists each pair of items stands, a bounded number at once."""
    number = np.zeros(len(one), dtype=np.int64)
    known = np.diff(by.indptr) > 0
    both = np.flatnonzero(known[one] & known[two] & (one != two))
    for start in range(0, len(both), PAIRS_AT_ONCE):
        part = both[start : start + PAIRS_AT_ONCE]
        number[part] = np.diff(csr_array(by[one[part]].multiply(by[two[part]])).indptr)
    return number


def _years(songs: pl.DataFrame, song: Indices, other: Indices) -> pl.Series:
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


def _listing(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _phrases() -> dict[int, str]:
    """Return the words for each set of features; a negative set means the least far of all."""
    spoken = [SPOKEN.get(name, name) for name in HEARD]
    phrases = {0: NOTHING_SHARED}
    for size in range(1, NAMED_FEATURES + 1):
        for chosen in combinations(range(len(spoken)), size):
            names = [spoken[i] for i in chosen]
            phrases[sum(1 << i for i in chosen)] = f"close in {_listing(names)}"
    return phrases | {-(1 << i): f"nearest in {name}" for i, name in enumerate(spoken)}


_PHRASES = _phrases()
