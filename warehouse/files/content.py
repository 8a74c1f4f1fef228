"""Open what holds a table, packed or not: a file or bytes come in, plain bytes go out."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from warehouse.errors import InputError

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
}
PACKED = (".gz", ".zst", ".zstd", ".zip", ".bz2", ".xz")
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")


@dataclass(frozen=True, slots=True)
class Content:
    """What is read: a file, a part of one (a table, a member of an archive), or bytes at hand."""

    path: Path
    part: str = ""
    data: bytes | None = None

    @classmethod
    def at(cls, path: Path) -> "Content":
        """Return what a path names; ``songs.db::tracks`` is the table of a database."""
        file, mark, part = str(path).rpartition("::")
        return cls(Path(file), part) if mark and not path.exists() else cls(path)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.path}::{self.part}" if self.part else str(self.path)

    @property
    def ending(self) -> str:
        """The ending that says what it is, without those of packers: ``.csv``; of bytes, none."""
        if self.data is not None:
            return ""
        name = (self.part if self.packing == "zip" and self.part else self.path.name).lower()
        while name.endswith(PACKED):
            name = name[: name.rindex(".")]
        dot = name.rfind(".")
        return name[dot:] if dot > 0 else ""

    @property
    def packing(self) -> str:
        """How it is packed, by its first bytes; a workbook is a zip too, and read as it is."""
        if self.path.name.lower().endswith(WORKBOOKS):
            return ""
        start = self.data[:6] if self.data is not None else _start(self.path)
        return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), "")

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Open it to read its plain bytes.

        Raises:
            InputError: an archive has no such part.
        """
        raw: IO[bytes] = self.path.open("rb") if self.data is None else io.BytesIO(self.data)
        with raw, _unpacked(raw, self) as plain:
            yield plain

    def plain(self) -> bytes:
        """Return all of its plain bytes."""
        with self.opened() as stream:
            return stream.read()


def members(path: Path) -> list[str]:
    """Return the names of the files in a zip archive, without folders and hidden ones."""
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    return [name for name in names if not Path(name).name.startswith((".", "__MACOSX"))]


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(6)


@contextmanager
def _unpacked(raw: IO[bytes], content: Content) -> Iterator[IO[bytes]]:
    packing = content.packing
    if packing == "zip":
        with zipfile.ZipFile(raw) as archive:
            try:
                member = archive.open(content.part or archive.namelist()[0])
            except (KeyError, IndexError, RuntimeError) as error:
                raise InputError(f"{content.name}: {error}. Unpack it first.") from error
            with member:
                yield member
    elif packing == "zstd":
        with pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd") as stream:
            yield cast(IO[bytes], stream)
    elif packing == "gzip":
        yield cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    elif packing == "bzip2":
        yield cast(IO[bytes], bz2.BZ2File(raw))
    elif packing == "xz":
        with lzma.LZMAFile(raw) as plain:
            yield cast(IO[bytes], plain)
    else:
        yield raw
