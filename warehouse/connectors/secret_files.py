"""What lets somebody in at a service: kept in the home, for its owner's eyes alone."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from warehouse.connectors.snapshots import write

FOLDER = "secrets"
CONSENT_SECONDS = 182 * 86_400  # six months from consent a refresh token ends, however it was used


@dataclass(frozen=True)
class Tokens:
    """What Spotify gave for a consent.

    Args:
        client_id: of the application that it was given to.
        user_id: of whom.
        scope: what was agreed to, separated by blanks.
        refresh_token: for new access tokens, until six months after ``consented_at``.
        access_token: for requests, until ``expires_at``.
        consented_at: seconds since 1970.
    """

    client_id: str
    user_id: str
    scope: str
    refresh_token: str
    access_token: str
    expires_at: float
    consented_at: float

    @property
    def ends_at(self) -> float:
        """When the person has to agree anew."""
        return self.consented_at + CONSENT_SECONDS


class TokenFile:
    """The file of the tokens of a service, readable by its owner alone."""

    def __init__(self, home: Path, service: str) -> None:
        self.path = home / FOLDER / f"{service}.json"

    def read(self) -> Tokens | None:
        """Return what is kept, or none where nothing is, or nothing that can be read."""
        try:
            known: Mapping[str, object] = json.loads(self.path.read_text(encoding="utf-8"))
            return Tokens(**known)  # type: ignore[arg-type]
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, tokens: Tokens) -> None:
        """Put tokens in place of those that are kept."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.parent.chmod(0o700)
        write(self.path, json.dumps(asdict(tokens)), mode=0o600)

    def forget(self) -> None:
        """Remove what is kept."""
        self.path.unlink(missing_ok=True)
