"""Clean signal rows: text comes in; entries, ratings or genres, and rejected rows, go out.

Nothing is dropped uncounted: each row leaves as a reading, as a rejected row with its reason, or
as a play that is passed over.
"""

from dataclasses import dataclass, field

import polars as pl

from transforms.notation import NAME_MARKS
from transforms.tracks import BIDI, CONTROL, REJECTED_SCHEMA, TRACK_ADDRESS, python_lists
from warehouse.contracts import ARTIST_READINGS, PLAYLIST_READINGS, RATING_READINGS

SHORTEST_PLAY_MS = 30_000  # from here on Spotify counts a stream, too
LONGEST_PAUSE = pl.duration(minutes=30)
EPISODE = r"^spotify:(?:episode|show):|/(?:episode|show)/"
TRACK = TRACK_ADDRESS
ADDRESS = r"^(?:spotify:|https?://)"
TIMES = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%d %b %Y %H:%M", "%d %b %Y, %H:%M"),
    *("%Y-%m-%d %H:%M:%S%.f", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"),
)
RATING_TIMES = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
LEAST_RATING = 0.5  # where scales of half stars begin; counts as 1
ENTRY = ("playlist", "owner", "song_id", "title", "artists", "ended_at", "played_ms")
NAMELESS = "names no artist"
RATED = ("user", "rating", "rated_at", "song_id", "title", "artists")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a batch became.

    Args:
        readings: in the order of the contract of their kind, by ``line``.
        rejected: ``line``, ``reason`` and ``row``.
        passed_over: how many rows are neither.
        nameless: of those, the ones that name something but no artist; as ``rejected``.
    """

    readings: pl.DataFrame
    rejected: pl.DataFrame
    passed_over: int = 0
    nameless: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTED_SCHEMA))


def cleaned_entries(rows: pl.DataFrame, source: str, whole: str) -> Cleaned:
    """Judge the entries of playlists, and make sessions of a listening history.

    Plays of less than ``SHORTEST_PLAY_MS``, podcasts, audiobooks, and entries that name no song,
    as of removed tracks, are passed over. "Artist - title" in place of a title is taken apart.

    Args:
        rows: ``line``, ``row`` and, as text, null where empty, any of ``ENTRY``. A history must
            be there whole, as a session depends on what was played before.
        source: name of the file.
        whole: what the playlist is called where the file is one and has no column for it.

    Returns:
        Readings as ``PLAYLIST_READINGS`` has them.
    """
    alone = "playlist" not in rows.columns
    absent = [name for name in ENTRY if name not in rows.columns]
    given = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    given = given.pipe(_plain_names).pipe(_apart)
    typed = given.with_columns(
        source=pl.lit(source),
        playlist=pl.lit(whole) if alone else _playlist(),
        track_id=_track_id(),
        title=_name(pl.col("title")),
        artist=_name(_first_artists(given["artists"])),
        played_ms=pl.col("played_ms").cast(pl.Int64, strict=False),
    ).pipe(_with_sessions)
    faults = _entry_faults()
    sound = pl.concat_str(faults, separator="; ", ignore_nulls=True) == ""
    named = pl.col("track_id").is_not_null() | pl.all_horizontal(
        pl.col("title", "artist").is_not_null()
    )
    music = ~_is(pl.col("song_id").str.contains(EPISODE)) & named
    heard = ~_is(pl.col("played_ms") < SHORTEST_PLAY_MS)
    good = typed.filter(sound & music & heard)
    bad = typed.filter(~sound & music)
    told = ~_is(pl.col("song_id").str.contains(EPISODE)) & ~named & pl.col("title").is_not_null()
    return Cleaned(
        good.select(PLAYLIST_READINGS.schema.keys()).sort("line"),
        _rejected(bad, faults),
        typed.height - good.height - bad.height,
        typed.filter(told).select("line", pl.lit(NAMELESS).alias("reason"), "row").sort("line"),
    )


def cleaned_genres(rows: pl.DataFrame, source: str) -> Cleaned:
    """Read the genres of artists, written as a Python list, with semicolons, commas or alone.

    Args:
        rows: ``line``, ``row``, ``artists`` and ``genres`` as text, null where empty.
        source: name of the file.

    Returns:
        Readings as ``ARTIST_READINGS`` has them; an artist of whom no genre is known stays.
    """
    text = rows["genres"]
    listed = text.str.starts_with("[").fill_null(False)
    lists = python_lists(text.set(~listed, None)) if listed.any() else None
    separator = pl.when(pl.col("genres").str.contains(";", literal=True))
    split = separator.then(pl.col("genres").str.split(";")).otherwise(
        pl.col("genres").str.split(",")
    )
    named = pl.element().str.to_lowercase().str.replace_all(CONTROL, " ").str.strip_chars()
    typed = rows.with_columns(
        source=pl.lit(source),
        artist=_name(pl.col("artists")),
        listed=listed,
        names=split if lists is None else pl.when(listed).then(lists).otherwise(split),
    ).with_columns(
        genres_text=pl.col("genres"),
        genres=pl.col("names")
        .list.eval(named.filter(named != "").unique(maintain_order=True))
        .list.join(";")
        .fill_null(""),
    )
    faults = _genre_faults()
    sound = pl.concat_str(faults, separator="; ", ignore_nulls=True) == ""
    return Cleaned(
        typed.filter(sound).select(ARTIST_READINGS.schema.keys()),
        _rejected(typed.filter(~sound), faults),
    )


def cleaned_ratings(rows: pl.DataFrame, source: str, file: int) -> Cleaned:
    """Judge ratings from 1 to 5 stars, whole, half or finer; less than 1 counts as 1.

    A rating of 0 is none: services write it where somebody took theirs back. A scale up to 10 or
    100 is not guessed at; its rows are rejected.

    Args:
        rows: ``line``, ``row`` and, as text, null where empty, any of ``RATED``.
        source: name of the file.
        file: its position among the signals.

    Returns:
        Readings as ``RATING_READINGS`` has them.
    """
    absent = [name for name in RATED if name not in rows.columns]
    given = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    typed = given.with_columns(
        source=pl.lit(source),
        file=pl.lit(file, dtype=pl.Int64),
        user=_name(pl.col("user")),
        stars=pl.col("rating").cast(pl.Float64, strict=False),
        moment=_moment(),
        track_id=_track_id(),
        title=_name(pl.col("title")),
        artist=_name(_first_artists(given["artists"])),
    )
    faults = _rating_faults()
    sound = pl.concat_str(faults, separator="; ", ignore_nulls=True) == ""
    good = typed.filter(sound).with_columns(
        rating=pl.col("stars").clip(lower_bound=1), rated_at="moment"
    )
    return Cleaned(
        good.select(RATING_READINGS.schema.keys()), _rejected(typed.filter(~sound), faults)
    )


def _plain_names(rows: pl.DataFrame) -> pl.DataFrame:
    """Take out of names what is never seen, marks of missing values, and YouTube's "- Topic"."""
    names = ("title", "artists")
    nothing = pl.col(names).is_in(NAME_MARKS) & pl.all_horizontal(
        pl.col(name).is_null() | pl.col(name).is_in(NAME_MARKS) for name in (*names, "song_id")
    )
    topic = pl.col("artists").str.replace(r"\s+-\s+Topic$", "")
    return rows.with_columns(
        pl.when(~nothing.fill_null(False)).then(pl.col(names).str.replace_all(BIDI, ""))
    ).with_columns(topic, song_id=pl.when(~pl.col("song_id").is_in(NAME_MARKS)).then("song_id"))


def _apart(rows: pl.DataFrame) -> pl.DataFrame:
    """Take "artist - title" apart where a row names no artist, as a line of text would be."""
    if not rows.select((pl.col("artists").is_null() & pl.col("title").is_not_null()).any()).item():
        return rows
    parts = pl.col("title").str.extract_groups(r"^(.+?)\s+[-–—]\s+(.+)$")
    artist, title = parts.struct.field("1"), parts.struct.field("2")
    both = pl.col("artists").is_null() & artist.is_not_null()
    return rows.with_columns(
        artists=pl.when(both).then(artist).otherwise("artists"),
        title=pl.when(both).then(title).otherwise("title"),
    )


def _is(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(False)


def _rejected(bad: pl.DataFrame, faults: list[pl.Expr]) -> pl.DataFrame:
    reason = pl.concat_str(faults, separator="; ", ignore_nulls=True)
    return bad.with_columns(reason=reason).select(REJECTED_SCHEMA.keys()).sort("line")


def _entry_faults() -> list[pl.Expr]:
    """Return, for each way in which an entry can be unusable, the reason or null."""
    nowhere, ended = pl.col("playlist").is_null(), pl.col("ended_at")
    no_time = pl.format("ended_at '{}' is not a time such as 2024-12-31 23:59", ended.str.head(60))
    return [
        pl.when(nowhere & ended.is_null()).then(pl.lit("playlist is missing")),
        pl.when(nowhere & ended.is_not_null()).then(no_time),
    ]


def _rating_faults() -> list[pl.Expr]:
    rating, when = pl.col("rating"), pl.col("rated_at")
    stars, untold = pl.col("stars"), pl.col("track_id").is_null()
    number = stars.is_not_null() & stars.is_not_nan()
    outside = ~stars.is_between(LEAST_RATING, 5)
    no_time = pl.format("rated_at '{}' is not a time such as 2024-12-31 23:59", when.str.head(60))
    return [
        pl.when(pl.col("user").is_null()).then(pl.lit("user is missing")),
        pl.when(rating.is_null()).then(pl.lit("rating is missing")),
        pl.when(rating.is_not_null() & ~_is(number)).then(
            pl.format("rating '{}' is not a number", rating.str.head(60))
        ),
        pl.when(number & outside).then(
            pl.format("rating '{}' is not from 1 to 5", rating.str.head(60))
        ),
        pl.when(untold & pl.any_horizontal(pl.col("title", "artist").is_null())).then(
            pl.lit("neither a track id nor title and artist are given")
        ),
        pl.when(when.is_not_null() & pl.col("moment").is_null()).then(no_time),
    ]


def _moment() -> pl.Expr:
    """Read a date, a time with or without its zone, or seconds or milliseconds since 1970."""
    text = pl.col("rated_at").str.strip_suffix(" UTC").str.replace(r"^(\S+)T", "$1 ")
    text = text.str.replace(r"(?i)z$", "")
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    times = [text.str.to_datetime(form, time_unit="us", strict=False) for form in RATING_TIMES[1:]]
    zoned = text.str.to_datetime(RATING_TIMES[0], time_unit="us", strict=False)
    since = text.cast(pl.Float64, strict=False)
    seconds = pl.when(since >= 1e11).then(since / 1000).otherwise(since)
    known = pl.coalesce(*times, day, zoned.dt.replace_time_zone(None))
    return pl.coalesce(known.dt.epoch("us"), (1e6 * seconds).round().cast(pl.Int64, strict=False))


def _genre_faults() -> list[pl.Expr]:
    text = pl.col("genres_text")
    empty = text.str.replace_all(r"\s", "") == "[]"
    unread = _is(pl.col("listed") & (pl.col("names").list.len() == 0) & ~empty)
    return [
        pl.when(pl.col("artist").is_null()).then(pl.lit("artist is missing")),
        pl.when(unread).then(pl.format("genres '{}' is not a list of names", text.str.head(60))),
    ]


def _playlist() -> pl.Expr:
    """Name a playlist by its own name and, where that is not unique, its owner's."""
    owned = pl.format("{} of {}", "playlist", "owner")
    return pl.coalesce(owned, "playlist", "owner")


def _track_id() -> pl.Expr:
    """Return the id in an address of Spotify, or the text where it is no address."""
    text = pl.col("song_id").str.strip_chars()
    address = text.str.contains(ADDRESS)
    return pl.coalesce(text.str.extract(TRACK), pl.when(~address & (text != "")).then(text))


def _name(text: pl.Expr) -> pl.Expr:
    plain = text.str.replace_all(CONTROL, " ").str.strip_chars()
    return pl.when(plain != "").then(plain)


def _first_artists(text: pl.Series) -> pl.Expr:
    """Return the first of artists that a Python list or semicolons keep apart."""
    first = pl.lit(text.str.split(";").list.first())
    if not text.str.starts_with("['").any():
        return first
    listed = python_lists(text.set(~text.str.starts_with("[").fill_null(False), None))
    return pl.coalesce(pl.lit(listed.list.first()), first)


def _with_sessions(entries: pl.DataFrame) -> pl.DataFrame:
    """Make a playlist of what was played with no pause longer than ``LONGEST_PAUSE``.

    A session is named by when it began, in UTC, so that it is the same one in the next export.
    """
    if entries["ended_at"].is_null().all():
        return entries
    text = pl.col("ended_at").str.replace(r"^(\S+)T", "$1 ").str.replace(r"(?:Z| UTC)$", "")
    seconds = text.str.extract(r"^(\d{9,10})(?:\.\d+)?$").cast(pl.Int64, strict=False)
    ended = pl.coalesce(
        *(text.str.to_datetime(form, strict=False, time_unit="us") for form in TIMES),
        pl.from_epoch(seconds).cast(pl.Datetime("us")),
    )
    began = pl.col("ended") - pl.duration(milliseconds=pl.col("played_ms").fill_null(0))
    ordered = entries.with_columns(ended=ended).sort("ended", "line", nulls_last=True)
    paused = _is(began - pl.col("ended").shift() > LONGEST_PAUSE)
    numbered = ordered.with_columns(session=paused.cum_sum(), began=began)
    start = pl.col("began").min().over("session").dt.strftime("session %Y-%m-%d %H:%M")
    timed = numbered.with_columns(playlist=pl.when(pl.col("ended").is_not_null()).then(start))
    return timed.drop("ended", "session", "began")
