"""The songs of a database come in; the tables that a forgiving search reads go out, beside them.

``warehouse/sql/search.sql`` declares the tables. Equal songs give equal bytes.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from warehouse.search import meanings
from warehouse.search.text import PAD, base, folded, padded, romanised, skeleton, vowelless

SQL = Path(__file__).parents[1] / "sql"

SONGS = """
select rowid, family_id, title, artists from songs
order by popularity is null, popularity desc, song_id
"""

Spelling = tuple[int, int, str, str, int]


def write_search(database: sqlite3.Connection) -> None:
    """Make the full-text index over ``songs``, the index of spellings and that of meanings."""
    database.executescript((SQL / "search.sql").read_text(encoding="utf-8"))
    spellings = _spellings(database)
    slots = ", ".join("?" * 5)
    database.executemany(f"insert into songs_fts_spellings values ({slots})", spellings)
    texts = [padded(title + PAD + artists) for _, _, title, artists, _ in spellings]
    if texts:
        lengths = np.array([len(text) for text in texts], dtype=np.uint16)
        both = [text + romanised_too(text) for text in texts]
        database.executemany("insert into songs_fts_grams values (?, ?, ?)", _grams(both))
        slots = ", ".join("?" * 2)
        skeletons = _skeletons(spellings)
        database.executemany(f"insert into songs_fts_skeletons values ({slots})", skeletons)
        _store(database, "lengths", lengths)
        _write_meanings(database, spellings)


def _spellings(database: sqlite3.Connection) -> list[Spelling]:
    """Return each folded title and artists of a family once, the most popular song's first."""
    numbers: dict[tuple[str, str, str], int] = {}
    spellings: list[Spelling] = []
    name = cache(folded)  # artists come again and again
    for song, family, title, artists in database.execute(SONGS):
        spelt = folded(title)
        credited = PAD.join(name(credit) for credit in json.loads(artists))
        number = len(numbers)
        if numbers.setdefault((family, spelt, credited), number) == number:
            end = len(spelt) if (short := base(title)) == title else len(folded(short))
            spellings.append((number, song, spelt, credited, end))
    return spellings


def romanised_too(text: str) -> str:
    """Return what is added to a text of another script, so that Latin letters find it as well."""
    return "" if text.isascii() else PAD.join(map(romanised, text.split(PAD)))


def _skeletons(spellings: list[Spelling]) -> list[tuple[str, int]]:
    """Return the consonants of each title and name in Arabic or Hebrew, with its spelling."""
    return sorted(
        {
            (skeleton(text), number)
            for number, _, title, artists, end in spellings
            for text in (title, title[:end], *artists.split(PAD))
            if vowelless(text) and skeleton(text)
        }
    )


def _grams(texts: list[str]) -> Iterator[tuple[int, int, bytes]]:
    """Yield each gram of the texts with the numbers of the texts that hold it, as gaps."""
    signs = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    letters = np.flatnonzero(np.bincount(signs))
    size = len(letters)
    codes = np.searchsorted(letters, signs)
    inside = owners[:-2] == owners[2:]
    keys = (codes[:-2] * size + codes[1:-1]) * size + codes[2:]
    found = np.sort((keys * len(texts) + owners[2:])[inside])
    grams, holders = np.divmod(found[np.diff(found, prepend=-1) > 0], len(texts))
    starts = np.flatnonzero(np.diff(grams, prepend=-1))
    front, third = np.divmod(grams[starts], size)
    first, second = np.divmod(front, size)
    numbers = letters[first] << 42 | letters[second] << 21 | letters[third]
    for row, number in zip(np.split(holders, starts[1:]), numbers.tolist(), strict=True):
        gaps = np.diff(row, prepend=0)
        kind = np.min_scalar_type(gaps.max())
        yield number, kind.itemsize, gaps.astype(kind).tobytes()


def _write_meanings(database: sqlite3.Connection, spellings: list[Spelling]) -> None:
    """Store what each base title means, once, for the most popular spelling that has it."""
    first: dict[str, int] = {}
    for number, _, title, _, end in spellings:
        first.setdefault(title[:end], number)
    titles = [title.split() for title in first]
    counts = Counter(chain.from_iterable(titles))
    known = {word: number for number, word in enumerate(counts)}
    words = np.array([known[word] for title in titles for word in title])
    starts = np.cumsum([0, *(len(title) for title in titles[:-1])])
    vectors = meanings.embedded(list(counts))
    shares = np.array(list(counts.values())) / len(words)
    vectors *= meanings.weights(shares)[:, None]
    with threadpool_limits(1):  # the same sums in the same order on every machine of a kind
        centre = np.average(vectors, axis=0, weights=shares).astype(np.float32)
        vectors -= centre
        fit = _pooled(vectors, words, starts, slice(0, meanings.FIT))
        directions = meanings.projection(fit)
        vectors = vectors @ directions
    pooled = _pooled(vectors, words, starts, slice(None))
    _store(database, "title_vectors", np.rint(pooled * 127).astype(np.int8))
    _store(database, "title_spellings", np.array(list(first.values()), dtype=np.uint32))
    _store(database, "centre", centre)
    _store(database, "directions", directions)


def _pooled(
    vectors: meanings.Vectors,
    words: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    titles: slice,
) -> meanings.Vectors:
    begin = starts[titles]
    end = starts[titles.stop] if titles.stop and titles.stop < len(starts) else len(words)
    return meanings.pooled(vectors[words[:end]], begin)


def _store(database: sqlite3.Connection, name: str, array: npt.NDArray[Any]) -> None:
    columns = array.shape[1] if array.ndim > 1 else 1
    row = (name, array.dtype.str, columns, array.tobytes())
    database.execute("insert into songs_fts_arrays values (?, ?, ?, ?)", row)
