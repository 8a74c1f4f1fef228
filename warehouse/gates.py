"""Check a written SQLite file against the rules: a file comes in, the rows of ``checks`` go out.

Most rules are a query in ``sql/checks`` that returns the offending rows: none means it holds.
Its first line says what it holds, a second one what to do where it does not.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from joblib import Parallel, delayed
from numpy.typing import NDArray

from warehouse.contracts import CHECKS, SONGS, TABLES
from warehouse.ddl import column_list, quoted
from warehouse.errors import BuildRejected
from warehouse.export import frame, opened
from warehouse.store import SQL

SHOWN_ROWS = 3
COMPARED_TABLES = ("songs", "families", "song_genres")

CODES = "create temp table codes (song_id text primary key, song, namesake, artist) without rowid"
NAMED = ("song_id", "title", "artist", "family_id")

Advance = Callable[[int], None]
Numbers = NDArray[np.int64]
Rule = Callable[[sqlite3.Connection], "Check"]
Sameness = Callable[[pl.DataFrame], tuple[Numbers, Numbers]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the rules allow.

    Args:
        neighbours: recommendations for each song.
        artist_cap: songs by one artist that a list may hold.
        max_variance_share: share of the variance that one column of the vectors may carry.
        row_count_tolerance: share by which a table may grow or shrink from one build to the next.
    """

    neighbours: int
    artist_cap: int
    max_variance_share: float
    row_count_tolerance: float


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one rule; ``offenders`` are its first offending rows, in words.

    ``advice`` says what else to do than to mend the data, where the rule may be wrong.
    """

    name: str
    about: str
    value: float
    bound: float
    offenders: tuple[str, ...] = ()
    advice: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value stays within the bound."""
        return self.value <= self.bound


def checked(
    file: Path, bounds: Bounds, sameness: Sameness, last: Path | None, advance: Advance
) -> list[Check]:
    """Run every rule on the file.

    Args:
        file: the SQLite file, complete but for ``checks``.
        bounds: what the rules allow.
        sameness: takes songs with ``NAMED``, returns the numbers of their namesakes and artists;
            the same function that the lists were made by.
        last: the SQLite file of the build that is served, if there is one.
        advance: told of each rule that is done.
    """
    with closing(opened(file)) as database:
        sound = _sound(database)
    advance(1)
    if not sound.passed:  # whatever else such a file says means nothing
        return [sound]
    paths = sorted((SQL / "checks").glob("*.sql"))
    of_lists = [_rule(path, bounds) for path in paths if _reads_lists(path)]
    others: list[Rule] = [
        _references,
        lambda database: _dominant_column(database, bounds.max_variance_share),
        lambda database: _row_counts(database, last, bounds.row_count_tolerance),
        *(_rule(path, bounds) for path in paths if not _reads_lists(path)),
    ]
    jobs = Parallel(n_jobs=2, backend="threading")
    groups = [(sameness, of_lists), (None, others)]
    outcomes = jobs(delayed(_run)(file, told, rules, advance) for told, rules in groups)
    return [sound, *(check for outcome in outcomes for check in outcome)]


def _run(file: Path, sameness: Sameness | None, rules: list[Rule], advance: Advance) -> list[Check]:
    """Run rules over a connection of their own; those of lists need to know the sameness."""
    outcome = []
    with closing(opened(file)) as database:
        database.execute("pragma cache_size = -65536")
        database.execute("pragma temp_store = memory")
        if sameness is not None:
            _lay_out_lists(database, frame(file, SONGS, NAMED).sort("song_id"), sameness)
        for rule in rules:
            outcome.append(rule(database))
            advance(1)
    return outcome


def _lay_out_lists(database: sqlite3.Connection, songs: pl.DataFrame, sameness: Sameness) -> None:
    """Make the temporary tables that rules of lists read."""
    namesakes, artists = sameness(songs)
    ids = songs["song_id"].to_list()
    rows = zip(ids, range(len(ids)), namesakes.tolist(), artists.tolist(), strict=True)
    database.execute(CODES)
    database.executemany("insert into codes values (?, ?, ?, ?)", rows)
    database.executescript((SQL / "lists.sql").read_text())


def as_frame(checks: list[Check]) -> pl.DataFrame:
    """Lay the outcome out in the order of the ``checks`` contract."""
    rows = [(c.name, c.about, float(c.value), float(c.bound), c.passed) for c in checks]
    return pl.DataFrame(rows, schema=CHECKS.schema, orient="row").sort("check")


def require_passed(checks: list[Check]) -> None:
    """Raise with every rule that is broken and its first offending rows.

    Raises:
        BuildRejected: at least one rule is broken.
    """
    broken = [check for check in checks if not check.passed]
    if not broken:
        return
    lines = [f"The build broke {len(broken)} of {len(checks)} rules; nothing was published."]
    for check in broken:
        lines.append(f"- {check.name}: {check.about}")
        lines.append(f"  measured {check.value:g}; the limit is {check.bound:g}")
        lines.extend(f"  {row}" for row in (*check.offenders, check.advice) if row)
    raise BuildRejected("\n".join(lines))


def _reads_lists(path: Path) -> bool:
    return "from lists" in path.read_text()


def _rule(path: Path, bounds: Bounds) -> Rule:
    sql = path.read_text()
    head = [line[3:] for line in sql.splitlines() if line.startswith("-- ")]
    about, advice = head[0].replace(":neighbours", str(bounds.neighbours)), " ".join(head[1:])

    def run(database: sqlite3.Connection) -> Check:
        values = {n: getattr(bounds, n) for n in ("neighbours", "artist_cap") if f":{n}" in sql}
        cursor = database.execute(sql, values)
        names = [column[0] for column in cursor.description]
        first = cursor.fetchmany(SHOWN_ROWS)
        count = len(first) + sum(1 for _ in cursor)
        shown = tuple(_in_words(names, row) for row in first)
        return Check(path.stem, about, count, 0, shown, advice)

    return run


def _in_words(names: list[str], row: tuple[object, ...]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in zip(names, row, strict=True))


def _sound(database: sqlite3.Connection) -> Check:
    """Read every page; that each index matches its table is left out, being ten times slower."""
    try:
        said = [row[0] for row in database.execute("pragma quick_check(3)")]
    except sqlite3.DatabaseError as error:
        said = [str(error)]
    found = [words for words in said if words != "ok"]
    about = "SQLite finds the file sound, in every page and not-null rule."
    return Check("file_is_sound", about, len(found), 0, tuple(found))


def _references(database: sqlite3.Connection) -> Check:
    found = len(database.execute("pragma foreign_key_check").fetchall())
    shown = _without_parent(database) if found else ()
    return Check("references_hold", "Every foreign key refers to a row.", found, 0, shown)


def _without_parent(database: sqlite3.Connection) -> tuple[str, ...]:
    """Return the first rows that point at nothing by their keys; SQLite knows rowids at best."""
    shown: list[str] = []
    for table in TABLES:
        for column in (c for c in table.columns if c.references):
            parent, key = column.references.split(".")
            names = list(dict.fromkeys([*table.key, column.name]))
            rows = database.execute(
                f"select {column_list(tuple(names))} from {quoted(table.name)} "
                f"where {quoted(column.name)} not in (select {quoted(key)} from {quoted(parent)}) "
                f"limit {SHOWN_ROWS}"
            )
            shown += [f"{table.name}: {_in_words(names, row)} is not in {parent}" for row in rows]
    return tuple(shown[:SHOWN_ROWS])


def _dominant_column(database: sqlite3.Connection, bound: float) -> Check:
    rows = database.execute(
        "select feature, variance_share from features order by variance_share desc limit 3"
    ).fetchall()
    about = "No column carries so much of the variance that it alone decides the distance."
    shown = tuple(f"feature {name!r}, variance_share {share:.3f}" for name, share in rows)
    advice = "If this is intended, raise SEGUE_MAX_VARIANCE_SHARE."
    return Check("no_column_dominates", about, rows[0][1] if rows else 0.0, bound, shown, advice)


def _row_counts(database: sqlite3.Connection, last: Path | None, bound: float) -> Check:
    now = _counts(database)
    before: Mapping[str, int] = now
    if last is not None:
        with closing(opened(last)) as served:
            before = _counts(served)
    change = {name: abs(now[name] - before[name]) / max(before[name], 1) for name in now}
    shown = tuple(
        f"{name}: {before[name]} rows before, {now[name]} now"
        for name in now
        if change[name] > bound
    )
    about = "Row counts are close to those of the build being served."
    advice = "If the catalogue did change that much, raise SEGUE_ROW_COUNT_TOLERANCE for this run."
    value = max(change.values())
    return Check("row_counts_near_last_build", about, value, bound, shown, advice)


def _counts(database: sqlite3.Connection) -> dict[str, int]:
    return {
        name: int(database.execute(f"select count(*) from {quoted(name)}").fetchone()[0])
        for name in COMPARED_TABLES
    }
