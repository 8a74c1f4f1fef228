"""Ask a build for songs that it holds: a home comes in, what is found and how fast goes out.

    OMP_NUM_THREADS=1 uv run python tests/benchmarks/search.py HOME [--songs 2000] [--seed 7]

Songs are drawn from the whole catalogue with a fixed seed, each with the same chance, and asked for
in several ways. "Strict": a version of the very song (its family) is among the first ten. "Fair":
or a song that the query names as well: for a query by title any song with that title, else any
with that title by that artist (one recording may have several families).
"""

import argparse
import random
import resource
import sqlite3
import string
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.search import Hit, Searcher
from warehouse import export
from warehouse.search import meanings
from warehouse.search.index import Arrays, SearchIndex
from warehouse.search.text import base, folded

FIRST = 10
SHORTEST = 3  # signs of a prefix
Song = tuple[str, str, str, str]


def edited(text: str, draw: random.Random) -> str:
    """Return the text with one typing error: a sign put in, left out, replaced or swapped."""
    place, sign = draw.randrange(len(text)), draw.choice(string.ascii_lowercase + " ")
    before, here, after = text[:place], text[place], text[place + 1 :]
    tried = {
        "in": before + sign + here + after,
        "out": before + after,
        "other": before + sign + after,
        "swap": before + after[:1] + here + after[1:],
    }[draw.choice(("in", "out", "other", "swap"))]
    return tried if tried.strip() and tried != text else edited(text, draw)


def stripped(text: str, _: random.Random) -> str:
    """Return the text without accents, or nothing where it has none."""
    parts = unicodedata.normalize("NFD", text)
    plain = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return plain if plain != text else ""


def shortened(title: str, artist: str, draw: random.Random) -> str:
    """Return title and artist without one word of the longer; nothing where each has but one."""
    words, others = title.split(), artist.split()
    longer = words if len(words) >= len(others) else others
    if len(longer) < 2:
        return ""
    longer.pop(draw.randrange(len(longer)))
    return " ".join([*words, *others])


ByTitle = Callable[[str, str, random.Random], str]
BY_TITLE: dict[str, ByTitle] = {
    "title": lambda t, a, r: t,
    "title, one edit": lambda t, a, r: edited(t, r),
    "title, two edits": lambda t, a, r: edited(edited(t, r), r),
    "first two thirds of the title": lambda t, a, r: t[: max(SHORTEST, len(t) * 2 // 3)],
}
BY_BOTH: dict[str, ByTitle] = {
    "title artist": lambda t, a, r: f"{t} {a}",
    "artist title": lambda t, a, r: f"{a} {t}",
    "title artist, no accents": lambda t, a, r: stripped(f"{t} {a}", r),
    "title artist, lower case, no punctuation": lambda t, a, r: folded(f"{t} {a}"),
    "title artist, a word dropped": shortened,
    "title artist, one edit": lambda t, a, r: edited(f"{t} {a}", r),
    "title artist, two edits": lambda t, a, r: edited(edited(f"{t} {a}", r), r),
}


def rank(ids: list[str], wanted: set[str]) -> int:
    """Return the rank of the first id that is wanted, 0 where none is."""
    return next((n for n, i in enumerate(ids, start=1) if i in wanted), 0)


def line(name: str, ranks: list[tuple[int, int]], took: list[float]) -> str:
    """Return one row: strict and fair MRR and recall, then milliseconds."""
    shown = []
    for column in zip(*ranks, strict=True):
        found = [1 / r if r else 0.0 for r in column]
        shown.append(f"{np.mean(found):.3f} {np.mean([f > 0 for f in found]):.3f}")
    p50, p95 = np.percentile(np.array(took) * 1000, [50, 95])
    return f"{name:42s} {len(ranks):5d}   {'   '.join(shown)}   {p50:5.1f} {p95:5.1f}"


class Catalogue:
    """Every song, and which others a query for it names as well."""

    def __init__(self, database: sqlite3.Connection) -> None:
        rows = database.execute("select song_id, family_id, title, artist from songs order by 1")
        self.songs: list[Song] = rows.fetchall()
        self.family = {song: family for song, family, _, _ in self.songs}
        self.by_title: dict[str, set[str]] = {}
        self.by_both: dict[tuple[str, str], set[str]] = {}
        for _, family, title, artist in self.songs:
            for spelt in {folded(title), folded(base(title))}:
                self.by_title.setdefault(spelt, set()).add(family)
                self.by_both.setdefault((spelt, folded(artist)), set()).add(family)

    def fair(self, song: Song, by_title: bool) -> set[str]:
        """Return the families that are a fair answer to a query for the song."""
        title, artist = folded(song[2]), folded(song[3])
        return self.by_title[title] if by_title else self.by_both[title, artist]


def suggestions(searcher: Searcher, songs: list[Song]) -> str:
    """Type each title sign by sign, as far as ten signs; return how long suggestions took."""
    took = []
    for _, _, title, _ in songs:
        for end in range(1, min(len(title), FIRST) + 1):
            began = time.perf_counter()
            searcher.suggest(title[:end])
            took.append(time.perf_counter() - began)
    p50, p95, p99 = np.percentile(np.array(took) * 1000, [50, 95, 99])
    return f"suggestions: {len(took)} asked, p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms"


def main() -> None:
    """Draw the songs, ask for each in every way, and print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("home", type=Path, help="a home, or a published file")
    parser.add_argument("--songs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    file = args.home if args.home.is_file() else args.home / "current" / export.FILE
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    connection = export.opened(file)
    arrays = Arrays(connection)
    meanings.embedded(["warm"])
    took = time.perf_counter() - began
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{file}: opened in {took:.2f} s, {more:.0f} MiB more")
    searcher = Searcher(SearchIndex(connection, arrays))
    catalogue = Catalogue(connection)
    drawn = random.Random(args.seed).sample(catalogue.songs, args.songs)
    print(f"{'':42s} asked   strict        fair          ms")
    print(f"{'':42s}         MRR   recall  MRR   recall    p50   p95")
    everything: list[float] = []
    cpu = time.process_time()
    for name, ask in {**BY_TITLE, **BY_BOTH}.items():
        ranks, times = [], []
        draw = random.Random(args.seed)
        for song in drawn:
            text = ask(song[2], song[3], draw)
            if not text:
                continue
            began = time.perf_counter()
            hits: list[Hit] = searcher.search(text, FIRST)
            times.append(time.perf_counter() - began)
            ids = [hit.family_id for hit in hits]
            fair = catalogue.fair(song, name in BY_TITLE) | {song[1]}
            ranks.append((rank(ids, {song[1]}), rank(ids, fair)))
        everything += times
        print(line(name, ranks, times), flush=True)
    p50, p95, p99 = np.percentile(np.array(everything) * 1000, [50, 95, 99])
    print(f"searches: {len(everything)}, p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")
    cpu = (time.process_time() - cpu) / len(everything)
    print(f"processor time: {cpu * 1000:.1f} ms a search")
    print(suggestions(searcher, drawn[: args.songs // 4]))


if __name__ == "__main__":
    main()
