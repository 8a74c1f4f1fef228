"""The table of recommendations, and the join for reports."""

import polars as pl

from warehouse.contracts.columns import Column, Table, View

DISTANCE = Column(
    "distance",
    pl.Float64,
    "Euclidean distance between the vectors of the two songs; the features table has the recipe.",
    "1 is the root mean square distance of two random songs",
    low=0,
)


def _because(block: str, what: str) -> Column:
    """Declare how much closer one part of the distance brings two songs."""
    about = (
        f"How much closer {what} brings the two than two random songs: the difference of the "
        "squared distances. Below 0 it sets them apart; 0 if the recipe lacks it. What is unknown "
        "about a song is estimated."
    )
    return Column(f"because_{block}", pl.Int64, about, "thousandths of squared distance")


# Over all blocks they add up to 1 minus the squared distance, in thousandths.
BECAUSE = (
    _because("sound", "the measured sound"),
    _because("era", "the year"),
    _because("genre", "the genre"),
    _because("artists", "the company that the artists are heard in"),
    _because("playlists", "the company that the songs are heard in"),
)


RANK = Column(
    "rank",
    pl.Int64,
    "1 is the first. Mostly nearest first, but songs that are played more move up, and no song "
    "should be in too many lists or in none.",
    low=1,
)


SIMILARITY = Column(
    "similarity",
    pl.Float64,
    "1 / (1 + distance): 1 is the same position, 0.5 as far apart as two random songs.",
    "0 to 1",
    low=0,
    high=1,
)


REASON = Column(
    "reason",
    pl.String,
    "What brings the two together, in a few words, the most telling first. Playlists are counted "
    "among those learnt from, with every version of a song; genres are those of the song and of "
    "its artists.",
)


RECOMMENDATIONS = Table(
    name="recommendations",
    about="What is recommended for every song: none of its own family, at most two by one artist.",
    key=("song_id", "rank"),
    source="Exact nearest neighbours in the space that the features table describes, ranked by "
    "models/ranking.py; reasons by transforms/reasons.py.",
    columns=(
        Column("song_id", pl.String, "The song being listened to.", references="songs.song_id"),
        RANK,
        Column(
            "recommended_song_id",
            pl.String,
            "The recommended song.",
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
    about="The join for reports: title, artist and year of both songs beside each pair.",
    columns=(
        Column("song_id", pl.String, "The song being listened to."),
        Column("title", pl.String, "Its title."),
        Column("artist", pl.String, "Its primary artist."),
        Column("year", pl.Int64, "Its year of release.", "year", nullable=True),
        RANK,
        Column("recommended_song_id", pl.String, "The recommended song."),
        Column("recommended_title", pl.String, "Its title."),
        Column("recommended_artist", pl.String, "Its primary artist."),
        Column("recommended_year", pl.Int64, "Its year of release.", "year", nullable=True),
        DISTANCE,
        SIMILARITY,
        REASON,
        *BECAUSE,
    ),
)
