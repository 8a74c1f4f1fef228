"""Listens come in, from whichever service; sessions and ratings go out as files that builds read.

What is played together within a session says which songs belong together; how often somebody
plays a song, beside others of theirs, and what they marked, says what they think of it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

SCHEMA = {
    "user": pl.String,
    "listened_at": pl.Int64,
    "title": pl.String,
    "artist": pl.String,
    "release": pl.String,
    "mbid": pl.String,
}
MARKS_SCHEMA = {
    "user": pl.String,
    "title": pl.String,
    "artist": pl.String,
    "mbid": pl.String,
    "stars": pl.Float64,
}
PLAYS_SCHEMA = {**MARKS_SCHEMA, "plays": pl.Int64, "last": pl.Int64}
del PLAYS_SCHEMA["stars"]
PAUSE_SECONDS = 30 * 60  # of silence end a session, as in files of a listening history
BATCH = 50_000
STARS = {1: 5.0, -1: 1.0}  # what is loved, and what is hated

# A session is named by who listens and when it began, so that it is the same one the next time.
SESSIONS = """
with marked as (
    select *, coalesce(listened_at - lag(listened_at) over (
        partition by "user" order by listened_at, title, artist) > ?, true) as began
    from listens
), numbered as (
    select *, sum(began::int) over (
        partition by "user" order by listened_at, title, artist rows unbounded preceding) as place
    from marked
)
select
    "user" || ' ' || strftime(
        make_timestamp(min(listened_at) over (partition by "user", place) * 1000000),
        '%Y-%m-%d %H:%M:%S') as session_id,
    title as track_name,
    artist as artist_name,
    release as release_name,
    mbid as recording_mbid,
    strftime(make_timestamp(listened_at * 1000000), '%Y-%m-%dT%H:%M:%SZ') as listened_at
from numbered
order by "user", numbered.listened_at, title, artist
"""

# What somebody plays least gets 3 stars, what they play most 5; what they marked, what they said.
RATINGS = """
with counted as (
    select
        "user", lower(title) as t, lower(artist) as a,
        arg_max(title, last) as title, arg_max(artist, last) as artist, max(mbid) as mbid,
        sum(plays) as plays, max(last) as last
    from plays group by all
), ranked as (
    select *, 3 + 2 * percent_rank() over (partition by "user" order by plays) as stars
    from counted
), said as (
    select
        "user", lower(title) as t, lower(artist) as a,
        min(title) as title, min(artist) as artist, max(mbid) as mbid, avg(stars) as stars
    from marks group by all
)
select
    coalesce(said."user", ranked."user") as "user",
    round(2 * coalesce(said.stars, ranked.stars)) / 2 as rating,
    strftime(make_timestamp(ranked.last * 1000000), '%Y-%m-%dT%H:%M:%SZ') as rated_at,
    coalesce(ranked.title, said.title) as track_name,
    coalesce(ranked.artist, said.artist) as artist_name,
    coalesce(ranked.mbid, said.mbid) as recording_mbid
from ranked full join said
    on said."user" = ranked."user" and said.t = ranked.t and said.a = ranked.a
order by "user", track_name, artist_name
"""
PLAYS = """
insert into plays
select "user", title, artist, mbid, count(*), max(listened_at) from listens group by all
"""


@contextmanager
def files(
    listens: Iterable[Mapping[str, Any]],
    marks: Iterable[Mapping[str, Any]] = (),
    plays: Iterable[Mapping[str, Any]] = (),
) -> Iterator[tuple[Path, Path]]:
    """Write sessions and ratings as two CSV files, which are there while the body runs.

    Args:
        listens: as ``SCHEMA``, in any order; those of a whole site may be too many for memory, so
            that they are sorted on disk.
        marks: what people said of a song, as ``MARKS_SCHEMA``.
        plays: how often somebody played a song, where no more is known, as ``PLAYS_SCHEMA``.

    Yields:
        The files for ``--playlists`` and for ``--ratings``.
    """
    with TemporaryDirectory(prefix="segue-listens-") as folder:
        place = Path(folder)
        with duckdb.connect(str(place / "listens.duckdb")) as database:
            _fill(database, "listens", SCHEMA, listens)
            _fill(database, "marks", MARKS_SCHEMA, marks)
            _fill(database, "plays", PLAYS_SCHEMA, plays)
            database.execute(PLAYS)
            database.sql(SESSIONS, params=[PAUSE_SECONDS]).write_csv(str(place / "sessions.csv"))
            database.sql(RATINGS).write_csv(str(place / "ratings.csv"))
        yield place / "sessions.csv", place / "ratings.csv"


def _fill(
    database: duckdb.DuckDBPyConnection,
    table: str,
    schema: Mapping[str, Any],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    empty = pl.DataFrame(schema=schema)
    database.execute(f"create table {table} as from empty")
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        frame = pl.DataFrame([{k: row.get(k) for k in empty.schema} for row in batch], empty.schema)
        database.execute(f"insert into {table} from frame")
        del frame


def listen(row: object, user: str | None = None) -> dict[str, Any] | None:
    """Return what is read of a listen as ListenBrainz writes it, in its API, exports and dumps.

    Returns:
        As ``SCHEMA``, with ``msid``, which tells listens of one second apart; none where it does
        not say who listened to what and when.
    """
    if not isinstance(row, dict):
        return None
    told = row.get("track_metadata")
    told = told if isinstance(told, dict) else {}
    more = told.get("additional_info") or {}
    when = row.get("listened_at", row.get("timestamp"))
    found = {
        "user": user or row.get("user_name"),
        "listened_at": when if isinstance(when, int) and not isinstance(when, bool) else None,
        "title": _text(told.get("track_name")),
        "artist": _text(told.get("artist_name")),
        "release": _text(told.get("release_name")),
        "mbid": (told.get("mbid_mapping") or {}).get("recording_mbid")
        or more.get("recording_mbid"),
        "msid": row.get("recording_msid") or more.get("recording_msid") or "",
    }
    whole = all(found[name] is not None for name in ("user", "listened_at", "title", "artist"))
    return found if whole else None


def _text(value: object) -> str | None:
    """Return a name without what no table can hold, or none where nothing is left."""
    if not isinstance(value, str):
        return None
    plain = " ".join(value.replace("\x00", " ").encode(errors="replace").decode().split())
    return plain or None


def mark(row: object, user: str) -> dict[str, Any] | None:
    """Return what is read of a feedback: 1 for what is loved, -1 for what is hated."""
    if not isinstance(row, dict) or row.get("score") not in STARS:
        return None
    told = row.get("track_metadata") or {}
    title, artist = _text(told.get("track_name")), _text(told.get("artist_name"))
    if title is None or artist is None:
        return None
    found = {"user": user, "title": title, "artist": artist, "stars": STARS[row["score"]]}
    return {**found, "mbid": row.get("recording_mbid"), "created": row.get("created")}


def lines(text: Iterable[str | bytes]) -> Iterator[Any]:
    """Yield the JSON of every line; a line that is none comes out as none."""
    for line in text:
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                yield None
