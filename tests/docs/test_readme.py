import asyncio
import contextlib
import io
import json
import re
import shlex
import shutil
import sqlite3
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
import typer
from pydantic import SecretStr
from typer.testing import CliRunner

from flows.cli import app
from flows.nightly import run as refresh
from flows.settings import Settings
from flows.site.serve import site
from warehouse import errors, release

TOP = Path(__file__).parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")
GUIDE = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
PAGES = [
    *(TOP / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((TOP / "docs").rglob("*.md")),
]
SONG = "demoslNLW2gHqPbfZnggrr"
COMMANDS = vars(typer.main.get_command(app))["commands"]
READING = re.compile(r"uv run segue (search|similar|mix|rate|request|status|builds|evaluate)\b")
UNLISTED = ("docs/benchmarks.md", "docs/releasing.md")  # for contributors


def page_of(name):
    return (TOP / "docs" / f"{name}.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def segue_calls(text):
    """Return the arguments of every call of segue in the shell and unit files of a page."""
    units = "\n".join(blocks(text, "ini"))
    lines = [line for block in blocks(text, "sh") for line in block.split("\n")]
    lines += re.findall(r"^ExecStart=(.*)$", units, re.MULTILINE)
    calls = []
    for words in (
        shlex.split(part, comments=True) for line in lines for part in re.split(r"&&|\|", line)
    ):
        named = [place for place, word in enumerate(words) if Path(word).name == "segue"]
        calls += [tuple(words[place + 1 :]) for place in named]
    return calls


def of_guide(language):
    """Return the blocks of a language in the README and the pages of docs, each once."""
    texts = [page.read_text(encoding="utf-8") for page in GUIDE]
    return list(dict.fromkeys(block for text in texts for block in blocks(text, language)))


CALLS = sorted({call for page in PAGES for call in segue_calls(page.read_text(encoding="utf-8"))})
LINES = [line for block in of_guide("sh") for line in block.split("\n")]


@pytest.fixture(scope="module")
def place(demo, tmp_path_factory):
    """A folder in which `var` is a home with a build of the demo, and a visitor's files."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "var").symlink_to(demo.parents[1])
    saved = {"tracks": [{"artist": "Storms of Bellmere", "track": "Road at Noon"}]}
    (folder / "YourLibrary.json").write_text(json.dumps(saved), encoding="utf-8")
    (folder / "mine.csv").write_text(f"song,rating\n{SONG},5\n", encoding="utf-8")
    shutil.copy(demo.parents[1] / "demo" / "playlists.csv", folder)
    return folder


@pytest.fixture(scope="module")
def ask(place):
    """Return a function that asks the site of the demo: method, address, headers and body."""
    opened = site(release.published(release.Home(place / "var")))
    with asyncio.Runner() as runner:
        runner.run(opened.invoke_startup())
        yield lambda *what, **more: runner.run(opened.client.request(*what, **more))


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


def test_readme_is_short_and_leads_to_every_page():
    assert README.count("\n") <= 200
    pages = [page.relative_to(TOP).as_posix() for page in GUIDE[1:]]
    assert [page for page in pages if f"({page})" not in README and page not in UNLISTED] == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_pages_tell_every_setting_with_its_default(name):
    tables = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    row = re.search(rf"^\| `SEGUE_{name.upper()}` \| (.*?) \|", tables, re.MULTILINE)
    assert row, name
    default = Settings.model_fields[name].default or "none"
    if isinstance(default, SecretStr):
        default = "none"
    signals = dict.fromkeys(("genres", "playlists", "ratings"), "none, or the demo's")
    told = {"tracks": "the demo", **signals}.get(name, str(default))
    if isinstance(Settings.model_fields[name].default, bool):
        told = str(Settings.model_fields[name].default).lower()
    if isinstance(default, timedelta):
        told = f"{default / timedelta(hours=1):g}h"
    assert row[1].strip("`") == told


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_settings_named_exist(page):
    named = re.findall(r"SEGUE_([A-Z_]+)", page.read_text(encoding="utf-8"))
    assert {n.lower().rstrip("_") for n in named} - {""} <= set(Settings.model_fields)


def test_schedule_page_tells_every_exit_code():
    kinds = [k for k in vars(errors).values() if isinstance(k, type)]
    codes = {k.exit_code for k in kinds if issubclass(k, errors.SegueError)}
    told = re.findall(r"^\| (\d) \|", page_of("schedule"), re.MULTILINE)
    assert codes | {0} == {int(code) for code in told}


@pytest.mark.parametrize("sql", of_guide("sql"))
def test_sql_of_the_pages_returns_rows(place, sql):
    with contextlib.closing(sqlite3.connect(place / "var/current/segue.db")) as database:
        assert database.execute(sql).fetchone()


@pytest.mark.parametrize("code", of_guide("python"), ids=lambda c: c.split("\n")[0])
def test_python_of_the_pages_runs(place, monkeypatch, code):
    monkeypatch.chdir(place)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "docs", "exec"), {})
    assert said.getvalue().count("\n") > 5


EXAMPLES = {
    "<song_id>": SONG,
    "{song_id}": SONG,
    "/artists/{name}": "/artists/Storms of Bellmere",
    "/genres/{name}": "/genres/dream pop",
}
ASKED = {
    "/suggest": "?q=gold",
    "/similar": f"?song={SONG}",
    "/similar-tracks": "?title=Road at Noon&artist=Storms of Bellmere",
}  # what they cannot do without


def addresses():
    """Return what the tables of the site and of the interface say can be got, for the demo."""
    of_site = re.findall(r"^\| `(/[^`]*)` \|", page_of("site"), re.MULTILINE)
    of_api = re.findall(r"^\| `(/[^`]*)` \| GET", page_of("api"), re.MULTILINE)
    assert len(of_site) > 10
    assert len(of_api) > 10
    found = [*of_site, *(f"/api/v1{one}{ASKED.get(one, '')}" for one in of_api)]
    for name, value in EXAMPLES.items():
        found = [address.replace(name, value) for address in found]
    return found


@pytest.mark.parametrize("address", addresses())
def test_addresses_of_the_pages_answer(ask, address):
    if "{taste_id}" in address:
        tastes = ask("GET", "/api/v1/tastes").json()["tastes"]
        address = address.replace("{taste_id}", tastes[0]["taste_id"])
    answer = ask("GET", quote(address, safe="/?=&+%~:"))
    assert answer.status_code == 200, answer.text
    assert len(answer.content) > 30


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("curl ")])
def test_requests_of_the_pages_are_answered(ask, line):
    words = shlex.split(line)
    options = dict(pairwise(words))
    (address,) = [word for word in words if word.startswith("http://127.0.0.1:8001/")]
    path = address.removeprefix("http://127.0.0.1:8001")
    if "-d" in options:
        header = dict([options["-H"].split(": ")])
        answer = ask("POST", path, content=options["-d"], headers=header)
    else:
        answer = ask("GET", path)
    assert answer.status_code == 200, answer.text
    assert SONG in answer.text or answer.text.count("song_id") + answer.text.count('"id"') > 1


TRIED = [line for line in LINES if READING.search(line) and "--build" not in line]


@pytest.mark.parametrize("line", TRIED)
def test_commands_of_the_pages_answer_on_the_demo(place, monkeypatch, line):
    monkeypatch.chdir(place)
    said, _, call = line.rpartition("|")
    spoken = shlex.split(said)[-1] if said else "5\n1\n5\n1\n5\n\n"
    answer = CliRunner().invoke(app, shlex.split(call)[3:], input=spoken)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.count("\n") + answer.stdout.count("Wrote") > 1
    if " similar " in line:
        assert len(re.findall(r'"rank"|^ *[1-5] ', answer.output, re.MULTILINE)) == 5


def test_commands_are_tried():
    tried = {READING.search(line)[1] for line in TRIED}
    assert tried == {"search", "similar", "mix", "rate", "request", "status", "builds", "evaluate"}


def test_catalogue_of_the_readme_can_be_built(tmp_path):
    (text,) = blocks(README, "csv")
    file = tmp_path / "tracks.csv"
    file.write_text(text, encoding="utf-8")
    chosen = Settings(home=tmp_path / "var", tracks=(file,), neighbours=1)
    manifest = refresh.directly(chosen, force=False).manifest
    assert manifest.counts["songs"] == 2
    assert manifest.counts["rejected"] == 0
