"""Clean track rows: a batch of text comes in, typed readings and rejected rows come out.

Nothing is dropped: each row leaves as one reading or as one rejected row with every reason.
"""

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from warehouse import contracts
from warehouse.contracts import GENRE_READINGS, MEASUREMENTS, READINGS, Column

REJECTED_SCHEMA = {"line": pl.Int64, "reason": pl.String, "row": pl.String}
REQUIRED = ("song_id", "title", "artists")
TYPED = tuple(
    c for c in READINGS.columns if c.dtype != pl.String and c.name not in ("file", "line")
)
MEASURED = tuple(c.name for c in MEASUREMENTS if c.name not in ("key", "mode", "time_signature"))
TRUTH = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
CONTROL = r"[\x00-\x1f]+"
PLAIN_LIST = r"^\['[^'\"\\]*'(, '[^'\"\\]*')*\]$"
DATE = r"^(\d{4}(?:-\d{2}(?:-\d{2})?)?)(?:[ T].*)?$"


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
    """

    readings: pl.DataFrame
    genres: pl.DataFrame
    rejected: pl.DataFrame
    oddities: dict[str, int]


def cleaned(rows: pl.DataFrame, source: str, file: int, artists: str) -> Cleaned:
    """Type, mend and judge a batch of rows.

    Args:
        rows: ``line``, ``row``, ``genres`` and any of Segue's columns as text, null where empty.
        source: name of the file.
        file: position of the file among those given.
        artists: how artists are written: ``python list``, ``semicolons`` or ``one name``.
    """
    complete = _with_all_columns(rows).with_columns(names=_names(rows["artists"], artists))
    typed = _typed(complete)
    odd = typed.select(rule.when.sum().alias(rule.name) for rule in ODDITIES)
    mended = typed.with_columns(_mended(name) for name in _emptied_columns()).pipe(_dated)
    faults = _faults()
    good = mended.filter(~pl.any_horizontal(faults.values()))
    bad = mended.filter(pl.any_horizontal(faults.values()))
    return Cleaned(
        readings=_readings(good, source, file),
        genres=_genres(good, source),
        rejected=bad.select("line", _reasons(faults), "row"),
        oddities={name: count or 0 for name, count in odd.row(0, named=True).items()},
    )


def oddity_rows(counts: Mapping[str, int]) -> pl.DataFrame:
    """Lay out every rule of ``ODDITIES`` with how many rows it met, as the contract orders."""
    rows = [
        (rule.name, rule.reason, ", ".join(rule.emptied), counts.get(rule.name, 0))
        for rule in ODDITIES
    ]
    return pl.DataFrame(rows, schema=contracts.ODDITIES.schema, orient="row").sort("oddity")


def _with_all_columns(rows: pl.DataFrame) -> pl.DataFrame:
    absent = [c.name for c in READINGS.columns if c.name not in rows.columns]
    return rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)


def _typed(rows: pl.DataFrame) -> pl.DataFrame:
    """Give each column its type, with what came in ``<name> text``, and ``<name> unread``."""
    names = [c.name for c in TYPED] + ["release_date"]
    return (
        rows.with_columns(pl.col(name).alias(f"{name} text") for name in names)
        .with_columns(*(_parsed(c) for c in TYPED), _date(pl.col("release_date")))
        .with_columns(
            (pl.col(name).is_null() & pl.col(f"{name} text").is_not_null()).alias(f"{name} unread")
            for name in names
        )
    )


def _parsed(column: Column) -> pl.Expr:
    text = pl.col(column.name)
    if column.dtype == pl.Boolean:
        return text.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    number = text.cast(pl.Float64, strict=False)
    if column.dtype == pl.Int64:
        whole = number.is_finite() & (number == number.floor()) & (number.abs() < 2**53)
        return pl.when(whole).then(number).cast(pl.Int64)
    return number


def _date(text: pl.Expr) -> pl.Expr:
    """Return year, year-month or year-month-day, or null where the text is no such date."""
    date = text.str.extract(DATE)
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
    faults["no audio feature is given"] = pl.all_horizontal(
        pl.col(f"{name} text").is_null() for name in MEASURED
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


def _genres(good: pl.DataFrame, source: str) -> pl.DataFrame:
    return (
        good.select(
            "line",
            "song_id",
            source=pl.lit(source),
            genre=pl.col("genres").str.to_lowercase().str.split(";"),
        )
        .explode("genre")
        .with_columns(pl.col("genre").str.strip_chars())
        .filter(pl.col("genre") != "")
        .unique(("line", "genre"), maintain_order=True)
        .select(GENRE_READINGS.schema.keys())
    )


def _names(text: pl.Series, notation: str) -> pl.Series:
    """Split each cell into credited names, empty where it holds none.

    A name is split only where the catalogue's own notation separates: "Earth, Wind & Fire" and
    "Tyler, The Creator" stay whole in all three.
    """
    if notation == "one name":
        lists = text.to_frame("t").select(pl.concat_list("t"))["t"]
    elif notation == "semicolons":
        lists = text.str.split(";")
    else:
        lists = python_lists(text)
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
