"""Read values in any notation: a sample of text comes in, how a file writes its values goes out.

What one value tells by itself (``C#``, ``4/4``, ``3:20``, ``53 %``) is read value by value; what
only the column as a whole tells (day before month, 0 to 100, seconds) is judged once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from warehouse.contracts import MEASUREMENTS

NAME_MARKS = (  # of missing names; "Infinity" is a song
    *("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "None", "null", "NULL", "\\N"),
    *("NaT", "#NULL!", "(null)"),
)
MARKS = (
    *NAME_MARKS,
    *("inf", "-inf", "Inf", "-Inf", "Infinity", "-Infinity", "#NUM!"),
)
SHARES = tuple(c.name for c in MEASUREMENTS if c.unit == "0 to 1")
NUMBERS = ("year", "duration_ms", "popularity", *(c.name for c in MEASUREMENTS))
TRUTH = {
    **dict.fromkeys(("1", "1.0", "true", "t", "yes", "y", "explicit", "e", "ja", "j"), True),
    **dict.fromkeys(("wahr", "vrai", "oui", "verdadero", "sí", "si", "vero", "sim", "waar"), True),
    **dict.fromkeys(("0", "0.0", "false", "f", "no", "n", "clean", "not explicit"), False),
    **dict.fromkeys(("notexplicit", "cleaned", "nein", "falsch", "faux", "non"), False),
    **dict.fromkeys(("falso", "não", "nao", "nee", "onwaar"), False),
}
PITCHES = (
    *(("c", "b#", "his"), ("c#", "db", "cis", "des"), ("d",), ("d#", "eb", "dis", "es")),
    *(("e", "fb"), ("f", "e#", "eis"), ("f#", "gb", "fis", "ges"), ("g",)),
    *(("g#", "ab", "gis", "as"), ("a",), ("a#", "bb", "ais"), ("b", "cb", "h")),
)
MAJOR = ("major", "maj", "dur", "mayor", "majeur", "maggiore", "maior")
MINOR = ("minor", "min", "m", "moll", "menor", "mineur", "minore")
MODES = {**dict.fromkeys(MAJOR, 1), **dict.fromkeys(MINOR, 0)}
CAMELOT_A = 8  # A minor is 8A, C major 8B; a step round the wheel is a fifth

ISO = r"^(\d{4}(?:-\d{2}(?:-\d{2})?)?)(?:[ T].*)?$"
NUMBERED = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})\b"
SECONDS_OF_A_SONG = 10_000  # from here on a length is in milliseconds
MINUTES_OF_A_SONG = 20  # below, one is in minutes


@dataclass(frozen=True, slots=True)
class Notation:
    """How a file writes what no single value tells.

    Args:
        artists: ``list`` as Python and JSON write it, ``semicolons``, ``bars`` or ``open``:
            names that may hold commas and ampersands.
        genres: what separates genres in a cell: ``list``, ``;``, ``|``, ``,``, or nothing.
        decimal: ``.`` or ``,``.
        dates: the order of a numbered date, ``day first``, ``month first`` or ``unknown``; or
            ``as they are``, where the year comes first.
        duration: milliseconds in one unit of the column of lengths.
        percent: columns of shares that run from 0 to 100.
        loudness: ``dB``, or the range that stands for -60 to 0 dB: ``0 to 1`` or ``0 to 100``.
        marks: the marks for missing values that other columns than names use.
    """

    artists: str = "open"
    genres: str = ";"
    decimal: str = "."
    dates: str = "unknown"
    duration: float = 1.0
    percent: tuple[str, ...] = ()
    loudness: str = "dB"
    marks: tuple[str, ...] = ()


def judged(rows: pl.DataFrame, names: Mapping[str, str]) -> Notation:
    """Judge how a file writes its values.

    Args:
        rows: a sample under Segue's names, as text, null where empty.
        names: what the file calls each of Segue's columns.
    """
    decimal = _decimal(rows)
    numbers = {
        name: finite(number(rows[name], decimal))
        for name in NUMBERS
        if name in rows.columns and rows[name].dtype == pl.String
    }
    return Notation(
        artists=_artists(_filled(rows, "artists")),
        genres=_genres(_filled(rows, "genres")),
        decimal=decimal,
        dates=_dates(_filled(rows, "release_date")),
        duration=_duration(numbers.get("duration_ms"), names.get("duration_ms", "")),
        percent=_percent({k: v for k, v in numbers.items() if k in SHARES}),
        loudness=_loudness(numbers.get("loudness")),
        marks=_marks(rows),
    )


def in_words(notation: Notation, names: Sequence[str]) -> dict[str, str]:
    """Return, for each of Segue's columns that are there, how its values were read."""
    percent = dict.fromkeys(notation.percent, "0 to 100, read as 0 to 1")
    units = {1.0: "ms", 1000.0: "seconds", 60_000.0: "minutes"}
    dates = "dates such as 31.12.1999, the year alone where day and month cannot be told apart"
    said = {
        "artists": {
            "list": "lists",
            "semicolons": "names separated by ;",
            "bars": "names separated by |",
            "open": "one name or several joined by feat.",
        }[notation.artists],
        "genres": "lists" if notation.genres == "list" else f"separated by {notation.genres}",
        "duration_ms": units[notation.duration],
        "release_date": dates if notation.dates == "unknown" else f"dates {notation.dates}",
        "loudness": "dB" if notation.loudness == "dB" else f"{notation.loudness}: -60 to 0 dB",
        **percent,
    }
    return {name: said[name] for name in names if name in said}


def number(text: pl.Series, decimal: str) -> pl.Series:
    """Read numbers with decimal commas, thousands, units or percent signs; null where none is."""
    plain = text.cast(pl.Float64, strict=False)
    odd = plain.is_null() & text.is_not_null()
    if not odd.any():
        return plain
    loose = _loose(text.filter(odd), decimal)
    return plain.scatter(odd.arg_true(), loose)


def finite(values: pl.Series) -> pl.Series:
    """Return the values, null where one is not finite."""
    return values.set(~values.is_finite().fill_null(True), None)


def _loose(text: pl.Series, decimal: str) -> pl.Series:
    bare = (
        text.str.replace_all(r"[\s\u00a0\u202f'’%]", "")
        .str.replace(r"^[−–]", "-")
        .str.replace(r"(?i)(?:db|bpm|ms|hz)$", "")
    )
    thousands, point = (".", ",") if decimal == "," else (",", ".")
    grouped = bare.str.contains(rf"^[-+]?\d{{1,3}}(?:\{thousands}\d{{3}})+(?:\{point}\d+)?$")
    bare = bare.zip_with(~grouped, bare.str.replace_all(thousands, "", literal=True))
    if decimal == ",":
        bare = bare.str.replace(",", ".", literal=True)
    sound = bare.str.contains(r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$").fill_null(False)
    values = bare.set(~sound, None).cast(pl.Float64, strict=False)
    percent = text.str.contains("%", literal=True).fill_null(False)
    return values.zip_with(~percent, values / 100)


def key_and_mode(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Read ``C#``, ``D♭``, ``C♯/D♭ Major``, ``F#m`` or Camelot's ``8A``: pitch class and mode."""
    plain = (
        text.str.to_lowercase()
        .str.replace_all("♯", "#", literal=True)
        .str.replace_all("♭", "b", literal=True)
        .str.replace_all(r"(?:^|\b)([a-h])[ -]?(sharp|flat)", "$1<$2>")
        .str.replace_all("<sharp>", "#", literal=True)
        .str.replace_all("<flat>", "b", literal=True)
        .str.replace_all(r"[\s_-]+", "")
    )
    pitch = plain.replace_strict(
        list(KEYS), [p for p, _ in KEYS.values()], default=None, return_dtype=pl.Float64
    )
    mode = plain.replace_strict(
        list(KEYS), [m for _, m in KEYS.values()], default=None, return_dtype=pl.Float64
    )
    return pitch, mode


def _keys() -> dict[str, tuple[int, int | None]]:
    found: dict[str, tuple[int, int | None]] = {}
    for pitch, names in enumerate(PITCHES):
        both = [f"{a}/{b}" for a in names for b in names if a != b]
        for name in (*names, *both):
            found[name] = (pitch, None)
            for word, mode in MODES.items():
                found.setdefault(name + word, (pitch, mode))
    for hour in range(1, 13):
        minor = (9 + 7 * (hour - CAMELOT_A)) % 12
        found[f"{hour}a"], found[f"0{hour}a"] = (minor, 0), (minor, 0)
        found[f"{hour}b"], found[f"0{hour}b"] = ((minor + 3) % 12, 1), ((minor + 3) % 12, 1)
    return found


KEYS = _keys()


def mode(text: pl.Series) -> pl.Series:
    """Read ``Major`` as 1 and ``Minor`` as 0, in some languages."""
    words = text.str.strip_chars().str.to_lowercase()
    return words.replace_strict(MODES, default=None, return_dtype=pl.Float64)


def beats(text: pl.Series) -> pl.Series:
    """Read ``4/4`` as 4."""
    return text.str.extract(r"^\s*(\d{1,2})\s*/\s*\d{1,2}\s*$").cast(pl.Float64, strict=False)


def clock_ms(text: pl.Series) -> pl.Series:
    """Read ``m:ss``, ``h:mm:ss`` or ``PT3M20S`` as milliseconds."""
    parts = text.str.extract_groups(r"^\s*(?:(\d+):)?(\d{1,3}):(\d{2}(?:[.,]\d+)?)\s*$")
    iso = text.str.extract_groups(r"^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$")
    hours, minutes, seconds = (
        parts.struct.field(str(n)).fill_null(iso.struct.field(str(n))) for n in (1, 2, 3)
    )
    known = minutes.is_not_null() | seconds.is_not_null()
    values = [
        part.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).fill_null(0)
        for part in (hours, minutes, seconds)
    ]
    total = (values[0] * 3600 + values[1] * 60 + values[2]) * 1000
    return total.round(0).set(~known, None)


def dates(text: pl.Series, order: str) -> pl.Series:
    """Read dates that are not ISO's; the year alone where the order of day and month is unknown.

    Args:
        text: dates as the file writes them.
        order: as ``Notation.dates``.
    """
    slashed = text.str.extract_groups(r"^(\d{4})[-/.](0?[1-9]|1[0-2])(?:[-/.](\d{1,2}))?\b")
    compact = text.str.extract_groups(r"^((?:18|19|20)\d{2})(0[1-9]|1[0-2])(\d{2})$")
    monthly = text.str.extract_groups(r"^(?P<m>\d{1,2})[./-](?P<y>\d{4})$")
    numbered = text.str.extract_groups(NUMBERED)
    year = _either(slashed, "1", compact, "1").fill_null(monthly.struct.field("y"))
    month = _either(slashed, "2", compact, "2").fill_null(monthly.struct.field("m"))
    day = _either(slashed, "3", compact, "3")
    first, second = (numbered.struct.field(n).cast(pl.Int64, strict=False) for n in ("1", "2"))
    month_first = (second > 12) | (order == "month first")
    day_first = (first > 12) | (order == "day first") | (first == second)
    known = month_first | day_first
    swapped = ((second > 12) | ((order == "month first") & (first <= 12))).fill_null(False)
    months = second.zip_with(~swapped, first).set(~known.fill_null(False), None)
    days = first.zip_with(~swapped, second).set(~known.fill_null(False), None)
    year = year.fill_null(numbered.struct.field("3"))
    month = month.fill_null(months.cast(pl.String))
    day = day.fill_null(days.cast(pl.String))
    return _joined(year, month, day).fill_null(_worded(text)).fill_null(_bare_year(text))


def _either(one: pl.Series, field: str, other: pl.Series, its: str) -> pl.Series:
    return one.struct.field(field).fill_null(other.struct.field(its))


def _joined(year: pl.Series, month: pl.Series, day: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"y": year, "m": month.str.zfill(2), "d": day.str.zfill(2)})
    return frame.select(
        pl.when(pl.col("y").is_not_null()).then(
            pl.concat_str("y", "m", "d", separator="-", ignore_nulls=True)
        )
    ).to_series()


def _worded(text: pl.Series) -> pl.Series:
    plain = text.str.replace_all(r"[,.]", "").str.replace_all(r"\s+", " ").str.strip_chars()
    plain = plain.str.replace(r"(\d)(?:st|nd|rd|th)\b", "$1")
    found = pl.Series([None] * len(text), dtype=pl.String)
    for form in ("%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y"):
        dated = plain.str.extract(r"^(.*?\d{4})").str.to_date(form, strict=False)
        found = found.fill_null(dated.dt.strftime("%Y-%m-%d"))
    for form in ("%d %b %Y", "%d %B %Y"):
        dated = ("1 " + plain).str.to_date(form, strict=False)
        found = found.fill_null(dated.dt.strftime("%Y-%m"))
    return found


def _bare_year(text: pl.Series) -> pl.Series:
    return text.str.extract(r"^(\d{4})\.0+$")


def _filled(rows: pl.DataFrame, name: str) -> pl.Series:
    if name not in rows.columns or rows[name].dtype != pl.String:
        return pl.Series(name, [], dtype=pl.String)
    values = rows[name].drop_nulls()
    return values.filter(~values.is_in(MARKS))


def _artists(text: pl.Series) -> str:
    if (
        _share(text.str.contains(r"^\s*\[.*\]\s*$")) > 0.5
        and text.str.contains(r"^\s*\[['\"]").any()
    ):
        return "list"
    if text.str.contains(";", literal=True).any():
        return "semicolons"
    return "bars" if text.str.contains(r"\S\s*\|\s*\S").any() else "open"


def _genres(text: pl.Series) -> str:
    if _share(text.str.contains(r"^\s*\[.*\]\s*$")) > 0.5:
        return "list"
    return next((mark for mark in ";|," if text.str.contains(mark, literal=True).any()), ";")


def _decimal(rows: pl.DataFrame) -> str:
    """Return the comma where numbers hold one that separates no thousands."""
    for name in NUMBERS:
        text = _filled(rows, name)
        commas = text.str.contains(r"^\s*[-+−]?\d+,\d+\s*%?\s*\w*$")
        thousands = text.str.contains(r"^\s*[-+]?[1-9]\d{0,2}(?:,\d{3})+$")
        if _share(commas & ~thousands) > 0.1:
            return ","
    return "."


def _dates(text: pl.Series) -> str:
    parts = text.str.extract_groups(NUMBERED)
    first, second = (
        parts.struct.field(n).cast(pl.Int64, strict=False).drop_nulls() for n in ("1", "2")
    )
    if not len(first):
        return "as they are"
    if (first > 12).any() != (second > 12).any():
        return "day first" if (first > 12).any() else "month first"
    points = text.str.contains(r"^\d{1,2}\.\d{1,2}\.\d{4}").any()
    return "day first" if points and not (second > 12).any() else "unknown"


def _duration(values: pl.Series | None, name: str) -> float:
    """Return how many milliseconds one unit is: by the values, and by the name where they fit."""
    known = pl.Series([], dtype=pl.Float64) if values is None else values.drop_nulls()
    usual = known.filter(known > 0).median()
    if not isinstance(usual, float) or usual >= SECONDS_OF_A_SONG:
        return 1.0
    plain = re.sub(r"[^a-z]", "", name.lower())
    if plain.endswith("ms") or "milli" in plain:
        small = len(known) >= 5 and usual < 3600
        return 1000.0 if small and usual >= MINUTES_OF_A_SONG else 1.0
    return 60_000.0 if usual < MINUTES_OF_A_SONG else 1000.0


def _percent(columns: Mapping[str, pl.Series]) -> tuple[str, ...]:
    """Return the columns that run from 0 to 100, as most of their values, or of all, show."""
    above, filled = {}, {}
    for name, values in columns.items():
        known = values.drop_nulls()
        above[name], filled[name] = int((known > 1).sum()), int((known > 0).sum())
    most = sum(above.values()) > 0.5 * sum(filled.values()) > 0
    shares = {n: above[n] / filled[n] if filled[n] else 0.0 for n in columns}
    return tuple(
        n for n, s in shares.items() if s > 0.5 or (most and not _fractions(columns[n], s))
    )


def _fractions(values: pl.Series, share_above: float) -> bool:
    """Whether values all lie within 0 and 1 and some between, so that they are no percentages."""
    known = values.drop_nulls()
    return share_above == 0 and bool(((known > 0) & (known < 1)).any())


def _loudness(values: pl.Series | None) -> str:
    known = pl.Series([], dtype=pl.Float64) if values is None else values.drop_nulls()
    if len(known) < 5 or (known < 0).any():
        return "dB"
    if (known <= 1).all() and (known > 0).any():
        return "0 to 1"
    return "0 to 100" if (known <= 100).all() and (known > 10).sum() * 2 > len(known) else "dB"


def _marks(rows: pl.DataFrame) -> tuple[str, ...]:
    """Return the marks for missing values in columns that hold no names."""
    given = [name for name in (*NUMBERS, "explicit", "release_date") if name in rows.columns]
    used: set[str] = set()
    for name in given:
        used.update(rows[name].filter(rows[name].is_in(NAME_MARKS)).unique())
    return tuple(sorted(used))


def _share(met: pl.Series) -> float:
    return int(met.fill_null(False).sum()) / len(met) if len(met) else 0.0
