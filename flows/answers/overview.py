"""The whole catalogue at a glance: a published build comes in; counts, charts, the map go out."""

import re
from dataclasses import dataclass
from pathlib import Path

from flows.answers.song import WellKnownSong
from warehouse.published import Published, Row
from warehouse.site import charts

MAPPED = 4_000
SIZE = re.compile(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"')
START = 600  # characters that hold it


@dataclass(frozen=True, slots=True)
class ChartWords:
    """What one chart shows.

    Args:
        title: what it is about.
        about: how to read it.
        text: what is seen, for those who do not see it.
        table: of the build, where all of it is.
        rows: name of the query for the rows beside it; none beside the map.
    """

    title: str
    about: str
    text: str
    table: str
    rows: str = ""


CHARTS = {
    "songs-by-year": ChartWords(
        "When the songs came out",
        "Songs by year of release.",
        "A bar chart: the number of songs from each year.",
        "feature_years",
        "chart_decades",
    ),
    "features-by-year": ChartWords(
        "How the sound has changed",
        "Means over the songs of each year with ten or more, from 0 to 1.",
        "Six lines over the years of release: danceability, energy, valence, acousticness, "
        "instrumentalness and speechiness.",
        "feature_years",
        "chart_features",
    ),
    "features-by-taste": ChartWords(
        "What sets tastes apart",
        "Means of the largest tastes; red is above their overall mean, blue below.",
        "A grid of the largest tastes by six features, coloured by how far each is from the "
        "overall mean.",
        "tastes",
        "chart_tastes",
    ),
    "features-by-genre": ChartWords(
        "What sets genres apart",
        "Means of the largest genres; red is above their overall mean, blue below.",
        "A grid of the largest genres by six features, coloured by how far each is from the "
        "overall mean.",
        "genres",
        "chart_genres",
    ),
    "hubs": ChartWords(
        "Are a few songs everywhere?",
        "Songs by the number of lists they are in. No song may be in more than a set number.",
        "A bar chart: how many songs are in no list, in one, in two and so on.",
        "hub_counts",
        "chart_hubs",
    ),
    "distances": ChartWords(
        "How far a list reaches",
        "Share of the recommendations at each distance, by rank; two random songs are about 1 "
        "apart.",
        "A line for each rank: the share of its recommendations by distance.",
        "distance_counts",
        "chart_distances",
    ),
}


@dataclass(frozen=True, slots=True)
class TasteCount:
    """A taste and how many songs are of it."""

    taste_id: str
    label: str
    songs: int


@dataclass(frozen=True, slots=True)
class GenreCount:
    """A genre and how many songs bear it."""

    genre: str
    songs: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What a build holds.

    Args:
        build_id: hash of sources, code and settings.
        published_at: UTC, ISO 8601.
        songs, artists, genres: how many there are.
        first_year, last_year: of release, where any is known.
        tastes: those of most songs first.
        common_genres: the 36 that most songs bear, most first.
        starts: some of the best known songs.
    """

    build_id: str
    published_at: str
    songs: int
    artists: int
    genres: int
    first_year: int | None
    last_year: int | None
    tastes: list[TasteCount]
    common_genres: list[GenreCount]
    starts: list[WellKnownSong]


@dataclass(frozen=True, slots=True)
class ChartPicture:
    """A drawing of the build.

    Args:
        light: path of the file for light pages, below the address of the site.
        dark: path of the file for dark ones.
        width, height: in pixels.
    """

    light: str
    dark: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with the rows that it shows.

    Args:
        name: of its files.
        title: what it is about.
        about: how to read it.
        text: what is seen, for those who do not see it.
        table: of the build, where all of it is.
        picture: the drawing.
        rows: what is drawn, in order, years by decade; all have the same columns.
    """

    name: str
    title: str
    about: str
    text: str
    table: str
    picture: ChartPicture
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class TasteOnMap:
    """A taste, its colour on the map and where its songs lie on average, from the top left."""

    taste_id: str
    label: str
    songs: int
    colour: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Charts:
    """What there is to look at.

    Args:
        songs: how many the map holds.
        map: the drawing of all songs; none in a build without charts.
        tastes: those of most songs first.
        charts: each with its rows.
    """

    songs: int
    map: ChartPicture | None
    tastes: list[TasteOnMap]
    charts: list[Chart]


@dataclass(frozen=True, slots=True)
class SongMap:
    """The best known songs on the map, one of each family, the best known first.

    Args:
        tastes: those of most songs first.
        song_id, label: of each song.
        taste: of each song, its place in ``tastes``.
        x, y: of each song, 0 to 1 from the top left.
    """

    tastes: list[TasteOnMap]
    song_id: list[str]
    label: list[str]
    taste: list[int]
    x: list[float]
    y: list[float]


def overview(build: Published) -> Overview:
    """Return what the build holds; it is found out once."""
    return build.once(_overview)


def explore(build: Published) -> Charts:
    """Return the charts and what the map holds; they are read once."""
    return build.once(_explore)


def song_map(build: Published) -> SongMap:
    """Return the best known songs on the map, ``MAPPED`` at most; they are read once."""
    return build.once(_song_map)


def _overview(build: Published) -> Overview:
    return Overview(
        build.manifest.build_id,
        build.manifest.published_at,
        **build.rows("catalogue_counts")[0],
        tastes=[TasteCount(**row) for row in build.rows("catalogue_tastes")],
        common_genres=[GenreCount(**row) for row in build.rows("catalogue_genres")],
        starts=[WellKnownSong(**row) for row in build.rows("starting_points")],
    )


def _explore(build: Published) -> Charts:
    tastes = build.once(_tastes)
    drawn = {name: _picture(build.folder, name) for name in charts.CHARTS}
    return Charts(
        sum(taste.songs for taste in tastes),
        drawn["map"],
        tastes,
        [
            Chart(name, d.title, d.about, d.text, d.table, picture, build.rows(d.rows))
            for name, d in CHARTS.items()
            if (picture := drawn[name]) is not None
        ],
    )


def _picture(build: Path, name: str) -> ChartPicture | None:
    """Return a drawing of the build, or nothing where there were no rows to draw."""
    files = [f"{name}-{scheme.name}.svg" for scheme in charts.schemes(name)]
    first = build / charts.FOLDER / files[0]
    if not first.is_file():
        return None
    size = SIZE.search(first.read_text(encoding="utf-8")[:START])
    width, height = (round(float(side)) for side in size.groups()) if size else (0, 0)
    light, dark = (f"/{charts.FOLDER}/{file}" for file in (files[0], files[-1]))
    return ChartPicture(light, dark, width, height)


def _tastes(build: Published) -> list[TasteOnMap]:
    centres = {row["taste_id"]: (row["x"], row["y"]) for row in build.rows("taste_centres")}
    colours = charts.colours(centres)
    return [
        TasteOnMap(row["taste_id"], row["label"], row["songs"], colours[row["taste_id"]], x, y)
        for row in build.rows("catalogue_tastes")
        for x, y in [centres[row["taste_id"]]]
    ]


def _song_map(build: Published) -> SongMap:
    tastes = build.once(_tastes)
    place = {taste.taste_id: number for number, taste in enumerate(tastes)}
    rows = build.rows("map_songs", limit=MAPPED)
    return SongMap(
        tastes,
        [row["song_id"] for row in rows],
        [row["label"] for row in rows],
        [place[row["taste_id"]] for row in rows],
        [round(row["map_x"], 4) for row in rows],
        [round(row["map_y"], 4) for row in rows],
    )
