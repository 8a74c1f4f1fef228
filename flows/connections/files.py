"""Connections that are named in the settings come in; the snapshots that a build reads go out.

Nothing here opens a connection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from warehouse.connectors.snapshots import FOLDER, Origin, all_origins, safe
from warehouse.errors import InputError

Kind = Literal["tracks", "genres", "playlists", "ratings", "mbids"]

SERVICES = ("listenbrainz", "musicbrainz", "subsonic", "spotify")
# Which file of a service's snapshots is read as what.
FILES: dict[str, Kind] = {
    "tracks.csv": "tracks",
    "genres.csv": "genres",
    "sessions.csv": "playlists",
    "playlists.csv": "playlists",
    "ratings.csv": "ratings",
    "mbids.csv": "mbids",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """One service and whose part of it: ``listenbrainz:rob`` or ``subsonic``."""

    service: str
    who: str = ""

    def __str__(self) -> str:
        return f"{self.service}:{self.who}" if self.who else self.service

    def folder(self, home: Path) -> Path:
        """Where its snapshots lie."""
        who = self.who.removesuffix("-slowly") if self.service == "musicbrainz" else self.who
        return home / FOLDER / self.service / safe(who or "all")


def connection(text: str) -> Connection:
    """Read a connection as settings and commands name it.

    Raises:
        InputError: names the services that there are.
    """
    service, _, who = text.strip().partition(":")
    if service not in SERVICES:
        raise InputError(
            f"Expected a connection such as listenbrainz:NAME, of {', '.join(SERVICES)}; "
            f"got {text!r}."
        )
    return Connection(service, who)


def snapshots(home: Path, connections: Sequence[str]) -> dict[Kind, list[Path]]:
    """Return what was fetched by connections, by what it is read as; what holds no row is left out.

    Args:
        home: Segue's home.
        connections: as the settings name them.
    """
    there = all_origins(home)
    found: dict[Kind, list[Path]] = {}
    for one in connections:
        folder = connection(one).folder(home)
        for name, kind in FILES.items():
            known = there.get(folder / name)
            if known is not None and known.rows:
                found.setdefault(kind, []).append(folder / name)
    return found


def origins(home: Path) -> dict[str, Origin]:
    """Return what was fetched, by service, person and file, as ``segue status`` lists it."""
    return {
        path.relative_to(home / FOLDER).as_posix(): known
        for path, known in all_origins(home).items()
    }
