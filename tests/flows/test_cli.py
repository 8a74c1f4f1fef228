"""Every command: what it prints, its exit code, and one message for each wrong call."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from warehouse.manifest import sha256
from warehouse.site.describe import GENERATED

TOP = Path(__file__).parents[2]
TRACKS = Path(__file__).parents[1] / "builds" / "golden" / "tracks.csv"
SEGUE = Path(sys.executable).with_name("segue")
COMMANDS = (
    "build",
    "serve",
    "schedule",
    "status",
    "builds",
    "rollback",
    "publish",
    "pin",
    "runs",
    "evaluate",
    "tune",
    "similar",
    "search",
    "mix",
    "rate",
    "demo",
)
NEON = {
    **{"danceability": 0.85, "energy": 0.80, "key": 2, "loudness": -6.5, "mode": 1},
    **{"speechiness": 0.07, "acousticness": 0.05, "instrumentalness": 0.03, "liveness": 0.14},
    **{"valence": 0.88, "tempo": 126.0, "duration_ms": 208000, "year": 2016},
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in [n for n in os.environ if n.upper().startswith("SEGUE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")


def segue(*words, stdin=None):
    """Run a command in this process."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin, prog_name="segue")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def refused(result, code=2):
    """Return the one message of a command that failed; nothing went to standard output."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(scope="module")
def home(build, tmp_path_factory):
    """Return a home with two builds of the golden catalogue; nobody may change it."""
    home = tmp_path_factory.mktemp("cli") / "var"
    for k in (2, 3):
        build(home, TRACKS, neighbours=k)
    return home


@pytest.fixture
def own_home(home, tmp_path):
    return shutil.copytree(home, tmp_path / "var", symlinks=True)


def contents(folder):
    return {
        str(path): str(path.readlink()) if path.is_symlink() else sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_help_names_every_command_and_its_purpose():
    shown = segue("--help").output
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b +[A-Z]", shown)
    assert "docs" not in shown
    bare = segue()
    assert bare.exit_code == 2
    assert bare.output.strip() == shown.strip()


@pytest.mark.parametrize("command", [*COMMANDS, "docs"])
def test_the_help_of_every_command_says_what_it_does_and_its_defaults(command):
    result = segue(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: segue {command}" in result.output
    assert result.output == segue(command, "-h").output
    if "--home" in result.output:
        assert "./var" in result.output
    if "--cron" in result.output:
        assert "0 3 * * *" in result.output


def test_help_answers_without_loading_what_the_command_needs():
    code = (
        "import sys; from typer.testing import CliRunner; from flows.cli import app\n"
        "CliRunner().invoke(app, ['build', '--help'])\n"
        "sys.exit(str({'polars', 'duckdb', 'sklearn', 'prefect', 'datasette'} & {*sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr == "set()\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bild"], "No such command 'bild'"),
        (["build", "--neighbors", "5"], "No such option: --neighbors"),
        (
            ["build", "--neighbours", "many"],
            "Invalid value for '--neighbours': Input should be a valid integer",
        ),
        (["build", "extra"], "unexpected extra argument"),
        (["build", "--tracks"], "requires an argument"),
        (["serve", "--port", "x"], "Invalid value for '--port': Input should be a valid integer"),
        (["demo"], "Missing argument"),
        (["rollback", "a", "b"], "unexpected extra argument"),
    ],
)
def test_a_wrong_call_is_named(words, message):
    told = refused(segue(*words))
    assert "Traceback" not in told
    assert message.lower() in " ".join(told.lower().split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--neighbours", "0"], "SEGUE_NEIGHBOURS should be greater than or equal to 1, got 0"),
        (["--neighbours", "101"], "SEGUE_NEIGHBOURS should be less than or equal to 100, got 101"),
        (["--tracks", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--tracks", "nothing"], "holds no file to read"),
        (["--tracks", "notes.txt"], "not known as a file of tracks"),
        (["--tracks", "odd.csv"], "It lacks artists and title"),
        (["--tracks", "empty.csv"], "is empty"),
        (["--tracks", "header.csv"], "no rows below"),
        (["--tracks", "bad.csv"], "cannot be used, more than SEGUE_MAX_REJECTED_SHARE allows"),
        (["--tracks", TRACKS, "--tracks", TRACKS], "given more than once"),
        (
            ["--tracks", TRACKS, "--neighbours", "12"],
            "need at least 13 songs; the catalogue has 12",
        ),
    ],
)
def test_a_build_that_cannot_be_says_why_and_publishes_nothing(
    own_home, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    header, *lines = TRACKS.read_text(encoding="utf-8").splitlines()
    Path("notes.txt").write_text("notes")
    Path("odd.csv").write_text("length,width\n1.5,2.5\n3.5,4.5\n")
    Path("nothing").mkdir()
    Path("empty.csv").write_text("")
    Path("header.csv").write_text(header + "\n")
    Path("bad.csv").write_text("\n".join([header, *lines, *(["x,y"] * 9)]) + "\n")
    before = contents(own_home / "builds") | {"current": (own_home / "current").readlink()}
    told = refused(segue("build", "--direct", "--home", own_home, *words))
    assert told.count("Error: ") == 1
    assert message in told
    after = {k: v for k, v in contents(own_home / "builds").items() if k in before}
    assert after | {"current": (own_home / "current").readlink()} == before


def test_a_bad_variable_is_refused_by_name(monkeypatch, home):
    monkeypatch.setenv("SEGUE_KEEP", "none")
    assert "SEGUE_KEEP should be a valid integer" in refused(segue("status", "--home", home))


def test_a_home_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / "var").write_text("a file")
    told = refused(segue("build", "--direct", "--tracks", TRACKS, "--home", tmp_path / "var"))
    assert "SEGUE_HOME" in told
    told = refused(segue("build", "--direct", "--home", tmp_path / "var"), code=1)
    assert told.startswith("Error: Could not read or write: ")


def test_a_build_says_what_it_made_and_what_to_do_next(home):
    words = ("build", "--direct", "--tracks", TRACKS, "--neighbours", 3, "--home", home)
    result = segue(*words)
    assert result.exit_code == 0
    assert "Nothing to do: " in result.output
    assert "--force" in result.output
    assert f"uv run segue serve --home {home}" in result.output


@pytest.mark.parametrize("command", ["status", "serve", "rollback", "similar"])
def test_with_nothing_published_a_reader_is_told_to_build(tmp_path, command):
    words = [command, "--home", tmp_path / "none"] + (["Hello"] if command == "similar" else [])
    assert "Run: segue build" in refused(segue(*words))


def test_status_says_how_old_the_build_is_and_what_it_holds(home):
    shown = segue("status", "--home", home).output
    assert re.match(r"(just now|\d+ (minute|hour)s? ago), \d{4}-\d\d-\d\dT", shown)
    assert "songs            12 in 11 families" in shown
    assert "recommendations  36" in shown


def test_status_of_a_damaged_build_is_one_message(own_home):
    (own_home / "current" / "manifest.json").write_text("{")
    shown = segue("status", "--home", own_home)
    assert shown.exit_code == 1
    assert shown.stderr.count("is not a manifest") == 1
    assert "segue publish" in shown.stderr
    assert shown.stdout.startswith("Last run: ")


def test_builds_are_listed_whole_and_the_served_one_is_marked(home):
    lines = segue("builds", "--home", home).output.splitlines()
    names = sorted(path.name for path in (home / "builds").iterdir())
    assert [line.split()[0] for line in lines[1:]] == names
    assert [line.split()[-1] == "served" for line in lines[1:]] == [False, True]


def test_builds_of_an_empty_home_are_none(tmp_path):
    result = segue("builds", "--home", tmp_path)
    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 1


def test_rollback_goes_to_the_build_before_and_no_further(own_home):
    first, second = sorted(path.name for path in (own_home / "builds").iterdir())
    assert f"Now serving {first} (was {second})" in segue("rollback", "--home", own_home).output
    assert (own_home / "current").resolve().name == first
    assert f"no build before {first}" in refused(segue("rollback", "--home", own_home))
    assert segue("rollback", second, "--home", own_home).exit_code == 0
    assert (own_home / "current").resolve().name == second


@pytest.mark.parametrize("name", ["20990101T000000Z-abc", "..", "nonsense"])
def test_rollback_to_what_is_no_build_names_those_there(own_home, name):
    first = min(path.name for path in (own_home / "builds").iterdir())
    assert first in refused(segue("rollback", name, "--home", own_home))


def test_a_rollback_holds_until_the_build_is_published_by_hand(own_home):
    first, second = sorted(path.name for path in (own_home / "builds").iterdir())
    assert f"segue publish {second}" in segue("rollback", "--home", own_home).output
    words = ("build", "--direct", "--tracks", TRACKS, "--neighbours", 3, "--home", own_home)
    for more in ((), ("--force",)):
        held = segue(*words, *more)
        assert held.exit_code == 0
        assert f"Held back: {second}, as it was rolled back to {first} by hand on " in held.output
        assert f"{first} is served." in held.output
        assert (own_home / "current").resolve().name == first
    assert f"Held back: {second}" in segue("status", "--home", own_home).output
    assert "rolled back" in segue("builds", "--home", own_home).output
    assert f"Now serving {second}." in segue("publish", "--home", own_home).output
    assert "Nothing to do: " in segue(*words).output
    assert "Held" not in segue("status", "--home", own_home).output
    assert "No build is held back" in refused(segue("publish", "--home", own_home))


def test_after_a_rollback_other_settings_build_and_publish(own_home):
    segue("rollback", "--home", own_home)
    words = ("build", "--direct", "--tracks", TRACKS, "--neighbours", 4, "--home", own_home)
    assert "Published " in segue(*words).output


def test_a_rollback_works_where_the_manifest_of_what_is_served_is_lost(own_home):
    first, second = sorted(path.name for path in (own_home / "builds").iterdir())
    (own_home / "current" / "manifest.json").write_text("{")
    assert f"Held back from now on: {second}" in segue("rollback", "--home", own_home).output
    assert (own_home / "current").resolve().name == first


def test_builds_are_deleted_but_for_those_that_are_pinned(own_home):
    first = min(path.name for path in (own_home / "builds").iterdir())
    assert f"{first} is pinned" in segue("pin", first, "--home", own_home).output
    assert segue("builds", "--keep", 1, "--home", own_home).output.startswith("Deleted: none")
    assert "pinned" in segue("builds", "--home", own_home).output
    assert "no longer" in segue("pin", first, "--remove", "--home", own_home).output
    assert f"There is no build {first}x" in refused(segue("pin", f"{first}x", "--home", own_home))
    assert "Expected" not in segue("builds", "--keep", 1, "--home", own_home).output
    assert refused(segue("builds", "--keep", 0, "--home", own_home))


def test_runs_are_listed_failed_ones_too_and_the_status_says_since_when(own_home):
    assert segue("status", "--check", "--home", own_home).exit_code == 0
    wrong = ("build", "--direct", "--tracks", "nowhere.csv", "--home", own_home)
    for _ in range(2):
        assert segue(*wrong).exit_code == 2
    shown = json.loads(segue("runs", "--json", "--home", own_home).stdout)
    assert [run["outcome"] for run in shown[:2]] == ["failed", "failed"]
    assert shown[-1]["outcome"] == "published"
    assert shown[0]["exit_code"] == 2
    assert "nowhere.csv" in shown[0]["message"]
    assert "nowhere.csv" in segue("runs", "--home", own_home).output
    checked = segue("status", "--check", "--home", own_home)
    assert checked.exit_code == 1
    assert f"Failing since {shown[1]['started_at']}, 2 times: nowhere.csv" in checked.output
    found = json.loads(segue("status", "--json", "--home", own_home).stdout)
    assert found["failing_since"] == shown[1]["started_at"]
    assert not found["stale"]


def test_a_build_that_nobody_looked_after_for_long_is_stale(own_home, monkeypatch):
    monkeypatch.setenv("SEGUE_MAX_AGE", "1m")
    with closing(sqlite3.connect(own_home / "runs.db")) as database, database:
        database.execute("update runs set ended_at = '2026-01-02T03:04:05+00:00'")
    manifest = own_home / "current" / "manifest.json"
    text = json.loads(manifest.read_text())
    del text["seal"]
    manifest.write_text(json.dumps({**text, "published_at": "2026-01-02T03:04:05+00:00"}))
    checked = segue("status", "--check", "--home", own_home)
    assert checked.exit_code == 1
    assert "Stale: no run has ended well since 2026-01-02T03:04:05+00:00" in checked.output


def test_a_diff_says_what_changed_between_two_builds(home):
    shown = segue("diff", "--home", home).output
    first, second = sorted(path.name for path in (home / "builds").iterdir())[:2]
    assert shown.startswith(f"{first} -> {second}\n")
    assert "neighbours: 2 -> 3" in shown
    assert "list changed: 12" in shown
    assert "4 of 5 shared: 12" in shown
    backwards = json.loads(segue("diff", second, first, "--json", "--home", home).stdout)
    by_kind = {row["change"]: row for row in backwards["changes"]}
    assert (by_kind["setting"]["before"], by_kind["setting"]["after"]) == ("3", "2")
    same = segue("diff", first, first, "--home", home)
    assert "list changed" not in same.output
    assert "There is no build nothing" in refused(segue("diff", "nothing", "--home", home))


def test_a_build_whose_lists_changed_too_much_on_the_same_sources_waits(own_home, monkeypatch):
    monkeypatch.setenv("SEGUE_MAX_CHURN", "0.5")
    served = (own_home / "current").resolve().name
    words = ("build", "--direct", "--tracks", TRACKS, "--neighbours", 4, "--home", own_home)
    told = refused(segue(*words), code=3)
    assert "100.0% of the lists changed on the same sources" in told
    assert (own_home / "current").resolve().name == served
    waiting = max(path.name for path in (own_home / "builds").iterdir())
    assert f"segue publish {waiting}" in told
    again = refused(segue(*words), code=3)
    assert f"{waiting} waits since " in again
    assert max(path.name for path in (own_home / "builds").iterdir()) == waiting
    assert segue("builds", "--keep", 1, "--home", own_home).output.startswith("Deleted: none")
    assert segue("status", "--check", "--home", own_home).exit_code == 1
    assert f"Now serving {waiting}." in segue("publish", "--home", own_home).output
    assert "Nothing to do" in segue(*words).output


def similar(home, *words, stdin=None):
    result = segue("similar", "--home", home, "--json", *words, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_similar_of_a_song_by_id_or_title_are_its_recommendations(home):
    by_id, by_title = similar(home, "dance2"), similar(home, "NEON")
    assert by_id == by_title
    assert by_id["song"] == "Neon - Kilo (2016)"
    assert [m["title"] for m in by_id["similar"]] == ["Sodium", "Café Señor", "Black Wheel"]
    assert [m["rank"] for m in by_id["similar"]] == [1, 2, 3]
    assert "both from 2016" in by_id["similar"][0]["reason"]
    assert similar(home, "cafe senor")["song"] == "Café Señor - Björk Ålund (2015)"
    assert len(similar(home, "NEON", "--neighbours", "2")["similar"]) == 2


def test_similar_prints_a_table_for_people(home):
    lines = segue("similar", "Neon", "--home", home).output.splitlines()
    assert lines[0] == "Similar to Neon - Kilo (2016)"
    assert lines[2].split()[:4] == ["1", "Sodium", "Kilowatt", "2016"]


def test_a_song_in_square_brackets_is_printed_as_it_is(tmp_path):
    tracks = tmp_path / "tracks.csv"
    text = TRACKS.read_text(encoding="utf-8").replace(",Sodium,K", ",[/Sodium] [red],K")
    tracks.write_text(text, encoding="utf-8")
    words = ("build", "--direct", "--tracks", tracks, "--neighbours", 3, "--home", tmp_path / "v")
    assert segue(*words).exit_code == 0
    assert "[/Sodium] [red]" in segue("similar", "Neon", "--home", tmp_path / "v").output


def test_a_new_song_is_matched_by_its_features_however_they_are_given(home, tmp_path):
    text = json.dumps(NEON)
    (tmp_path / "song.json").write_text(text)
    by_text = similar(home, "--features", text)
    assert similar(home, stdin=text) == by_text
    assert similar(home, "--features", "-", stdin=text) == by_text
    assert similar(home, "--features", tmp_path / "song.json") == by_text
    twins = by_text["similar"][:2]
    assert {m["title"] for m in twins} == {"Neon", "Sodium"}
    far = [m["distance"] for m in by_text["similar"]]
    assert 0 < far[0] == far[1] < far[2]  # nobody told its genre
    assert [m["similarity"] for m in twins] == [1 / (1 + distance) for distance in far[:2]]
    assert len(by_text["similar"]) == 5


def test_the_family_of_a_song_that_is_in_the_catalogue_is_left_out(home):
    lamp = {"energy": 0.2, "acousticness": 0.9, "tempo": 82.0, "year": 1971}
    alone = similar(home, "--features", json.dumps(lamp))["similar"]
    assert any(m["title"].startswith("Harbour Lamp") for m in alone)
    named = {**lamp, "title": "Harbour Lamp (Remastered 2011)", "artist": "ADA BELL"}
    found = similar(home, "--features", json.dumps(named))
    assert found["song"] == "Harbour Lamp (Remastered 2011)"
    assert not any(m["title"].startswith("Harbour Lamp") for m in found["similar"])
    assert sum(m["artist"] == "Ada Bell" for m in found["similar"]) == 2


def test_the_rules_hold_for_a_new_song_even_where_the_nearest_are_all_by_one_artist(home):
    folk = {"energy": 0.2, "acousticness": 0.9, "tempo": 82.0, "year": 1972}
    found = similar(home, "--features", json.dumps(folk), "--neighbours", "9")["similar"]
    assert len(found) == 9
    assert max([m["artist"] for m in found].count(m["artist"]) for m in found) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing like it"], "No song has the id or title 'nothing like it'"),
        (['"quoted'], "No song has the id or title"),
        (["hello"], "2 songs are called 'hello'. Give the id of one:\n  metal1"),
        (["Neon", "--features", "{}"], "Give a song or --features, not both"),
        ([], "Give a song, or --features"),
        (["--features", "{}"], "no feature is given"),
        (["--features", '{"energy": 2}'], "energy is 2, expected 0 to 1"),
        (["--features", '{"energy": NaN}'], "energy is nan, expected 0 to 1"),
        (["--features", '{"tempo": -1}'], "tempo is -1, expected 1 to 400"),
        (["--features", '{"year": 1998.5}'], "year is 1998.5, expected a whole number"),
        (["--features", '{"energy": true}'], "energy is True, expected a number"),
        (["--features", '{"energy": "0.5"}'], "energy is '0.5', expected a number"),
        (["--features", '{"colour": 1, "energy": 2}'], "'colour' is not a known name; energy is 2"),
        (["--features", '{"energy": '], "Expected a JSON object such as"),
        (["--features", "[1]"], "Expected a JSON object of features, got list"),
        (["--features", "nowhere.json"], "there is no 'nowhere.json' in"),
        (["--features", "x" * 5000], "cannot be read"),
        (["--features", "/"], "cannot be read"),
        (["--features", '{"energy": 0.5}', "--neighbours", "0"], "SEGUE_NEIGHBOURS"),
        (["Neon", "--neighbours", "9"], "holds 3 recommendations for Neon - Kilo (2016), not 9"),
    ],
)
def test_what_cannot_be_matched_is_told_in_one_message(home, words, message):
    told = refused(segue("similar", "--home", home, *words))
    assert told.startswith("Error: ")
    assert message in told


@pytest.mark.parametrize("text", ["", "no json", "\x00", "[]"])
def test_features_from_stdin_that_are_no_object_are_refused(home, text):
    told = refused(segue("similar", "--home", home, "--json", stdin=text))
    assert "Expected a JSON object" in told


def test_a_model_that_was_tampered_with_is_not_loaded(own_home):
    with (own_home / "current" / "models" / "encoder.joblib").open("ab") as file:
        file.write(b"!")
    words = ("similar", "--home", own_home, "--features", '{"energy": 0.5}')
    assert "Did not load" in refused(segue(*words), code=1)


def test_a_database_that_was_damaged_is_one_message(own_home):
    (own_home / "current" / "segue.db").write_bytes(b"no database" * 1000)
    told = refused(segue("similar", "--home", own_home, "Neon"), code=1)
    assert told.startswith("Error: Could not read or write: ")


def test_the_demo_is_written_once_and_can_be_built(tmp_path):
    result = segue("demo", tmp_path / "new" / "folder")
    path = tmp_path / "new" / "folder" / "tracks.csv"
    assert f"segue build --tracks {path}" in result.output
    before = path.read_bytes()
    assert "Choose another folder" in refused(segue("demo", tmp_path / "new" / "folder"))
    assert path.read_bytes() == before
    assert refused(segue("demo", path), code=1).startswith("Error: Could not read or write: ")


def test_docs_leaves_a_clean_checkout_as_it_is(tmp_path):
    before = {relative: (TOP / relative).read_bytes() for relative in GENERATED}
    assert segue("docs").exit_code == 0
    assert {relative: (TOP / relative).read_bytes() for relative in GENERATED} == before


def process(*words, **options):
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [SEGUE, *words],
        env=environment | options.pop("env", {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def test_the_installed_command_says_one_line_a_stage_and_no_colours_in_a_log(tmp_path):
    words = ("build", "--direct", "--tracks", TRACKS, "--neighbours", "3")
    run = process(*words, env={"SEGUE_HOME": str(tmp_path / "var")})
    assert run.returncode == 0
    stages = [line.split(" INFO ")[1].split()[0] for line in run.stderr.splitlines()]
    assert stages == [
        "tracks.csv",  # what its columns are read as
        *("read", "merged", "encoded", "grouped", "searched", "evaluated"),
        *("explained", "mapped", "summed", "drawn", "compared"),
        *("written", "checked", "twinned", "published"),
    ]
    assert "\x1b" not in run.stdout + run.stderr
    assert run.stdout.startswith("Published 20")
    assert run.stdout.endswith("Now look at it: uv run segue serve\n")


def test_the_installed_command_fails_with_a_code_and_one_message(home):
    run = process("similar", "hello", "--home", home)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("Error: 2 songs are called 'hello'")
    assert "Traceback" not in run.stderr


def test_a_reader_that_stops_reading_is_no_error(home):
    command = f"{SEGUE} builds --home {home} | true"
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in run.stderr
    assert "Error" not in run.stderr


def test_control_c_stops_a_build_with_one_line_and_nothing_published(tmp_path):
    run = subprocess.Popen(
        [SEGUE, "build", "--direct", "--home", tmp_path / "var"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "read " not in (line := run.stderr.readline()):
        assert line, "ended before it was interrupted"
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    if run.returncode:
        assert run.returncode == 130
        assert "Stopped. What was published before is still served." in told
        assert not (tmp_path / "var" / "current").exists()
    assert "Traceback" not in told
