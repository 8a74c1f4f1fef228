"""Measure playlists of saved songs: a home and playlists come in, hits and seconds go out.

    uv run python tests/benchmarks/mix.py HOME PLAYLISTS.csv.gz [--vectors FILE.npy] [--places 50]

Half of each playlist is saved, the other half is to be found. A library is the union of three to
eight playlists. Beside the mix stand one mean of all that was saved, with its nearest songs, and
the neighbours of each saved song, those that most of them share first. All keep to the same rules:
nothing saved, no version of it, two songs by an artist. A hit is a song of a family to be found.
Recall is out of 50, or of all that can be found where that is less.

    uv run python tests/benchmarks/mix.py HOME --seconds

Without playlists it says how long lists of 50, 500 and 10,000 songs take, as ids and as lines
"artist - title": where the build is read already, and by ``segue mix`` with all that it loads.
"""

import argparse
import functools
import os
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import polars as pl

from flows.answers.playlists import SavedSongs, mixed
from models.lists import ARTIST_CAP, Sameness
from models.mix import Shelves, mix
from models.tastes import tastes
from transforms.matching import matched
from warehouse.published import Published

LONG_ENOUGH = 20
SINGLE, LIBRARIES = 150, 60
BLOCK = 256
NEIGHBOURS = 20
MANY = 10_000
TRIES = 3


def songs_of(home):
    """Return the songs of the published build, by id."""
    wanted = "song_id, title, artist, popularity, family_id"
    with sqlite3.connect(f"file:{home / 'current' / 'segue.db'}?mode=ro", uri=True) as database:
        return pl.read_database(
            f"select {wanted} from songs order by song_id", database, infer_schema_length=None
        )


def playlists_of(path, songs):
    """Return the rows of the songs of each playlist that is long enough."""
    read = pl.read_csv(path, infer_schema_length=0).with_row_index("line", 1)
    named = {"track_id": "track_id", "title": "track_name", "artist": "artist_name"}
    readings = read.select("line", playlist="playlist_id", source=pl.lit(path.name), **named)
    rows = songs.select("song_id").with_row_index("row")
    found = matched(readings, songs).join(rows, on="song_id").sort("line")
    found = found.unique(["playlist", "row"], keep="first", maintain_order=True)
    lists = found.group_by("playlist", maintain_order=True).agg("row")["row"].to_list()
    return [np.array(rows) for rows in lists if len(rows) >= LONG_ENOUGH]


def halves(rows, families, rng):
    """Split songs into saved ones and families to be found, none in both."""
    mixed = rng.permutation(rows)
    saved, hidden = np.split(mixed, [len(mixed) // 2])
    return saved, set(families[hidden].tolist()) - set(families[saved].tolist())


class Rivals:
    """Playlists made without tastes, by the same rules."""

    def __init__(self, points, families, artists):
        self.points, self.families, self.artists = points, families, artists
        self.squares = np.einsum("ij,ij->i", points, points)
        self.known = {}

    def allowed(self, ranked, saved, places):
        """Return the first songs of a ranking that the rules let through."""
        seen, by, kept = set(self.families[saved].tolist()), Counter(), []
        for song in ranked:
            family, artist = int(self.families[song]), int(self.artists[song])
            if family not in seen and by[artist] < ARTIST_CAP:
                kept.append(int(song))
                seen.add(family)
                by[artist] += 1
            if len(kept) == places:
                break
        return np.array(kept, dtype=int)

    def one_mean(self, saved, places):
        """Return the songs nearest to the mean of all that was saved."""
        apart = self.squares - 2 * self.points @ self.points[saved].mean(axis=0)
        return self.allowed(np.argsort(apart, kind="stable"), saved, places)

    def look_up(self, songs):
        """Keep the nearest others of some songs, by the rules for a single song."""
        apart = self.squares - 2 * self.points[songs] @ self.points.T
        several = np.argpartition(apart, 4 * NEIGHBOURS, axis=1)[:, : 4 * NEIGHBOURS]
        for song, row, near in zip(songs.tolist(), apart, several, strict=True):
            ranked = near[np.argsort(row[near], kind="stable")].tolist()
            chosen = self.allowed(ranked, np.array([song]), NEIGHBOURS)
            self.known[song] = [(o, float(row[o] + self.squares[song])) for o in chosen.tolist()]

    def neighbours(self, saved, places):
        """Return the neighbours that most saved songs share, the nearer first among equals."""
        count, near = Counter(), {}
        new = np.array([song for song in saved.tolist() if song not in self.known], dtype=int)
        for block in np.split(new, range(BLOCK, len(new), BLOCK)):
            self.look_up(block)
        for song in saved.tolist():
            for other, apart in self.known[song]:
                count[other] += 1
                near[other] = min(apart, near.get(other, np.inf))
        ranked = sorted(count, key=lambda other: (-count[other], near[other], other))
        return self.allowed(ranked, saved, places)


def scores(songs, hidden, families):
    """Return whether there is a hit, recall and the hits themselves."""
    hits = np.array([family in hidden for family in families[songs].tolist()])
    return hits.any(), hits.sum() / min(50, len(hidden)), hits.sum()


def share_distance(saved, songs, of_song):
    """Return half the sum of the differences between the shares of the tastes."""
    number = int(of_song.max()) + 1
    ours, theirs = (np.bincount(of_song[rows], minlength=number) for rows in (saved, songs))
    return np.abs(ours / len(saved) - theirs / max(1, len(songs))).sum() / 2


def compare(name, cases, makers, families, of_song, places):
    """Print a line for each way to make a playlist of the same saved songs."""
    tastes_saved = np.mean([len(np.unique(of_song[saved])) for saved, _ in cases])
    print(f"{name}: {len(cases)}, {np.mean([len(s) for s, _ in cases]):.0f} songs saved, ", end="")
    print(f"of {tastes_saved:.1f} tastes")
    print(f"  {'':28s}   any hit  recall     +-   share distance, at most   tastes reached")
    for title, make in makers.items():
        lists = [make(saved, places) for saved, _ in cases]
        found = np.array(
            [scores(s, hidden, families) for s, (_, hidden) in zip(lists, cases, strict=True)]
        )
        apart = [
            share_distance(saved, s, of_song) for s, (saved, _) in zip(lists, cases, strict=True)
        ]
        reached = [
            np.isin(np.unique(of_song[saved]), of_song[s]).mean()
            for s, (saved, _) in zip(lists, cases, strict=True)
        ]
        error = found[:, 1].std() / np.sqrt(len(found))
        print(
            f"  {title:28s} {found[:, 0].mean():9.3f} {found[:, 1].mean():8.4f} {error:.4f}"
            f"           {np.mean(apart):.4f}    {np.max(apart):.4f}"
            f"   {np.mean(reached):14.2f}"
        )


def seconds(home):
    """Print how long lists of some lengths take, the median of several tries."""
    build = Published(home / "current")
    songs, rng = songs_of(home), np.random.default_rng(1)
    print(f"{len(songs)} songs          read already: wall    CPU    segue mix: wall    CPU")
    for length in (n for n in (50, 500, MANY) if n <= len(songs)):
        some = songs[rng.choice(len(songs), length, replace=False)]
        names = some.select(pl.format("{} - {}", "artist", "title")).to_series()
        for kind, lines in (("ids", some["song_id"]), ("lines", names)):
            saved = SavedSongs("\n".join(lines))
            mixed(build, saved)
            warm = median(lambda saved=saved: mixed(build, saved), time.process_time)
            command = ["segue", "mix", "-", "--home", str(home), "--format", "uris"]
            ask = functools.partial(
                subprocess.run, command, input=saved.text, text=True, capture_output=True
            )
            cold = median(lambda ask=ask: ask(check=True), children_seconds)
            print(f"{length:6d} {kind:5s}                 {warm[0]:.2f}   {warm[1]:.2f}", end="")
            print(f"              {cold[0]:.2f}   {cold[1]:.2f}")


def median(run, clock):
    """Return the median seconds of some runs, by the wall and by another clock."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter(), clock()
        run()
        took.append((time.perf_counter() - began[0], clock() - began[1]))
    return np.median(took, axis=0)


def children_seconds():
    """Return the CPU seconds of all commands that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def main() -> None:
    """Print what each way finds, or the seconds that lists take."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("playlists", type=Path, nargs="?")
    parser.add_argument("--seconds", action="store_true")
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--places", type=int, default=50)
    args = parser.parse_args()
    if args.seconds:
        seconds(args.home)
        return
    if args.playlists is None:
        parser.error("give PLAYLISTS, or --seconds")
    stored = args.home / "current" / "models" / "vectors.joblib"
    points = np.load(args.vectors) if args.vectors else joblib.load(stored).astype(np.float32)
    songs = songs_of(args.home)
    families, artists = (
        songs[name].rank("dense").cast(pl.Int64).to_numpy() - 1 for name in ("family_id", "artist")
    )
    began = time.perf_counter()
    of_song = tastes(points).of_song
    print(f"{len(points)} x {points.shape[1]}: {of_song.max() + 1} tastes in ", end="")
    print(f"{time.perf_counter() - began:.1f} s")
    shelves = Shelves(points, of_song, Sameness(families, artists))
    rivals = Rivals(points, families, artists)
    makers = {
        "mix": lambda saved, places: mix(shelves, saved, places).songs,
        "one mean": rivals.one_mean,
        "neighbours of saved": rivals.neighbours,
    }
    rng = np.random.default_rng(1)
    lists = playlists_of(args.playlists, songs)
    single = [lists[row] for row in rng.permutation(len(lists))[:SINGLE]]
    joined = [rng.choice(len(lists), rng.integers(3, 9), replace=False) for _ in range(LIBRARIES)]
    libraries = [np.unique(np.concatenate([lists[row] for row in rows])) for rows in joined]
    for name, group in {"playlists": single, "libraries": libraries}.items():
        cases = [halves(rows, families, rng) for rows in group]
        cases = [(saved, hidden) for saved, hidden in cases if hidden]
        compare(name, cases, makers, families, of_song, args.places)


if __name__ == "__main__":
    main()
