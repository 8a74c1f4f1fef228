"""Draw the charts of the site: published tables come in, SVG files go out, in light and dark.

Each chart is a Vega-Lite specification over rows of a table; vl-convert draws it, offline. The same
rows give the same bytes. Marks are coloured with the tones of ``datasette/static/segue.css``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import atan2, cos, radians, sin
from pathlib import Path
from typing import Any

import polars as pl
import vl_convert

from warehouse.contracts import (
    DISTANCE_COUNTS,
    FEATURE_YEARS,
    GENRES,
    HUB_COUNTS,
    SONGS,
    TASTES,
    Table,
)

Spec = dict[str, Any]
Tables = Mapping[str, pl.DataFrame]

FOLDER = "charts"  # in the folder of a build
VEGA_LITE = "6.4"
PLACED = ("song_id", "taste_id", "map_x", "map_y")
READ: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (SONGS, PLACED),
    *((table, ()) for table in (TASTES, GENRES, FEATURE_YEARS, HUB_COUNTS, DISTANCE_COUNTS)),
)
# The features shown in charts: those that differ most between years, tastes and genres.
SHOWN = (
    *("danceability", "energy", "valence"),
    *("acousticness", "instrumentalness", "speechiness"),
)

COUNTED = re.compile(r"\b(gradient|clip)_?\d+\b")
LONG_NUMBER = re.compile(r"(\d\.\d\d)\d+")
WIDTH = 320
MAP_SIDE = 640
CELLS = 72
FULL = 0.97  # share of the cells whose dots are not of full size
LARGEST = 24
FEWEST = 10  # songs of a year that is drawn


@dataclass(frozen=True)
class Scheme:
    """The colours of the style sheet, by light or dark."""

    name: str
    paper: str
    ink: str
    soft: str
    line: str
    accent: str
    above: str
    below: str


SCHEMES = (
    Scheme(*("light", "#f7f2e8", "#1a1612", "#675d51", "#d9cfbd", "#a8280f"), "#c0341d", "#1f6a9c"),
    Scheme(*("dark", "#14110e", "#f3ece0", "#b0a493", "#3a332b", "#ff8f73"), "#ff8f73", "#6ab7ea"),
)


def draw(tables: Tables, folder: Path) -> int:
    """Write every chart that has rows into ``folder``; return the number of files.

    Args:
        tables: by name, the columns of ``READ``.
        folder: created if missing.
    """
    folder.mkdir(exist_ok=True)
    written = 0
    for name, chart in CHARTS.items():
        for scheme in schemes(name):
            spec = chart(tables, scheme)
            if spec["data"]["values"]:
                text = _svg({**spec, "config": _config(scheme), "background": None})
                (folder / f"{name}-{scheme.name}.svg").write_text(text, encoding="utf-8")
                written += 1
    return written


def _svg(spec: Spec) -> str:
    """Return the drawing, with numbers rounded to a hundredth of a pixel, which halves its size.

    Vega numbers gradients across all drawings of a process; here each drawing begins with 0.
    """
    text = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, allowed_base_urls=[])
    numbers: dict[str, str] = {}
    own = COUNTED.sub(
        lambda found: numbers.setdefault(found[0], f"{found[1]}_{len(numbers)}"), text
    )
    return LONG_NUMBER.sub(r"\1", own)


def colours(centres: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    """Return a colour for each taste: the colour wheel laid round the middle of the map.

    Tastes next to each other get neighbouring hues, alternately lighter and darker.

    Args:
        centres: of each taste, where its songs lie on the map.
    """

    def angle(taste: str) -> tuple[float, str]:
        x, y = centres[taste]
        return atan2(y - 0.5, x - 0.5), taste

    order = sorted(centres, key=angle)
    return {
        taste: hexadecimal((0.74, 0.6)[place % 2], 0.15, 360 * place / len(order))
        for place, taste in enumerate(order)
    }


def hexadecimal(lightness: float, chroma: float, hue: float) -> str:
    """Return a colour of OKLCH as ``#rrggbb`` (Ottosson, 2020), as far as a screen has it.

    Args:
        lightness: 0 to 1.
        chroma: 0 is grey, 0.2 is strong.
        hue: in degrees.
    """
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
    )
    return "#" + "".join(f"{round(255 * _gamma(min(max(part, 0), 1))):02x}" for part in linear)


def _gamma(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _map(tables: Tables, _: Scheme) -> Spec:
    """Draw the map as a halftone: a dot for each cell, larger where there are more songs."""
    songs = tables[SONGS.name]
    centres = songs.group_by("taste_id").agg(pl.col("map_x", "map_y").mean())
    of_taste = colours({taste: (x, y) for taste, x, y in centres.iter_rows()})
    cell = [
        (pl.col(name) * CELLS).floor().clip(0, CELLS - 1).cast(pl.Int64)
        for name in ("map_x", "map_y")
    ]
    dots = (
        songs.group_by(*cell, "taste_id")
        .len("own")
        .with_columns(songs=pl.col("own").sum().over("map_x", "map_y"))
        .sort("map_y", "map_x", "own", "taste_id", descending=[False, False, True, False])
        .unique(["map_x", "map_y"], keep="first", maintain_order=True)
        .with_columns(colour=pl.col("taste_id").replace_strict(of_taste, return_dtype=pl.String))
        .select("map_x", "map_y", "songs", "colour")
    )
    most = dots.select(pl.col("songs").quantile(FULL).fill_null(1)).item()
    widest = (MAP_SIDE / CELLS) ** 2

    def axis(name: str) -> Spec:
        scale = {"domain": [-0.5, CELLS - 0.5], "range": [0, MAP_SIDE]}
        return {"field": name, "type": "quantitative", "scale": scale, "axis": None}

    size = {"type": "sqrt", "domain": [0, most], "range": [widest / 30, widest], "clamp": True}
    encoding = {
        "x": axis("map_x"),
        "y": axis("map_y"),
        "size": {"field": "songs", "type": "quantitative", "scale": size, "legend": None},
        "color": {"field": "colour", "type": "nominal", "scale": None},
    }
    return {
        "data": {"values": dots.to_dicts()},
        "padding": 0,
        "width": MAP_SIDE,
        "height": MAP_SIDE,
        "mark": {"type": "circle", "opacity": 1},
        "encoding": encoding,
    }


def _songs_by_year(tables: Tables, scheme: Scheme) -> Spec:
    rows = tables[FEATURE_YEARS.name].select("year", "songs")
    return {
        "data": {"values": rows.to_dicts()},
        "width": WIDTH,
        "height": 200,
        "mark": {"type": "bar", "color": scheme.accent, "binSpacing": 0, "width": {"band": 0.9}},
        "encoding": {
            "x": {
                "field": "year",
                "type": "ordinal",
                "scale": {"paddingInner": 0},
                "axis": {
                    "title": None,
                    "labelExpr": "datum.value % 20 == 0 ? datum.value : ''",
                    "ticks": False,
                    "labelAngle": 0,
                    "labelOverlap": False,
                },
            },
            "y": _count("songs"),
        },
    }


def _features_by_year(tables: Tables, scheme: Scheme) -> Spec:
    rows = tables[FEATURE_YEARS.name].filter(pl.col("songs") >= FEWEST).select("year", *SHOWN)
    each = {
        "width": 138,
        "height": 76,
        "mark": {"type": "area", "line": {"color": scheme.accent, "strokeWidth": 2}}
        | {"color": scheme.accent, "opacity": 1, "fillOpacity": 0.16},
        "encoding": {
            "x": {
                "field": "year",
                "type": "quantitative",
                "scale": {"zero": False, "nice": False},
                "axis": {"title": None, "format": "d", "tickCount": 3, "grid": False},
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "scale": {"domain": [0, 1]},
                "axis": {"title": None, "values": [0, 0.5, 1], "labelExpr": _HALVES},
            },
        },
    }
    header = {"title": None, "labelAnchor": "start", "labelFontWeight": 700, "labelPadding": 4}
    named = rows.unpivot(SHOWN, index="year", variable_name="feature").drop_nulls()
    facet = {"field": "feature", "type": "nominal", "sort": list(SHOWN), "header": header}
    return {
        "data": {"values": named.to_dicts()},
        "facet": facet,
        "columns": 2,
        "spacing": {"row": 14, "column": 24},
        "spec": each,
    }


def _features_by_taste(tables: Tables, scheme: Scheme) -> Spec:
    return _differences(tables[TASTES.name], "label", scheme)


def _features_by_genre(tables: Tables, scheme: Scheme) -> Spec:
    return _differences(tables[GENRES.name], "genre", scheme)


def _differences(groups: pl.DataFrame, name: str, scheme: Scheme) -> Spec:
    """Draw how far the largest groups are above or below the mean of all groups."""
    means = [
        (pl.col(c) * pl.col("songs")).sum() / pl.col("songs").filter(pl.col(c).is_not_null()).sum()
        for c in SHOWN
    ]
    apart = groups.with_columns(
        pl.col(c) - mean for c, mean in zip(SHOWN, means, strict=True)
    ).sort("songs", name, descending=[True, False])
    largest = apart.head(LARGEST)
    rows = largest.select(name, *SHOWN).unpivot(SHOWN, index=name, variable_name="feature")
    colour = {
        "field": "value",
        "type": "quantitative",
        "scale": {
            "interpolate": "rgb",
            "domain": [-0.3, 0, 0.3],
            "range": [scheme.below, scheme.paper, scheme.above],
            "clamp": True,
        },
        "legend": {
            "orient": "bottom",
            "title": None,
            "direction": "horizontal",
            "gradientLength": 160,
            "gradientThickness": 10,
            "values": [-0.3, 0, 0.3],
            "labelExpr": "datum.value == 0 ? 'mean' : datum.value > 0 ? '+0.3' : '−0.3'",
        },
    }
    return {
        "data": {"values": rows.drop_nulls().to_dicts()},
        "padding": {"left": 40, "right": 30, "top": 4, "bottom": 4},
        "width": {"step": 22},
        "height": {"step": 17},
        "mark": {"type": "rect", "stroke": scheme.paper, "strokeWidth": 1.5},
        "encoding": {
            "x": {
                "field": "feature",
                "type": "nominal",
                "sort": list(SHOWN),
                "axis": {
                    **{"title": None, "orient": "top", "labelAngle": -50, "domain": False},
                    **{"ticks": False},
                },
            },
            "y": {
                "field": name,
                "type": "nominal",
                "sort": largest[name].to_list(),
                "axis": {"title": None, "labelLimit": 140, "domain": False, "ticks": False},
            },
            "color": colour,
        },
    }


def _hubs(tables: Tables, scheme: Scheme) -> Spec:
    return {
        "data": {"values": tables[HUB_COUNTS.name].to_dicts()},
        "width": WIDTH,
        "height": 200,
        "mark": {"type": "bar", "color": scheme.accent, "width": {"band": 0.9}},
        "encoding": {
            "x": {
                "field": "lists",
                "type": "ordinal",
                "axis": {"title": "lists that a song is in", "labelAngle": 0, "ticks": False},
            },
            "y": _count("songs"),
        },
    }


def _distances(tables: Tables, scheme: Scheme) -> Spec:
    counts = tables[DISTANCE_COUNTS.name]
    ranks = counts["rank"].unique().sort().to_list()
    shares = counts.with_columns(
        share=pl.col("recommendations") / pl.col("recommendations").sum().over("rank")
    ).select("rank", "distance", "share")
    tones = [
        hexadecimal(0.62 if scheme.name == "light" else 0.75, 0.16, hue)
        for hue in (30, 70, 150, 230, 310)
    ]
    colour = {
        "field": "rank",
        "type": "ordinal",
        "scale": {"domain": ranks, "range": [tones[n % len(tones)] for n in range(len(ranks))]},
        "legend": {"orient": "bottom", "title": "rank", "direction": "horizontal"},
    }
    return {
        "data": {"values": shares.to_dicts()},
        "width": WIDTH,
        "height": 200,
        "mark": {"type": "line", "interpolate": "monotone", "strokeWidth": 2},
        "encoding": {
            "x": {
                "field": "distance",
                "type": "quantitative",
                "axis": {"grid": False, "tickCount": 5},
            },
            "y": {
                "field": "share",
                "type": "quantitative",
                "axis": {"title": None, "format": "%", "tickCount": 4},
            },
            "color": colour,
        },
    }


_HALVES = "datum.value == 0.5 ? '½' : format(datum.value, 'd')"


def _count(name: str) -> Spec:
    axis = {"title": None, "format": ",d", "tickCount": 4}
    return {"field": name, "type": "quantitative", "axis": axis}


def _config(scheme: Scheme) -> Spec:
    """Return what all charts share: the font of the site, no frame, few lines."""
    type_face = "system-ui, -apple-system, 'Segoe UI', sans-serif"
    text = {"labelFont": type_face, "labelColor": scheme.ink, "labelFontSize": 12}
    title = {"titleFont": type_face, "titleColor": scheme.soft, "titleFontSize": 12}
    return {
        "aria": False,  # the picture's own text says what it is; the table beside it, the rest
        "view": {"stroke": None},
        # The viewer's font may be wider than the one measured here.
        "padding": {"left": 14, "right": 14, "top": 4, "bottom": 4},
        "axis": {
            **text,
            **title,
            "titleFontWeight": 400,
            "gridColor": scheme.line,
            "domainColor": scheme.ink,
            "tickColor": scheme.soft,
        },
        "axisY": {"domain": False, "ticks": False},
        "legend": {**text, **title, "titleFontWeight": 400},
        "header": text,
    }


CHARTS: Mapping[str, Callable[[Tables, Scheme], Spec]] = {
    "map": _map,
    "songs-by-year": _songs_by_year,
    "features-by-year": _features_by_year,
    "features-by-taste": _features_by_taste,
    "features-by-genre": _features_by_genre,
    "hubs": _hubs,
    "distances": _distances,
}


def schemes(name: str) -> Sequence[Scheme]:
    """Return the schemes of a chart; the map has no background or text, so one serves for both."""
    return SCHEMES[:1] if name == "map" else SCHEMES
