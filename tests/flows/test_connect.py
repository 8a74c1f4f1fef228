"""Signing in at Spotify from the command line, and what the commands do with it."""

import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from flows.cli import app
from warehouse.connectors.http import SystemClock
from warehouse.demo.services.server import serving
from warehouse.demo.services.spotify import Spotify

APP = "0123456789abcdef"
SEGUE = Path(sys.executable).with_name("segue")


def track_id(number):
    return f"track{number:017d}"


@pytest.fixture
def fake():
    made = Spotify(SystemClock())
    made.applications[APP] = ["http://127.0.0.1/callback"]
    made.person, made.registered = "ann", {"ann"}
    made.tracks = {
        track_id(n): {"id": track_id(n), "name": f"T{n}", "artists": [{"name": "A"}]}
        for n in range(60)
    }
    made.people["ann"] = [{"id": track_id(n), "added_at": f"2026-01-01T00:{59 - n:02d}:00Z"}
                          for n in range(60)]  # fmt: skip
    with serving(made) as base:
        made.settings = {
            "SEGUE_CONTACT": "a@example.org",
            "SEGUE_SPOTIFY_CLIENT_ID": APP,
            "SEGUE_SPOTIFY_URL": base,
            "SEGUE_SPOTIFY_ACCOUNTS_URL": base,
        }
        yield made


def segue(fake, *words, stdin=None):
    words = [str(word) for word in words]
    result = CliRunner().invoke(app, words, input=stdin, env=fake.settings)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def signed_in(fake, home, between=lambda address: None):
    """Run the command as a process and follow the address that it prints as a browser would."""
    command = [str(SEGUE), "connect", "spotify", "--no-browser", "--home", str(home)]
    with subprocess.Popen(
        command, env=fake.settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        killer = threading.Timer(60, process.kill)
        killer.start()
        process.stdout.readline()
        address = process.stdout.readline().strip()
        between(address)
        page = httpx.get(address, follow_redirects=True)
        said, wrong = process.communicate()
        killer.cancel()
    return process.returncode, page, said, wrong


def test_who_signs_in_is_connected_and_what_they_have_can_be_fetched(fake, tmp_path):
    code, page, said, _ = signed_in(fake, tmp_path)
    assert (code, page.status_code) == (0, 200)
    assert page.headers["cache-control"] == "no-store"
    assert "Connected as ann until 20" in said
    kept = tmp_path / "secrets" / "spotify.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    fetched = segue(fake, "fetch", "spotify", "--home", tmp_path)
    assert "spotify: 60 rows in saved.csv, 2 requests" in fetched.stdout
    crawled = segue(
        fake, "fetch", "spotify:metadata", "--from", _file(tmp_path), "--home", tmp_path
    )
    assert "spotify:metadata: 2 rows in tracks.csv, 2 requests" in crawled.stdout
    probed = segue(fake, "connect", "spotify", "--probe", "--home", tmp_path)
    assert "closed to this application since 2024-11-27" in probed.stdout
    gone = segue(fake, "disconnect", "spotify", "--home", tmp_path)
    assert gone.exit_code == 0
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".txt"]
    assert not any(b"ann" in path.read_bytes() or b"track0" in path.read_bytes() for path in left)
    assert "segue connect spotify" in segue(fake, "fetch", "spotify", "--home", tmp_path).stderr


def _file(folder):
    (folder / "wanted.txt").write_text(f"spotify:track:{track_id(1)}\n{track_id(2)}\n")
    return folder / "wanted.txt"


def test_an_answer_of_a_stranger_is_refused_and_the_right_one_still_counts(fake, tmp_path):
    def strange(address):
        redirect = httpx.URL(address).params["redirect_uri"]
        for query in ("code=x&state=wrong", "code=x", "error=access_denied&state="):
            assert httpx.get(f"{redirect}?{query}").status_code == 400
        assert httpx.get(redirect.replace("/callback", "/")).status_code == 400

    code, _, said, _ = signed_in(fake, tmp_path, strange)
    assert code == 0
    assert "Connected as ann" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"agrees": False}, "access_denied"),
        ({"registered": set()}, "five named people"),
        ({"owner_has_premium": False}, "Premium"),
    ],
)
def test_who_cannot_be_served_is_told_why_and_nothing_is_kept(fake, tmp_path, change, said):
    for name, value in change.items():
        setattr(fake, name, value)
    code, _, out, wrong = signed_in(fake, tmp_path)
    assert code == 2
    assert said in wrong
    assert "Connected" not in out
    assert not (tmp_path / "secrets" / "spotify.json").exists()


def test_without_a_client_id_it_is_said_where_to_get_one(fake, tmp_path):
    del fake.settings["SEGUE_SPOTIFY_CLIENT_ID"]
    result = segue(fake, "connect", "spotify", "--no-browser", "--home", tmp_path)
    assert result.exit_code == 2
    assert re.search(r"developer\.spotify\.com/dashboard", result.stderr)
    assert fake.journal == []
