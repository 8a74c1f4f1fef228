"""See how a text holds its table: its first bytes come in, encoding and columns go out."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from charset_normalizer import from_bytes

from warehouse.errors import InputError
from warehouse.files.columns import Use, lacking, refusal, uses, without_header
from warehouse.files.content import Content
from warehouse.files.lists import is_lines
from warehouse.files.vocabulary import meanings

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
START_BYTES = 2**20
SAMPLE_ROWS = 1000
TITLE_LINES = 10  # that may stand above a header
BLOCK_BYTES = 8 * 2**20
BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
LEGACY = ("cp1252", "cp1250", "cp1251", "cp932", "euc_kr", "gb18030", "big5", "cp1253", "cp1254")
ENCODING_NAMES = {"cp1252": "Windows-1252", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text holds its table.

    Args:
        encoding: as Python calls it.
        separator: between columns.
        header: the names of the columns; "column 3" where there is no header.
        first: the line of the first record, from 1.
        returns: whether lines end by carriage returns alone.
        notes: what is unusual about it, in words.
    """

    encoding: str
    separator: str
    header: tuple[str, ...]
    first: int
    returns: bool = False
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What the dialect is, where it is not commas in UTF-8."""
        parts = [] if self.separator == "," else [SEPARATORS[self.separator]]
        if self.encoding != "utf-8":
            parts.append(ENCODING_NAMES.get(self.encoding, self.encoding))
        return ", ".join(parts)


def start_of(content: Content) -> tuple[str, str, bool]:
    """Return the first text of a content, its encoding, and whether returns alone end its lines.

    Raises:
        InputError: it is empty, or no text.
    """
    with content.opened() as stream:
        start = stream.read(START_BYTES)
    if not start.strip(b"\r\n \t\0"):
        raise InputError(f"{content.name}: is empty. Fetch or export it again.")
    encoding = _encoding(content, start)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start).removeprefix("\ufeff")
    if _is_binary(text[:2000]):
        raise InputError(
            f"{content.name}: holds binary data, not text. Expected a table of text, JSON or "
            "Parquet, each under the ending of its kind."
        )
    returns = "\r" in text and "\n" not in text
    return text.replace("\r", "\n") if returns else text.replace("\r\n", "\n"), encoding, returns


def _is_binary(text: str) -> bool:
    """Whether text was decoded of what is none: a NUL in its first line, or many odd characters."""
    odd = sum((c < " " and c not in "\t\r\n") or "\ue000" <= c <= "\uf8ff" for c in text)
    return "\0" in text.split("\n", 1)[0] or odd * 20 > len(text)


def _encoding(content: Content, start: bytes) -> str:
    marked = next((name for bom, name in BOMS.items() if start.startswith(bom)), None)
    if marked:
        return marked
    zeros = Counter(place % 2 for place, byte in enumerate(start[:2000]) if byte == 0)
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        likely = zeros[place] * 6 > min(len(start), 2000) and zeros[1 - place] * 9 < zeros[place]
        if likely and _decodes(start[: len(start) // 2 * 2], name):
            return name
    with content.opened() as stream:
        return _eight_bit(_beyond_ascii(stream))


def _beyond_ascii(stream: IO[bytes]) -> bytes:
    """Return the first block that holds anything but ASCII, or nothing."""
    while block := stream.read(BLOCK_BYTES):
        if not block.isascii():
            return block + stream.read(START_BYTES)
    return b""


def _eight_bit(block: bytes) -> str:
    """Return UTF-8 where any line is that beyond ASCII, else the likeliest of older encodings.

    A line that is not, among others that are, is broken and costs itself alone.
    """
    lines = [line for line in block.split(b"\n")[:-1] or [block] if not line.isascii()]
    if not lines:
        return "utf-8"
    sound = sum(_decodes(line, "utf-8") for line in lines)
    if sound or not _is_prose(lines):
        return "utf-8"
    guess = from_bytes(b"\n".join(lines[:2000]), cp_isolation=[*LEGACY]).best()
    western = sum(len(re.findall(rb"[A-Za-z][\x8a-\xff][a-z]", line)) for line in lines)
    return "cp1252" if guess is None or western * 2 > len(lines) else guess.encoding


def _is_prose(lines: Sequence[bytes]) -> bool:
    """Whether bytes beyond ASCII look like letters of an older encoding, not like damage."""
    text = b"\n".join(lines)
    return b"\0" not in text and not re.search(rb"[\x01-\x08\x0e-\x1a]", text)


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def plain_blocks(stream: IO[bytes], dialect: Dialect, size: int = 0) -> Iterator[bytes]:
    """Yield a stream in UTF-8 with line feeds, a bounded number of bytes at a time.

    What cannot be decoded stays as it is, so that its line is found to be no text.
    """
    size = size or BLOCK_BYTES
    if dialect.encoding == "utf-8" and not dialect.returns:
        while block := stream.read(size):
            yield block
        return
    decoder = codecs.getincrementaldecoder(dialect.encoding)("surrogateescape")
    if dialect.encoding.startswith("utf-16"):
        decoder = codecs.getincrementaldecoder(dialect.encoding)("replace")
    while True:
        block = stream.read(size)
        text = decoder.decode(block, final=not block)
        text = text.replace("\r", "\n") if dialect.returns else text
        if text:
            yield text.encode("utf-8", "surrogateescape")
        if not block:
            return


def recognised(
    content: Content, kind: str, chosen: Mapping[str, str]
) -> tuple[Dialect, tuple[Use, ...]]:
    """See how a text holds its table and what its columns are.

    Raises:
        InputError: it is empty, no text, or no table of this kind.
    """
    text, encoding, returns = start_of(content)
    found = best(text, kind, chosen)
    if found is None:
        raise _refused(content.name, text, kind, chosen)
    separator, header, columns, first, notes = found
    return Dialect(encoding, separator, header, first, returns, notes), columns


def is_list(content: Content, chosen: Mapping[str, str]) -> bool:
    """Whether a text tells songs line by line, having neither a header nor columns."""
    text, _, _ = start_of(content)
    if any(not found[0] for found in _headers(text, "playlists", chosen)):
        return False
    return is_lines(text) or (not looks_like_a_table(text) and _headless(text, "playlists") is None)


def looks_like_a_table(text: str) -> bool:
    """Whether a text has columns, known or not: most lines are divided alike."""
    lines = [line for line in text.split("\n")[:SAMPLE_ROWS] if line.strip()]
    for separator in SEPARATORS:
        widths = Counter(map(len, sample(lines, separator)))
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        if width >= 3 and count > 1 and count * 2 > len(lines):
            return True
    return bool(lines) and any(len(meanings_of(lines[0], s)) > 1 for s in SEPARATORS)


def meanings_of(line: str, separator: str) -> list[str]:
    """Return the names in a line that are known to mean something in a list."""
    return [name for name in line.split(separator) if meanings(name, "playlists")]


def text_of(data: bytes, name: str) -> str:
    """Return bytes as text, in whichever usual encoding they are.

    Args:
        data: what was given.
        name: what messages call it.

    Raises:
        InputError: it is no text.
    """
    return whole(Content(Path(name), data=data)) if data.strip() else ""


def whole(content: Content) -> str:
    """Return a text from its first to its last letter."""
    _, encoding, returns = start_of(content)
    text = content.plain().decode(encoding, "replace").removeprefix("\ufeff").replace("\0", " ")
    return text.replace("\r", "\n") if returns else text.replace("\r\n", "\n")


Found = tuple[str, tuple[str, ...], tuple[Use, ...], int, tuple[str, ...]]


def best(text: str, kind: str, chosen: Mapping[str, str]) -> Found | None:
    """Return separator, header, uses, first line and notes of the likeliest reading of a text."""
    tried = [found for found in _headers(text, kind, chosen) if not found[0]]
    if tried:
        _, _, _, found = max(tried, key=lambda one: one[1:3])
        return found
    return None if _has_names(text, kind) else _headless(text, kind)


def _has_names(text: str, kind: str) -> bool:
    """Whether the first line looks like a header, of which only too little is known."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    for separator in SEPARATORS:
        names = [name for name in first.split(separator) if name.strip()]
        if len(names) > 1 and sum(bool(meanings(name, kind)) for name in names) * 3 > len(names):
            return True
    return False


Try = tuple[str, int, int, Found]


def _headers(text: str, kind: str, chosen: Mapping[str, str]) -> Iterator[Try]:
    """Yield, for each line that may be a header: what it lacks, its worth, and what it says."""
    lines = text.split("\n")
    places = [i for i, line in enumerate(lines[: TITLE_LINES * 3]) if line.strip()][:TITLE_LINES]
    for separator in SEPARATORS:
        for place in places:
            if separator not in lines[place] and (separator != "," or not _single(lines, place)):
                continue
            header, first = _header(lines, place, separator)
            rows = sample(lines[first:], separator)
            header, note = _widened(header, rows)
            found = uses(header, rows, kind, chosen)
            known = sum(bool(use.used_as) for use in found)
            if not known:
                continue
            above = [line for line in lines[:place] if line.strip()]
            notes = (f"{len(above)} lines above the header are passed over",) if above else ()
            lacks = lacking(found, rows, kind)
            yield lacks, known, -place, (separator, header, found, first + 1, (*notes, *note))


def _single(lines: Sequence[str], place: int) -> bool:
    """Whether a line may be the header of a single column, there being no other above it."""
    return not any(line.strip() for line in lines[:place])


def _header(lines: Sequence[str], place: int, separator: str) -> tuple[tuple[str, ...], int]:
    """Return the names in a line and the place after it; a name may run over lines."""
    for stop in range(place + 1, min(place + 4, len(lines)) + 1):
        text = "\n".join(lines[place:stop])
        if text.count('"') % 2 == 0:
            break
    else:
        stop, text = place + 1, lines[place]
    try:
        names = next(csv.reader([text], delimiter=separator), [])
    except csv.Error:
        names = lines[place].split(separator)
    return tuple(" ".join(name.split()) for name in names), stop


def sample(lines: Iterable[str], separator: str) -> list[list[str]]:
    """Return the fields of some lines, leaving out those that hold no whole record."""
    rows: list[list[str]] = []
    for line in lines:
        if len(rows) >= SAMPLE_ROWS:
            break
        if not line.strip() or line.count('"') % 2:
            continue
        if '"' not in line:
            rows.append(line.split(separator))
            continue
        try:
            rows.append(next(csv.reader([line], delimiter=separator), []))
        except csv.Error:
            continue
    return rows


def _widened(
    header: tuple[str, ...], rows: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Add the name that a header lacks: of R's row numbers before it, or of nothing behind it."""
    widths = Counter(map(len, rows))
    if widths[len(header)] or widths[len(header) + 1] * 5 < len(rows) * 4 or not rows:
        return header, ()
    wide = [row for row in rows if len(row) == len(header) + 1]
    if not any(row[-1].strip() for row in wide):
        return (*header, ""), ()
    return ("", *header), ("the first column has no name: taken for row names",)


def _headless(text: str, kind: str) -> Found | None:
    """Read a table without a header, where most lines are equally wide and values tell."""
    lines = text.split("\n")
    for separator in SEPARATORS:
        rows = sample(lines, separator)
        widths = Counter(map(len, rows))
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        if width < 2 or count < 2 or count * 5 < len(rows) * 4:
            continue
        found = without_header([row for row in rows if len(row) == width], kind)
        if found:
            header = tuple(use.column for use in found)
            return separator, header, found, 1, ("no header: columns are told by their values",)
    return None


def _refused(name: str, text: str, kind: str, chosen: Mapping[str, str]) -> InputError:
    """Say what the likeliest header lacks, or what stands where one should be."""
    tried = list(_headers(text, kind, chosen))
    if tried:
        lacks, _, _, found = max(tried, key=lambda one: one[1:3])
        return refusal(name, kind, found[2], lacks)
    first = next((line for line in text.split("\n") if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    columns = uses([part.strip() for part in first.split(separator)], [], kind)
    return refusal(name, kind, columns, lacking(columns, [], kind))
