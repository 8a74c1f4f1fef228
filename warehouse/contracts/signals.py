"""The tables of what else is known about songs: playlists, ratings and what follows from them."""

import polars as pl

from warehouse.contracts.columns import SONG_ID, Column, Table

PLAYLIST_READINGS = Table(
    name="playlist_readings",
    about="The usable entries of the playlist files, cleaned; short plays are left out.",
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
        Column("genres", pl.String, "Genres in lower case, separated by semicolons; may be empty."),
    ),
)


RATING_READINGS = Table(
    name="rating_readings",
    about="The usable rows of the rating files, cleaned; a song may be rated more than once.",
    key=("source", "line"),
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column("file", pl.Int64, "Position of the file among the signals given.", low=0),
        Column("line", pl.Int64, "Line on which the row begins.", low=1),
        Column("user", pl.String, "Who rated, as the file names them."),
        Column("rating", pl.Float64, "Rating.", "1 to 5 stars", low=1, high=5),
        Column("rated_at", pl.Int64, "When, if the file says.", "µs since 1970", nullable=True),
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
        Column("sha256", pl.String, "Hash of the file as it was on disk."),
        Column("rows_read", pl.Int64, "Rows or entries.", "rows", low=0),
        Column("matched_by_id", pl.Int64, "Found in the catalogue by id.", "rows", low=0),
        Column("matched_by_name", pl.Int64, "Found by name.", "rows", low=0),
        Column("unmatched", pl.Int64, "Not found in the catalogue.", "rows", low=0),
        Column("passed_over", pl.Int64, "Not music, or played too briefly.", "rows", low=0),
    ),
)


PLAYLIST_ENTRIES = Table(
    name="playlist_entries",
    about="What the learner reads of the playlists: each song or artist of a playlist, once.",
    key=("playlist", "song_id", "artist"),
    columns=(
        Column("playlist", pl.Int64, "Number of the playlist, from 0 without gaps.", low=0),
        Column("song_id", pl.String, "The song, where the catalogue has it.", nullable=True),
        Column("artist", pl.String, "Primary artist, folded as in families.", nullable=True),
        Column("held_out", pl.Boolean, "Held out for the evaluation: nothing may learn from it."),
    ),
)


UNMATCHED_TRACKS = Table(
    name="unmatched_tracks",
    about="What people listen to but the catalogue lacks: tracks in playlist and rating files.",
    key=("title", "artist", "track_id"),
    source="The entries of playlists and the ratings that match no song.",
    columns=(
        Column("title", pl.String, "Title as most entries write it; empty if none gives it."),
        Column("artist", pl.String, "Artist as most entries write it; empty if none gives it."),
        Column("track_id", pl.String, "Its most common id; empty if none is given."),
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
    about="What is needed beside rating_factors to fold in a visitor's ratings.",
    key=("parameter",),
    source="models/ratings/factorisation.py, fitted to all ratings. Empty if none were given.",
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
    about="What ratings say about a song: a person would rate it mean + bias + the product of its "
    "factors and theirs. A song that is not here counts as average.",
    key=("song_id",),
    source="models/ratings/factorisation.py; a song with few ratings borrows from its "
    "recommendations. Factors of two builds must not be mixed.",
    columns=(
        Column("song_id", pl.String, SONG_ID, references="songs.song_id"),
        Column("ratings", pl.Int64, "How many people rated it.", "ratings", low=0),
        Column("bias", pl.Float64, "How much higher than the mean it is rated.", "stars"),
        Column(
            "noise",
            pl.Float64,
            "Variance of its ratings around the predicted ones.",
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
    about="For everyone who has rated, the songs they would rate highest: none that they rated, "
    "no version of one, at most two by one artist.",
    key=("user", "rank"),
    source="models/ratings/prediction.py, from all ratings. Empty if none were given.",
    columns=(
        Column("user", pl.String, "Who rated, as the rating files name them."),
        Column("rank", pl.Int64, "1 is the song that they would rate highest.", low=1),
        Column("song_id", pl.String, "The song recommended.", references="songs.song_id"),
        Column(
            "predicted_rating",
            pl.Float64,
            "How they would rate it, capped at 5; ranks still tell songs at 5 apart.",
            "1 to 5 stars",
            low=1,
            high=5,
        ),
        Column(
            "because_song_id",
            pl.String,
            "The song whose rating by them speaks most for it, among those that they rated above "
            "the usual, or else among all. Null: none does.",
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
