"""Every test that stands in a file is one that pytest runs."""

import ast
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[1]


def tracked(asked):
    """Return the files in git, or new, below what pytest was asked for; whole files alone."""
    whole = [str(Path(argument).resolve()) for argument in asked if "::" not in argument]
    if not whole:
        return []
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *whole],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [TOP / name for name in listed.split("\0") if name.endswith(".py")]
    return [path for path in paths if (TOP / "tests") in path.parents and path.exists()]


def names_in(path):
    """Return the names of the test functions in a file, wherever they stand in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    named = [node.name for node in ast.walk(tree) if isinstance(node, functions)]
    return [name for name in named if name.startswith("test_")]


def test_pytest_collects_every_test_of_every_file_in_git(collected, pytestconfig):
    files = tracked(pytestconfig.args)
    written = {(path, name) for path in files for name in names_in(path)}
    assert written - collected == set()


def test_no_name_stands_for_two_tests(pytestconfig):
    names = {path: names_in(path) for path in tracked(pytestconfig.args)}
    assert {path: found for path, found in names.items() if len(found) != len({*found})} == {}
