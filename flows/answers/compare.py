"""Two songs side by side: a published build and two names come in, what joins them goes out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl

from flows.answers.catalogue import songs_of, table
from flows.answers.routes import MOST_STEPS, NamedSong, Route, named, way
from flows.answers.search import search
from models.arrays import SingleMatrix
from models.encoder import pipeline as encoder
from transforms import arrays as features
from transforms import reasons
from transforms.recommendations import BECAUSE, because
from warehouse import contracts
from warehouse.errors import InputError, Unknown
from warehouse.manifest import load_model
from warehouse.published import Published, Row

CHOICES = 8
SAYS = BECAUSE | {"because_sound": ("sound", "harmony")}  # the blocks that phrases speak of
SHARES = tuple(c for c in contracts.MEASUREMENTS if c.unit == "0 to 1")
WANTED = ("song_id", "artist", "artists", "family_id", *contracts.COMPARED)


@dataclass(frozen=True, slots=True)
class ComparedSong:
    """One of the two songs.

    Args:
        song: the columns of the table ``songs``.
        artists: every credited name, in order.
        genres: in alphabetical order.
        rank: of the other song among its recommendations, where it is one.
    """

    song: Row
    artists: list[str]
    genres: list[str]
    rank: int | None


@dataclass(frozen=True, slots=True)
class ComparedShare:
    """What was measured of both songs, 0 to 1; none where it is not known."""

    name: str
    about: str
    a: float | None
    b: float | None


@dataclass(frozen=True, slots=True)
class BlockShare:
    """How much nearer a part of the distance brings the two.

    Args:
        block: sound, era, genre, artists or playlists.
        because: as in ``recommendations``, in thousandths of squared distance: how much nearer
            it brings them than songs taken at random; below 0 it parts them.
        most: what ``because`` is for two songs that are the same in this block.
        words: what is true of the two.
    """

    block: str
    because: int
    most: int
    words: list[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two songs and what joins them; ``way`` is none where none has ``most_steps`` or fewer."""

    a: ComparedSong
    b: ComparedSong
    same_family: bool
    distance: float
    similarity: float
    reason: str
    blocks: list[BlockShare]
    measures: list[ComparedShare]
    way: Route | None
    most_steps: int


@dataclass(frozen=True, slots=True)
class ComparisonSide:
    """What was asked for as one of the two, and what answers to it.

    Args:
        asked: an id or a title, empty where nothing was asked.
        song: the one that is meant; none where nothing was asked or several may be meant.
        choices: those that may be meant, best first.
    """

    asked: str
    song: NamedSong | None
    choices: list[NamedSong]


@dataclass(frozen=True, slots=True)
class ComparisonAnswer:
    """Both sides, and where both are known what joins them; ``example`` is a pair to try."""

    a: ComparisonSide
    b: ComparisonSide
    comparison: Comparison | None
    example: list[NamedSong]


@dataclass(frozen=True)
class Sense:
    """What tells how far apart songs are and why; everything has the rows of the catalogue.

    Args:
        vectors: they stay on disk until they are read.
        reasons: what says why.
        most: of each column ``because_...``, what it is for two songs that are the same there.
    """

    vectors: SingleMatrix
    reasons: reasons.Reasons
    most: dict[str, int]


def compare(build: Published, a: str = "", b: str = "") -> ComparisonAnswer:
    """Return two songs beside each other, or the songs that may be meant.

    Args:
        build: a published build.
        a: a ``song_id``, or a title, an artist or both; empty where it is still to be chosen.
        b: the other song in the same way.

    Raises:
        Unknown: no song answers to one of them.
        InputError: both mean the same song.
    """
    left, right = meant(build, a), meant(build, b)
    example = build.once(_example)
    if left.song is None or right.song is None:
        return ComparisonAnswer(left, right, None, example)
    if left.song.song_id == right.song.song_id:
        raise InputError(
            f"Expected two different songs, got {left.song.label} twice. Choose another song."
        )
    return ComparisonAnswer(left, right, _comparison(build, left.song, right.song), example)


def meant(build: Published, asked: str) -> ComparisonSide:
    """Return the song that a visitor means, or those that it may be.

    An id means its song. Other text means the only song that is found by it, or the only one of
    those found that it is the whole title or label of.

    Raises:
        Unknown: no song answers to it.
    """
    asked = asked.strip()
    own = named(build, [asked]) if asked else []
    if own or not asked:
        return ComparisonSide(asked, own[0] if own else None, [])
    matches = named(build, [song.song_id for song in search(build, asked, CHOICES).songs])
    if not matches:
        raise Unknown(f"No song matches {asked!r}. Give its title, its artist, or both.")
    text = asked.casefold()
    whole = [song for song in matches if text in (song.title.casefold(), song.label.casefold())]
    sure = whole if len(whole) == 1 else matches
    return (
        ComparisonSide(asked, sure[0], [])
        if len(sure) == 1
        else ComparisonSide(asked, None, matches)
    )


def _example(build: Published) -> list[NamedSong]:
    """Return two of the best known songs."""
    starts = [row["song_id"] for row in build.rows("starting_points")]
    return named(build, [starts[0], starts[-1]]) if len(starts) > 1 else []


def _comparison(build: Published, one: NamedSong, two: NamedSong) -> Comparison:
    sense = build.once(sense_of)
    a, b = _compared(build, one, two), _compared(build, two, one)
    rows = songs_of(build).rows([one.song_id]), songs_of(build).rows([two.song_id])
    ends = (sense.vectors[row[0]].astype(np.float64) for row in rows)
    distance = float(np.linalg.norm(np.subtract(*ends)))
    nearer = sense.reasons.nearer(*rows)
    reason, said = sense.reasons.told(*rows, nearer)
    return Comparison(
        a,
        b,
        a.song["family_id"] == b.song["family_id"],
        distance,
        1 / (1 + distance),
        reason[0],
        _blocks(sense, nearer, said),
        [ComparedShare(c.name, c.about, a.song[c.name], b.song[c.name]) for c in SHARES],
        way(build, one.song_id, two.song_id),
        MOST_STEPS,
    )


def _compared(build: Published, song: NamedSong, other: NamedSong) -> ComparedSong:
    row = build.rows("song", song_id=song.song_id)[0]
    genres = json.loads(row.pop("genres"))
    del row["recommended_by"]
    place = build.database.execute(
        "select rank from recommendations where song_id = ? and recommended_song_id = ?",
        [song.song_id, other.song_id],
    ).fetchone()
    return ComparedSong(row, json.loads(row["artists"]), genres, place[0] if place else None)


def _blocks(
    sense: Sense, nearer: Mapping[str, reasons.Floats], said: Mapping[str, pl.Series]
) -> list[BlockShare]:
    """Return the blocks that the distance of this build has."""
    values = because(nearer, 1)
    return [
        BlockShare(
            name.removeprefix("because_"),
            int(values[name][0]),
            most,
            [said[part][0] for part in SAYS[name] if said[part][0] is not None],
        )
        for name, most in sense.most.items()
        if most
    ]


def sense_of(build: Published) -> Sense:
    """Read what tells how far apart songs are; takes seconds for a large catalogue."""
    songs = table(build, contracts.SONGS, WANTED)
    names = (contracts.SONG_GENRES, contracts.ARTIST_GENRES)
    genres, filed = features.genres(songs, *(table(build, name) for name in names))
    space = reasons.Space(
        encoder.columns(build.encoder),
        encoder.spans(build.encoder),
        build.vectors,
        reasons.unknown_measurements(songs),
    )
    seen = songs_of(build).songs.select("song_id", "year", "key", "mode")
    facts = reasons.Facts(seen, genres, filed, *_held(build, songs))
    made = reasons.Reasons(facts, space)
    same = np.zeros(1, dtype=np.int64)
    most = because(made.nearer(same, same), 1)
    return Sense(build.vectors, made, {name: int(of[0]) for name, of in most.items()})


def _held(build: Published, songs: pl.DataFrame) -> tuple[Any, ...]:
    """Return family and artist of each song, and the learnt playlists that hold either."""
    families, artists = map(features.numbered, (songs["family_id"], features.artists(songs)))
    listening = cast(dict[str, Any], load_model(build.folder, "rules"))["listening"]
    none = np.empty(0, dtype=np.int64)
    learnt = listening or {"playlists": none, "families": none, "artists": none}
    playlists = learnt["playlists"].astype(np.int64)
    held = (
        reasons.held(playlists, learnt[name].astype(np.int64), int(of.max(initial=-1)) + 1)
        for name, of in (("families", families), ("artists", artists))
    )
    return families, artists, *held
