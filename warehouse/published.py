"""One published build, opened once to answer everybody: a folder comes in, rows go out."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from warehouse import export
from warehouse.contracts import TABLES
from warehouse.ddl import quoted
from warehouse.errors import NothingPublished, OtherVersion
from warehouse.manifest import Manifest, load_model, read_manifest
from warehouse.site.describe import query

if TYPE_CHECKING:  # importing it takes a second, which looking a song up need not wait for
    from sklearn.pipeline import Pipeline

Row = dict[str, Any]
Made = TypeVar("Made")


class Published:
    """A build that threads may share; it is only read.

    Args:
        folder: of a published build, or a link to it; a link that moves later changes nothing.

    Raises:
        NothingPublished: the folder holds no ``segue.db``.
        OtherVersion: it was made by a version of Segue whose builds this one cannot read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.file = self.folder / export.FILE
        if not self.file.is_file():
            raise NothingPublished(f"{self.file} does not exist: run `segue build` first")
        self.closed = False
        require_known(self.folder)
        self._own = threading.local()
        self._made: dict[Callable[[Published], Any], Any] = {}
        self._making = threading.RLock()

    def close(self) -> None:
        """Forget what was read, and every thread's connection; the build answers no more."""
        self.closed = True
        self._made.clear()
        self._own = threading.local()

    def once(self, make: Callable[["Published"], Made]) -> Made:
        """Return what ``make`` returns for this build; it is called once, whoever asks.

        For what is slow to read or to count, such as vectors, and the same for all.

        Args:
            make: a function of a module: its result is found again by it.
        """
        if make not in self._made:
            with self._making:
                if make not in self._made:
                    self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    @cached_property
    def manifest(self) -> Manifest:
        """What the build is."""
        return read_manifest(self.folder)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The songs' vectors, by ``song_id``: shape ``(n_songs, n_columns)``, left on disk."""
        return self.once(_vectors)

    @property
    def encoder(self) -> "Pipeline":
        """What turns songs into vectors."""
        return self.once(_encoder)

    @property
    def database(self) -> sqlite3.Connection:
        """This thread's connection to the file."""
        found: sqlite3.Connection | None = getattr(self._own, "database", None)
        if found is None:
            found = self._own.database = export.opened(self.file)
            found.row_factory = sqlite3.Row
        return found

    def rows(self, name: str, **parameters: object) -> list[Row]:
        """Return the rows of ``warehouse/sql/queries/<name>.sql``, by the names of its columns."""
        return [dict(row) for row in self.database.execute(query(name), parameters)]


def lacking(folder: Path) -> list[str]:
    """Name the tables and columns that this version reads and a build does not have.

    A build that was made by another version may lack some.
    """
    lost: list[str] = []
    with closing(export.opened(folder / export.FILE)) as database:
        for table in TABLES:
            rows = database.execute(f"pragma table_info({quoted(table.name)})")
            there = {row[1] for row in rows}
            missing = [f"{table.name}.{name}" for name in table.schema if name not in there]
            lost += missing if there else [table.name]
    return lost


def require_known(folder: Path) -> None:
    """Raise where a build lacks what this version of Segue reads.

    Raises:
        OtherVersion: says by which version it was made, and what it lacks.
    """
    lost = lacking(folder)
    if lost:
        made_by = read_manifest(folder).code_version
        raise OtherVersion(
            f"{folder.name} was made by Segue {made_by} and lacks what this version reads: "
            f"{', '.join(lost)}. Run: segue build"
        )


def _vectors(build: Published) -> NDArray[np.float32]:
    return np.asanyarray(load_model(build.folder, "vectors", mapped=True))


def _encoder(build: Published) -> "Pipeline":
    return load_model(build.folder, "encoder")
