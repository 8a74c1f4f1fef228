"""The tables that sum up songs and lists by artist, genre, taste and year."""

from dataclasses import replace

import polars as pl

from warehouse.contracts.columns import Column, Table
from warehouse.contracts.lists import RANK
from warehouse.contracts.songs import GENRE, SONGS

AVERAGED = (
    *("year", "duration_ms", "popularity", "danceability", "energy", "loudness", "speechiness"),
    *("acousticness", "instrumentalness", "liveness", "valence", "tempo"),
)


def _mean(column: Column) -> Column:
    """Declare the mean of a column over several songs."""
    about = f"Mean over the songs. {column.about}"
    return replace(column, dtype=pl.Float64, about=about, nullable=True)


def _means(but: str = "") -> tuple[Column, ...]:
    """Declare the means of ``AVERAGED`` over several songs."""
    return tuple(_mean(c) for c in SONGS.columns if c.name in AVERAGED and c.name != but)


TASTES = Table(
    name="tastes",
    about="Songs that go together, by clustering their vectors; each song belongs to one.",
    key=("taste_id",),
    unique=(("label",),),
    source="k-means from the last build's tastes; see models/tastes.py and transforms/tastes.py.",
    columns=(
        Column(
            "taste_id",
            pl.String,
            "Hash of the songs that the taste began with; the same as long as the taste lasts.",
        ),
        Column("label", pl.String, "What sets it apart: genres if known, features and years."),
        Column("songs", pl.Int64, "How many songs belong to it.", "songs", low=1),
        *_means(),
    ),
)


def _number_of(what: str, about: str) -> Column:
    return Column(what, pl.Int64, about, what, low=1)


ARTISTS = Table(
    name="artists",
    about="Every primary artist, what the catalogue has by them and how it sounds on average.",
    key=("artist",),
    source="The songs; see transforms/sums.py.",
    columns=(
        Column("artist", pl.String, "Primary artist, as songs.artist writes it."),
        _number_of("songs", "Songs by this artist."),
        _number_of("families", "The same, counting versions of one song once."),
        Column("first_year", pl.Int64, "Year of the oldest song.", "year", nullable=True),
        Column("last_year", pl.Int64, "Year of the newest song.", "year", nullable=True),
        replace(
            SONGS["popularity"],
            name="best_popularity",
            about="Popularity of the best known song.",
        ),
        *_means(),
    ),
    rowid=False,
    indexes=(("songs",),),
)


GENRES = Table(
    name="genres",
    about="Every genre, what the catalogue has of it and how it sounds on average. "
    "A song has its own genres and those of its primary artist.",
    key=("genre",),
    source="song_genres and artist_genres; see transforms/sums.py. Empty if no genres were given.",
    columns=(
        Column("genre", pl.String, GENRE),
        _number_of("songs", "Songs of this genre."),
        _number_of("artists", "Primary artists of these songs."),
        *_means(),
    ),
    rowid=False,
    indexes=(("songs",),),
)


def _related(things: Table, thing: str) -> Table:
    """Declare the artists, genres or tastes related to each other one."""
    key = things.key[0]
    return Table(
        name=f"related_{things.name}",
        about=f"For each {thing}, up to eight {things.name} that its recommendations lead to.",
        key=(key, "rank"),
        unique=((key, f"related_{key}"),),
        source="recommendations; see transforms/sums.py.",
        columns=(
            replace(things[key], references=f"{things.name}.{key}"),
            Column(
                "rank",
                pl.Int64,
                "1 is the strongest, by the share of its songs that lead there times the logarithm "
                "of how much more often that happens than by chance.",
                low=1,
            ),
            Column(
                f"related_{key}",
                pl.String,
                f"The other {thing}.",
                references=f"{things.name}.{key}",
            ),
            _number_of("songs", "Songs of the first with a recommendation in the other."),
            Column(
                "by_chance",
                pl.Float64,
                "How many would by chance: if as large a share of its songs led there as of all "
                "songs outside the other.",
                "songs",
                low=0,
            ),
        ),
        rowid=False,
    )


def _best_known(things: Table, thing: str) -> Table:
    """Declare the songs that represent a genre or a taste."""
    key = things.key[0]
    return Table(
        name=f"{thing}_songs",
        about=f"The best known songs of each {thing}, up to 24: one of each family, at most two by "
        "one artist.",
        key=(key, "rank"),
        unique=((key, "song_id"),),
        source="songs.popularity; see transforms/sums.py.",
        columns=(
            replace(things[key], references=f"{things.name}.{key}"),
            Column("rank", pl.Int64, "1 is the best known.", low=1),
            Column("song_id", pl.String, "The song.", references="songs.song_id"),
        ),
        rowid=False,
    )


RELATED_ARTISTS = _related(ARTISTS, "artist")


RELATED_GENRES = _related(GENRES, "genre")


RELATED_TASTES = _related(TASTES, "taste")


GENRE_SONGS = _best_known(GENRES, "genre")


TASTE_SONGS = _best_known(TASTES, "taste")


FEATURE_YEARS = Table(
    name="feature_years",
    about="What the songs of each year sound like on average.",
    key=("year",),
    source="The songs whose year is known.",
    columns=(
        Column("year", pl.Int64, "Year of release.", "year", low=1860, high=2100),
        _number_of("songs", "Songs of this year."),
        *_means(but="year"),
    ),
)


HUB_COUNTS = Table(
    name="hub_counts",
    about="How many songs are in how many lists: shows whether a few are recommended everywhere.",
    key=("lists",),
    source="recommendations.",
    columns=(
        Column("lists", pl.Int64, "Number of lists.", "lists", low=0),
        _number_of("songs", "Songs that are in so many lists."),
    ),
)


DISTANCE_COUNTS = Table(
    name="distance_counts",
    about="How far away the recommendations are, at each rank.",
    key=("rank", "distance"),
    source="recommendations.",
    columns=(
        RANK,
        Column(
            "distance",
            pl.Float64,
            "Where a step of 0.05 begins; the distance is that of the recommendations table.",
            "1 is the root mean square distance of two random songs",
            low=0,
        ),
        _number_of("recommendations", "Recommendations within this step."),
    ),
)
