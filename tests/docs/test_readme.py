import ast
import asyncio
import contextlib
import io
import re
import shlex
import sqlite3
from pathlib import Path

import pytest
import typer
from pydantic import SecretStr
from typer.testing import CliRunner

from flows.cli import app
from flows.nightly import run as refresh
from flows.settings import Settings
from flows.site.serve import site
from warehouse import errors, release
from warehouse.files import formats

TOP = Path(__file__).parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")
PAGES = [
    *(TOP / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((TOP / "docs").rglob("*.md")),
]
SONG = "demoslNLW2gHqPbfZnggrr"
COMMANDS = vars(typer.main.get_command(app))["commands"]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def segue_calls(text):
    """Return the arguments of every call of segue in the shell and unit files of a page."""
    units = "\n".join(blocks(text, "ini"))
    lines = [line for block in blocks(text, "sh") for line in block.split("\n")]
    lines += re.findall(r"^ExecStart=(.*)$", units, re.MULTILINE)
    calls = []
    for words in (shlex.split(part) for line in lines for part in re.split(r"&&|\|", line)):
        named = [place for place, word in enumerate(words) if Path(word).name == "segue"]
        calls += [tuple(words[place + 1 :]) for place in named]
    return calls


CALLS = sorted({call for page in PAGES for call in segue_calls(page.read_text(encoding="utf-8"))})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which `var` is a home with a build of the demo catalogue."""
    folder = tmp_path_factory.mktemp("readme")
    published, _ = refresh.directly(Settings(home=folder / "var"), force=False)
    assert published
    return folder


def test_calls_were_found():
    assert {call[0] for call in CALLS} >= {"build", "serve", "schedule", "similar", "rollback"}


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_command_line_takes_every_call_of_the_pages(call):
    COMMANDS[call[0]].make_context(call[0], list(call[1:]))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_named_in_the_text_exist(page):
    for name in re.findall(r"`(?:uv run )?segue ([a-z]+)", page.read_text(encoding="utf-8")):
        assert name in COMMANDS, name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_local_links_lead_to_a_file_and_a_heading(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path) if path else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [h.lower().replace(" ", "-") for h in headings], target


def test_every_decision_stands_in_the_index():
    folder = TOP / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [p.name for p in sorted(folder.glob("0*.md")) if f"({p.name})" not in index] == []


def test_readme_has_the_two_lines_that_the_checks_call():
    lines = README.split("\n")
    assert "pip install uv && uv run segue build" in lines
    assert "pip install uv && uv run pytest" in lines


@pytest.mark.parametrize("name", Settings.model_fields)
def test_readme_tells_every_setting_with_its_default(name):
    tables = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    row = re.search(rf"^\| `SEGUE_{name.upper()}` \| (.*?) \|", tables, re.MULTILINE)
    assert row, name
    default = Settings.model_fields[name].default or "none"
    if isinstance(default, SecretStr):
        default = "none"
    signals = dict.fromkeys(("genres", "playlists", "ratings"), "none, or the demo's")
    told = {"tracks": "the demo", **signals}.get(name, str(default))
    told = "false" if Settings.model_fields[name].default is False else told
    assert row[1].strip("`") == told


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_settings_named_exist(page):
    named = re.findall(r"SEGUE_([A-Z_]+)", page.read_text(encoding="utf-8"))
    assert {n.lower().rstrip("_") for n in named} - {""} <= set(Settings.model_fields)


def test_readme_tells_every_exit_code():
    kinds = [k for k in vars(errors).values() if isinstance(k, type)]
    codes = {k.exit_code for k in kinds if issubclass(k, errors.SegueError)}
    assert codes | {0} == {int(c) for c in re.findall(r"^\| (\d) \|", README, re.MULTILINE)}


@pytest.mark.parametrize("sql", blocks(README, "sql"))
def test_sql_of_the_readme_returns_rows(place, sql):
    with contextlib.closing(sqlite3.connect(place / "var/current/segue.db")) as database:
        assert database.execute(sql).fetchone()


@pytest.mark.parametrize("code", blocks(README, "python"), ids=lambda c: c.split("\n")[0])
def test_python_of_the_readme_runs(place, monkeypatch, code):
    monkeypatch.chdir(place)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {})
    assert said.getvalue().count("\n") > 5


def addresses():
    table = re.findall(r"^\| `(/[^`]*)` \|", README, re.MULTILINE)
    called = re.findall(r"^curl -s \"?http://127\.0\.0\.1:8001(/[^\s\"]*)", README, re.MULTILINE)
    assert len(table) > 5
    assert called
    return [a.replace("<song_id>", SONG) for a in [*table, *called]]


@pytest.mark.parametrize("address", addresses())
def test_addresses_of_the_readme_answer(place, address):
    async def ask():
        opened = site(release.published(release.Home(place / "var")))
        await opened.invoke_startup()
        return await opened.client.get(address)

    assert asyncio.run(ask()).status_code == 200


SIMILAR = [
    line for block in blocks(README, "sh") for line in block.split("\n") if "segue similar" in line
]


@pytest.mark.parametrize("line", SIMILAR)
def test_similar_songs_of_the_readme_are_found(place, line):
    said, _, call = line.rpartition("|")
    arguments = shlex.split(call)[3:]
    spoken = shlex.split(said)[-1] if said else None
    home = {"SEGUE_HOME": str(place / "var")}
    answer = CliRunner().invoke(app, arguments, input=spoken, env=home)
    assert answer.exit_code == 0, answer.output
    assert len(re.findall(r'"rank"|^ *[1-5] ', answer.output, re.MULTILINE)) == 5


def test_catalogue_of_the_readme_can_be_built(tmp_path):
    (text,) = blocks(README, "csv")
    file = tmp_path / "tracks.csv"
    file.write_text(text, encoding="utf-8")
    chosen = Settings(home=tmp_path / "var", tracks=(file,), neighbours=1)
    _, manifest = refresh.directly(chosen, force=False)
    assert manifest.counts["songs"] == 2
    assert manifest.counts["rejected"] == 0


def test_format_of_the_contributors_guide_is_one():
    (diff,) = blocks((TOP / "CONTRIBUTING.md").read_text(encoding="utf-8"), "diff")
    added = [line[1:] for line in diff.split("\n") if re.match(r"\+(?!\+\+)", line)]
    source = "\n".join(added).strip().rstrip(",")
    assert ast.parse(source, mode="eval")
    declared = eval(source, vars(formats))
    header = [*declared.columns.values(), *declared.genres]
    assert declared.required == set(header)
    assert re.findall(r"^--- a/(.*)$", diff, re.MULTILINE) == ["warehouse/files/formats.py"]
