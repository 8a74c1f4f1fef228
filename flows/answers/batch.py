"""Several questions at once: searches and playlists come in, songs by name and distance go out.

Nothing is kept. Songs are named by the catalogue's own ids, which a later build still knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flows.answers.bounds import LONGEST_SEARCH, MOST_NEIGHBOURS, MOST_REQUESTS, MOST_SONGS
from flows.answers.catalogue import nearest, songs_of
from flows.answers.search import search
from warehouse.errors import InputError, TooMuch
from warehouse.published import Published

ASKED = 50
MOST_COMPARED = 1000
MOST_UNKNOWN = 100


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One question.

    Args:
        search: what to look for; nothing where it is empty.
        playlist: ids of songs.
        recommender_neighbors: songs near the playlist that are wanted, 0 to ``MOST_NEIGHBOURS``.
        search_neighbors: songs found that are wanted, 0 to ``MOST_NEIGHBOURS``.
    """

    search: str = ""
    playlist: Sequence[str] = ()
    recommender_neighbors: int = ASKED
    search_neighbors: int = 20


@dataclass(frozen=True, slots=True)
class BatchSong:
    """A song by name.

    Args:
        name: title, artist and year.
        distance: of what is searched for, the share of the best hit's score that this one lacks;
            of a playlist, the Euclidean distance to the nearest of its songs.
        near: the song of the playlist that lies nearest, none in a search.
    """

    name: str
    id: str
    distance: float
    near: str | None = None


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What is found for one question, best or nearest first.

    Args:
        search: songs that may be meant.
        recommender: songs nearest to the playlist, none of it and no version of one.
        unknown: ids of the playlist that the build does not have, ``MOST_UNKNOWN`` at most.
        unknown_count: how many there are.
    """

    search: list[BatchSong]
    recommender: list[BatchSong]
    unknown: list[str]
    unknown_count: int


def answers(build: Published, requests: Sequence[BatchRequest]) -> list[BatchAnswer]:
    """Return what is found for each question, in order.

    All playlists together are compared by ``MOST_COMPARED`` songs: of longer ones as many are
    taken, evenly spaced by id, which says nothing of the music.

    Raises:
        TooMuch: more than ``MOST_REQUESTS`` questions, or ``MOST_SONGS`` songs in all.
        InputError: a value out of bounds; says all of them.
    """
    given = sum(len(request.playlist) for request in requests)
    if len(requests) > MOST_REQUESTS:
        raise TooMuch(f"Expected {MOST_REQUESTS} requests at most, got {len(requests):,}.")
    if given > MOST_SONGS:
        raise TooMuch(f"Expected {MOST_SONGS:,} songs at most in all, got {given:,}.")
    breaches = [b for number, request in enumerate(requests) for b in _breaches(number, request)]
    if breaches:
        raise InputError(" ".join(breaches))
    share = MOST_COMPARED // max(1, sum(bool(request.playlist) for request in requests))
    return [_answer(build, request, share) for request in requests]


def _breaches(number: int, request: BatchRequest) -> list[str]:
    numbers = {
        "recommender_neighbors": request.recommender_neighbors,
        "search_neighbors": request.search_neighbors,
    }
    breaches = [
        f"Request {number}: expected {name} from 0 to {MOST_NEIGHBOURS}, got {value}."
        for name, value in numbers.items()
        if not 0 <= value <= MOST_NEIGHBOURS
    ]
    if len(request.search) > LONGEST_SEARCH:
        breaches.append(
            f"Request {number}: expected a search of {LONGEST_SEARCH:,} characters at most, "
            f"got {len(request.search):,}."
        )
    return breaches


def _answer(build: Published, request: BatchRequest, share: int) -> BatchAnswer:
    places = songs_of(build).rows(request.playlist) if request.playlist else np.arange(0)
    unknown = [i for i, place in zip(request.playlist, places, strict=True) if place < 0]
    rows = np.unique(places[places >= 0])
    return BatchAnswer(
        _search_hits(build, request.search, request.search_neighbors),
        _recommended(build, rows, request.recommender_neighbors, share),
        unknown[:MOST_UNKNOWN],
        len(unknown),
    )


def _search_hits(build: Published, text: str, number: int) -> list[BatchSong]:
    songs = search(build, text, number).songs if number else []
    best = songs[0].score if songs else 1.0
    return [
        BatchSong(_name(song.title, song.artist, song.year), song.song_id, 1 - song.score / best)
        for song in songs
    ]


def _name(title: str, artist: str, year: int | None) -> str:
    return f"{title} - {artist}" + (f" ({year})" if year else "")


def _recommended(build: Published, rows: np.ndarray, number: int, share: int) -> list[BatchSong]:
    if not len(rows) or not number:
        return []
    spaced = np.linspace(0, len(rows) - 1, min(len(rows), share)).round().astype(np.int64)
    compared = rows[spaced]
    nearby = nearest(build, build.vectors[compared], rows.tolist(), number)
    songs = songs_of(build)
    names, ids = songs.labels(nearby.songs), songs.ids[nearby.songs]
    near = songs.ids[compared[nearby.nearest]]
    return [
        BatchSong(name, song_id, distance, by)
        for name, song_id, distance, by in zip(
            names,
            ids,
            nearby.distances.tolist(),
            near,
            strict=True,
        )
    ]
