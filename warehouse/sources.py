"""Read track files: a CSV or Parquet path comes in, batches of text with line numbers come out.

Every record below the header leaves here exactly once: in ``rows`` as text under Segue's column
names, or in ``malformed`` with the reason. A broken line never takes its neighbours with it: a
quote that is not closed within ``LONGEST_RECORD`` lines costs the line that opened it, no more.
"""

import csv
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import polars as pl

from warehouse.errors import InputError
from warehouse.formats import Format, recognised

BLOCK_BYTES = 8 * 2**20
PARQUET_ROWS = 50_000
LONGEST_RECORD = 50
ENDINGS = (".csv", ".csv.gz", ".parquet")
MALFORMED_SCHEMA = {"line": pl.Int64, "reason": pl.String, "row": pl.String}
UNREADABLE = (OSError, EOFError, zlib.error, pl.exceptions.PolarsError)

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Source:
    """One recognised track file; ``name`` is what the tables call it."""

    name: str
    path: Path
    format: Format
    sha256: str
    header: tuple[str, ...]


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


def opened(paths: Sequence[Path]) -> list[Source]:
    """Recognise every file by its header and hash it, before any is read.

    Raises:
        InputError: a file is missing, empty, unreadable, not what its name says, of an unknown
            header, or given twice.
    """
    names = _short_names(paths)
    sources = []
    for path, name in zip(paths, names, strict=True):
        header = _header(path)
        sources.append(Source(name, path, recognised(header, str(path)), _sha256(path), header))
    return sources


def batches(source: Source) -> Iterator[Batch]:
    """Yield the records of a file in order, a bounded number at a time.

    Raises:
        InputError: the file turns out to be damaged; what was yielded before must be dropped.
    """
    read = _parquet_batches if source.path.name.endswith(".parquet") else _csv_batches
    try:
        yield from read(source)
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


def _header(path: Path) -> tuple[str, ...]:
    if not path.exists():
        raise InputError(f"{path}: no such file. Check the path (now in {Path.cwd()}).")
    if not path.is_file():
        raise InputError(f"{path}: is not a file. Name the file itself, not its folder.")
    if not path.name.endswith(ENDINGS):
        raise InputError(f"{path}: expected a name that ends in {', '.join(ENDINGS)}.")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes). Fetch or export it again.")
    try:
        if path.name.endswith(".parquet"):
            return tuple(pl.read_parquet_schema(path))
        return _csv_header(path)
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read: {_cause(error)}.") from error


def _csv_header(path: Path) -> tuple[str, ...]:
    _refuse_wrong_compression(path)
    with _stream(path) as stream:
        start = stream.read(2**20)
    if not start.strip():
        raise InputError(f"{path}: is empty. Fetch or export it again.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: is UTF-16 text. Save it as UTF-8.")
    if b"\0" in start:
        raise InputError(f"{path}: holds binary data, not text. Expected a CSV file in UTF-8.")
    line = start.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].rstrip(b"\r")
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
    if path.name.endswith(".gz") and not magic.startswith(b"\x1f\x8b"):
        raise InputError(f"{path}: is named .gz but is not compressed by gzip. Rename or compress.")
    known = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zX": "xz"}
    kind = next((name for mark, name in known.items() if magic.startswith(mark)), None)
    if kind and not path.name.endswith(".gz"):
        advice = "Rename it to .csv.gz." if kind == "gzip" else "Unpack it first."
        raise InputError(f"{path}: is compressed by {kind} although its name says CSV. {advice}")


def _stream(path: Path) -> IO[bytes]:
    if path.name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cause(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _csv_batches(source: Source) -> Iterator[Batch]:
    width = len(source.header)
    line, rest = 2, list[str]()
    for block, last in _line_blocks(source.path):
        found = _Records(rest + block, line, width, last)
        yield Batch(_named(found.frame(), source), found.malformed())
        line += found.consumed
        rest = (rest + block)[found.consumed :]


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
    return block.decode(errors="surrogateescape").split("\n")


class _Records:
    """Group lines into records of ``width`` fields.

    Lines without a quote are counted and split by Polars; the few with one go through ``csv``.
    ``consumed`` lines are done with; the rest wait for the next block, as a quote that opened
    near the end may close there.
    """

    def __init__(self, lines: list[str], first_line: int, width: int, last: bool) -> None:
        self._lines, self._first, self._width, self._last = lines, first_line, width, last
        self.consumed = len(lines)
        self._parsed: list[tuple[int, str, list[str]]] = []
        self._malformed: list[tuple[int, str, str]] = []
        self._plain = self._split(self._take_quoted())

    def frame(self) -> pl.DataFrame:
        """Return ``line``, ``row`` and one text column for each field, named by position."""
        fields = {str(i): pl.String for i in range(self._width)}
        quoted = pl.DataFrame(
            [(line, row, *values) for line, row, values in self._parsed],
            schema={"line": pl.Int64, "row": pl.String, **fields},
            orient="row",
        )
        return pl.concat([self._plain, quoted]).sort("line")

    def malformed(self) -> pl.DataFrame:
        """Return the lines that are no record, in order."""
        rows = sorted(self._malformed)
        return pl.DataFrame(rows, schema=MALFORMED_SCHEMA, orient="row")

    def _take_quoted(self) -> set[int]:
        """Parse the lines that need ``csv``; return the positions of every line they used."""
        used: set[int] = set()
        for position, text in enumerate(self._lines):
            odd = '"' in text or "\0" in text or not text.isascii()
            if odd and position not in used:
                if not _is_text(text):
                    self._reject(position, "is not UTF-8 text, or holds a NUL byte")
                    used.add(position)
                elif '"' in text:
                    used.update(self._record(position))
                    if self.consumed < len(self._lines):
                        break
        return used

    def _record(self, start: int) -> range:
        """Parse the record that begins at ``start``; return the positions of its lines."""
        most = min(start + LONGEST_RECORD, len(self._lines))
        for stop in range(start + 1, most + 1):
            text = "\n".join(line.removesuffix("\r") for line in self._lines[start:stop])
            values, fault = _fields(text)
            if values is None and fault == OPEN_QUOTE:
                continue
            if values is None or len(values) != self._width:
                break
            self._parsed.append((self._first + start, text, values))
            return range(start, stop)
        else:
            if not self._last and most == len(self._lines):
                self.consumed = start
                return range(start, len(self._lines))
        values, fault = _fields(self._lines[start].removesuffix("\r"))
        self._reject(start, fault if values is None else self._wrong_width(len(values)))
        return range(start, start + 1)

    def _split(self, used: set[int]) -> pl.DataFrame:
        numbers = [i for i in range(self.consumed) if i not in used]
        lines = pl.DataFrame(
            {
                "line": pl.Series(numbers, dtype=pl.Int64) + self._first,
                "row": pl.Series([self._lines[i] for i in numbers], dtype=pl.String),
            }
        ).with_columns(pl.col("row").str.strip_suffix("\r"))
        lines = lines.filter(pl.col("row") != "").with_columns(
            width=pl.col("row").str.count_matches(",", literal=True) + 1
        )
        for line, row, width in lines.filter(pl.col("width") != self._width).iter_rows():
            self._malformed.append((line, self._wrong_width(width), row))
        fields = pl.col("row").str.split_exact(",", self._width - 1)
        names = [str(i) for i in range(self._width)]
        return lines.filter(pl.col("width") == self._width).select(
            "line", "row", fields.struct.rename_fields(names).struct.unnest()
        )

    def _reject(self, position: int, reason: str) -> None:
        text = self._lines[position].removesuffix("\r")
        shown = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
        self._malformed.append((self._first + position, reason, shown.replace("\0", "\\x00")))

    def _wrong_width(self, width: int) -> str:
        return f"expected {self._width} fields, found {width}"


OPEN_QUOTE = "a quote is opened and not closed"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _fields(text: str) -> tuple[list[str] | None, str]:
    """Split one record; return nothing and the fault where it cannot be split."""
    try:
        return next(csv.reader([text], strict=True), []), ""
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None, OPEN_QUOTE
        return None, f"quotes are out of place ({error})"


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
    """Read a Parquet file a slice at a time; ``line`` is the row number, the header being 1."""
    lazy = pl.scan_parquet(source.path)
    total = lazy.select(pl.len()).collect().item()
    used = [*source.format.columns.values(), *source.format.genres]
    names = [name for name in source.header if name in used]
    dtypes = lazy.collect_schema()
    for offset in range(0, total, PARQUET_ROWS):
        part = lazy.slice(offset, PARQUET_ROWS).select(
            *(_text(name, dtypes[name], source.format).alias(name) for name in names)
        )
        rows = part.collect().with_columns(
            line=pl.int_range(pl.len(), dtype=pl.Int64) + offset + 2,
            row=pl.struct(names).struct.json_encode(),
        )
        ordered = rows.rename({name: str(source.header.index(name)) for name in names})
        yield Batch(_named(ordered, source), pl.DataFrame(schema=MALFORMED_SCHEMA))


def _text(name: str, dtype: pl.DataType, kind: Format) -> pl.Expr:
    """Write a typed column as the text that the same format would hold in a CSV file."""
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        if name == kind.columns["artists"] and kind.artists == "python list":
            names = column.cast(pl.List(pl.String)).list.eval(
                pl.element()
                .str.replace_all("\\", "\\\\", literal=True)
                .str.replace_all("'", "\\'", literal=True)
            )
            return pl.format("['{}']", names.list.join("', '"))
        return column.cast(pl.List(pl.String)).list.join(";")
    return column.cast(pl.String)
