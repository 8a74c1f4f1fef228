"""A finished build folder comes in; it becomes, in one step, the one that readers see.

Everything lies below one ``Home``. Whoever changes it holds its lock; readers need none, since
``current`` is a link that moves by a rename and a build is never edited once it has a manifest.
"""

import fcntl
import json
import logging
import os
import re
import shutil
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from warehouse.choices import CHURN, read_choices
from warehouse.choices import FILE as CHOICES
from warehouse.errors import Busy, DamagedBuild, InputError, NothingPublished
from warehouse.manifest import (
    ADVICE,
    MANIFEST,
    Manifest,
    damage,
    flush,
    read_manifest,
)

logger = logging.getLogger(__name__)

STAMP = "%Y%m%dT%H%M%SZ"
BUILD_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9A-Za-z]+")


@dataclass(frozen=True)
class Home:
    """The folder that holds the warehouse, the builds and the link to the one served."""

    root: Path

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of the last build."""
        return self.root / "warehouse.duckdb"

    @property
    def pending_warehouse(self) -> Path:
        """The DuckDB file that a running build writes; renamed when it is whole."""
        return self.root / ".warehouse.pending.duckdb"

    @property
    def builds(self) -> Path:
        """The folder of all builds, one folder each."""
        return self.root / "builds"

    @property
    def current(self) -> Path:
        """The link to the build that is served."""
        return self.root / "current"

    @property
    def pending_current(self) -> Path:
        """The link that is about to be renamed to ``current``."""
        return self.root / ".current.pending"

    @property
    def lock(self) -> Path:
        """The file whose lock the running build holds; the text in it only informs."""
        return self.root / ".lock"

    @property
    def schedule_lock(self) -> Path:
        """The file whose lock the schedule of this home holds."""
        return self.root / ".schedule.lock"


@contextmanager
def held(home: Home, purpose: str = "build", file: Path | None = None) -> Iterator[None]:
    """Hold the home's lock while the body runs; create the home if it is not there.

    The operating system's lock decides, so it goes with the process however that ends. The text
    in the file says who holds it and is never trusted: a stale one blocks nobody. The file stays,
    because deleting it would let two runs lock two different files of the same name.

    Args:
        home: created if it is not there.
        purpose: for whoever finds it locked.
        file: whose lock is held; the home's own unless given.

    Raises:
        Busy: another run holds it; says which, since when and what to do.
        InputError: the home cannot be made or written.
    """
    lock = file or home.lock
    handle = _opened_lock(home, lock)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise Busy(_who_holds(lock)) from taken
        _sign(handle, purpose)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _opened_lock(home: Home, lock: Path) -> int:
    try:
        home.builds.mkdir(parents=True, exist_ok=True)
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(
            f"Expected a writable folder at {home.root}, got: {error.strerror}. "
            "Fix it, or name another with --home or SEGUE_HOME."
        ) from error


def _sign(handle: int, purpose: str) -> None:
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "purpose": purpose,
    }
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(holder).encode(), 0)


def _who_holds(lock: Path) -> str:
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        who = "{purpose}, process {pid} on {host}, since {since}".format(**holder)
    except (OSError, ValueError, KeyError, TypeError):
        who = "one that has not yet said who it is"
    return f"Another run holds {lock}: {who}. Wait until it ends, or stop that process."


def heal(home: Home) -> list[str]:
    """Remove what an interrupted run left behind; the caller holds the lock.

    Only folders that are named like a build are touched, and never the one that is served.

    Returns:
        The removed paths, relative to the home, sorted.
    """
    served = _current_name(home)
    leftovers = [
        *(b for b in _build_folders(home) if not (b / MANIFEST).exists() and b.name != served),
        *home.root.glob(f"{home.pending_warehouse.name}*"),  # with its .wal and its .tmp folder
        *(link for link in [home.pending_current] if link.is_symlink()),
        *home.root.glob(f".{CHOICES}.pending"),
    ]
    for path in leftovers:
        _remove(path)
    removed = sorted(str(path.relative_to(home.root)) for path in leftovers)
    if removed:
        logger.info("removed what an interrupted run left: %s", ", ".join(removed))
    return removed


def clear_pending_warehouse(home: Home) -> None:
    """Remove the pending warehouse, its log and its spill folder; the caller holds the lock."""
    for path in home.root.glob(f"{home.pending_warehouse.name}*"):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _build_folders(home: Home) -> list[Path]:
    if not home.builds.is_dir():
        return []
    return sorted(b for b in home.builds.iterdir() if BUILD_NAME.fullmatch(b.name) and b.is_dir())


def _current_name(home: Home) -> str | None:
    return home.current.readlink().name if home.current.is_symlink() else None


def build_name(now: datetime, build_id: str, taken: Iterable[str] = ()) -> str:
    """Name a build ``<UTC stamp>-<short hash>``, later than every name in ``taken``.

    Where the clock has not moved on since the newest build, or went back, the stamp is the
    second after that build's. So names never collide and their order is the order of building.

    Args:
        now: with a time zone.
        build_id: hash of sources, code and settings; its first 12 characters are used.
        taken: names of the builds that are there.
    """
    stamp = now.astimezone(UTC).replace(microsecond=0)
    newest = max((name.partition("-")[0] for name in taken), default="")
    if newest >= stamp.strftime(STAMP):
        stamp = datetime.strptime(newest, STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
    return f"{stamp.strftime(STAMP)}-{build_id[:12]}"


def new_build(home: Home, now: datetime, build_id: str) -> Path:
    """Make the empty folder of a new build; the caller holds the lock."""
    folder = home.builds / build_name(now, build_id, [b.name for b in _build_folders(home)])
    folder.mkdir(parents=True)
    return folder


def promote(home: Home, name: str) -> str | None:
    """Point ``current`` at a build and return the name of the build that it pointed at before.

    The link is replaced by a rename, so a reader sees the old build or the new one and never
    neither. Rolling back is the same call with an older build. The caller holds the lock.

    Raises:
        InputError: there is no such build, or ``current`` is not a link.
        DamagedBuild: it is not as its manifest says.
    """
    build = home.builds / name
    if not BUILD_NAME.fullmatch(name) or not build.is_dir():
        there = ", ".join(b.name for b in _build_folders(home)) or "none"
        raise InputError(f"There is no build {name} in {home.builds}. There is: {there}.")
    if home.current.exists() and not home.current.is_symlink():
        raise InputError(f"Expected a link at {home.current}, got a file or folder: move it away.")
    wrong = damage(build)
    if wrong:
        raise DamagedBuild(f"{name} is not whole: {'; '.join(wrong)}. {ADVICE}")
    previous = _current_name(home)
    home.pending_current.unlink(missing_ok=True)
    home.pending_current.symlink_to(build.relative_to(home.root), target_is_directory=True)
    home.pending_current.replace(home.current)
    flush(home.root)
    return previous


def published(home: Home) -> Path:
    """Return the folder of the build that is served, resolved, so that it stays the same build.

    Raises:
        NothingPublished: nothing has been published, or the build or the link to it is gone.
    """
    try:
        return home.current.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NothingPublished(_why_nothing(home)) from error


def _why_nothing(home: Home) -> str:
    there = [folder.name for folder in _complete(home)]
    if not home.current.is_symlink() and not there:
        return f"Nothing is published in {home.root} yet. Run: segue build"
    lost = (
        f"{home.current} points to {home.current.readlink()}, which is gone"
        if home.current.is_symlink()
        else f"{home.current}, the link to the build that is served, is gone"
    )
    others = f", or segue publish {there[-1]} to serve the newest build there" if there else ""
    return f"{lost}. Run: segue build{others}."


def builds(home: Home) -> list[Manifest]:
    """Return the manifests of all complete builds, newest last.

    A build whose manifest cannot be read is left out with a warning.
    """
    manifests = []
    for folder in _complete(home):
        try:
            manifests.append(read_manifest(folder))
        except DamagedBuild as error:
            logger.warning("left out a build: %s", error)
    return manifests


def _complete(home: Home) -> list[Path]:
    return [folder for folder in _build_folders(home) if (folder / MANIFEST).exists()]


def expired(names: Iterable[str], kept: Collection[str], keep: int) -> list[str]:
    """Name the builds to delete: all but the newest ``keep`` of those that are not kept anyway.

    Args:
        names: of all complete builds.
        kept: those that stay and do not count: served, pinned, waiting to be published.
        keep: how many of the others stay.

    Raises:
        ValueError: ``keep`` is less than 1.
    """
    if keep < 1:
        raise ValueError(f"keep={keep}: expected at least 1")
    return [name for name in sorted(names) if name not in kept][:-keep]


def prune(home: Home, keep: int) -> list[str]:
    """Delete all builds but the newest ``keep`` and those that stay anyway; return their names.

    What stays anyway is served, pinned, waiting to be published, or open in a site. The manifest
    goes first, so that an interrupted deletion leaves an incomplete build, which ``heal`` removes,
    and never one that looks whole. The caller holds the lock.
    """
    choices = read_choices(home.root)
    waiting = {hold.build for hold in choices.held if hold.kind == CHURN}
    kept = {*choices.pinned, *waiting, _current_name(home) or ""}
    candidates = expired([b.name for b in _complete(home)], kept, keep)
    gone = [name for name in candidates if _deleted(home.builds / name)]
    if gone:
        logger.info("deleted %d expired builds: %s", len(gone), ", ".join(gone))
    return gone


def _deleted(folder: Path) -> bool:
    """Delete a build, unless somebody has it open, who holds a lock on its manifest."""
    with (folder / MANIFEST).open("rb") as manifest:
        with suppress(OSError):  # a file system without locks has nobody's
            try:
                fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logger.info("kept %s, which is open in another process", folder.name)
                return False
        (folder / MANIFEST).unlink()
        flush(folder)
    shutil.rmtree(folder)
    return True


def leased(build: Path) -> int:
    """Keep a build from being pruned while it is open; return the handle that does, to close.

    The lock is shared and the operating system's: it goes with the process, however that ends.

    Raises:
        NothingPublished: the build is gone, or being deleted at this moment: look again for the
            one that is served.
    """
    try:
        handle = os.open(build / MANIFEST, os.O_RDONLY)
    except OSError as error:
        raise NothingPublished(f"{build / MANIFEST} cannot be opened: {error.strerror}.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise NothingPublished(f"{build} is being deleted.") from error
    except OSError as error:
        logger.info("no lock on %s, which pruning may delete: %s", build.name, error)
    return handle
