"""The table of recommendations, and the join that a report wants."""

import polars as pl

from warehouse.contracts.columns import Column, Table, View

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
