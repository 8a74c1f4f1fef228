"""The catalogues that Segue can read: a header comes in, the format that it belongs to comes out.

Pure data. A new catalogue is one more ``Format``: its names for Segue's columns, and how it
writes artists and genres.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from warehouse.contracts import MEASUREMENTS
from warehouse.errors import InputError

ArtistNotation = Literal["python list", "semicolons", "one name"]

AUDIO = tuple(c.name for c in MEASUREMENTS if c.name != "time_signature")


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of catalogue names its columns.

    Args:
        renamed: Segue's column to the header's name, where the two differ.
        same: Segue's columns that the header names alike.
        artists: how the column of artists is written.
        genres: columns that hold genres, several in a cell being separated by semicolons.
        optional: Segue's columns that may be absent.
    """

    name: str
    about: str
    renamed: Mapping[str, str]
    same: tuple[str, ...]
    artists: ArtistNotation
    genres: tuple[str, ...] = ()
    optional: tuple[str, ...] = field(default=())

    @property
    def columns(self) -> dict[str, str]:
        """Segue's column name to the header's, the genre columns aside."""
        return {**self.renamed, **{name: name for name in self.same}}

    @property
    def required(self) -> frozenset[str]:
        """The header's names without which a file is not of this format."""
        names = {theirs for ours, theirs in self.columns.items() if ours not in self.optional}
        return frozenset(names | {g for g in self.genres if g not in self.optional})


FORMATS = (
    Format(
        name="segue",
        about="Segue's own plain CSV: one song a line, artists and genres separated by semicolons",
        renamed={},
        same=(
            *("song_id", "title", "artists", "album", "year", "release_date", "duration_ms"),
            *("explicit", "popularity", *AUDIO, "time_signature"),
        ),
        artists="semicolons",
        genres=("genres",),
        optional=(
            *("album", "year", "release_date", "explicit", "popularity", "time_signature"),
            "genres",
        ),
    ),
    Format(
        name="kaggle-114k",
        about='Kaggle "Spotify Tracks Dataset", one row for each song and genre',
        renamed={"song_id": "track_id", "title": "track_name", "album": "album_name"},
        same=("artists", "popularity", "duration_ms", "explicit", *AUDIO, "time_signature"),
        artists="semicolons",
        genres=("track_genre",),
    ),
    Format(
        name="kaggle-130k",
        about='Kaggle "SpotifyAudioFeaturesApril2019.csv"',
        renamed={"song_id": "track_id", "title": "track_name", "artists": "artist_name"},
        same=("popularity", "duration_ms", *AUDIO, "time_signature"),
        artists="one name",
    ),
    Format(
        name="kaggle-170k",
        about='Kaggle "data.csv", 1921 to 2020',
        renamed={"song_id": "id", "title": "name"},
        same=("artists", "year", "release_date", "popularity", "duration_ms", "explicit", *AUDIO),
        artists="python list",
    ),
    Format(
        name="kaggle-600k",
        about='Kaggle "tracks.csv", 1921 to 2020',
        renamed={"song_id": "id", "title": "name"},
        same=(
            *("artists", "release_date", "popularity", "duration_ms", "explicit"),
            *(*AUDIO, "time_signature"),
        ),
        artists="python list",
    ),
    Format(
        name="kaggle-1.2m",
        about='Kaggle "tracks_features.csv"',
        renamed={"song_id": "id", "title": "name"},
        same=(
            *("artists", "album", "year", "release_date", "duration_ms", "explicit"),
            *(*AUDIO, "time_signature"),
        ),
        artists="python list",
    ),
    Format(
        name="tidytuesday-32k",
        about='tidytuesday "spotify_songs.csv", one row for each song and playlist',
        renamed={
            "song_id": "track_id",
            "title": "track_name",
            "artists": "track_artist",
            "popularity": "track_popularity",
            "album": "track_album_name",
            "release_date": "track_album_release_date",
        },
        same=("duration_ms", *AUDIO),
        artists="one name",
        genres=("playlist_genre", "playlist_subgenre"),
    ),
)


def recognised(header: Sequence[str], file: str) -> Format:
    """Return the most specific format whose columns the header holds, in whatever order.

    Raises:
        InputError: no format fits; the message names the nearest one and what it lacks.
    """
    names = frozenset(header)
    fitting = [f for f in FORMATS if f.required <= names]
    if not fitting:
        raise InputError(_unknown(header, file))
    found = max(fitting, key=lambda f: len(f.required))
    require_once(header, (*found.columns.values(), *found.genres), file)
    return found


def require_once(header: Sequence[str], used: Sequence[str], file: str) -> None:
    """Raise where the header names a column that is used more than once.

    Raises:
        InputError: names every such column.
    """
    repeated = sorted({name for name in used if list(header).count(name) > 1})
    if repeated:
        raise InputError(
            f"{file}: the header names {', '.join(repeated)} more than once, so it is not clear "
            "which column is meant. Rename or remove the others."
        )


def _unknown(header: Sequence[str], file: str) -> str:
    names = frozenset(header)
    nearest = max(FORMATS, key=lambda f: len(f.required & names) / len(f.required))
    missing = sorted(nearest.required - names)
    message = (
        f"{file}: no known catalogue has this header. The nearest is {nearest.name} "
        f"({nearest.about}), which also needs: {', '.join(missing)}. Found: {shown(header)}."
    )
    hints = _renames(missing, [name for name in header if name not in nearest.required])
    return message + _separator_hint(header) + hints


def shown(header: Sequence[str], most: int = 30) -> str:
    """Return a header in words, cut where it is endless."""
    names = ", ".join(repr(name[:40]) if not name else name[:40] for name in header[:most])
    return names + (f" and {len(header) - most} more" if len(header) > most else "")


def _renames(missing: Sequence[str], others: Sequence[str]) -> str:
    pairs = [(m, get_close_matches(m, others, n=1, cutoff=0.8)) for m in missing]
    close = [f"{found[0]} to {name}" for name, found in pairs if found]
    return f" Perhaps rename {', '.join(close)}." if close else ""


def _separator_hint(header: Sequence[str]) -> str:
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        return " The columns seem not to be separated by commas: save the file as comma-separated."
    return ""
