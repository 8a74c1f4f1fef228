"""The tables of songs, of their versions and of their genres."""

import polars as pl

from warehouse.contracts.columns import SONG_ID, Column, Table, place, share

MEASUREMENTS = (
    share("danceability", "How suitable for dancing: tempo, rhythm stability and beat strength."),
    share("energy", "Perceived intensity and activity: fast, loud and noisy is near 1."),
    Column(
        "key",
        pl.Int64,
        "Pitch class of the key: 0 is C, 1 is C sharp, up to 11 for B. Null: unknown.",
        "pitch class",
        nullable=True,
        low=0,
        high=11,
    ),
    Column(
        "loudness",
        pl.Float64,
        "Mean loudness of the whole song. A few masters are above 0.",
        "dB",
        nullable=True,
        low=-70,
        high=10,
    ),
    Column("mode", pl.Int64, "1 is major, 0 is minor.", nullable=True, low=0, high=1),
    share("speechiness", "Share of spoken words: above 0.66 is talk, below 0.33 is music."),
    share("acousticness", "Confidence that the song is acoustic."),
    share("instrumentalness", "Confidence that the song has no vocals."),
    share("liveness", "Confidence that an audience can be heard."),
    share("valence", "Musical positiveness: near 1 sounds happy, near 0 sad or angry."),
    Column(
        "tempo",
        pl.Float64,
        "Estimated beats per minute. Null: no beat was found.",
        "BPM",
        nullable=True,
        low=1,
        high=400,
    ),
    Column(
        "time_signature",
        pl.Int64,
        "Beats in a bar. Null: not estimated.",
        "beats",
        nullable=True,
        low=1,
        high=16,
    ),
)


# What the distance may read, in the encoder's order. Ids, names, popularity and row numbers are
# left out, so they cannot reach it.
COMPARED = (
    *("danceability", "energy", "valence", "loudness"),
    *("speechiness", "acousticness", "instrumentalness", "liveness"),
    *("tempo", "duration_ms", "key", "mode", "year"),
)


SONGS = Table(
    name="songs",
    about="One row for each song of the catalogue.",
    key=("song_id",),
    source="The track files given to the build, merged by id.",
    columns=(
        Column("song_id", pl.String, SONG_ID),
        Column("title", pl.String, "Title as the catalogue writes it."),
        Column("artist", pl.String, "Primary artist: the first credited name."),
        Column("artists", pl.String, "Every credited name, in order, as a JSON array."),
        Column("album", pl.String, "Album, if the catalogue names it.", nullable=True),
        Column("year", pl.Int64, "Year of release.", "year", nullable=True, low=1860, high=2100),
        Column(
            "release_date",
            pl.String,
            "Release date as year, year-month or year-month-day.",
            "ISO 8601",
            nullable=True,
        ),
        Column("duration_ms", pl.Int64, "Length of the song.", "ms", nullable=True, low=1),
        Column("explicit", pl.Boolean, "1 if the lyrics are marked explicit.", nullable=True),
        Column(
            "popularity",
            pl.Int64,
            "Popularity when the catalogue was collected; 0 is kept as it came.",
            "0 to 100",
            nullable=True,
            low=0,
            high=100,
        ),
        *MEASUREMENTS,
        Column(
            "family_id",
            pl.String,
            "The family of versions it belongs to.",
            references="families.family_id",
        ),
        Column("taste_id", pl.String, "The taste it belongs to.", references="tastes.taste_id"),
        place(
            "map_x",
            "Position on the map of the catalogue, from left to right; similar songs are close "
            "to each other, and the axes have no meaning of their own.",
        ),
        place("map_y", "Position on the map, from top to bottom."),
        Column("source", pl.String, "The file or files that the values come from."),
        Column("label", pl.String, "Title - Artist (Year), without the year if unknown."),
    ),
    indexes=(
        ("family_id",),
        ("taste_id",),
        ("artist", "popularity"),
        ("year",),
        ("popularity",),
        ("explicit",),
    ),
)


# What is worked out of all songs together, once they are merged.
WORKED_OUT = ("taste_id", "map_x", "map_y")

MERGED_SONGS = Table(
    name="merged_songs",
    about="Songs as the files have them, each with its family; what songs grows out of.",
    key=("song_id",),
    columns=tuple(column for column in SONGS.columns if column.name not in WORKED_OUT),
)

SONG_TASTES = Table(
    name="song_tastes",
    about="The taste that each song belongs to.",
    key=("song_id",),
    columns=(SONGS["song_id"], SONGS["taste_id"]),
)

MADE_BY_SEGUE = ("family_id", "taste_id", "map_x", "map_y", "source", "label")


READINGS = Table(
    name="readings",
    about="The usable rows of the track files, cleaned; one for each row of a file.",
    key=("source", "line"),
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column("file", pl.Int64, "Position of the file among those given.", low=0),
        Column("line", pl.Int64, "Line on which the row begins.", low=1),
        *(c for c in SONGS.columns if c.name not in MADE_BY_SEGUE),
    ),
)


GENRE_READINGS = Table(
    name="genre_readings",
    about="A genre that a reading names, as often as it is named.",
    key=("source", "line", "genre"),
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column("line", pl.Int64, "Line on which the row begins.", low=1),
        Column("song_id", pl.String, SONG_ID),
        Column("genre", pl.String, "Genre, in lower case."),
    ),
)


FILES = Table(
    name="files",
    about="The files being read and how many rows each holds.",
    key=("file",),
    columns=(
        Column("file", pl.Int64, "Position of the file among those given.", low=0),
        Column("source", pl.String, "Name of the file."),
        Column("format", pl.String, "How the file is written."),
        Column("sha256", pl.String, "Hash of the file as it was on disk."),
        Column("rows_read", pl.Int64, "Rows below the header.", "rows", low=0),
        Column("passed_over", pl.Int64, "Rows that are not songs.", "rows", low=0),
    ),
)


FAMILIES = Table(
    name="families",
    about="All versions of one song by one artist: re-release, remaster, live, edit, acoustic.",
    key=("family_id",),
    source="Base title and credited artists; see transforms/families.py and versions.py.",
    columns=(
        Column("family_id", pl.String, "Stable hash of the first base title and primary artist."),
        Column(
            "song_id",
            pl.String,
            "Representative: the most popular version, then the earliest.",
            references="songs.song_id",
        ),
        Column("versions", pl.Int64, "How many songs belong to the family.", "songs", low=1),
    ),
)


SONG_GENRES = Table(
    name="song_genres",
    about="The genres that the catalogue gives a song, one row for each.",
    key=("song_id", "genre"),
    source="The genre columns of the track files.",
    columns=(
        Column("song_id", pl.String, SONG_ID, references="songs.song_id"),
        Column("genre", pl.String, "Genre, in lower case."),
    ),
    rowid=False,
    indexes=(("genre",),),
)


ARTIST_GENRES = Table(
    name="artist_genres",
    about="The genres of an artist, one row for each.",
    key=("artist", "genre"),
    source="The files of artist genres.",
    columns=(
        Column("artist", pl.String, "Artist, spelt as in songs.artists."),
        Column("genre", pl.String, "Genre, in lower case."),
    ),
    rowid=False,
    indexes=(("genre",),),
)


GENRE = "Genre, in lower case."


SONG_MBIDS = Table(
    name="song_mbids",
    about="The recording of MusicBrainz that a song is, as far as is known, for services that know "
    "songs by it.",
    key=("song_id",),
    source="Looked up by segue fetch musicbrainz:mbids. Empty where that was not fetched.",
    columns=(
        Column("song_id", pl.String, SONG_ID, references="songs.song_id"),
        Column("recording_mbid", pl.String, "MBID of the recording."),
        Column("artist_mbid", pl.String, "MBID of the artist, where it is one.", nullable=True),
        Column("confidence", pl.Float64, "How sure it is.", "0 to 1", low=0, high=1),
        Column("how", pl.String, "How it was found."),
    ),
    indexes=(("recording_mbid",),),
)
