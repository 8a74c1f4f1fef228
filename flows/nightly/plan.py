"""Plan a build: settings come in, a plan with recognised sources goes out."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from flows.connections.files import snapshots
from flows.connections.wall import admitted, lent_rows, refused
from flows.settings import Settings
from warehouse import release
from warehouse.connectors.snapshots import FOLDER, Origin, origin
from warehouse.demo import files as demo
from warehouse.errors import InputError, SegueError
from warehouse.files import sources
from warehouse.files.columns import chosen_columns
from warehouse.files.content import Content
from warehouse.files.sources import Kind, Source, spread
from warehouse.identity import build_id
from warehouse.manifest import Manifest, read_manifest, sha256

Stamp = tuple[int, int, int] | None
# What a full disk or a lost mount looks like from Python, DuckDB and SQLite.
IO_ERRORS = (OSError, duckdb.OperationalError, duckdb.FatalException, sqlite3.OperationalError)


@dataclass(frozen=True)
class Fetched:
    """A snapshot that is read by other means than a file of one's own."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class Plan:
    """What a build will be made from, and where.

    Args:
        settings: as the run was asked for.
        sources: the recognised files in the order given, tracks before signals.
        build_id: hash of sources, code and settings.
        stamps: of each source, before it was hashed.
        origins: where a source was fetched from, by its name.
        mbids: which recordings songs are.
        folder: the build's folder; none until it is made.
    """

    settings: Settings
    sources: tuple[Source, ...]
    build_id: str
    stamps: tuple[Stamp, ...]
    origins: Mapping[str, Origin] = field(default_factory=dict)
    mbids: tuple[Fetched, ...] = ()
    folder: Path | None = None

    @property
    def home(self) -> release.Home:
        """Where warehouse and builds live."""
        return release.Home(self.settings.home)

    @property
    def build(self) -> Path:
        """The build's folder, once it is made."""
        if self.folder is None:
            raise ValueError("the build has no folder yet: call begin")
        return self.folder

    @property
    def tracks(self) -> list[Source]:
        """The files of the catalogue."""
        return [source for source in self.sources if source.kind == "tracks"]

    @property
    def signals(self) -> list[Source]:
        """The files with everything else known about songs and artists."""
        return [source for source in self.sources if source.kind != "tracks"]

    @property
    def source_hashes(self) -> dict[str, str]:
        """File name to SHA-256, in the order given."""
        read = {source.name: source.sha256 for source in self.sources}
        return read | {source.name: source.sha256 for source in self.mbids}

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings that shape the rows."""
        return _parameters(self.settings)


def _parameters(settings: Settings) -> dict[str, Any]:
    names = {"neighbours", "max_rejected_share", "max_variance_share", "row_count_tolerance"}
    names |= {"held_out_share", "hub_cap", "evaluation_tolerance", "engine", "min_recall"}
    if settings.map:
        names |= {"map"}
    return settings.model_dump(mode="json", include=names)


def planned(settings: Settings) -> Plan:
    """Recognise the files, or write the demo catalogue, and name the build.

    Raises:
        InputError: a file cannot be used.
    """
    files, fetched = admitted(_files(settings), settings.home, settings.noncommercial)
    tracks = files.pop("tracks")
    mbids = _named(settings.home, snapshots(settings.home, settings.connections).get("mbids", ()))
    given = [one for paths in (tracks, *files.values()) for path in paths for one in spread(path)]
    before = {path: stamp(path) for path in (Content.at(one).path for one in given)}
    opened = sources.opened(tracks, files, chosen_columns(settings.map))
    found = [one for one in opened if not _refused(settings, one)]
    if not any(one.kind == "tracks" for one in found):
        raise InputError("No track file is left to build from: the log says why each was left out.")
    stamps = tuple(before[source.path] for source in found)
    origins = {one.name: fetched[one.path] for one in found if one.path in fetched}
    origins |= {one.name: known for one in found if (known := _marked(one))}
    origins |= {one.name: known for one in mbids if (known := origin(one.path))}
    hashes = {f"{source.kind} {source.name}": source.sha256 for source in found}
    hashes |= {f"mbids {one.name}": one.sha256 for one in mbids}
    hashes |= {f"origin {name}": " ".join(_facts(known)) for name, known in origins.items()}
    parameters = _parameters(settings)
    return Plan(settings, tuple(found), build_id(hashes, parameters), stamps, origins, mbids)


def _refused(settings: Settings, source: Source) -> bool:
    return source.path.is_file() and refused(source.path, settings.home, settings.noncommercial)


def _marked(source: Source) -> Origin | None:
    """Return what a file's own rows say of it, where it has a column for that."""
    columns = [use.column for use in source.uses if use.column.strip().lower() == "licence"]
    return lent_rows(source.path, columns[0]) if columns and source.path.is_file() else None


def _named(home: Path, paths: Sequence[Path]) -> tuple[Fetched, ...]:
    """Return snapshots by what they are called below the folder of all."""
    names = [path.relative_to(home / FOLDER).as_posix() for path in paths]
    return tuple(Fetched(n, path, sha256(path)) for n, path in zip(names, paths, strict=True))


def _facts(known: Origin) -> tuple[str, str, str]:
    """Return what a build says of where a source is from."""
    return known.licence, known.url, known.fetched_at


def _files(settings: Settings) -> dict[Kind, Sequence[Path]]:
    """Return the files by what they are read as, with what was fetched by the connections.

    A library that was fetched is the catalogue where no other is given. The demo's own signals go
    with its songs alone.
    """
    given: dict[Kind, Sequence[Path]] = {
        "tracks": settings.tracks,
        "genres": settings.genres,
        "playlists": settings.playlists,
        "ratings": settings.ratings,
    }
    fetched = snapshots(settings.home, settings.connections)
    if not settings.tracks:
        given["tracks"] = fetched.get("tracks", ())
    if not given["tracks"]:
        made = _demo(settings.home)
        given = {kind: files or getattr(made, kind) for kind, files in given.items()}
    return {
        kind: [*files, *(fetched.get(kind, ()) if kind != "tracks" else ())]
        for kind, files in given.items()
    }


def stamp(path: Path) -> Stamp:
    """Return what changes when a file is written or replaced; None if there is no file."""
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _demo(home: Path) -> demo.Demo:
    """Write the demo beside its final place and move it there, as another run may read it."""
    folder = home / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".pending-") as pending:
        made = demo.write_demo(Path(pending))
        kinds = {one.name: getattr(made, one.name) for one in fields(made)}
        moved = {
            kind: [path.replace(folder / path.name) for path in paths]
            for kind, paths in kinds.items()
        }
        return demo.Demo(**moved)


def up_to_date(plan: Plan) -> Manifest | None:
    """Return the manifest of the build being served if it is the planned one."""
    served = last_build(plan.home)
    if served is None:
        return None
    manifest = read_manifest(served)
    return manifest if manifest.build_id == plan.build_id else None


def last_build(home: release.Home) -> Path | None:
    """Return the folder of the build that is served, or none before the first."""
    return home.current.resolve() if home.current.exists() else None


@contextmanager
def held(home: release.Home) -> Iterator[None]:
    """Hold the home's lock; if a disk fails, remove what was half done and say so.

    Raises:
        Busy: another run holds the lock.
        SegueError: reading or writing failed; says why.
    """
    with release.held(home):
        try:
            yield
        except IO_ERRORS as error:
            with suppress(OSError):
                release.heal(home)
            raise SegueError(
                f"Could not read or write: {error}\nNothing was published; what was published "
                f"before is untouched. Is the disk of {home.root} full or disconnected?"
            ) from error


def begin(plan: Plan) -> Plan:
    """Clear what an interrupted run left and make the build's folder; the lock is held."""
    release.heal(plan.home)
    return replace(plan, folder=release.new_build(plan.home, datetime.now(UTC), plan.build_id))
