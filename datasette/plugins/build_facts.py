"""Tell every template which build it shows: ``manifest.json`` comes in, ``build`` goes out."""

# mypy: disable-error-code="untyped-decorator"

import hashlib
import json
from pathlib import Path
from typing import Any

from datasette.app import Datasette
from datasette.hookspecs import hookimpl
from jinja2 import Environment

from warehouse.describe import DATABASE


@hookimpl
def prepare_jinja2_environment(env: Environment, datasette: Datasette) -> None:
    """Set ``build`` and ``style``, the version of the style sheet, for error pages as well.

    A build never changes once it is written, so its manifest is read once.
    """
    env.globals["build"] = facts(Path(datasette.get_database(DATABASE).path).parent)
    style = Path(datasette.config_dir) / "static" / "segue.css"
    env.globals["style"] = hashlib.sha256(style.read_bytes()).hexdigest()[:8]


def facts(build: Path) -> dict[str, Any]:
    """Return ``build_id``, ``published_at`` and ``counts``, or nothing where they are not given."""
    try:
        manifest = json.loads((build / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = ("build_id", "published_at", "counts")
    return {name: manifest[name] for name in known if manifest.get(name)}
