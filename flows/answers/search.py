"""Songs that somebody may mean: a published build and what was typed come in, songs go out.

Nothing of what is typed is kept.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np

from models.search import Hit, Searcher
from warehouse.errors import InputError
from warehouse.published import Published, Row
from warehouse.search.index import Arrays, Numbers, Only, SearchIndex, Traits
from warehouse.search.text import LONGEST as LOOKED_AT

SHOWN = 20
SUGGESTED = 8
PLAIN = ("song_id", "title", "artist", "album", "year", "popularity", "key", "mode", "family_id")
DEEPEST = 5000  # more than the lists that a search fuses can hold
VERSIONS = 8
GENRES_KEPT = 64  # their songs


@dataclass(frozen=True, slots=True)
class Filters:
    """What songs must be to be found; none is for any.

    Args:
        year_from: the first year.
        year_to: the last year.
        genre: of the song or of its artist, in any case.
        explicit: marked as explicit, or not.
    """

    year_from: int | None = None
    year_to: int | None = None
    genre: str | None = None
    explicit: bool | None = None


@dataclass(frozen=True, slots=True)
class HitVersion:
    """Another song of the same family."""

    song_id: str
    title: str
    artist: str
    album: str | None
    year: int | None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A song found, and what tells it from others of its title.

    Args:
        genres: its own and those of its artist, in alphabetical order.
        how: exact, prefix, spelling, words or meaning.
        score: the higher, the better it fits; only says the order.
        others: how many more songs the family holds.
        versions: those, the most popular first, ``VERSIONS`` at most.
    """

    song_id: str
    title: str
    artist: str
    artists: list[str]
    album: str | None
    year: int | None
    genres: list[str]
    explicit: bool | None
    popularity: int | None
    key: int | None
    mode: int | None
    family_id: str
    how: str
    score: float
    others: int
    versions: list[HitVersion]


@dataclass(frozen=True, slots=True)
class SearchResults:
    """What was found, best first, one song of each family.

    Args:
        query: as it was typed, of a long text the beginning.
        total: how many came near enough to be ranked, of which these are the first.
        filters: those that hold.
        genres: the most common of the catalogue, to choose from.
    """

    query: str
    total: int
    songs: list[SearchHit]
    filters: Filters
    genres: list[str]


@dataclass(frozen=True, slots=True)
class SuggestedSong:
    """A song that what is being typed may become."""

    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    mode: int | None


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Songs, the most likely first."""

    query: str
    songs: list[SuggestedSong]


def search(
    build: Published, text: str, limit: int = SHOWN, filters: Filters | None = None
) -> SearchResults:
    """Return the songs that ``text`` may mean and that are as the filters say.

    The filters hold within the search, so that what is rare among the nearest is found, too. Of a
    family whose best known song they leave out, another is shown.

    Raises:
        InputError: the first year lies after the last.
    """
    filters = filters or Filters()
    only = _only(build, filters)
    hits = Searcher(_index(build, only)).search(text, DEEPEST)
    songs = _hits(build, hits[:limit], only)
    return SearchResults(_writable(text), len(hits), songs, filters, genres(build))


def suggest(build: Published, text: str, limit: int = SUGGESTED) -> Suggestions:
    """Return the songs that ``text`` may become while it is being typed."""
    hits = Searcher(_index(build)).suggest(text, limit)
    rows = build.rows("suggested_songs", songs=json.dumps([hit.song_id for hit in hits]))
    return Suggestions(_writable(text), [SuggestedSong(**row) for row in rows])


def _writable(text: str) -> str:
    """Return the signs of a text that count, without half pairs of surrogates."""
    return text[:LOOKED_AT].encode("utf-8", "ignore").decode()


def genres(build: Published) -> list[str]:
    """Return the genres that most songs are filed under, the most common first."""
    return build.once(_genres)


def _genres(build: Published) -> list[str]:
    return [row["genre"] for row in build.rows("common_genres")]


def _arrays(build: Published) -> Arrays:
    return Arrays(build.database)


def _traits(build: Published) -> Traits:
    return Traits(build.database)


def _index(build: Published, only: Only | None = None) -> SearchIndex:
    return SearchIndex(build.database, build.once(_arrays), only)


def _only(build: Published, filters: Filters) -> Only | None:
    """Return the songs that are as the filters say, none where they let all pass."""
    first, last = filters.year_from, filters.year_to
    if first is not None and last is not None and first > last:
        raise InputError(f"Expected year_from to be at most year_to, got {first} and {last}.")
    genre = (filters.genre or "").strip().lower() or None
    if (first, last, genre, filters.explicit) == (None, None, None, None):
        return None
    rows = build.once(_by_genre)(genre) if genre else None
    return build.once(_traits).only((first, last), filters.explicit, rows)


def _by_genre(build: Published) -> Callable[[str], Numbers]:
    """Return what finds the rowids of the songs of a genre, those last asked for at once."""

    @lru_cache(maxsize=GENRES_KEPT)
    def numbers(genre: str) -> Numbers:
        rows = build.rows("songs_of_genre", genre=genre)
        return np.array([row["number"] for row in rows], dtype=np.int64)

    return numbers


def _hits(build: Published, hits: Sequence[Hit], only: Only | None) -> list[SearchHit]:
    rows = build.rows("found_songs", families=json.dumps([hit.family_id for hit in hits]))
    families = {key: list(songs) for key, songs in groupby(rows, lambda row: row["family_id"])}
    return [_hit(hit, families[hit.family_id], only) for hit in hits]


def _hit(hit: Hit, family: list[Row], only: Only | None) -> SearchHit:
    """Return the song of a family that is shown: the one found, else the best known allowed."""
    allowed = [row for row in family if only is None or only.songs[row["number"]]]
    shown = next((row for row in allowed if row["song_id"] == hit.song_id), allowed[0])
    others = [row for row in family if row is not shown]
    return SearchHit(
        **{name: shown[name] for name in PLAIN},
        artists=json.loads(shown["artists"]),
        genres=json.loads(shown["genres"]),
        explicit=None if shown["explicit"] is None else bool(shown["explicit"]),
        how=hit.how,
        score=hit.score,
        others=len(others),
        versions=[
            HitVersion(**{name: row[name] for name in HitVersion.__slots__})
            for row in others[:VERSIONS]
        ],
    )
