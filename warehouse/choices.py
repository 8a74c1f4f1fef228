"""What an operator decided about builds: a home comes in, its ``choices.json`` goes out.

A build that is held is not published by itself; one that is pinned is not pruned. The file is
replaced whole, so a killed command leaves the old or the new one.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from warehouse.errors import InputError
from warehouse.manifest import flush

FILE = "choices.json"
ROLLED_BACK, CHURN = "rolled back", "churn"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a build is not published by itself.

    Args:
        build_id: of what is held: the same sources, code and settings make it again.
        build: name of the folder it was made in.
        kind: ``rolled back`` by somebody, or waiting as too many lists changed (``churn``).
        reason: in words.
        since: UTC, ISO 8601.
    """

    build_id: str
    build: str
    kind: str
    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class Choices:
    """All that was decided; ``pinned`` are names of builds, sorted."""

    held: tuple[Hold, ...] = ()
    pinned: tuple[str, ...] = field(default=())

    def hold_on(self, build_id: str) -> Hold | None:
        """Return why a build is held, or nothing where it is not."""
        return next((hold for hold in self.held if hold.build_id == build_id), None)

    def holding(self, build_id: str, build: str, kind: str, reason: str) -> "Choices":
        """Return the choices with one build more that is held."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        hold = Hold(build_id, build, kind, reason, since)
        return replace(self, held=(*self.lifting(build_id).held, hold))

    def lifting(self, build_id: str) -> "Choices":
        """Return the choices without a hold on a build."""
        return replace(self, held=tuple(h for h in self.held if h.build_id != build_id))

    def pinning(self, name: str, pinned: bool = True) -> "Choices":
        """Return the choices with a build pinned, or no longer so."""
        others = {other for other in self.pinned if other != name}
        return replace(self, pinned=tuple(sorted(others | ({name} if pinned else set()))))


def read_choices(root: Path) -> Choices:
    """Return what was decided for a home.

    Raises:
        InputError: the file is there and cannot be read. It is not passed over, because what was
            rolled back would be published again.
    """
    path = root / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return _choices(values)
    except FileNotFoundError:
        return Choices()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read: {error}. It says which builds are held back and pinned: "
            "repair it, or delete it to let everything be published and pruned again."
        ) from error


def _choices(values: dict[str, Any]) -> Choices:
    return Choices(
        held=tuple(Hold(**hold) for hold in values["held"]),
        pinned=tuple(str(name) for name in values["pinned"]),
    )


def write_choices(root: Path, choices: Choices) -> None:
    """Replace what was decided; the caller holds the home's lock."""
    pending = root / f".{FILE}.pending"
    pending.write_text(json.dumps(asdict(choices), indent=2) + "\n", encoding="utf-8")
    flush(pending)
    pending.replace(root / FILE)
    flush(root)
