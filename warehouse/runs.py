"""What became of every run: a home comes in, a row for each run in its file ``runs.db`` goes out.

The file informs and decides nothing: a run goes on where it cannot be written. A row is there from
the first moment of a run, and its stage moves on with it, so a run that is killed leaves where it
was. Whether a run still goes on is told by the operating system's lock on a file of its own, which
goes with the process.
"""

import fcntl
import logging
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

logger = logging.getLogger(__name__)

FILE = "runs.db"
VERSION = 1  # of the file's layout, kept in SQLite's user_version
KEPT = 2_000  # rows
WAIT_SECONDS = 5
RUNNING, KILLED, STOPPED = "running", "killed", "stopped"
PUBLISHED, NOTHING_NEW, HELD_BACK = "published", "nothing new", "held back"
WAITING, REFUSED, FAILED, BUSY = "waiting", "refused", "failed", "busy"
GOOD = frozenset({PUBLISHED, NOTHING_NEW, HELD_BACK})
NEUTRAL = frozenset({RUNNING, BUSY, STOPPED})  # say nothing about whether the next will succeed

LAYOUT = f"""
create table runs (
    run_id integer primary key,
    started_at text not null,
    ended_at text,
    cause text not null,
    due_at text,
    stage text not null default '',
    outcome text not null,
    exit_code integer,
    message text not null default '',
    build text not null default '',
    build_id text not null default '',
    code_version text not null,
    host text not null,
    pid integer not null,
    token text not null
);
create table schedule (cron text not null, time_zone text not null, since text not null);
pragma user_version = {VERSION};
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Args:
        started_at: UTC, ISO 8601, as all times here.
        ended_at: nothing while it goes on, and where it was killed.
        cause: ``command``, ``schedule`` or ``catch-up``.
        due_at: when the schedule wanted it; nothing for a command.
        stage: the last that it began; empty before the first.
        outcome: one of the words above.
        message: what was said of it at the end.
        build: name of the build that it made, or that is served where it made none.
        build_id: of what it was to make, once its files were read.
    """

    run_id: int
    started_at: str
    ended_at: str | None
    cause: str
    due_at: str | None
    stage: str
    outcome: str
    exit_code: int | None
    message: str
    build: str
    build_id: str
    code_version: str
    host: str
    pid: int

    @property
    def seconds(self) -> float | None:
        """How long it took; nothing while it goes on."""
        if self.ended_at is None:
            return None
        ended = datetime.fromisoformat(self.ended_at)
        return (ended - datetime.fromisoformat(self.started_at)).total_seconds()


@dataclass(frozen=True, slots=True)
class Schedule:
    """When runs are due, and since when that has been so."""

    cron: str
    time_zone: str
    since: str


class Record:
    """The row of the run that goes on in this process."""

    def __init__(self, root: Path, run_id: int, token: str, lock: int) -> None:
        self._root, self._run_id, self._token, self._lock = root, run_id, token, lock

    def note(self, **values: str | int | None) -> None:
        """Set columns of the row, such as ``stage``."""
        columns = ", ".join(f"{name} = :{name}" for name in values)
        with _suppressed(self._root), _opened(self._root) as database:
            row = {**values, "run_id": self._run_id}
            database.execute(f"update runs set {columns} where run_id = :run_id", row)

    def end(self, outcome: str, exit_code: int, message: str, build: str = "") -> None:
        """Say what became of the run, and that it is over."""
        self.note(
            outcome=outcome,
            exit_code=exit_code,
            message=message,
            build=build,
            ended_at=_now(),
        )
        _lock_of(self._root, self._token).unlink(missing_ok=True)
        os.close(self._lock)


def begun(root: Path, cause: str, code_version: str, due_at: str | None = None) -> Record | None:
    """Begin the row of a run, and say of those that were killed that they were.

    Returns:
        The row to go on with; nothing where the file cannot be written, which is logged.
    """
    with _suppressed(root):
        root.mkdir(parents=True, exist_ok=True)
        token = uuid4().hex[:12]
        lock = None
        try:
            with _opened(root) as database:
                # From here to the end of the block no other run begins, so a lock is held or left.
                run_id = _inserted(database, cause, code_version, due_at, token)
                lock = os.open(_lock_of(root, token), os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(lock, fcntl.LOCK_EX)
                _note_killed(root, database)
                _clear_locks(root)
                database.execute("delete from runs where run_id <= ?", (run_id - KEPT,))
        except BaseException:
            if lock is not None:
                _lock_of(root, token).unlink(missing_ok=True)
                os.close(lock)
            raise
        return Record(root, run_id, token, lock)
    return None


def _inserted(
    database: sqlite3.Connection, cause: str, version: str, due_at: str | None, token: str
) -> int:
    row = (_now(), cause, due_at, RUNNING, version, socket.gethostname(), os.getpid(), token)
    cursor = database.execute(
        "insert into runs (started_at, cause, due_at, outcome, code_version, host, pid, token) "
        "values (?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    return int(cursor.lastrowid or 0)


def _note_killed(root: Path, database: sqlite3.Connection) -> None:
    rows = database.execute("select run_id, token, stage from runs where outcome = ?", (RUNNING,))
    for run_id, token, stage in rows.fetchall():
        if _goes_on(root, token):
            continue
        words = _killed(stage)
        database.execute(
            "update runs set outcome = ?, message = ? where run_id = ?", (KILLED, words, run_id)
        )


def _clear_locks(root: Path) -> None:
    """Remove the locks of runs that were killed, also of those that were not noted yet."""
    for path in root.glob(_lock_of(root, "*").name):
        if not _is_held(path):
            path.unlink(missing_ok=True)


def _killed(stage: str) -> str:
    return f"It was killed, or the machine stopped, {f'in stage {stage}' if stage else 'early on'}."


def runs(root: Path, limit: int = KEPT) -> list[Run]:
    """Return the runs, newest first; none where none has been noted.

    A run that was killed is told as such before the next run has noted it.
    """
    names = ", ".join(field.name for field in fields(Run))
    with _suppressed(root), _reading(root) as database:
        rows = database.execute(
            f"select token, {names} from runs order by run_id desc limit ?", (limit,)
        ).fetchall()
        return [_told(root, token, Run(*row)) for token, *row in rows]
    return []


def _told(root: Path, token: str, run: Run) -> Run:
    if run.outcome != RUNNING or _goes_on(root, token):
        return run
    values = {field.name: getattr(run, field.name) for field in fields(Run)}
    return Run(**{**values, "outcome": KILLED, "message": _killed(run.stage)})


def schedule(root: Path) -> Schedule | None:
    """Return what was last scheduled for a home."""
    with _suppressed(root), _reading(root) as database:
        row = database.execute("select cron, time_zone, since from schedule").fetchone()
        return Schedule(*row) if row else None
    return None


def keep_schedule(root: Path, cron: str, time_zone: str) -> Schedule:
    """Note what is scheduled; return it with the time since when it has been so."""
    before = schedule(root)
    if before and (before.cron, before.time_zone) == (cron, time_zone):
        return before
    now = Schedule(cron, time_zone, _now())
    with _suppressed(root), _opened(root) as database:
        database.execute("delete from schedule")
        database.execute("insert into schedule values (?, ?, ?)", (cron, time_zone, now.since))
    return now


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _lock_of(root: Path, token: str) -> Path:
    return root / f".run-{token}.lock"


def _goes_on(root: Path, token: str) -> bool:
    """Return whether the process of a run holds its lock still."""
    return _is_held(_lock_of(root, token))


def _is_held(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def _suppressed(root: Path) -> Iterator[None]:
    """Log what keeps the file from being read or written, and go on."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        logger.warning("%s cannot be used, so runs are not recorded: %s", root / FILE, error)


@contextmanager
def _reading(root: Path) -> Iterator[sqlite3.Connection]:
    """Open the file to read, also where its folder may not be written; empty if there is none."""
    if not (root / FILE).is_file():
        with closing(sqlite3.connect(":memory:")) as database:
            database.executescript(LAYOUT)
            yield database
        return
    uri = f"{(root / FILE).resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS)) as database:
        yield database


@contextmanager
def _opened(root: Path) -> Iterator[sqlite3.Connection]:
    """Open the file to write, made if it is not there; one that is damaged is set aside."""
    path = root / FILE
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as database:
            _laid_out(database)
            with database:
                yield database
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):
            aside = path.with_name(f"{FILE}.damaged")
            with suppress(OSError):
                path.replace(aside)
            logger.warning("set %s aside as %s", path, aside)
        raise


def _laid_out(database: sqlite3.Connection) -> None:
    """Lay the tables out in a new file.

    Raises:
        sqlite3.OperationalError: the file is of a later version of Segue.
    """
    database.execute("begin immediate")
    version = database.execute("pragma user_version").fetchone()[0]
    if version > VERSION:
        raise sqlite3.OperationalError(f"it is of layout {version}, this Segue writes {VERSION}")
    if version == 0:
        for statement in LAYOUT.split(";"):
            database.execute(statement)
    database.commit()
