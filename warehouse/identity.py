"""Tell builds apart: sources, code and settings come in, one hash goes out.

Equal hashes mean equal rows, so a build that has the hash of the one served need not be made.
"""

import hashlib
import json
import platform
import sqlite3
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOMS = ("flows", "transforms", "models", "warehouse")
LIBRARIES = (
    "duckdb",
    "numpy",
    "polars",
    "pyarrow",
    "rapidfuzz",
    "scikit-learn",
    "scipy",
    "wordllama",
)


@cache
def code_version() -> str:
    """Return Segue's version and a hash of its code and of the libraries that shape the rows."""
    digest = hashlib.sha256()
    top = Path(__file__).parent.parent
    for path in sorted(p for room in ROOMS for p in (top / room).rglob("*")):
        if path.suffix in {".py", ".sql"}:
            digest.update(f"{path.relative_to(top)}\0".encode() + path.read_bytes() + b"\0")
    for name in LIBRARIES:
        digest.update(f"{name}=={version(name)}\n".encode())
    digest.update(f"{platform.python_version()} {sqlite3.sqlite_version}".encode())
    return f"{version('segue')}+{digest.hexdigest()[:12]}"


def build_id(sources: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """Return the 12 hexadecimal digits that name a build.

    Args:
        sources: kind and name of a file to its SHA-256, in the order given, which decides between
            equal values.
        parameters: the settings that shape the rows.
    """
    what = {"code": code_version(), "parameters": parameters, "sources": list(sources.items())}
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
