"""A published file and what a visitor typed come in; the songs that may be meant go out, by list.

The file is only read, and nothing of what is typed is kept. Ranking is up to ``models.search``.
"""

import json
import math
import re
import sqlite3
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from warehouse.search import meanings
from warehouse.search.text import (
    LONGEST,
    PAD,
    WORD,
    base,
    folded,
    grams,
    padded,
    romanised,
    skeleton,
)

Numbers = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float32]
Marks = npt.NDArray[np.bool_]

NEAREST = 300  # spellings with the most grams in common with the query
POPULAR = 150  # of the spellings that hold every gram
LONG = 0.4  # how much a long spelling is held against it
ALL = 1 - 1e-5  # of the grams, but for rounding
COMMON = 5000  # songs; BM25 has to score every song with the rarest word
WORDED = 100
CONSONANTS = 3  # of a name that is looked for by its consonants alone
WORDS = 3  # in a title, about
MEANT = 100
CLOSE = 0.6  # cosine of two titles that mean the same, about
FAME = 0.1  # of cosine that the highest popularity is worth

FRAME = re.compile(r"^(?:songs?|music|tracks?|tunes?) (?:about|for|on|of|with|to) ")
LITTLE = re.compile(
    "a|an|and|about|at|be|by|for|from|i|in|is|it|me|my|of|on|or|the|to|will|with|you"
)

BY_SPELLING = """
select
    songs.song_id, songs.family_id, songs.popularity,
    spelt.title, spelt.artists, spelt.base
from songs_fts_spellings as spelt
join songs on songs.rowid = spelt.song
where spelt.spelling in (select value from json_each(?))
order by spelt.spelling
"""
BY_WORDS = """
select
    songs.song_id, songs.family_id, songs.popularity, songs.title, songs.artists
from json_each(?) as matches
join songs on songs.rowid = matches.value ->> 0
order by matches.value ->> 1, songs.popularity desc, songs.song_id
"""
MATCHES = """
select rowid as song, bm25(songs_fts, 2.0, 1.0) as badness
from songs_fts
where songs_fts match ?
order by badness, song
limit ?
"""
TRAITS = """
select songs.rowid, families.rowid, coalesce(songs.year, -1), coalesce(songs.explicit, -1)
from songs
join families on families.family_id = songs.family_id
"""
HOLDERS = "select width, gaps from songs_fts_grams where gram in (select value from json_each(?))"
BY_CONSONANTS = """
select spelling from songs_fts_skeletons where skeleton = ? order by spelling limit 100
"""
COUNTS = "select term, doc from songs_fts_words where term in (select value from json_each(?))"


@dataclass(frozen=True, slots=True)
class Song:
    """A song that may be meant; titles and artists are folded."""

    song_id: str
    family_id: str
    popularity: int
    titles: tuple[str, ...]
    artists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a query: songs spelt alike, songs with its words, and how to ask on."""

    query: str  # folded
    spelt: Sequence[Song] = ()
    worded: Sequence[Song] = ()
    about: bool = False
    meant: Callable[[], Sequence[Song]] = tuple
    latin: str = ""  # the query in Latin letters, where it is in others


class Arrays:
    """What a search reads whole, each array when it is first needed; threads may share it.

    Args:
        connection: to the published file; only used while the object is made.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("select name, type, columns, data from songs_fts_arrays")
        arrays = {
            name: np.frombuffer(data, dtype=kind).reshape(-1, columns)
            for name, kind, columns, data in rows
        }
        empty = np.zeros((0, 1))
        self.size = len(arrays.get("lengths", empty))
        self.shortness = (arrays.get("lengths", empty).ravel() + 1.0).astype(np.float32) ** -LONG
        self.spellings = arrays.get("title_spellings", empty).ravel().astype(np.int64)
        self.titles = arrays.get("title_vectors", empty).astype(np.float32) / 127
        self.centre = arrays.get("centre", empty).ravel()
        self.directions = arrays.get("directions", empty)


@dataclass(frozen=True, slots=True)
class Only:
    """The songs that may be found, where not all may.

    Args:
        songs: shape ``(n_rows,)``, by rowid.
        spellings: shape ``(n_spellings,)``: those of families that have one of the songs.
    """

    songs: Marks
    spellings: Marks


class Traits:
    """What searches can be narrowed by, read whole; threads may share it.

    Args:
        connection: to the published file; only used while the object is made.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        flat = chain.from_iterable(connection.execute(TRAITS))
        rows = np.fromiter(flat, dtype=np.int64).reshape(-1, 4)
        self.families, self.years, self.explicit = np.full(
            (3, 1 + int(rows[:, 0].max(initial=0))), -1, dtype=np.int64
        )
        self.families[rows[:, 0]], self.years[rows[:, 0]], self.explicit[rows[:, 0]] = rows.T[1:]
        spelt = connection.execute("select song from songs_fts_spellings order by spelling")
        self.spelt = np.fromiter(chain.from_iterable(spelt), dtype=np.int64)

    def only(
        self,
        years: tuple[int | None, int | None] = (None, None),
        explicit: bool | None = None,
        rows: Numbers | None = None,
    ) -> Only:
        """Return the songs that have all of these traits; what is unknown has none.

        Args:
            years: the first and the last, none where there is no bound.
            explicit: marked so, or marked not so; none for any.
            rows: rowids to choose from; none for all.
        """
        first, last = years
        songs = self.families >= 0
        if first is not None:
            songs &= self.years >= first
        if last is not None:
            songs &= (self.years >= 0) & (self.years <= last)
        if explicit is not None:
            songs &= self.explicit == int(explicit)
        if rows is not None:
            chosen = np.zeros_like(songs)
            chosen[rows] = True
            songs &= chosen
        families = np.zeros(1 + int(self.families.max(initial=0)), dtype=np.bool_)
        families[self.families[songs]] = True
        return Only(songs, families[self.families[self.spelt]])


class SearchIndex:
    """The search tables of one published file, through one connection.

    Args:
        connection: to the file; it is only read.
        arrays: of the same file, to share them between connections.
        only: the songs to look among; all of them where it is not given.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        arrays: Arrays | None = None,
        only: Only | None = None,
    ) -> None:
        self.connection = connection
        self.arrays = arrays or Arrays(connection)
        self.only = only

    def found(self, text: str) -> Found:
        """Return the songs that ``text`` may mean; of a long text its first signs count."""
        query = folded(text)
        if not query:
            return Found(query)
        about = FRAME.sub("", query)
        framed = about != query
        latin = romanised(query)
        near = self._whole(padded(query)) if framed else self._alike(query)
        if latin and not framed:
            near = np.union1d(near, self._alike(latin))
        worded = self._worded(self._counts(about if framed else text))
        voiced = [] if framed else self._sounding(query)
        meant = partial(self._meant, about, framed)
        spelt = _in_both_scripts(self._songs(near))
        return Found(query, spelt, [*worded, *voiced], framed, meant, latin)

    def begun(self, text: str) -> Found:
        """Return the popular songs in which a word begins with ``text``, or those alike."""
        query = folded(text)
        if not query:
            return Found(query)
        start = PAD[0] + query if len(query) > 1 else PAD + query
        latin = romanised(query)
        songs = self._songs(self._whole(start))
        if latin:
            songs += self._songs(self._whole(PAD[0] + latin if len(latin) > 1 else PAD + latin))
        songs = _in_both_scripts(songs)
        starts = [PAD[0] + form for form in (query, latin) if form]
        lines = [" ".join(("", song.titles[0], *song.artists)) for song in songs]
        held = [
            song
            for song, line in zip(songs, lines, strict=True)
            if any(start in line for start in starts)
        ]
        spelt = () if held else self._songs(self._alike(query))
        return Found(query, spelt, held, latin=latin)

    def _alike(self, query: str) -> Numbers:
        """Return the spellings with most of the grams of ``query``, then popular ones with all."""
        share = self._shared(grams(padded(query)))
        score = share * self.arrays.shortness
        some = min(NEAREST, len(score))
        nearest = np.argpartition(-score, some - 1)[:some] if some else np.zeros(0, dtype=np.int64)
        popular = np.flatnonzero(share >= ALL)[:POPULAR]
        return np.union1d(nearest[score[nearest] > 0], popular)

    def _whole(self, text: str) -> Numbers:
        """Return the most popular spellings that hold every gram of ``text``."""
        return np.flatnonzero(self._shared(grams(text)) >= ALL)[:POPULAR]

    def _shared(self, wanted: list[int]) -> Weights:
        """Return which share of the grams each spelling holds, rare grams counting more."""
        share = np.zeros(self.arrays.size, dtype=np.float32)
        whole = 0.0
        rows = self.connection.execute(HOLDERS, [json.dumps(wanted)]).fetchall()
        for width, gaps in rows:
            holders = np.cumsum(np.frombuffer(gaps, dtype=f"<u{width}"), dtype=np.int64)
            weight = math.log1p(self.arrays.size / len(holders))
            share[holders] += weight
            whole += weight
        if self.only is not None:
            share *= self.only.spellings
        whole += (len(wanted) - len(rows)) * math.log1p(self.arrays.size)
        return share / np.float32(whole)

    def _songs(self, spellings: Numbers) -> list[Song]:
        """Return the song of each of some spellings, in their order."""
        rows = self.connection.execute(BY_SPELLING, [json.dumps(spellings.tolist())])
        return [
            Song(song, family, _known(popularity), _both(title, end), tuple(artists.split(PAD)))
            for song, family, popularity, title, artists, end in rows
        ]

    def _sounding(self, query: str) -> list[Song]:
        """Return songs of which title or artist has the consonants of the query, as it sounds."""
        if len(consonants := skeleton(query)) < CONSONANTS:
            return []
        rows = self.connection.execute(BY_CONSONANTS, [consonants]).fetchall()
        spellings = np.array([number for (number,) in rows], dtype=np.int64)
        if self.only is not None and len(spellings):
            spellings = spellings[self.only.spellings[spellings]]
        return self._songs(spellings)

    def _counts(self, text: str) -> dict[str, int]:
        """Return the words of ``text`` and in how many songs each stands, the rarest first."""
        signs = unicodedata.normalize("NFD", text[:LONGEST].encode("utf-8", "ignore").decode())
        plain = "".join(sign for sign in signs if not unicodedata.combining(sign)).lower()
        words = WORD.findall(unicodedata.normalize("NFC", plain))
        known = dict(self.connection.execute(COUNTS, [json.dumps(words)]))
        return dict(sorted(((w, known.get(w, 0)) for w in words), key=lambda pair: pair[1]))

    def _worded(self, counts: Mapping[str, int]) -> list[Song]:
        """Return the songs that hold every word, unless all of the words are common."""
        if not counts or not 0 < min(counts.values()) <= COMMON:
            return []
        query = " ".join(f'"{word}"' for word in counts)
        most = WORDED if self.only is None else COMMON
        matches = [tuple(row) for row in self.connection.execute(MATCHES, (query, most))]
        if self.only is not None:
            matches = [match for match in matches if self.only.songs[match[0]]][:WORDED]
        rows = self.connection.execute(BY_WORDS, [json.dumps(matches)])
        return [
            Song(
                song,
                family,
                _known(popularity),
                _both(folded(title), len(folded(base(title)))),
                tuple(map(folded, json.loads(artists))),
            )
            for song, family, popularity, title, artists in rows
        ]

    def _meant(self, query: str, framed: bool) -> list[Song]:
        """Return songs whose titles say in other words what the query says, popular ones first.

        What the titles share with the query is found by the letters, so it is left out here. A word
        that no song has is rather a typing error, unless the query says that it means something.
        """
        known = dict(self.connection.execute(COUNTS, [json.dumps(query.split())]))
        words = [w for w in query.split() if (framed or w in known) and not LITTLE.fullmatch(w)]
        if not words or not len(self.arrays.titles):
            return []
        shares = np.array([known.get(word, 0) for word in words]) / (WORDS * self.arrays.size)
        vectors = meanings.embedded(words) - self.arrays.centre
        wanted = (meanings.weights(shares)[:, None] * vectors).sum(axis=0) @ self.arrays.directions
        close = self.arrays.titles @ (wanted / max(float(np.linalg.norm(wanted)), 1e-9))
        if self.only is not None:
            close *= self.only.spellings[self.arrays.spellings]
        near = np.flatnonzero(close >= CLOSE)
        near = near[np.argsort(-close[near], kind="stable")][: 3 * MEANT]
        closeness = dict(zip(self.arrays.spellings[near].tolist(), close[near], strict=True))
        songs = zip(sorted(closeness), self._songs(self.arrays.spellings[near]), strict=True)
        other = [(n, song) for n, song in songs if not set(words) & set(song.titles[0].split())]
        other.sort(key=lambda pair: -closeness[pair[0]] - FAME * pair[1].popularity / 100)
        return [song for _, song in other[:MEANT]]


def _both(text: str, end: int) -> tuple[str, ...]:
    """Return the text and, where that is another, its beginning up to ``end``."""
    return (text, text[:end]) if 0 < end < len(text) else (text,)


def _in_both_scripts(songs: Sequence[Song]) -> list[Song]:
    """Return the songs and, after them, those that are not in Latin letters once more in these."""
    others = [s for s in songs if not all(text.isascii() for text in (*s.titles, *s.artists))]
    return [*songs, *map(_in_latin, others)]


def _in_latin(song: Song) -> Song:
    titles, artists = (
        tuple(romanised(text) or text for text in texts) for texts in (song.titles, song.artists)
    )
    return replace(song, titles=titles, artists=artists)


def _known(popularity: int | None) -> int:
    return -1 if popularity is None else popularity
