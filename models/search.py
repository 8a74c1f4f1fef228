"""Rank what an index found for a query: three lists of songs come in, one list of hits goes out.

The lists are songs spelt alike, songs that hold its words (BM25), and songs whose title means the
same. They are fused by reciprocal ranks, behind the songs that the query names or begins.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from models.arrays import SingleMatrix

# Reciprocal rank fusion of Cormack, Clarke and Büttcher (SIGIR 2009), with their k. The first two
# weights are so large that an exact match always comes before a prefix, and that before the rest.
RRF_K = 60
WEIGHTS = {"exact": 400.0, "prefix": 20.0, "spelling": 1.0, "words": 0.8, "meaning": 0.8}

# How much a likeness counts that forgives more than typing errors.
ANY_ORDER = 0.98
SOME_WORDS = 0.9
FAINTEST = 0.5  # two typing errors in a word of four letters
SURE = 0.85  # one typing error in a word of seven; then nobody asks for other words


class Candidate(Protocol):
    """A song that may be meant; all text is folded, as the query is."""

    @property
    def song_id(self) -> str:
        """The catalogue's id."""

    @property
    def family_id(self) -> str:
        """The family of versions, of which one line is shown."""

    @property
    def popularity(self) -> int:
        """Popularity; the higher one wins a tie."""

    @property
    def titles(self) -> tuple[str, ...]:
        """The title, and where it differs the title without what tells versions apart."""

    @property
    def artists(self) -> tuple[str, ...]:
        """Everyone credited, the primary artist first."""


class Found(Protocol):
    """What an index found for one query."""

    @property
    def query(self) -> str:
        """The query, folded; empty where it holds nothing to look for."""

    @property
    def spelt(self) -> Sequence[Candidate]:
        """Songs of which title and artists share letters with the query, in any order."""

    @property
    def worded(self) -> Sequence[Candidate]:
        """Songs that hold the words of the query, best first."""

    @property
    def about(self) -> bool:
        """Whether the query says that a meaning is asked for: songs about money."""

    @property
    def latin(self) -> str:
        """The query in Latin letters where it is in others, else empty."""

    def meant(self) -> Sequence[Candidate]:
        """Return songs whose title means what the query means, best first."""


class Index(Protocol):
    """What can be searched."""

    def found(self, text: str) -> Found:
        """Return what may be meant by ``text``."""

    def begun(self, text: str) -> Found:
        """Return what may be meant by ``text`` while it is still being typed."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A song found; ``how`` is exact, prefix, spelling, words or meaning, whichever came first."""

    song_id: str
    family_id: str
    score: float
    how: str


class Searcher:
    """Answers queries from an index."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def search(self, text: str, limit: int = 20) -> list[Hit]:
        """Return the songs that ``text`` may mean, best first, one of each family."""
        return ranked(self.index.found(text), limit)

    def suggest(self, text: str, limit: int = 8) -> list[Hit]:
        """Return the songs that ``text`` may become, the most popular first."""
        return ranked(self.index.begun(text), limit)


def ranked(found: Found, limit: int) -> list[Hit]:
    """Fuse what was found into at most ``limit`` hits, one of each family, best first.

    A family's score is the sum of weight / (60 + rank) over the lists that it is in; popular
    songs win ties.
    """
    legs = _legs(found)
    scores: dict[str, float] = {}
    shown: dict[str, tuple[Candidate, str]] = {}
    for how, leg in legs.items():
        for rank, (family, candidate) in enumerate(leg.items(), start=1):
            scores[family] = scores.get(family, 0.0) + WEIGHTS[how] / (RRF_K + rank)
            shown.setdefault(family, (candidate, how))

    def place(family: str) -> tuple[float, int, str]:
        return -scores[family], *_popular(shown[family][0])

    best = [(*shown[family], scores[family]) for family in sorted(scores, key=place)[:limit]]
    return [Hit(song.song_id, song.family_id, score, how) for song, how, score in best]


def spellings(song: Candidate) -> list[str]:
    """Return what may be typed for a song, closed: its title, its artist, both in either order."""
    titles = [_closed(title) for title in song.titles]
    artists = [_closed(artist) for artist in song.artists]
    lines = {artists[0], "".join(artists)}
    boths = [text for t in titles for a in lines for text in (t + a, a + t)]
    return [*titles, *artists, *boths]


def likeness(query: str, songs: Sequence[Candidate]) -> SingleMatrix:
    """Return how alike the query and each song are, from 0 to 1.

    What counts is the nearest of title, artist and both in either order, by typing errors (optimal
    string alignment, so two letters swapped are one error); words in any order, or words left
    out, count a little less.

    Args:
        query: folded.
        songs: shape ``(n,)``.

    Returns:
        Shape ``(n,)``.
    """
    closed = [spellings(song) for song in songs]
    owners = np.repeat(np.arange(len(songs)), [len(texts) for texts in closed])
    errors = _scores(_closed(query), list(chain.from_iterable(closed)), OSA.normalized_similarity)
    best = np.zeros(len(songs), dtype=np.float32)
    np.maximum.at(best, owners, errors)
    titles = [song.titles[-1] for song in songs]
    np.maximum(best, _scores(query, titles, fuzz.token_sort_ratio) * (ANY_ORDER / 100), out=best)
    whole = [" ".join((song.titles[0], *song.artists)) for song in songs]
    short = [f"{song.titles[-1]} {song.artists[0]}" for song in songs]
    np.maximum(best, _scores(query, whole, fuzz.token_set_ratio) * (SOME_WORDS / 100), out=best)
    np.maximum(best, _scores(query, short, fuzz.token_sort_ratio) * (ANY_ORDER / 100), out=best)
    return best


def _legs(found: Found) -> dict[str, dict[str, Candidate]]:
    """Return for each list the families in it, in order, and the song that stands for each."""
    queries = [text for text in (found.query, found.latin) if text] or [""]
    close = np.max([likeness(query, found.spelt) for query in queries], axis=0)
    alike = sorted(zip(found.spelt, close.tolist(), strict=True), key=_closest)
    readings = {(s.song_id, s.titles, s.artists): s for s in (*found.spelt, *found.worded)}
    known = sorted(readings.values(), key=_popular)
    typed = tuple(map(_closed, queries))
    begun = [(s, [text for text in spellings(s) if text.startswith(typed)]) for s in known]
    spelling = _families(song for song, score in alike if score >= FAINTEST)
    sure = bool(alike) and alike[0][1] >= SURE and not found.about
    meant = () if sure else found.meant()
    return {
        "exact": _families(s for s, texts in begun if set(typed) & set(texts)),
        "prefix": _families(s for s, texts in begun if texts),
        "spelling": spelling,
        "words": _families(found.worded),
        "meaning": _families(song for song in meant if song.family_id not in spelling),
    }


def _families(songs: Iterable[Candidate]) -> dict[str, Candidate]:
    """Return the first song of each family, in order."""
    first: dict[str, Candidate] = {}
    for song in songs:
        first.setdefault(song.family_id, song)
    return first


def _popular(song: Candidate) -> tuple[int, str]:
    return -song.popularity, song.song_id


def _closest(scored: tuple[Candidate, float]) -> tuple[float, int, str]:
    return -round(scored[1], 2), *_popular(scored[0])


def _closed(text: str) -> str:
    """Return the text without spaces, which people put in and leave out: a-ha, aha."""
    return text.replace(" ", "")


def _scores(query: str, texts: Sequence[str], scorer: Callable[..., float]) -> SingleMatrix:
    scores: SingleMatrix = process.cdist([query], texts, scorer=scorer, dtype=np.float32)[0]
    return scores
