"""Clean track rows: a batch of text comes in, typed readings and rejected rows come out.

Nothing is dropped: each row leaves as one reading or as one rejected row with every reason.
"""

import ast
import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from transforms import notation as notations
from transforms.families import folded
from transforms.notation import ISO, MARKS, NAME_MARKS, TRUTH, Notation
from warehouse import contracts
from warehouse.contracts import GENRE_READINGS, READINGS, Column

REJECTED_SCHEMA = {"line": pl.Int64, "reason": pl.String, "row": pl.String}
REQUIRED = ("song_id", "title", "artists")
NAMES = ("title", "album", "artists", "genres")
TYPED = tuple(
    c for c in READINGS.columns if c.dtype != pl.String and c.name not in ("file", "line")
)
# Marks that stand for nothing wherever they are; the others may be somebody's title.
NEVER_A_NAME = ("\\N", "<NA>", "#N/A")
NO_VALUE = tuple({*(mark.lower() for mark in MARKS), "-", "--", "?", ".", "unknown", "undefined"})
CONTROL = r"[\x00-\x1f\x7f-\x9f]+"
BIDI = r"[\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]+"
UNSEEN = r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
FEATURING = r"(?i)\s+[(\[]?(?:feat|ft|featuring)(?:\.|\s)\s*"
PLAIN_LIST = r"^\['[^'\"\\]*'(, '[^'\"\\]*')*\]$"
TRACK_ADDRESS = r"(?i)^(?:spotify:track:|https?://open\.spotify\.com/(?:[^?#]*/)?track/)([^/?#\s]+)"
NO_MUSIC = (
    r"(?i)^spotify:(?:local|episode|show|chapter):|open\.spotify\.com/(?:\S*/)?(?:episode|show)/"
)
MADE = "made-"  # before ids that are made of artist and title


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something odd but usable, what is done about it and why.

    Args:
        when: true for the typed rows that show it.
        emptied: columns that become null there; none means that the values are kept.
    """

    name: str
    reason: str
    when: pl.Expr
    emptied: tuple[str, ...] = ()


ODDITIES = (
    Oddity(
        "no_beat_found",
        "Spotify writes a tempo of 0 where its analysis finds no beat; 0 BPM does not exist.",
        pl.col("tempo") == 0,
        ("tempo", "time_signature"),
    ),
    Oddity(
        "nothing_heard",
        "Together with a tempo of 0, a danceability, valence and speechiness of exactly 0 mean "
        "that the analysis gave up: unknown, not low.",
        pl.all_horizontal(pl.col("tempo", "danceability", "valence", "speechiness") == 0),
        ("danceability", "valence", "speechiness"),
    ),
    Oddity(
        "no_bar_found",
        "A time signature of 0 stands for none found.",
        pl.col("time_signature") == 0,
        ("time_signature",),
    ),
    Oddity(
        "no_key_found",
        "Spotify documents a key of -1 as none detected.",
        pl.col("key") == -1,
        ("key", "mode"),
    ),
    Oddity(
        "no_length",
        "A song of 0 ms has no length on record.",
        pl.col("duration_ms") == 0,
        ("duration_ms",),
    ),
    Oddity(
        "no_year",
        "Kaggle's 1.2M catalogue writes the year 0 where the release is not known.",
        pl.col("year") == 0,
        ("year",),
    ),
    Oddity(
        "no_date",
        "A date of the year 0000 stands for a release that is not known.",
        pl.col("release_date").str.starts_with("0000"),
        ("release_date",),
    ),
    Oddity(
        "louder_than_full_scale",
        "Peaks of hot masters measure above 0 dB; the value is kept up to +10 dB.",
        pl.col("loudness") > 0,
    ),
    Oddity(
        "missing_by_a_mark",
        "NA, NaN, None, null, \\N and inf are how R, pandas and databases write an empty cell.",
        pl.col("marked"),
    ),
    Oddity(
        "unseen_characters",
        "Control characters and marks that turn the direction of text are never seen and do harm: "
        "the former become a blank, the latter go.",
        pl.col("unseen"),
    ),
    Oddity(
        "popularity_zero",
        "0 is a real popularity, most often of a re-release that nobody plays; it is kept.",
        pl.col("popularity") == 0,
    ),
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a batch became.

    Args:
        readings: in the order of the ``readings`` contract, sorted by ``line``.
        genres: the genres that the readings name, one a row.
        rejected: ``line``, ``reason`` and ``row``.
        oddities: how many readings each rule of ``ODDITIES`` met.
        passed_over: how many rows are no songs: episodes of podcasts, files of somebody's own.
    """

    readings: pl.DataFrame
    genres: pl.DataFrame
    rejected: pl.DataFrame
    oddities: dict[str, int]
    passed_over: int = 0


def cleaned(rows: pl.DataFrame, source: str, file: int, notation: Notation) -> Cleaned:
    """Type, mend and judge a batch of rows.

    Args:
        rows: ``line``, ``row``, ``genres`` and any of Segue's columns as text, null where empty.
            Without a ``song_id`` ids are made of artist and title.
        source: name of the file.
        file: position of the file among those given.
        notation: how the file writes its values.
    """
    plain = _plain(rows)
    music = _music(plain)
    complete = _with_all_columns(plain.filter(music))
    named = _with_ids(
        complete.with_columns(names=_names(complete["artists"], notation.artists)).pipe(
            _without_marks, notation
        ),
        made="song_id" not in rows.columns,
    )
    typed = _typed(named, notation)
    odd = typed.select(rule.when.sum().alias(rule.name) for rule in ODDITIES)
    mended = typed.with_columns(_mended(name) for name in _emptied_columns()).pipe(_dated)
    faults = _faults()
    good = mended.filter(~pl.any_horizontal(faults.values()))
    bad = mended.filter(pl.any_horizontal(faults.values()))
    return Cleaned(
        readings=_readings(good, source, file),
        genres=_genres(good, source, notation.genres),
        rejected=bad.select("line", _reasons(faults), "row"),
        oddities={name: count or 0 for name, count in odd.row(0, named=True).items()},
        passed_over=rows.height - complete.height,
    )


def oddity_rows(counts: Mapping[str, int]) -> pl.DataFrame:
    """Lay out every rule of ``ODDITIES`` with how many rows it met, as the contract orders."""
    rows = [
        (rule.name, rule.reason, ", ".join(rule.emptied), counts.get(rule.name, 0))
        for rule in ODDITIES
    ]
    return pl.DataFrame(rows, schema=contracts.ODDITIES.schema, orient="row").sort("oddity")


def _with_all_columns(rows: pl.DataFrame) -> pl.DataFrame:
    known = [c.name for c in READINGS.columns] + ["genres", "month", "day"]
    absent = [name for name in known if name not in rows.columns]
    return rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)


def _music(rows: pl.DataFrame) -> pl.Expr | pl.Series:
    """Return which rows are songs of the catalogue and no podcasts or files of somebody's own."""
    if "song_id" not in rows.columns:
        return pl.lit(True)
    return ~rows["song_id"].str.contains(NO_MUSIC).fill_null(False)


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Take out of names what is never seen, and say in ``unseen`` of which rows.

    Only the cells that hold such a character are written anew, so that others cost nothing.
    """
    met = pl.Series("unseen", [False]).new_from_index(0, rows.height)
    mended = []
    for name in [name for name in NAMES if name in rows.columns]:
        odd = rows[name].str.contains(UNSEEN).fill_null(False)
        if odd.any():
            tidy = rows[name].filter(odd).str.replace_all(BIDI, "").str.replace_all(CONTROL, " ")
            tidy = tidy.str.strip_chars()
            mended.append(rows[name].scatter(odd.arg_true(), tidy.set(tidy == "", None)))
            met = met | odd
    return rows.with_columns(met.alias("unseen"), *mended)


def _without_marks(rows: pl.DataFrame, notation: Notation) -> pl.DataFrame:
    """Empty the names for which a mark stands, and say in ``marked`` of which rows.

    "NA" is a title too: it stands for nothing where no artist is named either, where the album
    is such a mark, or where the file writes other missing values with it.
    """
    of_file = [*NEVER_A_NAME, *notation.marks]
    suspects = rows.select(pl.col("title", "artists", "album", "genres").is_in(NAME_MARKS).any())
    lists = rows["names"].list.first().is_in(NAME_MARKS).fill_null(False)
    if not (lists.any() or any(suspects.row(0))):
        return rows.with_columns(marked=pl.lit(False))
    nobody = pl.Series("nobody", lists & (rows["names"].list.len() == 1))
    title, album = pl.col("title"), pl.col("album").is_in(NAME_MARKS).fill_null(False)
    nothing = title.is_in(NAME_MARKS) & (
        nobody | pl.col("artists").is_null() | album | title.is_in(of_file)
    )
    nothing = nothing.fill_null(False)
    genres = pl.col("genres").is_in(NAME_MARKS).fill_null(False)
    return rows.with_columns(
        marked=nothing | album | genres | nobody,
        title=pl.when(~nothing).then(title),
        album=pl.when(~album).then("album"),
        genres=pl.when(~genres).then("genres"),
        artists=pl.when(~nobody).then("artists"),
        names=pl.when(~nobody).then("names"),
    )


def _with_ids(rows: pl.DataFrame, made: bool) -> pl.DataFrame:
    """Take ids out of their addresses, or make them: the same artist and title, the same id."""
    if not made:
        bare = pl.col("song_id").str.extract(TRACK_ADDRESS)
        return rows.with_columns(song_id=pl.coalesce(bare, "song_id"))
    named = rows.select(text=folded(pl.col("names").list.first()) + "\t" + folded(pl.col("title")))[
        "text"
    ]
    ids = [
        None if text is None else MADE + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        for text in named
    ]
    return rows.with_columns(song_id=pl.Series(ids, dtype=pl.String))


def _typed(rows: pl.DataFrame, notation: Notation) -> pl.DataFrame:
    """Give each column its type, with what came in ``<name> text``, and ``<name> unread``."""
    names = [c.name for c in TYPED] + ["release_date"]
    texts = rows.with_columns(_composed_date()).with_columns(
        pl.col(name).alias(f"{name} text") for name in names
    )
    quick = texts.with_columns(
        *(_parsed(c) for c in TYPED), _iso_date(pl.col("release_date"))
    ).with_columns(_unread(name) for name in names)
    counts = quick.select(pl.col(f"{name} unread").sum() for name in names).row(0)
    odd = [name for name, count in zip(names, counts, strict=True) if count]
    read = _read_again(quick, odd, notation) if odd else quick
    scaled = read.with_columns(_scaled(c, notation) for c in TYPED if c.dtype != pl.Boolean)
    return scaled.with_columns(_unread(name) for name in names)


def _composed_date() -> pl.Expr:
    """Return the date, or where there is none year, month and day together."""
    parts = (
        pl.col("year"),
        pl.col("month").str.strip_suffix(".0").str.zfill(2),
        pl.col("day").str.strip_suffix(".0").str.zfill(2),
    )
    month = pl.concat_str(parts[0].str.strip_suffix(".0"), parts[1], separator="-")
    whole = pl.concat_str(month, parts[2], separator="-")
    return pl.coalesce("release_date", whole, month).alias("release_date")


def _unread(name: str) -> pl.Expr:
    empty = pl.col(name).is_null() & pl.col(f"{name} text").is_not_null()
    return empty.alias(f"{name} unread")


def _parsed(column: Column) -> pl.Expr:
    text = pl.col(column.name)
    if column.dtype == pl.Boolean:
        return text.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _scaled(column: Column, notation: Notation) -> pl.Expr:
    """Bring numbers to Segue's units and type; a whole number that is none becomes unread."""
    number = pl.col(column.name)
    if column.name in notation.percent:
        number = (
            pl.when(pl.col(f"{column.name} text").str.contains("%", literal=True))
            .then(number)
            .otherwise(number / 100)
        )
    if column.name == "duration_ms" and notation.duration != 1.0:
        clock = pl.col("duration_ms text").str.contains(r":|^PT")
        number = pl.when(clock).then(number).otherwise((number * notation.duration).round())
    if column.name == "loudness" and notation.loudness != "dB":
        number = number * (60 if notation.loudness == "0 to 1" else 0.6) - 60
    if column.dtype == pl.Int64:
        whole = (number == number.floor()) & (number.abs() < 2**53)
        return pl.when(whole).then(number).cast(pl.Int64).alias(column.name)
    return number.alias(column.name)


def _read_again(rows: pl.DataFrame, odd: list[str], notation: Notation) -> pl.DataFrame:
    """Read the values of some columns that are written in other ways, and those that are missing.

    Only the cells that could not be read at once are looked at, so that a plain file costs nothing.
    """
    changed: dict[str, pl.Series] = {}
    marked = rows["marked"]
    for name in odd:
        unread = rows[f"{name} unread"]
        places, text = unread.arg_true(), rows[f"{name} text"].filter(unread)
        nothing = text.str.to_lowercase().is_in(NO_VALUE)
        values, mode = _values(name, text.set(nothing, None), notation)
        changed[name] = changed.get(name, rows[name]).scatter(places, values)
        changed[f"{name} text"] = rows[f"{name} text"].scatter(places, text.set(nothing, None))
        if mode is not None:
            changed["mode"] = _with_modes(changed.get("mode", rows["mode"]), places, mode)
        marked = marked.scatter(places.filter(nothing), True)
    return rows.with_columns(marked, *(values.alias(name) for name, values in changed.items()))


def _with_modes(known: pl.Series, places: pl.Series, modes: pl.Series) -> pl.Series:
    """Take the mode from keys such as "C# Major" where no column tells it."""
    given = known.gather(places)
    return known.scatter(places, given.fill_null(modes))


def _values(name: str, text: pl.Series, notation: Notation) -> tuple[pl.Series, pl.Series | None]:
    """Return what was unread at first; of keys the mode, too."""
    if name == "explicit":
        return pl.Series(name, [None] * len(text), dtype=pl.Boolean), None
    if name == "release_date":
        dated = pl.DataFrame({"release_date": notations.dates(text, notation.dates)})
        return dated.select(_iso_date(pl.col("release_date"))).to_series(), None
    numbers = notations.number(text, notation.decimal)
    if name == "key":
        pitch, mode = notations.key_and_mode(text)
        return numbers.fill_null(pitch), mode
    words: dict[str, Callable[[pl.Series], pl.Series]] = {
        "mode": notations.mode,
        "time_signature": notations.beats,
        "duration_ms": notations.clock_ms,
        "year": lambda text: _year(text, notation.dates),
    }
    return numbers.fill_null(words[name](text)) if name in words else numbers, None


def _year(text: pl.Series, order: str) -> pl.Series:
    """Return the year of dates that stand in a column of years."""
    dates = notations.dates(text, order).str.slice(0, 4)
    return text.str.extract(ISO).str.slice(0, 4).fill_null(dates).cast(pl.Float64, strict=False)


def _iso_date(text: pl.Expr) -> pl.Expr:
    """Return year, year-month or year-month-day, or null where the text is no such date."""
    date = text.str.extract(ISO)
    full = date + pl.lit("-01-01").str.slice(date.str.len_chars().cast(pl.Int64) - 4)
    real = full.str.to_date("%Y-%m-%d", strict=False).is_not_null()
    return pl.when(real | date.str.starts_with("0000")).then(date).alias("release_date")


def _emptied_columns() -> list[str]:
    return sorted({name for rule in ODDITIES for name in rule.emptied})


def _mended(column: str) -> pl.Expr:
    met = pl.any_horizontal(rule.when for rule in ODDITIES if column in rule.emptied)
    return pl.when(~met.fill_null(False)).then(pl.col(column)).alias(column)


def _dated(rows: pl.DataFrame) -> pl.DataFrame:
    """Take the year from the release date where none is given."""
    absent = pl.col("year").is_null() & ~pl.col("year unread")
    from_date = pl.col("release_date").str.slice(0, 4).cast(pl.Int64)
    return rows.with_columns(
        pl.when(absent).then(from_date).otherwise("year").alias("year"),
        pl.when(absent).then("release_date text").otherwise("year text").alias("year text"),
    )


def _faults() -> dict[str, pl.Expr]:
    """Return, for each way in which a row can be unusable, where it is so; never null."""
    faults = {f"{name} is missing": pl.col(name).is_null() for name in REQUIRED[:2]}
    faults["artists is missing"] = pl.col("artists").is_null()
    faults["artists|is not a list of names"] = pl.col("artists").is_not_null() & (
        pl.col("names").list.len() == 0
    )
    for column in TYPED:
        faults[f"{column.name}|is not {_kind(column)}"] = pl.col(f"{column.name} unread")
        if column.bounds:
            faults[f"{column.name}|is not {column.bounds}"] = column.breach()
    faults["release_date|is not a date such as 1999, 1999-12 or 1999-12-31"] = pl.col(
        "release_date unread"
    )
    return faults


def _kind(column: Column) -> str:
    if column.dtype == pl.Boolean:
        return "0 or 1, True or False"
    return "a whole number" if column.dtype == pl.Int64 else "a number"


def _reasons(faults: dict[str, pl.Expr]) -> pl.Expr:
    """Say everything that is wrong with a row, in the order of the columns."""
    parts = []
    for fault, where in faults.items():
        column, bar, rest = fault.partition("|")
        text = f"{column} text" if bar and column != "artists" else column
        words = pl.format("{} '{}' {}", pl.lit(column), _shown(text), pl.lit(rest))
        parts.append(pl.when(where).then(words if bar else pl.lit(fault)))
    return pl.concat_str(parts, separator="; ", ignore_nulls=True).alias("reason")


def _shown(column: str) -> pl.Expr:
    return pl.col(column).str.slice(0, 60)


def _readings(good: pl.DataFrame, source: str, file: int) -> pl.DataFrame:
    return good.with_columns(
        source=pl.lit(source),
        file=pl.lit(file, dtype=pl.Int64),
        artist=pl.col("names").list.first(),
        artists=_json_array(pl.col("names")),
    ).select(READINGS.schema.keys())


def _genres(good: pl.DataFrame, source: str, notation: str) -> pl.DataFrame:
    text = good["genres"].str.to_lowercase()
    listed = text.str.starts_with("[").fill_null(False)
    lists = text.str.split(";")
    if notation in {"|", ","}:
        lists = text.str.replace_all(notation, ";", literal=True).str.split(";")
    if listed.any():
        lists = lists.zip_with(~listed, python_lists(text.set(~listed, None)))
    return (
        good.select("line", "song_id", source=pl.lit(source))
        .with_columns(lists.alias("genre"))
        .explode("genre")
        .with_columns(pl.col("genre").str.strip_chars())
        .filter((pl.col("genre") != "") & ~pl.col("genre").is_in(NO_VALUE))
        .unique(("line", "genre"), maintain_order=True)
        .select(GENRE_READINGS.schema.keys())
    )


def _names(text: pl.Series, notation: str) -> pl.Series:
    """Split each cell into credited names, empty where it holds none.

    A name is split only where the catalogue's own notation separates: "Earth, Wind & Fire" and
    "Tyler, The Creator" stay whole. In an ``open`` column, "feat." alone
    separates.
    """
    if notation == "list":
        lists = python_lists(text)
    elif notation == "open":
        featuring = text.str.contains(FEATURING).fill_null(False)
        apart = text.str.replace_all(FEATURING, "\x1f") if featuring.any() else text
        lists = apart.str.split("\x1f")
    else:
        lists = text.str.split(";" if notation == "semicolons" else "|")
    name = pl.element().str.replace_all(CONTROL, " ").str.strip_chars()
    named = name.filter(name != "").unique(maintain_order=True)
    return lists.list.eval(named).rename("names")


def python_lists(text: pl.Series) -> pl.Series:
    """Read the text of Python lists: the plain ones by pattern, the few others by their grammar."""
    inner = text.str.slice(2).str.head(-2).str.split("', '")
    plain = text.str.contains(PLAIN_LIST).fill_null(False)
    others = text.filter(~plain).unique().drop_nulls()
    if others.is_empty():
        return inner
    with warnings.catch_warnings():  # of a backslash before a letter that it does not escape
        warnings.simplefilter("ignore")
        spelled = pl.Series(map(_literal_names, others), dtype=pl.List(pl.String))
    known = pl.DataFrame({"text": others, "spelled": spelled})
    frame = pl.DataFrame({"text": text, "plain": plain, "inner": inner}).join(
        known, on="text", how="left", maintain_order="left"
    )
    return frame.select(pl.when("plain").then("inner").otherwise("spelled")).to_series()


def _literal_names(text: str) -> list[str]:
    """Return the names of a list as Python writes it, none where the text is no such list."""
    try:
        value = ast.literal_eval(text)
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            "".join(value).encode()
            return value
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return []


def _json_array(names: pl.Expr) -> pl.Expr:
    escaped = (
        pl.element()
        .str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all('"', '\\"', literal=True)
    )
    return pl.format('["{}"]', names.list.eval(escaped).list.join('", "'))
