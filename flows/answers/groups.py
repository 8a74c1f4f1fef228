"""Artists, genres and tastes: a published build and a name come in, what it holds goes out."""

import json
from dataclasses import dataclass

from flows.answers.song import WellKnownSong, means
from warehouse.contracts import AVERAGED
from warehouse.errors import Unknown
from warehouse.published import Published, Row

MOST_GENRES = 240


@dataclass(frozen=True, slots=True)
class Related:
    """Another group of the same kind that songs of this one lead to.

    Args:
        name: of the artist or genre, or the id of the taste.
        label: what people call it.
        songs: how many songs of this group lead there.
        by_chance: how many would, if as many led there as of all songs outside of the other.
    """

    name: str
    label: str
    songs: int
    by_chance: float


@dataclass(frozen=True, slots=True)
class OfTaste:
    """A taste and how many songs of a group are of it."""

    taste_id: str
    label: str
    songs: int


@dataclass(frozen=True, slots=True)
class Artist:
    """An artist with what the catalogue has by them.

    Args:
        artist: as ``songs.artist`` writes it.
        songs, families: how many songs, and how many where versions of one count once.
        first_year, last_year: of their songs.
        features: the mean of each feature over these songs.
        means: the same over the whole catalogue.
        genres: those of the artist, then those that songs alone are filed under; 24 at most.
        tastes: that the songs are of, those of most songs first.
        known: the best known songs, one of each family, 24 at most.
        related: the strongest first, eight at most.
    """

    artist: str
    songs: int
    families: int
    first_year: int | None
    last_year: int | None
    features: dict[str, float | None]
    means: dict[str, float | None]
    genres: list[str]
    tastes: list[OfTaste]
    known: list[WellKnownSong]
    related: list[Related]


@dataclass(frozen=True, slots=True)
class Genre:
    """A genre with what the catalogue has of it.

    Args:
        genre: its name.
        songs: how many songs are of it: filed under it, or by an artist who is.
        artists: how many primary artists these have.
        features: the mean of each feature over these songs.
        means: the same over the whole catalogue.
        known: the best known songs, 24 at most.
        related: the strongest first, eight at most.
    """

    genre: str
    songs: int
    artists: int
    features: dict[str, float | None]
    means: dict[str, float | None]
    known: list[WellKnownSong]
    related: list[Related]


@dataclass(frozen=True, slots=True)
class Taste:
    """A taste with what the catalogue has of it.

    Args:
        taste_id: its id.
        label: what sets it apart.
        songs: how many songs are of it.
        features: the mean of each feature over these songs.
        means: the same over the whole catalogue.
        known: the best known songs, 24 at most.
        related: the strongest first, eight at most.
    """

    taste_id: str
    label: str
    songs: int
    features: dict[str, float | None]
    means: dict[str, float | None]
    known: list[WellKnownSong]
    related: list[Related]


@dataclass(frozen=True, slots=True)
class Listed:
    """A genre in a list."""

    genre: str
    songs: int
    artists: int


@dataclass(frozen=True, slots=True)
class Genres:
    """The genres of the catalogue.

    Args:
        q: what their names are to hold; empty for all.
        genres: how many there are.
        found: how many of them hold ``q``.
        largest: those of most songs of these, 240 at most.
    """

    q: str
    genres: int
    found: int
    largest: list[Listed]


@dataclass(frozen=True, slots=True)
class ListedTaste:
    """A taste in a list, with its three best known songs."""

    taste_id: str
    label: str
    songs: int
    known: list[WellKnownSong]


@dataclass(frozen=True, slots=True)
class Tastes:
    """All tastes of the catalogue, those of most songs first."""

    tastes: list[ListedTaste]


def artist(build: Published, name: str) -> Artist:
    """Return an artist.

    Raises:
        Unknown: no song is by an artist of this name, as the first who is credited.
    """
    row = _row(build, "artist", "No artist is called {!r}", artist=name)
    return Artist(
        row["artist"],
        row["songs"],
        row["families"],
        row["first_year"],
        row["last_year"],
        _features(row),
        build.once(means),
        [genre["genre"] for genre in build.rows("artist_genres", artist=name)],
        [OfTaste(**taste) for taste in build.rows("artist_tastes", artist=name)],
        [WellKnownSong(**song) for song in build.rows("artist_songs", artist=name)],
        [Related(**other) for other in build.rows("related_artists", artist=name)],
    )


def genre(build: Published, name: str) -> Genre:
    """Return a genre.

    Raises:
        Unknown: no song is of a genre of this name.
    """
    row = _row(build, "genre", "No genre is called {!r}", genre=name)
    return Genre(
        row["genre"],
        row["songs"],
        row["artists"],
        _features(row),
        build.once(means),
        [WellKnownSong(**song) for song in build.rows("genre_songs", genre=name)],
        [Related(**other) for other in build.rows("related_genres", genre=name)],
    )


def taste(build: Published, taste_id: str) -> Taste:
    """Return a taste.

    Raises:
        Unknown: no taste has this id.
    """
    row = _row(build, "taste", "No taste has the id {!r}", taste_id=taste_id)
    return Taste(
        row["taste_id"],
        row["label"],
        row["songs"],
        _features(row),
        build.once(means),
        [WellKnownSong(**song) for song in build.rows("taste_songs", taste_id=taste_id)],
        [Related(**other) for other in build.rows("related_tastes", taste_id=taste_id)],
    )


def genres(build: Published, q: str = "") -> Genres:
    """Return the largest genres whose names hold ``q``; case does not matter."""
    wanted = " ".join(q.lower().split())
    counted = build.rows("genres_counted", q=wanted)[0]
    rows = build.rows("genres", q=wanted, limit=MOST_GENRES)
    return Genres(wanted, **counted, largest=[Listed(**row) for row in rows])


def tastes(build: Published) -> Tastes:
    """Return every taste."""
    return build.once(_tastes)


def _tastes(build: Published) -> Tastes:
    rows = build.rows("tastes")
    well_known = [[WellKnownSong(**song) for song in json.loads(row.pop("known"))] for row in rows]
    return Tastes([ListedTaste(**row, known=k) for row, k in zip(rows, well_known, strict=True)])


def _row(build: Published, query: str, otherwise: str, **key: str) -> Row:
    """Return the one row that answers, or say what was looked for, of a long name its start."""
    matches = build.rows(query, **key)
    if not matches:
        (name,) = key.values()
        raise Unknown(f"{otherwise.format(name if len(name) <= 80 else name[:80] + '…')}.")
    return matches[0]


def _features(row: Row) -> dict[str, float | None]:
    return {name: row[name] for name in AVERAGED}
