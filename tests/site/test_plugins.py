"""What plugins may import of ours: they lay out what the site hands them, and reach no further."""

import ast
from pathlib import Path

import pytest

PLUGINS = sorted((Path(__file__).parents[2] / "datasette" / "plugins").glob("*.py"))
ROOMS = {"flows", "models", "transforms", "warehouse", "tests"}
ALLOWED = {
    "models.search",
    "warehouse",
    "warehouse.contracts",
    "warehouse.errors",
    "warehouse.export",
    "warehouse.files.dialects",
    "warehouse.search.index",
    "warehouse.site",
    "warehouse.site.describe",
}
SERVERS = {"httpx", "requests", "socket", "urllib.request", "uvicorn", "fastapi"}


def imported(path):
    """Return the modules that a file names in its imports, wherever they stand in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "Datasette loads each plugin by itself"
            yield node.module


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_a_plugin_imports_of_ours_what_it_may(path):
    names = set(imported(path))
    ours = {name for name in names if name.partition(".")[0] in ROOMS}
    assert ours <= ALLOWED
    assert not names & {other.stem for other in PLUGINS} - {"search"}
    assert not names & SERVERS


def test_nothing_is_allowed_that_no_plugin_imports():
    assert {name for path in PLUGINS for name in imported(path)} >= ALLOWED
