"""The tables that Segue promises: one declaration feeds DDL, validation, Datasette and docs.

Pure data. Importing this module opens no file and no connection.
"""

from dataclasses import dataclass, field, replace

import polars as pl

from warehouse.errors import ContractError

DType = type[pl.DataType]


@dataclass(frozen=True, slots=True)
class Column:
    """One published column; ``references`` names the key that it points at."""

    name: str
    dtype: DType
    about: str
    unit: str = ""
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    references: str = ""

    def breach(self) -> pl.Expr:
        """Return true where a non-null value lies outside ``low`` to ``high`` or is not finite."""
        value = pl.col(self.name)
        outside = pl.lit(False)
        if self.low is not None:
            outside = outside | (value < self.low)
        if self.high is not None:
            outside = outside | (value > self.high)
        if self.dtype == pl.Float64:
            outside = outside | value.is_nan() | value.is_infinite()
        return outside.fill_null(False)

    @property
    def bounds(self) -> str:
        """The allowed values in words: ``0 to 1``, ``at least 1`` or nothing."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"at least {self.low:g}"
        return "" if self.high is None else f"at most {self.high:g}"


@dataclass(frozen=True, slots=True)
class Table:
    """One table, the key that identifies its rows and how SQLite should lay it out.

    Args:
        rowid: false stores the rows in the key itself, which pays where rows are short.
        indexes: further columns, or groups of columns, that readers look up by.
        unique: groups of columns, besides the key, that never repeat.
    """

    name: str
    about: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    source: str = ""
    rowid: bool = True
    indexes: tuple[tuple[str, ...], ...] = ()
    unique: tuple[tuple[str, ...], ...] = field(default=())

    @property
    def schema(self) -> dict[str, DType]:
        """Column name to Polars dtype, in published order."""
        return {column.name: column.dtype for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        """Return the column called ``name``."""
        return next(column for column in self.columns if column.name == name)

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``frame`` unchanged, or raise with every breach at once.

        Raises:
            ContractError: wrong columns, dtypes, nulls, ranges or a repeated key.
        """
        breaches = self._shape_breaches(frame) or self._value_breaches(frame)
        if breaches:
            raise ContractError(f"{self.name}: " + "; ".join(breaches))
        return frame

    def _shape_breaches(self, frame: pl.DataFrame) -> list[str]:
        if [*frame.schema.items()] == [*pl.Schema(self.schema).items()]:
            return []
        return [f"expected {self.schema}, got {dict(frame.schema)}"]

    def _value_breaches(self, frame: pl.DataFrame) -> list[str]:
        counts = frame.select(
            *(pl.col(c.name).null_count().alias(f"{c.name} nulls") for c in self.columns),
            *(c.breach().sum().alias(f"{c.name} outside") for c in self.columns),
        ).row(0, named=True)
        breaches = []
        for column in self.columns:
            nulls, outside = counts[f"{column.name} nulls"], counts[f"{column.name} outside"]
            if nulls and not column.nullable:
                breaches.append(f"{column.name} has {nulls} nulls")
            if outside:
                breaches.append(f"{column.name} has {outside} values that are not {column.bounds}")
        for key in (self.key, *self.unique):
            repeated = frame.height - frame.select(key).n_unique()
            if repeated:
                breaches.append(f"key {key} repeats in {repeated} rows")
        return breaches


def _share(name: str, about: str) -> Column:
    """Declare one of the audio features that run from 0 to 1."""
    return Column(name, pl.Float64, about, "0 to 1", nullable=True, low=0, high=1)


def _place(name: str, about: str) -> Column:
    """Declare a coordinate on the map of the catalogue."""
    return Column(name, pl.Float64, about, "0 to 1", low=0, high=1)


SONG_ID = "The catalogue's own id, a Spotify track id where there is one; stable between builds."

MEASUREMENTS = (
    _share("danceability", "How suitable for dancing: tempo, rhythm stability and beat strength."),
    _share("energy", "Perceived intensity and activity: fast, loud and noisy is near 1."),
    Column(
        "key",
        pl.Int64,
        "Pitch class of the key: 0 is C, 1 is C sharp, up to 11 for B. Null: none found.",
        "pitch class",
        nullable=True,
        low=0,
        high=11,
    ),
    Column(
        "loudness",
        pl.Float64,
        "Mean loudness of the whole song. A few masters lie above 0.",
        "dB",
        nullable=True,
        low=-70,
        high=10,
    ),
    Column("mode", pl.Int64, "1 is major, 0 is minor.", nullable=True, low=0, high=1),
    _share("speechiness", "Share of spoken words: above 0.66 is talk, below 0.33 is music."),
    _share("acousticness", "Confidence that the song is acoustic."),
    _share("instrumentalness", "Confidence that the song has no vocals."),
    _share("liveness", "Confidence that an audience is heard."),
    _share("valence", "Musical positiveness: near 1 sounds happy, near 0 sad or angry."),
    Column(
        "tempo",
        pl.Float64,
        "Estimated beats a minute. Null: no beat was found.",
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
# not here, so they cannot reach it.
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
        Column("album", pl.String, "Album, where the catalogue names it.", nullable=True),
        Column("year", pl.Int64, "Year of release.", "year", nullable=True, low=1860, high=2100),
        Column(
            "release_date",
            pl.String,
            "Release as year, year-month or year-month-day.",
            "ISO 8601",
            nullable=True,
        ),
        Column("duration_ms", pl.Int64, "Length.", "ms", nullable=True, low=1),
        Column("explicit", pl.Boolean, "1 where the lyrics are marked explicit.", nullable=True),
        Column(
            "popularity",
            pl.Int64,
            "Popularity when the catalogue was taken; 0 is kept as it came.",
            "0 to 100",
            nullable=True,
            low=0,
            high=100,
        ),
        *MEASUREMENTS,
        Column("family_id", pl.String, "The family of versions.", references="families.family_id"),
        Column("taste_id", pl.String, "The taste it is of.", references="tastes.taste_id"),
        _place(
            "map_x",
            "Where it lies on the map of the catalogue, from left to right; songs that "
            "are alike lie near each other, and the axes have no meaning of their own.",
        ),
        _place("map_y", "Where it lies on the map, from top to bottom."),
        Column("source", pl.String, "The file or files that the values come from."),
        Column("label", pl.String, "Title - Artist (Year), without the year where none is known."),
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

MADE_BY_SEGUE = ("family_id", "taste_id", "map_x", "map_y", "source", "label")

READINGS = Table(
    name="readings",
    about="The usable rows of the track files, as cleaned; one for each row of a file.",
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
    about="A genre that a reading names; as often as it is named.",
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
    about="The files that are being read and how many rows each was found to hold.",
    key=("file",),
    columns=(
        Column("file", pl.Int64, "Position of the file among those given.", low=0),
        Column("source", pl.String, "Name of the file."),
        Column("format", pl.String, "The catalogue format."),
        Column("sha256", pl.String, "Hash of the file as it lay on disk."),
        Column("rows_read", pl.Int64, "Rows below the header.", "rows", low=0),
    ),
)

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
            "Representative: the most popular, then the earliest, version.",
            references="songs.song_id",
        ),
        Column("versions", pl.Int64, "How many songs belong to the family.", "songs", low=1),
    ),
)

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
    about="Songs that go together, found by grouping their vectors; every song is of one taste.",
    key=("taste_id",),
    unique=(("label",),),
    source="k-means from the last build's tastes; see models/tastes.py and transforms/tastes.py.",
    columns=(
        Column(
            "taste_id",
            pl.String,
            "Hash of the songs that the taste began with; the same for as long as it lasts.",
        ),
        Column("label", pl.String, "What sets it apart: genres where known, features and years."),
        Column("songs", pl.Int64, "How many songs are of it.", "songs", low=1),
        *_means(),
    ),
)

SONG_GENRES = Table(
    name="song_genres",
    about="The genres that a catalogue files a song under; one row for each.",
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
    about="The genres of an artist; one row for each.",
    key=("artist", "genre"),
    source="The files of artist genres.",
    columns=(
        Column("artist", pl.String, "Artist, spelt as in songs.artists."),
        Column("genre", pl.String, "Genre, in lower case."),
    ),
    rowid=False,
    indexes=(("genre",),),
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

DISTANCE = Column(
    "distance",
    pl.Float64,
    "Euclidean distance between the vectors of the two songs; the features table has the recipe.",
    "1 is the root mean square distance of two songs taken at random",
    low=0,
)


def _because(block: str, what: str) -> Column:
    """Declare how much nearer one part of the distance brings two songs."""
    about = (
        f"How much nearer {what} brings the two than songs taken at random are: the difference of "
        "the squared distances. Below 0 it parts them; 0 where the recipe lacks it. What is not "
        "known of a song is guessed."
    )
    return Column(f"because_{block}", pl.Int64, about, "thousandths of squared distance")


# Over the blocks they add up to 1 less the squared distance, in thousandths.
BECAUSE = (
    _because("sound", "what is measured in the recording"),
    _because("era", "the year"),
    _because("genre", "the genre"),
    _because("artists", "whom the artists are listened to with"),
    _because("playlists", "what the songs are listened to with"),
)

RANK = Column(
    "rank",
    pl.Int64,
    "1 is the first. Mostly nearest first, but songs listened to more move up, and no song may "
    "stand in too many lists or in none.",
    low=1,
)
SIMILARITY = Column(
    "similarity",
    pl.Float64,
    "1 / (1 + distance): 1 is the same place, 0.5 as far apart as songs taken at random.",
    "0 to 1",
    low=0,
    high=1,
)
REASON = Column(
    "reason",
    pl.String,
    "What made the two near, in a few words, the most telling first. Counts of playlists are of "
    "those learnt from, any version of a song counting for it; genres are those of the song and "
    "of its artists.",
)

RECOMMENDATIONS = Table(
    name="recommendations",
    about="What is recommended for every song: never its own family, two by one artist at most.",
    key=("song_id", "rank"),
    source="Exact nearest neighbours in the space that the features table describes, ranked by "
    "models/ranking.py; reasons by transforms/reasons.py.",
    columns=(
        Column("song_id", pl.String, "The song that is listened to.", references="songs.song_id"),
        RANK,
        Column(
            "recommended_song_id",
            pl.String,
            "The song that is recommended.",
            references="songs.song_id",
        ),
        DISTANCE,
        SIMILARITY,
        REASON,
        *BECAUSE,
    ),
    rowid=False,
    indexes=(("recommended_song_id",),),
    unique=(("song_id", "recommended_song_id"),),
)


def _number_of(what: str, about: str) -> Column:
    return Column(what, pl.Int64, about, what, low=1)


GENRE = "Genre, in lower case."

ARTISTS = Table(
    name="artists",
    about="Every primary artist, what the catalogue has by them and what it is like on average.",
    key=("artist",),
    source="The songs; see transforms/sums.py.",
    columns=(
        Column("artist", pl.String, "Primary artist, as songs.artist writes it."),
        _number_of("songs", "Songs by this artist."),
        _number_of("families", "The same, versions of one song counted once."),
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
    about="Every genre, how much of the catalogue is of it and what it is like on average. A song "
    "is of its own genres and of those of its primary artist.",
    key=("genre",),
    source="song_genres and artist_genres; see transforms/sums.py. Empty where no genres are "
    "given.",
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
    """Declare the neighbours of artists, genres or tastes among their own kind."""
    key = things.key[0]
    return Table(
        name=f"related_{things.name}",
        about=f"For each {thing} the {things.name} that its recommendations lead to, up to eight.",
        key=(key, "rank"),
        unique=((key, f"related_{key}"),),
        source="recommendations; see transforms/sums.py.",
        columns=(
            replace(things[key], references=f"{things.name}.{key}"),
            Column(
                "rank",
                pl.Int64,
                "1 is the strongest: by the share of its songs that lead there, times the "
                "logarithm of how much more often that is than chance has it.",
                low=1,
            ),
            Column(
                f"related_{key}",
                pl.String,
                f"The other {thing}.",
                references=f"{things.name}.{key}",
            ),
            _number_of("songs", "Songs of the first that lead to a song of the other."),
            Column(
                "by_chance",
                pl.Float64,
                "How many would, if as many of its songs led there as of all songs that are not "
                "of the other themselves.",
                "songs",
                low=0,
            ),
        ),
        rowid=False,
    )


def _best_known(things: Table, thing: str) -> Table:
    """Declare the songs that a genre or a taste is shown by."""
    key = things.key[0]
    return Table(
        name=f"{thing}_songs",
        about=f"The best known songs of each {thing}, up to 24: one of each family, two by one "
        "artist at most.",
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
    about="What the songs of each year are like on average.",
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
    about="How many songs stand in how many lists: whether a few are recommended everywhere.",
    key=("lists",),
    source="recommendations.",
    columns=(
        Column("lists", pl.Int64, "In how many lists a song stands.", "lists", low=0),
        _number_of("songs", "Songs that stand in so many."),
    ),
)

DISTANCE_COUNTS = Table(
    name="distance_counts",
    about="How far away what is recommended is, at each rank.",
    key=("rank", "distance"),
    source="recommendations.",
    columns=(
        RANK,
        Column(
            "distance",
            pl.Float64,
            "Where a step of 0.05 begins; the distance is of the recommendations table.",
            "1 is the root mean square distance of two songs taken at random",
            low=0,
        ),
        _number_of("recommendations", "Recommendations within this step."),
    ),
)

FEATURES = Table(
    name="features",
    about="The recipe of the distance: one row for each column of the vectors.",
    key=("feature",),
    source="The fitted encoder, models/encoder.joblib in the build.",
    columns=(
        Column("feature", pl.String, "Name of the column."),
        Column("block", pl.String, "Group of columns that share one weight."),
        Column("transform", pl.String, "How the measurement becomes a column."),
        Column("weight", pl.Float64, "Factor on the column after its transform.", low=0),
        Column("mean", pl.Float64, "Mean of the weighted column over the songs."),
        Column("spread", pl.Float64, "Standard deviation of the weighted column.", low=0),
        Column(
            "variance_share",
            pl.Float64,
            "Share of the whole variance, and so of the mean squared distance.",
            "0 to 1",
            low=0,
            high=1,
        ),
    ),
)

EVALUATION = Table(
    name="evaluation",
    about="How good the lists are, beside what simple means reach on the same queries.",
    key=("metric", "model", "split"),
    source="models/judging/; the protocol is docs/evaluation.md.",
    columns=(
        Column(
            "metric",
            pl.String,
            "What is measured; AF leaves out songs that share an artist with the query. Rating "
            "error: root mean square, in stars, of ratings held out in five folds.",
        ),
        Column(
            "model",
            pl.String,
            "Whose lists: segue, or a baseline: random, popular, same genre, z-scored audio, "
            "co-occurrence. Of a rating error: segue, biases of user and song, or song means.",
        ),
        Column(
            "split",
            pl.String,
            "Queries from held-out playlists: all, warm (in training playlists too) or cold; "
            "learnt: from playlists that were learnt from; catalogue: no playlists are needed.",
        ),
        Column("value", pl.Float64, "The measure; a mean unless its name says otherwise."),
        Column(
            "low",
            pl.Float64,
            "Lower end of the 95 % interval. Null: nothing was sampled.",
            nullable=True,
        ),
        Column(
            "high",
            pl.Float64,
            "Upper end of the 95 % interval. Null: nothing was sampled.",
            nullable=True,
        ),
        Column("n", pl.Int64, "Queries, songs, pairs or ratings that were measured.", low=1),
    ),
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

SOURCES = Table(
    name="sources",
    about="One row for each input file; rows_read is the sum of the columns after it.",
    key=("source",),
    source="Counted while the files were read and matched.",
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column("kind", pl.String, "What it was read for: tracks, genres, playlists or ratings."),
        Column("format", pl.String, "The format that it was recognised as."),
        Column("sha256", pl.String, "Hash of the file as it lay on disk."),
        Column("rows_read", pl.Int64, "Rows below the header, or entries in JSON.", "rows", low=0),
        Column("songs", pl.Int64, "Rows that became a song.", "rows", low=0),
        Column(
            "merged",
            pl.Int64,
            "Rows merged into a song that another row had brought.",
            "rows",
            low=0,
        ),
        Column(
            "matched_by_id",
            pl.Int64,
            "Entries of playlists, or ratings, whose id is a song's.",
            "rows",
            low=0,
        ),
        Column(
            "matched_by_name",
            pl.Int64,
            "Entries or ratings whose title and artist are a song's, or artists whose name is.",
            "rows",
            low=0,
        ),
        Column(
            "unmatched",
            pl.Int64,
            "Entries and ratings of what the catalogue lacks: see unmatched_tracks; or artists "
            "that it lacks.",
            "rows",
            low=0,
        ),
        Column(
            "passed_over",
            pl.Int64,
            "Plays of less than 30 seconds, and episodes of podcasts.",
            "rows",
            low=0,
        ),
        Column("rejected", pl.Int64, "Rows that stand in rejected_rows.", "rows", low=0),
    ),
)

REJECTED_ROWS = Table(
    name="rejected_rows",
    about="Rows that could not be used, each as it came and with the reason.",
    key=("source", "line"),
    source="Written while the files were read.",
    columns=(
        Column("source", pl.String, "Name of the file.", references="sources.source"),
        Column(
            "line",
            pl.Int64,
            "Line on which the row begins, or row number in Parquet, the header being line 1; in "
            "JSON the position of the entry.",
            low=1,
        ),
        Column("reason", pl.String, "What is wrong with it."),
        Column("row", pl.String, "The row as it came."),
    ),
)

ODDITIES = Table(
    name="oddities",
    about="What was odd in the rows but usable: each rule, why, and how many rows it met.",
    key=("oddity",),
    source="transforms/tracks.py, counted while the files were read.",
    columns=(
        Column("oddity", pl.String, "Name of the rule."),
        Column("reason", pl.String, "What the value stands for."),
        Column("emptied", pl.String, "Columns that became null; empty where the value is kept."),
        Column("rows", pl.Int64, "Usable rows that show it.", "rows", low=0),
    ),
)

CHECKS = Table(
    name="checks",
    about="The rules that this build was held to before it was published.",
    key=("check",),
    source="warehouse/gates.py, run on this file.",
    columns=(
        Column("check", pl.String, "Name of the rule."),
        Column("about", pl.String, "What it holds."),
        Column("value", pl.Float64, "What was measured; for most rules the offending rows."),
        Column("bound", pl.Float64, "The highest value that passes."),
        Column("passed", pl.Boolean, "1 where it holds."),
    ),
)

BUILDS = Table(
    name="builds",
    about="This build and the different ones before it: order them by published_at.",
    key=("build_id",),
    source="The manifests. The times of this build stand in its manifest alone.",
    columns=(
        Column("build_id", pl.String, "Hash of sources, code and settings."),
        Column(
            "published_at",
            pl.String,
            "When it was published. Null for this build: the manifest says.",
            "UTC, ISO 8601",
            nullable=True,
        ),
        Column("seconds", pl.Float64, "How long it took. Null for this build.", "s", nullable=True),
        Column("songs", pl.Int64, "Songs.", "rows", low=0),
        Column("recommendations", pl.Int64, "Recommendations.", "rows", low=0),
        Column("rejected", pl.Int64, "Rejected rows.", "rows", low=0),
        Column("code_version", pl.String, "Version of Segue and a hash of its code."),
        Column("sources", pl.String, "File names and their hashes, as a JSON object."),
        Column("parameters", pl.String, "Settings that shape the rows, as a JSON object."),
    ),
)

# In the order in which they are written: a table stands after those that it points at,
# but for songs, which point at families and tastes.
TABLES = (
    SONGS,
    FAMILIES,
    TASTES,
    ARTISTS,
    GENRES,
    SONG_GENRES,
    ARTIST_GENRES,
    RECOMMENDATIONS,
    RELATED_ARTISTS,
    RELATED_GENRES,
    RELATED_TASTES,
    GENRE_SONGS,
    TASTE_SONGS,
    FEATURE_YEARS,
    HUB_COUNTS,
    DISTANCE_COUNTS,
    USER_RECOMMENDATIONS,
    RATING_FACTORS,
    RATING_PARAMETERS,
    FEATURES,
    EVALUATION,
    SOURCES,
    REJECTED_ROWS,
    UNMATCHED_TRACKS,
    ODDITIES,
    BUILDS,
    CHECKS,
)

# What the steps hand to each other in the warehouse, and no reader sees.
INTERNAL = (
    READINGS,
    GENRE_READINGS,
    FILES,
    PLAYLIST_READINGS,
    ARTIST_READINGS,
    RATING_READINGS,
    SIGNAL_FILES,
    PLAYLIST_ENTRIES,
    RATINGS,
)


@dataclass(frozen=True, slots=True)
class View:
    """One published view; its SQL lies in ``warehouse/sql/views/<name>.sql``."""

    name: str
    about: str
    columns: tuple[Column, ...]


RECOMMENDED_SONGS = View(
    name="recommended_songs",
    about="The join that a report wants: both songs' title, artist and year beside the pair.",
    columns=(
        Column("song_id", pl.String, "The song that is listened to."),
        Column("title", pl.String, "Its title."),
        Column("artist", pl.String, "Its primary artist."),
        Column("year", pl.Int64, "Its year of release.", "year", nullable=True),
        RANK,
        Column("recommended_song_id", pl.String, "The song that is recommended."),
        Column("recommended_title", pl.String, "Its title."),
        Column("recommended_artist", pl.String, "Its primary artist."),
        Column("recommended_year", pl.Int64, "Its year of release.", "year", nullable=True),
        DISTANCE,
        SIMILARITY,
        REASON,
        *BECAUSE,
    ),
)

VIEWS = (RECOMMENDED_SONGS,)
