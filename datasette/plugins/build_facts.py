"""Tell every template which build it shows: ``manifest.json`` comes in, ``build`` goes out."""

# mypy: disable-error-code="untyped-decorator"

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from jinja2 import Environment

from warehouse.site.describe import DATABASE


@hookimpl
def prepare_jinja2_environment(env: Environment, datasette: Datasette) -> None:
    """Set ``build``, its age, and ``style``, the version of the static files, for every template.

    A build never changes once it is written, so its manifest is read once. Error pages are given
    these too, as nothing else.
    """
    static = Path(datasette.config_dir) / "static"
    files = b"".join(path.read_bytes() for path in sorted(static.iterdir()))
    env.globals["style"] = hashlib.sha256(files).hexdigest()[:8]
    env.globals["build"] = facts(Path(datasette.get_database(DATABASE).path).parent)
    env.globals["age_of"] = age
    env.filters["moment"] = moment


def facts(build: Path) -> dict[str, Any]:
    """Return ``build_id``, ``published_at`` and ``counts``, or nothing where they are not given."""
    try:
        manifest = json.loads((build / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = ("build_id", "published_at", "counts")
    return {name: manifest[name] for name in known if manifest.get(name)}


def age(published_at: str) -> str:
    """Return how old a build is, in whole days, as pages may be kept until the next is due."""
    days = (datetime.now(UTC) - datetime.fromisoformat(published_at)).days
    if days < 1:
        return "less than a day old"
    return "1 day old" if days == 1 else f"{days} days old"


def moment(published_at: str) -> str:
    """Return a time as people write it: ``21 March 2026, 03:00 UTC``."""
    at = datetime.fromisoformat(published_at).astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"
