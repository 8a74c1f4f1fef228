"""Turn songs into the arrays that models read, and the encoder's recipe into rows.

Columns that ``COMPARED`` does not name cannot reach the distance.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from transforms.families import artist_key, bare_title, compact, folded
from warehouse.contracts import COMPARED, FEATURES

Indices = NDArray[np.int64]


def measurements(songs: pl.DataFrame) -> NDArray[np.float64]:
    """Return shape ``(n_songs, len(COMPARED))`` in the order of the rows, NaN where unknown."""
    return numbers(songs, COMPARED)


def numbers(songs: pl.DataFrame, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return the named columns, shape ``(n_songs, len(names))``, NaN where unknown."""
    wanted = songs.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in names)
    return wanted.to_numpy(order="c")


def numbered(values: pl.Series) -> Indices:
    """Return a number from 0 up for each distinct value, in the order of the values."""
    return (values.rank("dense").cast(pl.Int64) - 1).to_numpy()


def artists(songs: pl.DataFrame) -> pl.Series:
    """Return the primary artists in the form used for comparison: without case and accents."""
    return songs.select(folded(pl.col("artist"))).to_series()


def sameness(songs: pl.DataFrame) -> tuple[Indices, Indices]:
    """Return which songs stand in each other's way in a list: ``namesakes``, and by one artist.

    Lists that are published, those made for visitors and the checks all go by these numbers. An
    artist is one whatever the case, the accents, the spaces and signs, and "&" for "and".

    Args:
        songs: ``title``, ``artist`` and ``family_id``.
    """
    by = songs.select(artist_key(pl.col("artist"))).to_series()
    return namesakes(songs), numbered(by)


def namesakes(songs: pl.DataFrame) -> Indices:
    """Return a number from 0 up for songs that look the same in a list.

    These are the versions of one family, and songs by one artist whose titles differ only in
    brackets or after a dash, such as two recordings called "Intro", which are two families.

    Args:
        songs: ``title``, ``artist`` and ``family_id``.
    """
    plain = pl.col("title").str.replace_all("&", " ", literal=True).str.replace_all("ß", "ss")
    keys = songs.select(key=artist_key(pl.col("artist")) + "\t" + compact(bare_title(plain)))
    family, title = numbered(songs["family_id"]), numbered(keys["key"])
    size = int(max(family.max(initial=0), title.max(initial=0))) + 1
    ones = np.ones(len(family), dtype=np.int8)
    links = csr_array((ones, (family, title + size)), shape=(2 * size, 2 * size))
    _, of = connected_components(links, directed=False)
    return np.asarray(of[family], dtype=np.int64)


def genres(
    songs: pl.DataFrame, song_genres: pl.DataFrame, artist_genres: pl.DataFrame
) -> tuple[list[str], csr_array]:
    """Return the genres of each song, including those of everyone credited on it.

    Args:
        songs: ``song_id`` and ``artists``, a JSON array.
        song_genres: ``song_id`` and ``genre``.
        artist_genres: ``artist`` and ``genre``, artists spelt as in the songs.

    Returns:
        The names of the genres, sorted, and a matrix of 0 and 1, shape ``(n_songs, n_genres)``.
    """
    rows = songs.select("song_id", "artists").with_row_index("row")
    credited = rows.select(
        "row", artist=pl.col("artists").str.json_decode(pl.List(pl.String))
    ).explode("artist")
    filed = pl.concat(
        [
            rows.join(song_genres, on="song_id").select("row", "genre"),
            credited.join(artist_genres, on="artist").select("row", "genre"),
        ]
    ).unique()
    names = filed["genre"].unique().sort()
    column = filed["genre"].cast(pl.Enum(names)).to_physical()
    ones = np.ones(filed.height, dtype=np.int8)
    pairs = (filed["row"].to_numpy(), column.to_numpy())
    return names.to_list(), csr_array((ones, pairs), shape=(songs.height, len(names)))


def entries(
    playlists: pl.DataFrame, songs: pl.DataFrame
) -> tuple[Indices, Indices, Indices, Indices]:
    """Turn the entries of playlists into numbers.

    Args:
        playlists: ``playlist``, ``song_id`` and ``artist``.
        songs: ``song_id``, ``artist`` and ``family_id``.

    Returns:
        Playlist, song, family and artist of each entry: rows of ``songs``, and numbers as
        ``numbered`` gives them. -1 if the catalogue does not have the song; artists that it does
        not have get numbers above its own, and -1 means no artist.
    """
    by = artists(songs)
    rows = songs.select("song_id").with_columns(
        row=pl.int_range(pl.len(), dtype=pl.Int64),
        family=pl.Series(numbered(songs["family_id"])),
    )
    names = pl.DataFrame({"artist": by.unique().sort()}).with_row_index("by")
    newcomers = (
        playlists.select("artist").drop_nulls().unique().join(names, on="artist", how="anti")
    )
    everyone = pl.concat([names["artist"], newcomers["artist"].sort()])
    numbers = pl.DataFrame({"artist": everyone, "by": range(len(everyone))})
    numbered_entries = playlists.join(rows, on="song_id", how="left", maintain_order="left").join(
        numbers, on="artist", how="left", maintain_order="left"
    )
    columns = numbered_entries.select("playlist", pl.col("row", "family", "by").fill_null(-1))
    first, second, third, fourth = (columns[name].cast(pl.Int64) for name in columns.columns)
    return first.to_numpy(), second.to_numpy(), third.to_numpy(), fourth.to_numpy()


def label() -> pl.Expr:
    """Return ``Title - Artist (Year)``, which tells apart songs with the same title."""
    year = pl.format(" ({})", "year").fill_null("")
    return pl.concat_str("title", pl.lit(" - "), "artist", year)


def recipe(rows: Mapping[str, list[str] | NDArray[np.float64]]) -> pl.DataFrame:
    """Lay out the encoder's recipe in the order of the ``features`` contract."""
    frame = pl.DataFrame(dict(rows)).select(FEATURES.schema.keys())
    return FEATURES.check(frame.sort("feature"))
