"""A newcomer's whole journey, without an account: stand-ins of the demo, fetches and pushes."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.connections.demo import connected
from warehouse.connectors.snapshots import all_origins

SEGUE = Path(sys.executable).with_name("segue")


@pytest.fixture
def stand_ins(tmp_path):
    with connected(tmp_path) as file:
        yield dict(line.split("=", 1) for line in file.read_text().splitlines())


def segue(settings, *words, stdin=None):
    words = [str(word) for word in words]
    result = CliRunner().invoke(app, words, env=settings, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_demo_can_be_fetched_from_its_services(stand_ins, demo_home):
    fetched = segue(stand_ins, "fetch", "listenbrainz:rob", "subsonic", "--home", demo_home)
    assert "1,500 rows in listens.jsonl, 2 requests" in fetched
    assert "800 rows in library.csv" in fetched
    assert len(all_origins(demo_home)) == 10


def test_the_command_answers_until_it_is_stopped(tmp_path):
    command = [str(SEGUE), "demo", str(tmp_path), "--connected"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout.readline, "")
        assert any("Ctrl-C stops them" in line for line in lines)
        assert "SEGUE_SPOTIFY_CLIENT_ID" in (tmp_path / "connections.env").read_text()
        process.terminate()
        process.wait(20)
