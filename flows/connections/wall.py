"""The files that a build is given come in; those that it may learn from and publish go out.

What a service lends for display alone (Spotify's Developer Policy, III.14) never gets into a
build. A file says what it is by its origin beside it; a copy of one is known again by its bytes.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import duckdb

from warehouse.connectors.snapshots import Origin, all_origins, origin
from warehouse.ddl import quoted
from warehouse.errors import InputError
from warehouse.manifest import sha256

logger = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=str)
CSV = "read_csv(?, all_varchar = true, ignore_errors = true, null_padding = true)"
MARKED = Origin("its rows", "", "", "display", "", 0, 0, "")
WHY_DISPLAY = "{service} provides it for display only, so nothing may be learnt from it"
WHY_NON_COMMERCIAL = (
    "its licence is for non-commercial use ({terms}): set SEGUE_NONCOMMERCIAL=1 if yours is"
)


def admitted(
    files: Mapping[Kind, Sequence[Path]], home: Path, noncommercial: bool
) -> tuple[dict[Kind, list[Path]], dict[Path, Origin]]:
    """Leave out what a build may not use, and say so.

    Args:
        files: by what they are read as.
        home: whose snapshots are known.
        noncommercial: whether the operator's use is.

    Returns:
        The other files, and where they are from, of those that were fetched.

    Raises:
        InputError: no track file is left of those that were given.
    """
    lent = _by_size(home)
    known = {path: _origin(path, lent) for paths in files.values() for path in paths}
    refusals = {path: _refusal(found, noncommercial) for path, found in known.items()}
    for path, why in refusals.items():
        if why:
            logger.warning("left out %s: %s", path, why)
    kept = {kind: [path for path in paths if not refusals[path]] for kind, paths in files.items()}
    lost = [kind for kind, paths in files.items() if kind == "tracks" and paths and not kept[kind]]
    if lost:
        raise InputError(
            f"No track file is left to build from. {'; '.join({*refusals.values()} - {''})}."
        )
    return kept, {path: found for path, found in known.items() if found and not refusals[path]}


def _refusal(known: Origin | None, noncommercial: bool) -> str:
    if known is None or known.licence == "open":
        return ""
    if known.licence == "display":
        return WHY_DISPLAY.format(service=known.service)
    return "" if noncommercial else WHY_NON_COMMERCIAL.format(terms=known.terms)


def _by_size(home: Path) -> dict[int, list[Origin]]:
    """Return what the home holds that is not open, by the size of its file."""
    lent: dict[int, list[Origin]] = {}
    for path, known in all_origins(home).items():
        if known.licence != "open":
            lent.setdefault(path.stat().st_size, []).append(known)
    return lent


def _origin(path: Path, lent: Mapping[int, Sequence[Origin]]) -> Origin | None:
    """Return where a file is from, as stands beside it or beside a snapshot of the same bytes."""
    if not path.is_file():
        return None
    found = origin(path)
    if found is not None:
        return found
    like = lent.get(path.stat().st_size, ())
    same = sha256(path) if like else ""
    return next((one for one in like if one.sha256 == same), None)


def refused(path: Path, home: Path, noncommercial: bool) -> bool:
    """Whether a build may not use a file that a folder or a pattern led to, which is said."""
    why = _refusal(_origin(path, _by_size(home)), noncommercial)
    if why:
        logger.warning("left out %s: %s", path, why)
    return bool(why)


def lent_rows(path: Path, column: str) -> Origin | None:
    """Return what a file is that holds a row which says of itself that it is lent for display.

    So do the rows of what is fetched from Spotify, wherever they are copied to.
    """
    reader = "read_parquet(?)" if path.name.lower().endswith(".parquet") else CSV
    sql = f"select 1 from {reader} where {quoted(column)} = 'display' limit 1"
    with duckdb.connect() as database:
        try:
            found = database.execute(sql, [str(path)]).fetchone()
        except duckdb.Error:
            return None
    return MARKED if found else None
