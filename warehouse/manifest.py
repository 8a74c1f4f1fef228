"""What a build is: its manifest is written last, and says by hash what every file should be.

A folder comes in, facts about it go out. Models are loaded only where the manifest knows them.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypedDict

import joblib

from warehouse.errors import DamagedBuild, OtherVersion

MANIFEST = "manifest.json"
SEAL = "seal"  # in the manifest: the hash of all else in it
ADVICE = "Build again with segue build, or serve another build with segue publish NAME."


class FileFacts(TypedDict):
    """What the manifest says of one file."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a build is: made from what, how, how long it took and which files it consists of.

    Args:
        build_id: hash of sources, code and settings.
        name: name of the build's folder.
        published_at: UTC, ISO 8601.
        parameters: the settings that shape the rows.
        sources: file name to SHA-256.
        counts: songs, recommendations, rejected, families and the like.
        seconds: stage to duration.
        files: path relative to the build to its hash and size.
    """

    build_id: str
    name: str
    published_at: str
    code_version: str
    parameters: dict[str, Any]
    sources: dict[str, str]
    counts: dict[str, int]
    seconds: dict[str, float]
    peak_memory_mb: float
    files: dict[str, FileFacts]

    def to_json(self) -> str:
        """Return the manifest as JSON, stages in the order in which they ran, and its seal."""
        values = asdict(self)
        return json.dumps({**values, SEAL: _seal(values)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Return the manifest that ``to_json`` wrote; fields it does not know are left out.

        Raises:
            DamagedBuild: the text is not JSON, fields are missing or of another kind, or it is
                not as it was sealed.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise DamagedBuild(f"expected JSON, got: {error}") from error
        breaches = _manifest_breaches(values)
        if breaches:
            raise DamagedBuild("; ".join(breaches))
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def _seal(values: dict[str, Any]) -> str:
    """Return the hash by which a manifest tells that it is as it was written."""
    rest = {name: value for name, value in values.items() if name != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _manifest_breaches(values: object) -> list[str]:
    if not isinstance(values, dict):
        return [f"expected an object, got {type(values).__name__}"]
    kinds: dict[str, tuple[type, ...]] = {
        "parameters": (dict,),
        "sources": (dict,),
        "counts": (dict,),
        "seconds": (dict,),
        "peak_memory_mb": (int, float),
        "files": (dict,),
    }
    breaches = []
    for name in (field.name for field in fields(Manifest)):
        kind = kinds.get(name, (str,))
        if name not in values:
            breaches.append(f"{name} is missing")
        elif not isinstance(values[name], kind):
            breaches.append(
                f"{name} is {type(values[name]).__name__}, expected {kind[-1].__name__}"
            )
    files = values.get("files")
    facts = files.values() if isinstance(files, dict) else ()
    if not all(isinstance(f, dict) and f.keys() >= {"sha256", "bytes"} for f in facts):
        breaches.append("files has an entry without sha256 or bytes")
    if SEAL in values and values[SEAL] != _seal(values):  # earlier versions sealed nothing
        breaches.append("it has been changed since it was sealed")
    return breaches


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_facts(build: Path) -> dict[str, FileFacts]:
    """Return hash and size of every file of a build but its manifest, sorted by path."""
    paths = sorted(p for p in build.rglob("*") if p.is_file() and p != build / MANIFEST)
    return {
        p.relative_to(build).as_posix(): FileFacts(sha256=sha256(p), bytes=p.stat().st_size)
        for p in paths
    }


def write_manifest(build: Path, manifest: Manifest) -> Path:
    """Make a build complete: its files reach the disk first, its manifest last and whole."""
    for path in sorted(build.rglob("*")):
        flush(path)
    pending = build / f".{MANIFEST}.pending"
    pending.write_text(manifest.to_json(), encoding="utf-8")
    flush(pending)
    target = pending.replace(build / MANIFEST)
    flush(build)
    flush(build.parent)
    return target


def flush(path: Path) -> None:
    """Wait until a file or a folder has reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def damage(build: Path, hashes: bool = True) -> list[str]:
    """Say what of a build is not as its manifest says; an empty list where it is whole.

    Sizes are compared first, as they cost nothing; only where all are right is every file hashed,
    a gigabyte in about a second. Without ``hashes`` that is left out.
    """
    try:
        files = read_manifest(build).files
    except DamagedBuild as error:
        return [str(error)]
    wrong = [words for name, facts in files.items() if (words := _wrong_size(build / name, facts))]
    if wrong or not hashes:
        return wrong
    return [words for name, facts in files.items() if (words := _wrong_hash(build / name, facts))]


def _wrong_size(path: Path, facts: FileFacts) -> str:
    if not path.is_file():
        return f"{path} is missing"
    size = path.stat().st_size
    return "" if size == facts["bytes"] else f"{path} has {size:,} bytes of {facts['bytes']:,}"


def _wrong_hash(path: Path, facts: FileFacts) -> str:
    try:
        same = sha256(path) == facts["sha256"]
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return "" if same else f"{path} is not the file that was published: its hash differs"


def read_manifest(build: Path) -> Manifest:
    """Return the manifest of a build.

    Raises:
        DamagedBuild: it is missing or cannot be read; says why and what to do.
    """
    path = build / MANIFEST
    try:
        return Manifest.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedBuild(f"Cannot read {path}: {error}. {ADVICE}") from error
    except DamagedBuild as error:
        raise DamagedBuild(f"{path} is not a manifest: {error}. {ADVICE}") from error


def load_model(build: Path, name: str, mapped: bool = False) -> Any:
    """Return the model in ``models/<name>.joblib``, if it is the one that the build wrote.

    A joblib file runs code when it is loaded, so only a file whose hash stands in the manifest
    is. The hash is taken from the same open file that is then loaded.

    Args:
        build: folder of a published build.
        name: of the model.
        mapped: leave its arrays on disk until they are read, and read-only.

    Raises:
        DamagedBuild: the file is missing, not in the manifest, or has another hash.
        OtherVersion: it was written by a version of Segue whose models this one cannot load.
    """
    relative = f"models/{name}.joblib"
    manifest = read_manifest(build)
    facts = manifest.files.get(relative)
    expected = facts["sha256"] if facts else "none in the manifest"
    try:
        with (build / relative).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found == expected:
                file.seek(0)
                # joblib maps only what it opens by name: this one is of the open file.
                place = f"/dev/fd/{file.fileno()}" if mapped else file
                model: Any = joblib.load(place, mmap_mode="r" if mapped else None)
                return model
    except FileNotFoundError:
        found = "no file"
    except (ImportError, AttributeError) as error:  # what a class that has moved looks like
        raise OtherVersion(
            f"{build / relative} was written by Segue {manifest.code_version} and cannot be "
            f"loaded by this one: {error}. Run: segue build"
        ) from error
    raise DamagedBuild(
        f"Did not load {build / relative}: expected SHA-256 {expected}, found {found}. {ADVICE}"
    )
