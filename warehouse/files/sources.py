"""Read input files: a path comes in, batches of text with line numbers come out.

Every record leaves here exactly once: in ``rows`` as text under Segue's column names, or in
``malformed`` with the reason.
"""

import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import polars as pl
import pyarrow as pa

from warehouse.errors import InputError
from warehouse.files import dialects, lists, spotify, tables
from warehouse.files.columns import Use, lacking, refusal, uses
from warehouse.files.content import WORKBOOKS, Content, members
from warehouse.files.dialects import Dialect
from warehouse.files.records import MALFORMED_SCHEMA, records
from warehouse.manifest import sha256

Kind = Literal["tracks", "genres", "playlists", "ratings"]

PARQUET = (".parquet", ".pq")
JSON = ".json"
JSON_LINES = (".jsonl", ".ndjson", ".jl")
ORIGIN = ".source.json"  # what is said of the file that it is named after
GLOB = re.compile(r"[*?\[]")
NO_SIGNALS: Mapping[Kind, Sequence[Path]] = MappingProxyType({})
NOTHING_CHOSEN: Mapping[str, str] = MappingProxyType({})
UNREADABLE = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, UnicodeError),
    *(pa.ArrowException, pl.exceptions.PolarsError),
)


@dataclass(frozen=True, slots=True)
class Source:
    """One recognised file.

    Args:
        name: what the tables call it.
        content: what is read.
        kind: what it is read for.
        format: how it is written, in words.
        uses: what becomes of each of its columns.
        sha256: hash of the file as it lies on disk.
        dialect: of a text.
        notes: what is unusual about it.
        block_bytes: of a text that are read at a time.
    """

    name: str
    content: Content
    kind: Kind
    format: str
    uses: tuple[Use, ...]
    sha256: str
    dialect: Dialect | None = None
    notes: tuple[str, ...] = ()
    block_bytes: int = 0

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.content.path

    @property
    def stem(self) -> str:
        """The file's name without its endings: what a playlist is called that is the whole file."""
        return (self.content.part or self.path.name).rsplit("/", 1)[-1].split(".")[0]

    @property
    def names(self) -> dict[str, str]:
        """Segue's columns to the first of the file's that is read as each."""
        return {use.used_as: use.column for use in reversed(self.uses) if use.used_as}


@dataclass(frozen=True, slots=True)
class Batch:
    """Some consecutive records of a file.

    ``rows`` holds ``line`` (Int64), ``row`` (the record as it came), ``genres`` and Segue's
    columns that the file has, all text, null where empty. ``malformed`` follows
    ``MALFORMED_SCHEMA``. ``passed_over`` counts what is no song.
    """

    rows: pl.DataFrame
    malformed: pl.DataFrame
    passed_over: int = 0

    @property
    def records(self) -> int:
        """How many records were read."""
        return self.rows.height + self.malformed.height + self.passed_over


def opened(
    tracks: Sequence[Path],
    signals: Mapping[Kind, Sequence[Path]] = NO_SIGNALS,
    chosen: Mapping[str, str] = NOTHING_CHOSEN,
) -> list[Source]:
    """Recognise every file by its columns, see that it holds a row, and hash it.

    Little but the hash is read, so that a file that cannot be used is refused before any work.

    Args:
        tracks: the files of the catalogue.
        signals: what else is known of its songs and artists, by kind.
        chosen: Segue's column to a header's name, where somebody has said which it is.

    Returns:
        The tracks in the order given, then the signals.

    Raises:
        InputError: a file is missing, empty, without a row below its header, unreadable, of
            columns that do not tell what is needed, or given twice.
    """
    files: dict[Kind, Sequence[Path]] = {"tracks": tracks, **signals}
    given = [(kind, one) for kind, paths in files.items() for path in paths for one in spread(path)]
    for _, path in given:
        _require_file(Content.at(path).path)
    names = _short_names([path for _, path in given])
    found = [
        recognised(Content.at(path), kind, name, chosen)
        for (kind, path), name in zip(given, names, strict=True)
    ]
    _require_chosen(found, chosen)
    return found


def spread(path: Path) -> list[Path]:
    """Return the files that a path names: those of a folder, of a pattern, of an archive, or it.

    A path that cannot even be looked at is left to whoever opens it, who says why.
    """
    try:
        return _spread(path)
    except OSError:
        return [path]


def _spread(path: Path) -> list[Path]:
    if path.is_dir():
        return _files_of(path)
    if not path.exists() and GLOB.search(str(path)):
        found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor or ""))))
        return [one for one in found if one.is_file()] or [path]
    if path.is_file() and path.name.lower().endswith(".zip"):
        return [Path(f"{path}::{part}") for part in members(path)] or [path]
    return [path]


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a folder in order, but for hidden ones and those that say of others."""
    files = (one for one in folder.iterdir() if one.is_file() and one.name[0] != ".")
    found = sorted(one for one in files if not one.name.endswith(ORIGIN))
    if not found:
        raise InputError(f"{folder}: a folder that holds no file to read. Name another.")
    return found


def _require_chosen(found: Sequence[Source], chosen: Mapping[str, str]) -> None:
    """Refuse to pass over in silence what somebody has said of a column that no file has."""
    known = {use.column for source in found for use in source.uses}
    absent = [f"{ours}={theirs}" for ours, theirs in chosen.items() if theirs not in known]
    if absent:
        names = sorted(name for name in known if name)
        raise InputError(
            f"--map {', '.join(absent)}: no file has such a column. Found: {', '.join(names)}."
        )


def recognised(
    content: Content, kind: Kind, name: str, chosen: Mapping[str, str] = NOTHING_CHOSEN
) -> Source:
    """Say how one content is written and what its columns are.

    Raises:
        InputError: it cannot be read, or not as this kind.
    """
    try:
        if content.data is None:
            _require_file(content.path)
        return _recognised(content, kind, name, chosen)
    except UNREADABLE as error:
        raise InputError(f"{content.name}: cannot be read: {_cause(error)}.") from error


def entries(text: str | bytes, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read a list of songs that is at hand as a file of playlists is read.

    Args:
        text: what was given; how long it may be is for the caller to say.
        name: what messages call it.

    Returns:
        The entries, as ``transforms.signals.cleaned_entries`` takes them, and what cannot be
        read: ``line``, ``reason`` and ``row``.

    Raises:
        InputError: it holds no songs that can be made out.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if not data.strip():
        raise InputError(f"{name} holds no songs. Give ids, addresses or lines: artist - title.")
    source = recognised(Content(Path(name), data=data), "playlists", name)
    parts = list(batches(source))
    rows = pl.concat((part.rows for part in parts), how="diagonal_relaxed")
    absent = [name for name in lists.TRACK if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    return rows, pl.concat(part.malformed for part in parts)


def batches(source: Source) -> Iterator[Batch]:
    """Yield the records of a file in order, a bounded number at a time.

    Raises:
        InputError: the file turns out to be damaged; what was yielded before must be dropped.
    """
    try:
        yield from _READERS[_reader(source)](source)
    except UNREADABLE as error:
        raise InputError(
            f"{source.content.name}: could not be read to its end ({_cause(error)}). "
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


def _require_file(path: Path) -> None:
    try:
        _require_content(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {_cause(error)}.") from error


def _require_content(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path}: no such file. Check the path (now in {Path.cwd()}).")
    if not path.is_file():
        raise InputError(f"{path}: is not a file. Name the file itself, not its folder.")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes). Fetch or export it again.")


def _recognised(content: Content, kind: Kind, name: str, chosen: Mapping[str, str]) -> Source:
    if content.ending in PARQUET:
        return _parquet(content, kind, name, chosen)
    if content.ending in WORKBOOKS or (content.data is None and _is_database(content)):
        return _whole_table(content, kind, name, chosen)
    if _is_json(content):
        return _json(content, kind, name, chosen)
    return _text(content, kind, name, chosen)


def _is_database(content: Content) -> bool:
    if content.ending in (".duckdb", ".ddb"):
        return True
    with content.path.open("rb") as file:
        start = file.read(16)
    return start == tables.SQLITE or start[8:12] == b"DUCK"


def _whole_table(content: Content, kind: Kind, name: str, chosen: Mapping[str, str]) -> Source:
    """Recognise a workbook or a table of a database, which are read at once."""
    frame, first = _frame_of(content, kind, chosen)
    if not frame.height:
        raise _no_rows(content)
    rows = [[value or "" for value in row] for row in _sample(frame)]
    found = uses(frame.columns, rows, kind, chosen)
    if lacks := lacking(found, rows, kind):
        raise refusal(content.name, kind, found, lacks)
    form = "workbook" if content.ending in WORKBOOKS else "database"
    notes = (f"{first - 2} rows above the header are passed over",) if first > 2 else ()
    return Source(name, content, kind, form, found, _hash(content), notes=notes)


def _frame_of(content: Content, kind: Kind, chosen: Mapping[str, str]) -> tuple[pl.DataFrame, int]:
    """Return a table as text, and the number of its first row, the header of a table being 1."""
    if content.ending not in WORKBOOKS:
        return tables.database(content), 2
    book = tables.workbook(content)
    place, header = _book_header(book, kind, chosen)
    rows = [dict(zip(header, row, strict=False)) for row in book[place + 1 :]]
    return pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String)), place + 2


def _book_header(
    book: Sequence[Sequence[str]], kind: Kind, chosen: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Return the row of a workbook that is its header, and its names, each once."""
    likely = range(min(len(book), tables.BOOK_ROWS))
    if not likely:
        return 0, []

    def worth(place: int) -> tuple[bool, int]:
        found = uses(book[place], book[place + 1 : place + 100], kind, chosen)
        lacks = lacking(found, book[place + 1 : place + 100], kind)
        return not lacks, sum(bool(use.used_as) for use in found)

    place = max(likely, key=worth)
    names: list[str] = []
    for name in book[place]:
        plain = name.strip()
        names.append(plain if plain not in names else f"{plain} {len(names) + 1}")
    return place, names


def _is_json(content: Content) -> bool:
    if content.ending in (JSON, *JSON_LINES):
        return True
    with content.opened() as stream:
        start = stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return start in (b"{", b"[")


def _json(content: Content, kind: Kind, name: str, chosen: Mapping[str, str]) -> Source:
    if kind == "playlists" and content.ending not in JSON_LINES:
        export = spotify.recognised(content)
        if export is not None:
            return Source(name, content, kind, export, (), _hash(content))
    frame, _ = _objects(content)
    header = [column for column in frame.columns if column not in ("line", "row")]
    if not header:
        raise spotify.unknown(content)
    rows = [[value or "" for value in row] for row in _sample(frame.select(header))]
    found = uses(header, rows, kind, chosen)
    if lacks := lacking(found, rows, kind):
        raise refusal(content.name, kind, found, lacks)
    return Source(name, content, kind, "JSON", found, _hash(content))


def _sample(frame: pl.DataFrame) -> list[tuple[str | None, ...]]:
    return frame.head(dialects.SAMPLE_ROWS).rows()


def _objects(content: Content) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the objects of a JSON file as text, and what is malformed."""
    if content.ending in JSON_LINES:
        found, malformed = tables.json_lines(content)
        return tables.object_rows(found), malformed
    try:
        found = tables.objects(spotify.parsed(content))
    except InputError:
        found, malformed = tables.json_lines(content)  # objects, one a line, under another name
        if not found:
            raise
        return tables.object_rows(found), malformed
    return tables.object_rows(found), pl.DataFrame(schema=MALFORMED_SCHEMA)


def _parquet(content: Content, kind: Kind, name: str, chosen: Mapping[str, str]) -> Source:
    header = tables.parquet_header(content)
    if not tables.parquet_count(content):
        raise _no_rows(content)
    first = next(iter(tables.parquet_slices(content, header)))
    rows = [[value or "" for value in row] for row in _sample(first)]
    found = uses(header, rows, kind, chosen)
    if lacks := lacking(found, rows, kind):
        raise refusal(content.name, kind, found, lacks)
    return Source(name, content, kind, "Parquet", found, _hash(content))


def _text(content: Content, kind: Kind, name: str, chosen: Mapping[str, str]) -> Source:
    if kind == "playlists" and dialects.is_list(content, chosen):
        lists.require_songs(dialects.whole(content), content.name)
        return Source(name, content, kind, lists.LINES, (), _hash(content))
    dialect, found = dialects.recognised(content, kind, chosen)
    if not _has_rows(content, dialect):
        raise _no_rows(content)
    label = f"CSV ({dialect.label})" if dialect.label else "CSV"
    return Source(name, content, kind, label, found, _hash(content), dialect, dialect.notes)


def _no_rows(content: Content) -> InputError:
    return InputError(f"{content.name}: has a header and no rows below it. Export it again.")


def _has_rows(content: Content, dialect: Dialect) -> bool:
    """Whether anything but blank lines stands below the header; stops at the first that does."""
    with content.opened() as stream:
        place = 1
        for block in dialects.plain_blocks(stream, dialect):
            for line in block.split(b"\n"):
                if place >= dialect.first and line.strip():
                    return True
                place += 1
            place -= 1
    return False


def _hash(content: Content) -> str:
    return sha256(content.path) if content.data is None else ""


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0]


def _reader(source: Source) -> str:
    if source.dialect is not None:
        return "text"
    if source.format == lists.LINES:
        return "lines"
    known = {"Parquet": "parquet", "JSON": "objects", "workbook": "table", "database": "table"}
    return known.get(source.format, "spotify")


def _text_batches(source: Source) -> Iterator[Batch]:
    dialect = source.dialect
    if dialect is None:
        raise ValueError(f"{source.name} is no text")
    with source.content.opened() as stream:
        blocks = dialects.plain_blocks(stream, dialect, source.block_bytes)
        width = len(dialect.header)
        for rows, malformed in records(blocks, dialect.first, width, dialect.separator):
            yield Batch(_named(rows, source.uses), malformed)


def _named(frame: pl.DataFrame, found: Sequence[Use], by_name: bool = False) -> pl.DataFrame:
    """Keep the columns that are used, under Segue's names; empty text becomes null.

    Columns of a frame are called by their positions, or by name as the file names them.
    """
    places: dict[str, list[pl.Expr]] = {}
    for use in found:
        if use.used_as:
            column = pl.col(use.column if by_name else str(use.position))
            places.setdefault(use.used_as, []).append(column)
    genres = places.pop("genres", [])
    columns = [_joined(columns).alias(ours) for ours, columns in places.items()]
    return frame.select("line", "row", _joined(genres).alias("genres"), *columns)


def _filled(text: pl.Expr) -> pl.Expr:
    stripped = text.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _joined(columns: Sequence[pl.Expr]) -> pl.Expr:
    if not columns:
        return pl.lit(None, dtype=pl.String)
    if len(columns) == 1:
        return _filled(columns[0])
    filled = [_filled(column) for column in columns]
    return _filled(pl.concat_str(filled, separator=";", ignore_nulls=True))


def _parquet_batches(source: Source) -> Iterator[Batch]:
    """Read a Parquet file a slice at a time; ``line`` is the row number, the header being 1."""
    used = [use for use in source.uses if use.used_as]
    line = 2
    for part in tables.parquet_slices(source.content, [use.column for use in used]):
        rows = part.with_columns(
            line=pl.int_range(pl.len(), dtype=pl.Int64) + line,
            row=pl.struct(part.columns).struct.json_encode(),
            **{str(use.position): pl.col(use.column) for use in used},
        )
        line += rows.height
        yield Batch(_named(rows, source.uses), pl.DataFrame(schema=MALFORMED_SCHEMA))


def _spotify_batches(source: Source) -> Iterator[Batch]:
    """Read a whole export at once: Spotify keeps each below some 12 MB."""
    yield Batch(*spotify.entries(source.content))


def _object_batches(source: Source) -> Iterator[Batch]:
    """Read JSON at once; ``line`` is the position of the object, or its line."""
    frame, malformed = _objects(source.content)
    yield Batch(_named(frame, source.uses, by_name=True), malformed)


def _table_batches(source: Source) -> Iterator[Batch]:
    """Read a workbook or a table of a database at once; ``line`` is the number of the row."""
    chosen = {use.used_as: use.column for use in source.uses if use.why == "by --map"}
    frame, first = _frame_of(source.content, source.kind, chosen)
    filled = frame.with_columns(
        line=pl.int_range(pl.len(), dtype=pl.Int64) + first,
        row=pl.struct(frame.columns).struct.json_encode(),
    ).filter(pl.any_horizontal((pl.col(frame.columns) != "").fill_null(False)))
    yield Batch(_named(filled, source.uses, by_name=True), pl.DataFrame(schema=MALFORMED_SCHEMA))


def _line_batches(source: Source) -> Iterator[Batch]:
    yield Batch(*lists.listed_entries(dialects.whole(source.content).splitlines()))


_READERS: dict[str, Callable[[Source], Iterator[Batch]]] = {
    "text": _text_batches,
    "lines": _line_batches,
    "parquet": _parquet_batches,
    "objects": _object_batches,
    "table": _table_batches,
    "spotify": _spotify_batches,
}
