"""Split lines into records: text of a file comes in, fields with line numbers go out.

A broken line never takes its neighbours with it: a quote that is not closed within
``LONGEST_RECORD`` lines, or not before a line that is a record of its own, costs the line that
opened it, no more.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

LONGEST_RECORD = 50
LONGEST_FIELD = csv.field_size_limit()
MALFORMED_SCHEMA = {"line": pl.Int64, "reason": pl.String, "row": pl.String}
OPEN_QUOTE = "a quote is opened and not closed"
SURROGATE = re.compile("[\ud800-\udfff]")


def records(
    blocks: Iterable[bytes], first: int, width: int, separator: str
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield the records of blocks of UTF-8, those of each block together.

    Args:
        blocks: of any size; a line may lie across several.
        first: the line at which records begin, from 1; what stands above is left out.
        width: how many fields a record has.
        separator: between fields.

    Yields:
        ``line``, ``row`` (the record as it came) and the fields as ``0``, ``1``, ...; and what is
        malformed, by ``MALFORMED_SCHEMA``.
    """
    number, waiting = 1, list[str]()
    for block, last in _line_blocks(blocks):
        lines = waiting + block
        if number < first:
            passed = min(first - number, len(lines))
            lines, number = lines[passed:], number + passed
        odd = _odd_lines(lines, width, separator, last)
        plain, malformed = _plain_lines(lines, odd, width, separator)
        rows = pl.concat([plain, _frame(odd.records, width)]).with_columns(pl.col("line") + number)
        yield (
            rows.sort("line"),
            pl.DataFrame(
                sorted(odd.malformed + malformed), MALFORMED_SCHEMA, orient="row"
            ).with_columns(pl.col("line") + number),
        )
        number += odd.consumed
        waiting = lines[odd.consumed :]


def _line_blocks(blocks: Iterable[bytes]) -> Iterator[tuple[list[str], bool]]:
    """Yield the lines of a file in blocks, and whether a block is the last."""
    left, began = b"", False
    for block in blocks:
        joined = left + block
        if not began and len(joined) >= 3:
            joined, began = joined.removeprefix(b"\xef\xbb\xbf"), True
        head, newline, left = joined.rpartition(b"\n")
        if newline:
            yield _decoded(head), False
    left = left if began else left.removeprefix(b"\xef\xbb\xbf")
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


def _odd_lines(lines: list[str], width: int, separator: str, last: bool) -> _Odd:
    """Read the lines that hold more than fields and commas: quotes, bad bytes, endless text."""
    odd = _Odd(len(lines))
    for place in [i for i, line in enumerate(lines) if _is_odd(line)]:
        if place in odd.used:
            continue
        found = _record(lines, place, width, separator)
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


def _record(
    lines: list[str], start: int, width: int, separator: str
) -> tuple[int, list[str] | str] | None:
    """Read the record that begins at ``start``.

    Returns:
        The place after it, and its fields or what is wrong with it. None where a quote is open
        at the end of the lines, so that more of them are needed.
    """
    fields = _fields(lines[start], separator)
    if fields != OPEN_QUOTE:
        return start + 1, fields
    for stop in range(start + 2, min(start + LONGEST_RECORD, len(lines)) + 1):
        text = "\n".join(lines[start:stop])
        fields = _fields(text, separator)
        if _begins_anew(lines[stop - 1], width, separator):
            return start + 1, OPEN_QUOTE
        if fields != OPEN_QUOTE:
            closes = isinstance(fields, list) and text.count('"') % 2 == 0
            return (stop, fields) if closes else (start + 1, OPEN_QUOTE)
    return None if start + LONGEST_RECORD > len(lines) else (start + 1, OPEN_QUOTE)


def _begins_anew(line: str, width: int, separator: str) -> bool:
    """Whether a line below an open quote is a record of its own, so that the quote is a slip.

    The line that closes the quote is never taken for one, as it holds an odd number of quotes.
    """
    if not _is_text(line):
        return True
    fields = _fields(line, separator)
    return isinstance(fields, list) and len(fields) == width and line.count('"') % 2 == 0


def _fields(text: str, separator: str) -> list[str] | str:
    """Split one record, or say why it cannot be split."""
    if not _is_text(text):
        return "is not UTF-8 text, or holds a NUL byte"
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error as error:
        known = {
            "unexpected end of data": OPEN_QUOTE,
            "field larger": f"a field is longer than {LONGEST_FIELD:,} characters",
            "new-line": "a carriage return stands outside quotes",
        }
        return next((v for k, v in known.items() if k in str(error)), "quotes are out of place")


def _plain_lines(
    lines: list[str], odd: _Odd, width: int, separator: str
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
        .with_columns(width=pl.col("row").str.count_matches(separator, literal=True) + 1)
    )
    wrong = counted.filter(pl.col("width") != width)
    fields = pl.col("row").str.split_exact(separator, width - 1)
    named = fields.struct.rename_fields([str(i) for i in range(width)])
    rows = counted.filter(pl.col("width") == width).select("line", "row", named.struct.unnest())
    return rows, [(line, _wrong_width(width, found), row) for line, row, found in wrong.iter_rows()]


def _frame(records: list[tuple[int, str, list[str]]], width: int) -> pl.DataFrame:
    schema = {"line": pl.Int64, "row": pl.String, **{str(i): pl.String for i in range(width)}}
    rows = [(place, text, *fields) for place, text, fields in records]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _wrong_width(expected: int, found: int) -> str:
    return f"expected {expected} fields, found {found}"
