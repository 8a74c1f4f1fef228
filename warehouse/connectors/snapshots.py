"""Snapshots of what services hold: pages come in one by one, whole files with their origin go out.

A page is written, flushed and renamed before the next is asked for, so that a fetch that was
killed goes on after the last one. Readers see a snapshot only once it is whole; what it is and how
it may be used stands beside it, and reaches the disk first.
"""

import csv
import fcntl
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from warehouse.errors import Busy, InputError
from warehouse.files.sources import ORIGIN
from warehouse.manifest import flush, sha256

Licence = Literal["open", "non-commercial", "display"]
LICENCES: tuple[Licence, ...] = ("open", "non-commercial", "display")
FOLDER = "snapshots"


@dataclass(frozen=True)
class Origin:
    """Where a snapshot is from and how it may be used.

    Args:
        service: what it was fetched from.
        url: the address, without what is secret.
        fetched_at: when what it holds was fetched, UTC, ISO 8601.
        licence: ``open`` may be learnt from and published; ``non-commercial`` where the operator
            says so; ``display`` may be shown and no more.
        terms: where that is written.
        requests: how many it took.
        rows: of the file.
        sha256: of the file; one of another hash was not yet in place when its origin was.
        state: what the next fetch compares with.
        checked_at: when it was last seen to be what the service holds.
    """

    service: str
    url: str
    fetched_at: str
    licence: Licence
    terms: str
    requests: int
    rows: int
    sha256: str
    state: Mapping[str, Any] = field(default_factory=dict)
    checked_at: str = ""


@dataclass(frozen=True)
class Fetched:
    """What became of a fetch.

    Args:
        path: of the snapshot.
        rows: that it holds.
        requests: that it took.
        changed: whether anything is new.
    """

    path: Path
    rows: int
    requests: int
    changed: bool


class Snapshot:
    """One file below the home's folder of snapshots, and the pages that it is made of."""

    def __init__(self, home: Path, service: str, who: str, file: str) -> None:
        """Name a snapshot.

        Args:
            home: Segue's home.
            service: folder of the service.
            who: whose it is, or which part; may hold whatever a name holds.
            file: its name.
        """
        self.path = home / FOLDER / service / safe(who) / file
        self._pages = self.path.with_name(f".{file}.pages")

    @property
    def origin(self) -> Origin | None:
        """What is known of the file, or none where there is none that is whole."""
        return origin(self.path) if self.path.exists() else None

    def pages(self) -> Iterator[dict[str, Any]]:
        """Yield the pages of a fetch that is not finished, in the order in which they came."""
        for path in self._page_files():
            yield json.loads(path.read_text(encoding="utf-8"))

    def last_page(self) -> dict[str, Any] | None:
        """Return the last of them."""
        files = self._page_files()
        return json.loads(files[-1].read_text(encoding="utf-8")) if files else None

    def add(self, page: Mapping[str, Any]) -> None:
        """Keep a page: it is on the disk when this returns."""
        self._pages.mkdir(parents=True, exist_ok=True)
        target = self._pages / f"{len(self._page_files()) + 1:06d}.json"
        write(target, json.dumps(page, ensure_ascii=False))

    def drop_pages(self) -> None:
        """Forget the pages of a fetch that is finished, or cannot be gone on with."""
        for path in reversed(self._page_files()):  # the last first, lest a rest looks whole
            path.unlink()
        if self._pages.is_dir():
            for path in self._pages.iterdir():
                path.unlink()
            self._pages.rmdir()

    def publish(self, content: str | Path, facts: Origin) -> None:
        """Put the whole file in place with its origin, and drop the pages.

        Args:
            content: of the file: its text, or a file that holds it.
            facts: its origin; ``sha256`` is filled in here.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        pending = self.path.with_name(f".{self.path.name}.pending")
        if isinstance(content, Path):
            shutil.copyfile(content, pending)
        else:
            pending.write_text(content, encoding="utf-8")
        flush(pending)
        known = {**asdict(facts), "sha256": sha256(pending), "checked_at": facts.fetched_at}
        before = self.origin
        if before is not None and before.sha256 == known["sha256"]:
            known["fetched_at"] = before.fetched_at  # what it holds is no newer
        write(origin_path(self.path), json.dumps(known, indent=1, ensure_ascii=False) + "\n")
        pending.replace(self.path)
        flush(self.path.parent)
        self.drop_pages()

    def touch(self, now: float, requests: int) -> None:
        """Note that nothing has changed since."""
        known = self.origin
        if known is not None:
            facts = {**asdict(known), "checked_at": moment(now), "requests": requests}
            write(origin_path(self.path), json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    def _page_files(self) -> list[Path]:
        return sorted(self._pages.glob("[0-9]*.json"))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of snapshots, so that one process at a time writes there.

    Raises:
        Busy: another process fetches the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"Another run is fetching into {folder}. Wait until it ends.") from error
        yield
    finally:
        os.close(handle)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a small file whole or not at all, flushed."""
    pending = path.with_name(f".{path.name}.pending")
    pending.touch(mode)
    pending.chmod(mode)
    pending.write_text(text, encoding="utf-8")
    flush(pending)
    pending.replace(path)
    flush(path.parent)


def safe(name: str) -> str:
    """Return a name that can be a folder's, different for different names."""
    plain = re.sub(r"[^\w.-]", lambda found: f"%{ord(found[0]):x}%", name)
    return plain if plain.strip(".") else f"%{plain}"


def moment(now: float) -> str:
    """Return seconds since 1970 as UTC in ISO 8601."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")


def as_csv(header: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV; lists are joined by semicolons, what is none is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in header])
    return out.getvalue()


def count_rows(path: Path) -> int:
    """Return the records below the header of a CSV file, whose fields may hold line ends."""
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return ";".join(str(one) for one in value)
    return int(value) if isinstance(value, bool) else value


def origin_path(path: Path) -> Path:
    """Return where the origin of a file stands, if it has one."""
    return path.with_name(path.name + ORIGIN)


def origin(path: Path) -> Origin | None:
    """Return what stands beside a file of where it is from; none for files of one's own.

    Raises:
        InputError: it cannot be read, so that nobody knows how the file may be used.
    """
    place = origin_path(path)
    if not place.exists():
        return None
    try:
        known = json.loads(place.read_text(encoding="utf-8"))
        found = Origin(**{f.name: known[f.name] for f in fields(Origin) if f.name in known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{place}: the origin of {path.name} cannot be read: {error}. Fetch it again."
        ) from error
    if found.licence not in LICENCES:
        raise InputError(
            f"{place}: expected a licence of {', '.join(LICENCES)}, got {found.licence!r}. "
            "Fetch it again."
        )
    return found


def all_origins(home: Path) -> dict[Path, Origin]:
    """Return every snapshot of a home with its origin, sorted by path."""
    places = sorted((home / FOLDER).glob(f"*/*/*{ORIGIN}"))
    files = [place.with_name(place.name.removesuffix(ORIGIN)) for place in places]
    found = {file: origin(file) for file in files if file.exists()}
    return {file: known for file, known in found.items() if known is not None}


def read_csv(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a snapshot by the names of its columns, as text."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
