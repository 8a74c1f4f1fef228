"""Grow a real catalogue: its files come in, files of the same kinds with more songs go out.

    uv run python tests/benchmarks/grow.py TRACKS SONGS FOLDER [--genres FILE] [--playlists FILE]

TRACKS has the header of the 170k catalogue (`id,name,artists,...`). Copies of the catalogue are put
beside it until there are so many songs. A copy has ids of its own, sounds a little different, and
is by artists of its own: so versions stay versions within it, and genres go with the artists. Its
playlists are those of the original with a share of the entries taken from other copies, as nobody's
playlists keep to one part of a catalogue. Fixed seed; the same input gives the same files.
"""

import argparse
import ast
import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import polars as pl

UNIT = ("danceability", "energy", "valence", "acousticness", "speechiness", "liveness")
SPREAD = 0.03  # of what is from 0 to 1; a few steps of what people can tell apart
LONGER = 0.03  # of length and tempo, as a share
ELSEWHERE = 0.3  # of a playlist's entries
SEED = 20261129


def copied_id(song: str, copy: int) -> str:
    """Return an id that looks like the original and is of this copy alone."""
    return song if copy == 0 else f"{song[:-7]}{zlib.crc32(f'{song} {copy}'.encode()):07x}"[:22]


def copied_artist(artist: str, copy: int) -> str:
    """Return the name of an artist in a copy."""
    return artist if copy == 0 else f"{artist} {'I' * copy}"


def _copied_artists(text: str, copy: int) -> str:
    return str([copied_artist(artist, copy) for artist in ast.literal_eval(text)])


def tracks(songs: pl.DataFrame, copy: int) -> pl.DataFrame:
    """Return a copy of the catalogue; copy 0 is the catalogue itself."""
    if copy == 0:
        return songs
    rng = np.random.default_rng((SEED, copy))
    near = {
        name: (songs[name] + rng.normal(0, SPREAD, songs.height)).clip(0, 1).round(4)
        for name in UNIT
    }
    for name in ("duration_ms", "tempo"):
        near[name] = songs[name] * (1 + rng.uniform(-LONGER, LONGER, songs.height))
    near["duration_ms"] = near["duration_ms"].round(0).cast(pl.Int64)
    near["tempo"] = near["tempo"].round(3)
    ids = [copied_id(song, copy) for song in songs["id"].to_list()]
    artists = [_copied_artists(text, copy) for text in songs["artists"].to_list()]
    return songs.with_columns(id=pl.Series(ids), artists=pl.Series(artists), **near)


def playlists(entries: pl.DataFrame, copy: int, copies: int) -> pl.DataFrame:
    """Return the playlists of a copy, a share of whose entries are songs of other copies."""
    rng = np.random.default_rng((SEED, copies, copy))
    elsewhere = rng.random(entries.height) < (ELSEWHERE if copies > 1 else 0)
    of = np.where(elsewhere, rng.integers(0, copies, entries.height), copy).tolist()
    ids = [i and copied_id(i, c) for i, c in zip(entries["track_id"], of, strict=True)]
    artists = [a and copied_artist(a, c) for a, c in zip(entries["artist_name"], of, strict=True)]
    return entries.with_columns(
        playlist_id=entries["playlist_id"].cast(pl.String) + f"-{copy}",
        track_id=pl.Series(ids),
        artist_name=pl.Series(artists),
    )


def genres(rows: pl.DataFrame, copy: int) -> pl.DataFrame:
    """Return the genres of the artists of a copy."""
    names = [copied_artist(artist, copy) for artist in rows["artists"].to_list()]
    return rows.with_columns(artists=pl.Series(names))


def _written(parts: list[pl.DataFrame], path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for number, part in enumerate(parts):
            file.write(part.write_csv(include_header=number == 0).encode())
    print(f"{path}: {sum(part.height for part in parts):,} rows")


def _read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema_length=None)


def main() -> None:
    """Read the files and write the larger ones."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tracks", type=Path)
    parser.add_argument("songs", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--genres", type=Path)
    parser.add_argument("--playlists", type=Path)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    whole = _read(args.tracks)
    copies = math.ceil(args.songs / whole.height)
    left = args.songs - (copies - 1) * whole.height
    made = [tracks(whole, copy) for copy in range(copies - 1)]
    made.append(tracks(whole.sample(left, seed=SEED, shuffle=False), copies - 1))
    _written(made, args.folder / "tracks.csv.gz")
    if args.genres:
        rows = _read(args.genres)
        _written([genres(rows, c) for c in range(copies)], args.folder / "genres.csv.gz")
    if args.playlists:
        rows = _read(args.playlists)
        parts = [playlists(rows, c, copies) for c in range(copies)]
        _written(parts, args.folder / "playlists.csv.gz")


if __name__ == "__main__":
    main()
