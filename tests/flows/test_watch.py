"""What is said of runs, and to whom: servers of this machine stand in for those of others."""

import json
import threading
from pathlib import Path

import pytest

from flows.nightly import notices
from flows.nightly.run import directly
from flows.settings import settings
from warehouse import operate
from warehouse.errors import BuildRejected, Busy, InputError
from warehouse.release import Home, held, published
from warehouse.runs import runs

TRACKS = Path(__file__).parents[1] / "builds" / "golden" / "tracks.csv"


def titles(came):
    return [json.loads(body)["title"] for path, body in came if path == "/notice"]


def beats(came):
    return [path for path, _ in came if path.startswith("/ping")]


def chosen(home, address, **more):
    given = {"home": home, "tracks": [TRACKS], "neighbours": 3, **more}
    return settings(
        **given, notify=[f"json://{address}/notice"], heartbeat=f"http://{address}/ping/abc/"
    )


def test_people_hear_of_failure_and_recovery_and_the_monitor_of_every_run(listening, tmp_path):
    home = tmp_path / "var"
    with listening() as (address, came):
        directly(chosen(home, address), False)
        assert titles(came) == []
        assert beats(came) == ["/ping/abc/start", "/ping/abc"]
        with pytest.raises(InputError):
            directly(chosen(home, address, tracks=[tmp_path / "gone.csv"]), False)
        with pytest.raises(BuildRejected):
            directly(chosen(home, address, max_variance_share=0.05), False)
        directly(chosen(home, address), False)
        directly(chosen(home, address), False)
    assert titles(came) == [
        "Segue: a run failed",
        "Segue: a build was refused",
        "Segue: all is well again",
    ]
    assert beats(came)[2:] == [
        *("/ping/abc/start", "/ping/abc/fail"),
        *("/ping/abc/start", "/ping/abc/fail"),
        *("/ping/abc/start", "/ping/abc"),
        *("/ping/abc/start", "/ping/abc"),
    ]
    failure, refusal, recovery = (json.loads(b) for path, b in came if path == "/notice")
    assert "gone.csv" in failure["message"]
    assert f"Served: {published(Home(home)).name}" in failure["message"]
    assert str(home) in failure["message"]
    assert failure["type"] == "failure"
    assert "no_column_dominates" in refusal["message"]
    assert "ended as refused" in recovery["message"]
    assert recovery["type"] == "success"
    assert [run.outcome for run in runs(home)] == [
        *("nothing new", "nothing new", "refused", "failed", "published"),
    ]
    assert [run.stage for run in runs(home)][2] == "checked"


def test_another_run_that_goes_on_is_noted_and_nobody_is_woken(listening, tmp_path):
    with listening() as (address, came):
        with held(Home(tmp_path / "var")), pytest.raises(Busy):
            directly(chosen(tmp_path / "var", address), False)
        assert titles(came) == []
        assert beats(came) == ["/ping/abc/start"]
    assert [run.outcome for run in runs(tmp_path / "var")] == ["busy"]


def test_damage_is_mended_and_said(listening, tmp_path):
    home = Home(tmp_path / "var")
    with listening() as (address, came):
        first = directly(chosen(home.root, address), False).manifest.name
        second = directly(chosen(home.root, address, neighbours=2), False).manifest.name
        with (published(home) / "segue.db").open("r+b") as file:
            file.truncate(5000)
        made = directly(chosen(home.root, address, neighbours=2), False)
        assert titles(came) == ["Segue: the served build was damaged and has been repaired"]
    assert made.published
    assert published(home).name == made.manifest.name > second
    words = next(json.loads(body)["message"] for path, body in came if path == "/notice")
    assert "segue.db has 5,000 bytes of " in words
    assert f"{first} is served instead" in words
    assert (home.root / "damaged" / second / "segue.db").stat().st_size == 5000


@pytest.mark.parametrize("force", [False, True])
def test_a_corrupt_manifest_no_longer_fails_every_night(listening, tmp_path, force):
    with listening() as (address, came):
        directly(chosen(tmp_path / "var", address), False)
        (published(Home(tmp_path / "var")) / "manifest.json").write_text("{")
        assert directly(chosen(tmp_path / "var", address), force).published
        assert directly(chosen(tmp_path / "var", address), False).kind == "nothing new"
        assert len(titles(came)) == 1


def test_a_night_after_a_rollback_says_that_it_is_held_back(listening, tmp_path):
    with listening() as (address, came):
        for neighbours in (2, 3):
            directly(chosen(tmp_path / "var", address, neighbours=neighbours), False)
        operate.roll_back(Home(tmp_path / "var"))
        outcome = directly(chosen(tmp_path / "var", address), False)
    assert outcome.kind == "held back"
    assert "segue publish" in outcome.words
    assert titles(came) == []
    assert beats(came)[-1] == "/ping/abc"


@pytest.mark.parametrize("status", [404, 500, 302])
def test_a_server_that_refuses_fails_no_run(listening, tmp_path, status, caplog):
    with listening(status) as (address, came):
        directly(chosen(tmp_path / "var", address), False)
        with pytest.raises(InputError):
            directly(chosen(tmp_path / "var", address, tracks=[tmp_path / "gone.csv"]), False)
        assert len(titles(came)) == 1
    assert "did not reach every address in SEGUE_NOTIFY" in caplog.text
    assert "the heartbeat fail was not accepted" in caplog.text
    assert "abc" not in caplog.text


def test_a_server_that_never_answers_is_waited_for_a_moment_only(
    listening, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(notices, "SECONDS", 0.2)
    monkeypatch.setattr(notices, "NOTICE_SECONDS", 0.5)
    with (
        listening(waits=threading.Event()) as (address, _),
        pytest.raises(InputError),
    ):
        directly(chosen(tmp_path / "var", address, tracks=[tmp_path / "gone.csv"]), False)
    assert "the heartbeat start was not accepted: ReadTimeout" in caplog.text
    assert "did not reach every address" in caplog.text


def test_where_nobody_listens_the_run_goes_on(listening, tmp_path, caplog):
    with listening() as (address, _):
        pass
    directly(chosen(tmp_path / "var", address), False)
    assert "the heartbeat success was not accepted: ConnectError" in caplog.text


def test_an_unknown_kind_of_address_is_told_apart():
    assert notices.wrong_address("nonsense://example")
    assert not notices.wrong_address("json://127.0.0.1/notice")
