"""A way of songs from one to another: a published build and two songs come in, steps go out."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import polars as pl

from flows.answers.catalogue import songs_of, table
from models import paths
from warehouse import contracts
from warehouse.published import Published

MOST_STEPS = paths.MOST_STEPS


@dataclass(frozen=True, slots=True)
class NamedSong:
    """A song by name."""

    song_id: str
    title: str
    artist: str
    year: int | None
    key: int | None
    label: str


@dataclass(frozen=True, slots=True)
class RouteStep:
    """One step of a way.

    Args:
        song: where it leads.
        back: the song before is recommended for this one, not this one for it.
        rank: of that recommendation.
        distance: between the two.
        reason: of that recommendation.
    """

    song: NamedSong
    back: bool
    rank: int
    distance: float
    reason: str


@dataclass(frozen=True, slots=True)
class Route:
    """A way along recommendations, the shortest in steps and of those in distance.

    Args:
        either: none follows recommendations forwards alone, so some are followed back.
        distance: of all steps together.
        steps: one for each song after the first.
    """

    either: bool
    distance: float
    steps: list[RouteStep]


def links_of(build: Published) -> paths.Roads:
    """Read which song leads where; takes a second for 1.6 million recommendations."""
    ids = songs_of(build).ids
    rows = table(build, contracts.RECOMMENDATIONS, ("song_id", "recommended_song_id", "distance"))
    numbers = pl.Enum(ids)
    source, end = (
        rows[name].cast(numbers).to_physical().to_numpy().astype(np.int64)
        for name in ("song_id", "recommended_song_id")
    )
    return paths.Roads.of(len(ids), source, end, rows["distance"].to_numpy())


def way(build: Published, song_id: str, other_id: str) -> Route | None:
    """Return a way from one song to the other; none where there is none of ``MOST_STEPS`` steps.

    Args:
        build: a published build.
        song_id: of the first song; the build has it.
        other_id: of the last song; the build has it.
    """
    roads, catalogue = build.once(links_of), songs_of(build)
    one, two = catalogue.rows([song_id, other_id]).tolist()
    songs = paths.way(roads, one, two)
    either = songs is None
    songs = paths.way(roads, one, two, either=True) if songs is None else songs
    if songs is None:
        return None
    stops = named(build, catalogue.ids.gather(songs))
    steps = [
        _step(build, before.song_id, song, not roads.lead(*pair))
        for (before, song), pair in zip(pairwise(stops), pairwise(songs), strict=True)
    ]
    return Route(either, sum(step.distance for step in steps), steps)


def named(build: Published, ids: Iterable[str]) -> list[NamedSong]:
    """Return songs by their ids, in that order; ids of no song are passed over."""
    rows = build.database.execute(
        f"select {', '.join('songs.' + field.name for field in fields(NamedSong))} "
        "from json_each(?) as asked join songs on songs.song_id = asked.value order by asked.id",
        [json.dumps(list(ids))],
    )
    return [NamedSong(**row) for row in rows]


def _step(build: Published, before: str, song: NamedSong, back: bool) -> RouteStep:
    pair = (song.song_id, before) if back else (before, song.song_id)
    rank, distance, reason = build.database.execute(
        "select rank, distance, reason from recommendations "
        "where song_id = ? and recommended_song_id = ?",
        pair,
    ).fetchone()
    return RouteStep(song, back, rank, distance, reason)
