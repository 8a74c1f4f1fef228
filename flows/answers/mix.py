"""A playlist of what somebody saved: their list and a published build come in, songs go out.

Nothing is kept: the catalogue is only read, and what a visitor gives lives as long as the answer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models import mix as model
from models.neighbours import IndexMatrix
from transforms import features, matching, signals
from warehouse import contracts
from warehouse.errors import InputError
from warehouse.manifest import load_model, read_manifest
from warehouse.playlists import entries

PLACES = 50
MOST_PLACES = 500
MOST_SONGS = 10_000
MOST_BYTES = 1_000_000
SONG = ("song_id", "title", "artist", "album", "year", "duration_ms", "taste_id", "label")
WANTED = (*SONG, "family_id", "popularity")
ABSENT = "not in the catalogue"


class TooMuch(InputError):
    """More was given than is looked at: give less."""


@dataclass(frozen=True)
class Catalogue:
    """What mixes need of a build, read once.

    Args:
        songs: ``WANTED``, by ``song_id``.
        tastes: ``taste_id`` and ``label``; their order is the number of each on the shelves.
        shelves: the songs by taste, their vectors on disk.
    """

    songs: pl.DataFrame
    tastes: pl.DataFrame
    shelves: model.Shelves


@dataclass(frozen=True)
class Mixed:
    """A playlist and how it came about.

    Args:
        songs: in the order to play them: ``song_id``, ``title``, ``artist``, ``album``, ``year``,
            ``duration_ms``, ``taste``, the label, and ``near``, the saved song that it lies
            nearest to.
        tastes: of what was saved or is played, those of most saved songs first: ``taste_id``,
            ``taste``, and how many songs are ``saved`` and ``played``.
        unmatched: what stands for no song: ``line``, ``reason`` and ``row`` as it was given.
        saved: how many songs of the catalogue were found, each counted once.
    """

    songs: pl.DataFrame
    tastes: pl.DataFrame
    unmatched: pl.DataFrame
    saved: int

    @property
    def share_distance(self) -> float:
        """Half the sum of the differences between the shares of the tastes, 0 to 1."""
        shares = self.tastes.select(pl.col("saved", "played") / pl.col("saved", "played").sum())
        return float((shares["saved"] - shares["played"]).abs().sum() / 2)

    def to_json(self) -> dict[str, Any]:
        """Return plain objects, as JSON has them."""
        return {
            "songs": self.songs.to_dicts(),
            "tastes": self.tastes.to_dicts(),
            "unmatched": self.unmatched.to_dicts(),
            "saved": self.saved,
        }


def catalogue(build: Path) -> Catalogue:
    """Read what mixes need; the vectors stay on disk.

    Raises:
        InputError: the build is of before there were tastes.
    """
    if contracts.TASTES.name not in read_manifest(build).counts:
        raise InputError(f"{build.name} has no tastes yet. Build anew: segue build")
    vectors = np.asanyarray(load_model(build, "vectors", mapped=True))
    songs, tastes = (
        pl.read_parquet(build / "parquet" / f"{table.name}.parquet", columns=list(columns))
        for table, columns in (
            (contracts.SONGS, WANTED),
            (contracts.TASTES, ("taste_id", "label")),
        )
    )
    shelves = model.Shelves(
        vectors,
        features.numbered(songs["taste_id"]),
        features.numbered(songs["family_id"]),
        features.numbered(features.artists(songs)),
    )
    return Catalogue(songs, tastes, shelves)


def mixed(known: Catalogue, text: str, name: str = "the list", places: int = PLACES) -> Mixed:
    """Make a playlist for somebody who saved these songs.

    Args:
        known: the catalogue.
        text: their list, in any way that ``warehouse.playlists.entries`` reads.
        name: what messages call it.
        places: songs wanted, 1 to ``MOST_PLACES``.

    Raises:
        TooMuch: more than ``MOST_BYTES`` or ``MOST_SONGS``.
        InputError: it cannot be read, or holds nothing.
    """
    if not 1 <= places <= MOST_PLACES:
        raise InputError(f"Expected 1 to {MOST_PLACES} places, got {places}.")
    require_short(len(text.encode("utf-8", "ignore")), name)
    rows, unread = entries(text, name)
    given = rows.height + unread.height
    if not given:
        raise InputError(f"{name} holds no songs. Give ids, addresses or lines: artist - title.")
    if given > MOST_SONGS:
        raise TooMuch(f"{name} holds {given:,} songs, more than {MOST_SONGS:,}. Give fewer.")
    saved, unmatched = _matched(known, rows, name)
    return _answer(known, model.mix(known.shelves, saved, places), saved, _both(unread, unmatched))


def require_short(size: int, name: str) -> None:
    """Refuse what is longer than anybody's library.

    Args:
        size: in bytes.
        name: what the message calls it.

    Raises:
        TooMuch: it is.
    """
    if size > MOST_BYTES:
        raise TooMuch(f"{name} has {size:,} bytes, more than {MOST_BYTES:,}. Give less.")


def _matched(known: Catalogue, rows: pl.DataFrame, name: str) -> tuple[IndexMatrix, pl.DataFrame]:
    """Return the numbers of the songs that are meant, ascending, and the entries of no song."""
    cleaned = signals.cleaned_entries(rows, name, name)
    found = matching.matched(cleaned.readings, known.songs)
    numbers = known.songs.select("song_id").with_row_index("number")
    saved = found.join(numbers, on="song_id")["number"].unique().sort()
    lost = found.filter(pl.col("song_id").is_null()).select("line", reason=pl.lit(ABSENT))
    given = lost.join(rows.select("line", "row"), on="line")
    return saved.cast(pl.Int64).to_numpy(), _both(given, cleaned.rejected)


def _both(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([one, other], how="vertical_relaxed").sort("line", maintain_order=True)


def _answer(
    known: Catalogue, made: model.Mix, saved: IndexMatrix, unmatched: pl.DataFrame
) -> Mixed:
    labels = known.tastes.rename({"label": "taste"})
    number = len(labels)
    played = known.songs[made.songs].select(SONG).join(labels, on="taste_id", maintain_order="left")
    songs = played.drop("taste_id", "label").with_columns(near=known.songs["label"][made.near])
    counts = (
        pl.Series(name, np.bincount(known.shelves.tastes[rows], minlength=number))
        for name, rows in (("saved", saved), ("played", made.songs))
    )
    tastes = labels.with_columns(counts).filter(pl.col("saved") + pl.col("played") > 0)
    ordered = tastes.sort("saved", "taste_id", descending=[True, False])
    return Mixed(songs, ordered, unmatched, len(saved))
