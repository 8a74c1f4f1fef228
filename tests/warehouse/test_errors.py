"""Every error that Segue raises on purpose is declared in one file, with an exit code."""

import ast
from pathlib import Path

import pytest

from warehouse import errors

TOP = Path(errors.__file__).parents[1]
ROOMS = ("flows", "models", "transforms", "warehouse", "datasette/plugins")
KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.SegueError)
}


def declared():
    """Return where classes are declared that have one of ours as a base."""
    for path in sorted(path for room in ROOMS for path in (TOP / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                if bases & {*KINDS}:
                    yield path.relative_to(TOP).as_posix(), node.name


def test_errors_of_ours_stand_in_one_file():
    elsewhere = [(path, name) for path, name in declared() if path != "warehouse/errors.py"]
    assert elsewhere == []
    assert {name for _, name in declared()} == {*KINDS} - {"SegueError"}


@pytest.mark.parametrize("name", KINDS)
def test_each_says_what_went_wrong_and_ends_with_a_code_of_its_own_kind(name):
    kind = KINDS[name]
    assert kind.__doc__
    assert kind.exit_code in {1, 2, 3, 4, 5}
