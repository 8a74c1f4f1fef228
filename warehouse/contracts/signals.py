"""The tables of what else is known of songs: playlists, ratings and what they lead to."""

import polars as pl

from warehouse.contracts.columns import SONG_ID, Column, Table

PLAYLIST_READINGS = Table(
    name="playlist_readings",
    about="The usable entries of the playlist files, as cleaned; plays too short are left out.",
    key=("source", "line"),
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column("line", pl.Int64, "Line, or position of the entry in JSON.", low=1),
        Column("playlist", pl.String, "Playlist, listener or session, as the file names it."),
        Column("track_id", pl.String, "Id of the track without its address.", nullable=True),
        Column("title", pl.String, "Title.", nullable=True),
        Column("artist", pl.String, "Artist, or several as the file joins them.", nullable=True),
    ),
)


ARTIST_READINGS = Table(
    name="artist_readings",
    about="The usable rows of the files of artist genres.",
    key=("source", "line"),
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column("line", pl.Int64, "Line on which the row begins.", low=1),
        Column("artist", pl.String, "Artist."),
        Column("genres", pl.String, "Genres in lower case, separated by semicolons; maybe none."),
    ),
)


RATING_READINGS = Table(
    name="rating_readings",
    about="The usable rows of the rating files, as cleaned; a song may be rated more than once.",
    key=("source", "line"),
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column("file", pl.Int64, "Position of the file among the signals given.", low=0),
        Column("line", pl.Int64, "Line on which the row begins.", low=1),
        Column("user", pl.String, "Who rated, as the file names them."),
        Column("rating", pl.Float64, "Rating.", "1 to 5 stars", low=1, high=5),
        Column("rated_at", pl.Int64, "When, where it is told.", "µs since 1970", nullable=True),
        Column("track_id", pl.String, "Id of the track without its address.", nullable=True),
        Column("title", pl.String, "Title.", nullable=True),
        Column("artist", pl.String, "Artist, or several as the file joins them.", nullable=True),
    ),
)


RATINGS = Table(
    name="ratings",
    about="What the rating model reads: the last rating of each song by each user.",
    key=("user", "song_id"),
    columns=(
        Column("user", pl.String, "Who rated."),
        Column("song_id", pl.String, "The song."),
        Column("rating", pl.Float64, "Rating.", "1 to 5 stars", low=1, high=5),
    ),
)


SIGNAL_FILES = Table(
    name="signal_files",
    about="The signal files that are being read and where their rows went.",
    key=("file",),
    columns=(
        Column("file", pl.Int64, "Position of the file among those given.", low=0),
        Column("source", pl.String, "Name of the file."),
        Column("kind", pl.String, "What it is read for."),
        Column("format", pl.String, "The format."),
        Column("sha256", pl.String, "Hash of the file as it lay on disk."),
        Column("rows_read", pl.Int64, "Rows or entries.", "rows", low=0),
        Column("matched_by_id", pl.Int64, "Found in the catalogue by id.", "rows", low=0),
        Column("matched_by_name", pl.Int64, "Found by name.", "rows", low=0),
        Column("unmatched", pl.Int64, "Not found in the catalogue.", "rows", low=0),
        Column("passed_over", pl.Int64, "Not music, or played too shortly.", "rows", low=0),
    ),
)


PLAYLIST_ENTRIES = Table(
    name="playlist_entries",
    about="What the learner reads of the playlists: each song or artist of each, once.",
    key=("playlist", "song_id", "artist"),
    columns=(
        Column("playlist", pl.Int64, "Number of the playlist, from 0 without a gap.", low=0),
        Column("song_id", pl.String, "The song, where the catalogue has it.", nullable=True),
        Column("artist", pl.String, "Primary artist, folded as in families.", nullable=True),
        Column("held_out", pl.Boolean, "Kept for the evaluation: nothing may learn from it."),
    ),
)


UNMATCHED_TRACKS = Table(
    name="unmatched_tracks",
    about="What people listen to that the catalogue lacks: tracks of playlist and rating files.",
    key=("title", "artist", "track_id"),
    source="The entries of playlists and the ratings that match no song.",
    columns=(
        Column("title", pl.String, "Title as most entries write it; empty where none gives it."),
        Column("artist", pl.String, "Artist as most entries write it; empty where none does."),
        Column("track_id", pl.String, "Its commonest id; empty where none is given."),
        Column("entries", pl.Int64, "Entries and ratings that name it.", "entries", low=1),
        Column(
            "playlists",
            pl.Int64,
            "Playlists that hold it, and people who rated it.",
            "playlists",
            low=1,
        ),
    ),
    rowid=False,
)


RATING_PARAMETERS = Table(
    name="rating_parameters",
    about="What a visitor's ratings are folded in with, beside rating_factors.",
    key=("parameter",),
    source="models/ratings/factorisation.py, fitted to all ratings. Empty where none were given.",
    columns=(
        Column(
            "parameter",
            pl.String,
            "mean: of all ratings, in stars; spread of bias and of factor_1 to factor_8: the "
            "variance of that part of people's vectors.",
        ),
        Column("value", pl.Float64, "Its value."),
    ),
)


FACTORS = 8  # of the rating model; as many columns of rating_factors


RATING_FACTORS = Table(
    name="rating_factors",
    about="What ratings say of a song: mean + bias + the product of its factors and a person's is "
    "what that person would rate it. A song that is not here is an average one as far as is known.",
    key=("song_id",),
    source="models/ratings/factorisation.py; a song with few ratings leans on its recommendations. "
    "Factors of two builds must not be mixed.",
    columns=(
        Column("song_id", pl.String, SONG_ID, references="songs.song_id"),
        Column("ratings", pl.Int64, "How many have rated it.", "ratings", low=0),
        Column("bias", pl.Float64, "How much better than the mean it is rated.", "stars"),
        Column(
            "noise",
            pl.Float64,
            "Variance of its ratings around what is predicted.",
            "stars squared",
            low=0,
        ),
        *(
            Column(f"factor_{number}", pl.Float64, f"Factor {number} of {FACTORS}.")
            for number in range(1, FACTORS + 1)
        ),
    ),
    rowid=False,
)


USER_RECOMMENDATIONS = Table(
    name="user_recommendations",
    about="For everybody who has rated, the songs that they would rate highest: none that they "
    "rated, no version of one, two by one artist at most.",
    key=("user", "rank"),
    source="models/ratings/prediction.py, from all ratings. Empty where none were given.",
    columns=(
        Column("user", pl.String, "Who rated, as the rating files name them."),
        Column("rank", pl.Int64, "1 is what they would rate highest.", low=1),
        Column("song_id", pl.String, "The song recommended.", references="songs.song_id"),
        Column(
            "predicted_rating",
            pl.Float64,
            "What they would rate it; ranks go on beyond 5.",
            "1 to 5 stars",
            low=1,
            high=5,
        ),
        Column(
            "because_song_id",
            pl.String,
            "The song whose rating by them says most for it, of those that they rated above what "
            "is usual, or else of all. Null: none does.",
            nullable=True,
            references="songs.song_id",
        ),
        Column(
            "because_rating",
            pl.Float64,
            "Their rating of that song.",
            "1 to 5 stars",
            nullable=True,
            low=1,
            high=5,
        ),
    ),
    rowid=False,
    unique=(("user", "song_id"),),
)
