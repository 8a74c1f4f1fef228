"""Pictures drawn on records: values of a song come in, the points of an inline SVG go out.

Templates draw them; every picture has a table or a list beside it that says the same.
"""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan2, cos, hypot, pi, sin
from statistics import median
from typing import Any

from datasette.hookspecs import hookimpl

from warehouse.contracts import MEASUREMENTS

Row = Mapping[str, Any]

# From the outside in, short names first, as the outermost leave them the least room.
ORDER = ("energy", "valence", "liveness", "danceability", "acousticness", "speechiness")
SHARES = sorted(
    (c for c in MEASUREMENTS if c.unit == "0 to 1"),
    key=lambda c: ORDER.index(c.name) if c.name in ORDER else len(ORDER),
)
OUTERMOST, APART, HALF = 146.0, 16.0, 7.0  # radii of grooves, in a picture 320 wide
SWEEP = 1.5 * pi  # of a value of 1: three quarters, the last holds the names
LABEL = (62.0, 128.0)  # radii of the circle of fifths, in a picture 400 wide
NAMES = ("C", "G", "D", "A", "E", "B", "F♯", "C♯", "A♭", "E♭", "B♭", "F")
NEAREST, FARTHEST = 26.0, 147.0  # from the middle of a map
ROOM = 17.0  # between the middles of two dots
TURNS = tuple(sign * step * 0.12 for step in range(16) for sign in (1, -1))


@dataclass(frozen=True)
class Groove:
    """One measure as an arc that goes round with its value, and the catalogue's mean as a mark.

    Args:
        name: of the measure.
        about: what it means.
        value: 0 to 1.
        mean: 0 to 1, or nothing where the catalogue has none.
        radius: of the arc.
        whole: path of a value of 1.
        arc: path of the value.
        mark: path across the groove, at the mean.
    """

    name: str
    about: str
    value: float
    mean: float | None
    radius: float
    whole: str
    arc: str
    mark: str


@dataclass(frozen=True)
class Dot:
    """A song at a place of a picture whose middle is 0, 0 and whose edge is 160 away."""

    song: Row
    left: float
    top: float


@hookimpl
def extra_template_vars() -> dict[str, Any]:
    """Offer templates the pictures."""
    return {"grooves_of": grooves, "fifths": FIFTHS, "around": around}


def grooves(song: Row, means: Row) -> list[Groove]:
    """Return the known measures from 0 to 1 as grooves of a record, from the outside in."""
    known = [column for column in SHARES if song[column.name] is not None]
    return [
        Groove(
            column.name,
            column.about,
            song[column.name],
            means.get(column.name),
            radius := OUTERMOST - APART * place,
            arc(radius, 1),
            arc(radius, song[column.name]),
            mark(radius, means.get(column.name)),
        )
        for place, column in enumerate(known)
    ]


def arc(radius: float, share: float) -> str:
    """Return the path of an arc clockwise from the top."""
    large = int(SWEEP * share > pi)
    start, end = point(radius, 0), point(radius, SWEEP * share)
    return f"M{start}A{radius:g} {radius:g} 0 {large} 1 {end}"


def mark(radius: float, share: float | None) -> str:
    """Return the path of a line across the groove, nothing where there is no share."""
    if share is None:
        return ""
    return f"M{point(radius - HALF, SWEEP * share)}L{point(radius + HALF, SWEEP * share)}"


def point(radius: float, angle: float) -> str:
    """Return the place at an angle clockwise from the top, as paths write it."""
    return "{:.1f} {:.1f}".format(*at(radius, angle))


def sector(place: int) -> str:
    """Return the path of one of the twelve keys, C at the top."""
    inner, outer = LABEL
    a, b = (place - 0.5) * pi / 6, (place + 0.5) * pi / 6
    return (
        f"M{point(inner, a)}L{point(outer, a)}A{outer:g} {outer:g} 0 0 1 {point(outer, b)}"
        f"L{point(inner, b)}A{inner:g} {inner:g} 0 0 0 {point(inner, a)}Z"
    )


def around(song: Row, others: list[Row]) -> list[Dot]:
    """Return others around a song, in the directions in which they lie on the map.

    Far ones are drawn in, so that near ones are told apart: one that is as far as half of the
    others comes to lie half way out. Who would cover an earlier one is turned aside.
    """
    away = [(other["map_x"] - song["map_x"], other["map_y"] - song["map_y"]) for other in others]
    usual = median(hypot(*offset) for offset in away) or 1.0
    dots: list[Dot] = []
    for other, (across, down) in zip(others, away, strict=True):
        far = hypot(across, down)
        out = NEAREST + (FARTHEST - NEAREST) * far / (far + usual)
        turned = (Dot(other, *at(out, atan2(across, -down) + turn)) for turn in TURNS)
        dots.append(next((dot for dot in turned if free(dot, dots)), Dot(other, *at(out, 0))))
    return dots


def at(radius: float, angle: float) -> tuple[float, float]:
    """Return the place at an angle clockwise from the top."""
    return round(radius * sin(angle), 1), round(-radius * cos(angle), 1)


def free(dot: Dot, others: list[Dot]) -> bool:
    """Return whether a dot covers none of the others."""
    return all(hypot(dot.left - o.left, dot.top - o.top) >= ROOM for o in others)


FIFTHS = tuple(
    (f"tone-{place}", name, sector(place), *at(96, place * pi / 6))
    for place, name in enumerate(NAMES)
)
