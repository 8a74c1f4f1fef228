"""Read input files: a path comes in, batches of text with line numbers come out.

Tracks and signals are CSV or Parquet; playlists may also be one of Spotify's own JSON exports.

Every record below the header leaves here exactly once: in ``rows`` as text under Segue's column
names, or in ``malformed`` with the reason. A broken line never takes its neighbours with it: a
quote that is not closed within ``LONGEST_RECORD`` lines, or not before a line that is a record of
its own, costs the line that opened it, no more.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import IO, Literal, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.errors import InputError
from warehouse.files import spotify
from warehouse.files.formats import Format, recognised
from warehouse.files.signals import genre_format, playlist_format, rating_format
from warehouse.manifest import sha256

Kind = Literal["tracks", "genres", "playlists", "ratings"]
Header = tuple[str, ...]

BLOCK_BYTES = 8 * 2**20
HEADER_BYTES = 2**20
PARQUET_ROWS = 50_000
LONGEST_RECORD = 50
LONGEST_FIELD = csv.field_size_limit()
ENDINGS = (".csv", ".csv.gz", ".parquet")
JSON = ".json"
MALFORMED_SCHEMA = {"line": pl.Int64, "reason": pl.String, "row": pl.String}
OPEN_QUOTE = "a quote is opened and not closed"
RECOGNISE: dict[Kind, Callable[[Sequence[str], str], Format]] = {
    "tracks": recognised,
    "genres": genre_format,
    "playlists": playlist_format,
    "ratings": rating_format,
}
NO_SIGNALS: Mapping[Kind, Sequence[Path]] = MappingProxyType({})
SURROGATE = re.compile("[\ud800-\udfff]")
UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException, pl.exceptions.PolarsError)


@dataclass(frozen=True, slots=True)
class Source:
    """One recognised file; ``name`` is what the tables call it, ``header`` empty where it has none.

    ``kind`` says what it is read for.
    """

    name: str
    path: Path
    format: Format
    sha256: str
    header: Header
    kind: Kind

    @property
    def stem(self) -> str:
        """The file's name without its endings: what a playlist is called that is the whole file."""
        return self.path.name.split(".")[0]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some consecutive records of a file.

    ``rows`` holds ``line`` (Int64), ``row`` (the record as it came), ``genres`` and Segue's
    columns of the format, all text, null where empty. ``malformed`` follows
    ``MALFORMED_SCHEMA``.
    """

    rows: pl.DataFrame
    malformed: pl.DataFrame

    @property
    def records(self) -> int:
        """How many records were read."""
        return self.rows.height + self.malformed.height


def opened(
    tracks: Sequence[Path], signals: Mapping[Kind, Sequence[Path]] = NO_SIGNALS
) -> list[Source]:
    """Recognise every file by its header, see that it holds a row, and hash it.

    Little but the hash is read, so that a file that cannot be used is refused before any work.

    Args:
        tracks: the files of the catalogue.
        signals: what else is known of its songs and artists, by kind.

    Returns:
        The tracks in the order given, then the signals.

    Raises:
        InputError: a file is missing, empty, without a row below its header, unreadable, not what
            its name says, of an unknown header, or given twice.
    """
    files: dict[Kind, Sequence[Path]] = {"tracks": tracks, **signals}
    given = [(kind, path) for kind, paths in files.items() for path in paths]
    known = [_recognised(path, kind) for kind, path in given]
    names = _short_names([path for _, path in given])
    return [
        Source(name, path, form, sha256(path), header, kind)
        for (kind, path), name, (form, header) in zip(given, names, known, strict=True)
    ]


def batches(source: Source) -> Iterator[Batch]:
    """Yield the records of a file in order, a bounded number at a time.

    Raises:
        InputError: the file turns out to be damaged; what was yielded before must be dropped.
    """
    readers = {".parquet": _parquet_batches, JSON: _json_batches}
    try:
        yield from readers.get(_ending(source.path), _csv_batches)(source)
    except UNREADABLE as error:
        raise InputError(
            f"{source.path}: could not be read to its end ({_cause(error)}). "
            "It is damaged or cut short: fetch it again."
        ) from error


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Name each file by as many trailing parts of its path as tell it from the others."""
    resolved = [path.resolve() for path in paths]
    twice = sorted({str(path) for path in resolved if resolved.count(path) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)}: given more than once. Name each file once.")
    for parts in range(1, max((len(path.parts) for path in resolved), default=0) + 1):
        names = ["/".join(path.parts[-parts:]) for path in resolved]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in resolved]


def _recognised(path: Path, kind: Kind) -> tuple[Format, Header]:
    """Return a file's format and header."""
    try:
        _require_file(path, kind)
        if _ending(path) == JSON:
            return spotify.recognised(path), ()
        if _ending(path) == ".parquet":
            found = _parquet_format(path, kind)
        else:
            _refuse_wrong_compression(path)
            header = _csv_header(path)
            found = RECOGNISE[kind](header, str(path)), header
        if not _has_rows(path):
            raise InputError(f"{path}: has a header and no rows below it. Export it again.")
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read: {_cause(error)}.") from error
    return found


def _require_file(path: Path, kind: Kind) -> None:
    endings = (*ENDINGS, JSON) if kind == "playlists" else ENDINGS
    if not path.exists():
        raise InputError(f"{path}: no such file. Check the path (now in {Path.cwd()}).")
    if not path.is_file():
        raise InputError(f"{path}: is not a file. Name the file itself, not its folder.")
    if _ending(path) not in endings:
        raise InputError(f"{path}: expected a name that ends in {', '.join(endings)}.")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes). Fetch or export it again.")


def _ending(path: Path) -> str:
    known = (*ENDINGS, JSON)
    return next((ending for ending in known if path.name.lower().endswith(ending)), "")


def _parquet_format(path: Path, kind: Kind) -> tuple[Format, Header]:
    """Return a Parquet file's format; a typed list of artists is read as one, whatever it is."""
    schema = pq.read_schema(path)
    form = RECOGNISE[kind](schema.names, str(path))
    artists = form.columns.get("artists")
    named = schema.field(artists).type if artists else pa.null()
    if pa.types.is_list(named) or pa.types.is_large_list(named):
        form = replace(form, artists="python list")
    return form, tuple(schema.names)


def _csv_header(path: Path) -> tuple[str, ...]:
    with _stream(path) as stream:
        start = stream.read(HEADER_BYTES)
    if not start.strip():
        raise InputError(f"{path}: is empty. Fetch or export it again.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: is UTF-16 text. Save it as UTF-8.")
    line = start.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].rstrip(b"\r")
    if b"\0" in line:
        raise InputError(f"{path}: holds binary data, not text. Expected a CSV file in UTF-8.")
    if b"\r" in line:
        raise InputError(f"{path}: ends its lines with carriage returns alone. Use line feeds.")
    try:
        fields = next(csv.reader([line.decode()]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: the header cannot be read: {error}. Save it as UTF-8."
        ) from error
    return tuple(name.strip() for name in fields)


def _refuse_wrong_compression(path: Path) -> None:
    with path.open("rb") as file:
        magic = file.read(4)
    zipped = _ending(path) == ".csv.gz"
    if zipped and not magic.startswith(b"\x1f\x8b"):
        raise InputError(f"{path}: is named .gz but is not compressed by gzip. Rename or compress.")
    known = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zX": "xz"}
    kind = next((name for mark, name in known.items() if magic.startswith(mark)), None)
    if kind and not zipped:
        advice = "Rename it to .csv.gz." if kind == "gzip" else "Unpack it first."
        raise InputError(f"{path}: is compressed by {kind} although its name says CSV. {advice}")


def _has_rows(path: Path) -> bool:
    """Whether anything but blank lines stands below the header; stops at the first that does."""
    if _ending(path) == ".parquet":
        return bool(pq.read_metadata(path).num_rows)
    with _stream(path) as stream:
        stream.readline()
        return any(line.strip() for line in stream)


def _stream(path: Path) -> IO[bytes]:
    if _ending(path) == ".csv.gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0]


def _csv_batches(source: Source) -> Iterator[Batch]:
    width = len(source.header)
    first, waiting = 2, list[str]()
    for block, last in _line_blocks(source.path):
        lines = waiting + block
        odd = _odd_lines(lines, width, last)
        plain, malformed = _plain_lines(lines, odd, width)
        rows = pl.concat([plain, _frame(odd.records, width)]).with_columns(pl.col("line") + first)
        yield Batch(
            _named(rows.sort("line"), source),
            pl.DataFrame(
                sorted(odd.malformed + malformed), MALFORMED_SCHEMA, orient="row"
            ).with_columns(pl.col("line") + first),
        )
        first += odd.consumed
        waiting = lines[odd.consumed :]


def _line_blocks(path: Path) -> Iterator[tuple[list[str], bool]]:
    """Yield the lines below the header in blocks, and whether a block is the last."""
    with _stream(path) as stream:
        stream.readline()
        left = b""
        while block := stream.read(BLOCK_BYTES):
            head, newline, tail = (left + block).rpartition(b"\n")
            left = tail
            if newline:
                yield _decoded(head), False
        yield (_decoded(left) if left else []), True


def _decoded(block: bytes) -> list[str]:
    """Split bytes into lines; one that is not UTF-8 keeps its bytes as surrogates."""
    text = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
    return text.decode(errors="surrogateescape").split("\n")


@dataclass(slots=True)
class _Odd:
    """What became of the lines that cannot be split at every comma, by their place in the block.

    ``consumed`` lines are done with; the rest wait for the next block, as a quote that opened
    near the end may close there.
    """

    consumed: int
    used: set[int] = field(default_factory=set)
    records: list[tuple[int, str, list[str]]] = field(default_factory=list)
    malformed: list[tuple[int, str, str]] = field(default_factory=list)

    def reject(self, place: int, reason: str, text: str) -> None:
        """Take a record for malformed, whatever bytes it holds."""
        shown = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
        self.malformed.append((place, reason, shown.replace("\0", "\\x00")))


def _odd_lines(lines: list[str], width: int, last: bool) -> _Odd:
    """Read the lines that hold more than fields and commas: quotes, bad bytes, endless text."""
    odd = _Odd(len(lines))
    for place in [i for i, line in enumerate(lines) if _is_odd(line)]:
        if place in odd.used:
            continue
        found = _record(lines, place, width)
        if found is None and not last:
            odd.consumed = place
            break
        stop, fields = found or (place + 1, OPEN_QUOTE)
        odd.used.update(range(place, stop))
        text = "\n".join(lines[place:stop])
        if isinstance(fields, str):
            odd.reject(place, fields, text)
        elif len(fields) != width:
            odd.reject(place, _wrong_width(width, len(fields)), text)
        else:
            odd.records.append((place, text, fields))
    return odd


def _is_odd(line: str) -> bool:
    return '"' in line or "\r" in line or len(line) > LONGEST_FIELD or not _is_text(line)


def _is_text(line: str) -> bool:
    """Whether a line can stand in a table: the bytes were UTF-8 and none is NUL."""
    return "\0" not in line and (line.isascii() or not SURROGATE.search(line))


def _record(lines: list[str], start: int, width: int) -> tuple[int, list[str] | str] | None:
    """Read the record that begins at ``start``.

    Returns:
        The place after it, and its fields or what is wrong with it. None where a quote is open
        at the end of the lines, so that more of them are needed.
    """
    fields = _fields(lines[start])
    if fields != OPEN_QUOTE:
        return start + 1, fields
    for stop in range(start + 2, min(start + LONGEST_RECORD, len(lines)) + 1):
        text = "\n".join(lines[start:stop])
        fields = _fields(text)
        if _begins_anew(lines[stop - 1], width):
            return start + 1, OPEN_QUOTE
        if fields != OPEN_QUOTE:
            closes = isinstance(fields, list) and text.count('"') % 2 == 0
            return (stop, fields) if closes else (start + 1, OPEN_QUOTE)
    return None if start + LONGEST_RECORD > len(lines) else (start + 1, OPEN_QUOTE)


def _begins_anew(line: str, width: int) -> bool:
    """Whether a line below an open quote is a record of its own, so that the quote is a slip.

    The line that closes the quote is never taken for one, as it holds an odd number of quotes.
    """
    if not _is_text(line):
        return True
    fields = _fields(line)
    return isinstance(fields, list) and len(fields) == width and line.count('"') % 2 == 0


def _fields(text: str) -> list[str] | str:
    """Split one record, or say why it cannot be split."""
    if not _is_text(text):
        return "is not UTF-8 text, or holds a NUL byte"
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        known = {
            "unexpected end of data": OPEN_QUOTE,
            "field larger": f"a field is longer than {LONGEST_FIELD:,} characters",
            "new-line": "a carriage return stands outside quotes",
        }
        return next((v for k, v in known.items() if k in str(error)), "quotes are out of place")


def _plain_lines(
    lines: list[str], odd: _Odd, width: int
) -> tuple[pl.DataFrame, list[tuple[int, str, str]]]:
    """Split the other lines at their commas; return the records, and what is malformed."""
    places = [i for i in range(odd.consumed) if i not in odd.used]
    counted = (
        pl.DataFrame(
            {
                "line": pl.Series(places, dtype=pl.Int64),
                "row": pl.Series([lines[i] for i in places], dtype=pl.String),
            }
        )
        .filter(pl.col("row") != "")
        .with_columns(width=pl.col("row").str.count_matches(",", literal=True) + 1)
    )
    wrong = counted.filter(pl.col("width") != width)
    fields = pl.col("row").str.split_exact(",", width - 1)
    named = fields.struct.rename_fields([str(i) for i in range(width)])
    rows = counted.filter(pl.col("width") == width).select("line", "row", named.struct.unnest())
    return rows, [(line, _wrong_width(width, found), row) for line, row, found in wrong.iter_rows()]


def _frame(records: list[tuple[int, str, list[str]]], width: int) -> pl.DataFrame:
    schema = {"line": pl.Int64, "row": pl.String, **{str(i): pl.String for i in range(width)}}
    rows = [(place, text, *fields) for place, text, fields in records]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _wrong_width(expected: int, found: int) -> str:
    return f"expected {expected} fields, found {found}"


def _named(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Keep the columns that the format knows, under Segue's names; empty text becomes null."""
    position = {name: str(i) for i, name in enumerate(source.header)}
    return frame.select(
        "line",
        "row",
        _joined([pl.col(position[g]) for g in source.format.genres if g in position]),
        *(
            _filled(pl.col(position[theirs])).alias(ours)
            for ours, theirs in source.format.columns.items()
            if theirs in position
        ),
    )


def _filled(text: pl.Expr) -> pl.Expr:
    stripped = text.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _joined(genres: list[pl.Expr]) -> pl.Expr:
    if not genres:
        return pl.lit(None, dtype=pl.String).alias("genres")
    return _filled(pl.concat_str(genres, separator=";", ignore_nulls=True)).alias("genres")


def _parquet_batches(source: Source) -> Iterator[Batch]:
    """Read a Parquet file a slice at a time; ``line`` is the row number, the header being 1.

    Arrow's own reader reports damage that takes the whole process down in Polars'.
    """
    used = [*source.format.columns.values(), *source.format.genres]
    names = [name for name in source.header if name in used]
    line = 2
    for part in pq.ParquetFile(source.path).iter_batches(PARQUET_ROWS, columns=names):
        part.validate(full=True)
        typed = cast(pl.DataFrame, pl.from_arrow(part))
        rows = typed.select(
            _text(name, typed.schema[name], source.format).alias(name) for name in names
        ).with_columns(
            line=pl.int_range(pl.len(), dtype=pl.Int64) + line,
            row=pl.struct(names).struct.json_encode(),
        )
        line += rows.height
        ordered = rows.rename({name: str(source.header.index(name)) for name in names})
        yield Batch(_named(ordered, source), pl.DataFrame(schema=MALFORMED_SCHEMA))


def _json_batches(source: Source) -> Iterator[Batch]:
    """Read a whole export at once: Spotify keeps each below some 12 MB."""
    rows, malformed = spotify.entries(source.path)
    yield Batch(rows, malformed)


def _text(name: str, dtype: pl.DataType, kind: Format) -> pl.Expr:
    """Write a typed column as the text that the same format would hold in a CSV file."""
    column = pl.col(name)
    if not isinstance(dtype, pl.List):
        return column.cast(pl.String)
    values = column.cast(pl.List(pl.String))
    if name != kind.columns.get("artists"):
        return values.list.join(";")
    escaped = pl.element().str.replace_all("\\", "\\\\", literal=True)
    for character, written in (("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")):
        escaped = escaped.str.replace_all(character, written, literal=True)
    return pl.format("['{}']", values.list.eval(escaped).list.join("', '"))
