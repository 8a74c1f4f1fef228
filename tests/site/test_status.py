"""What the site says of the nightly runs."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from flows.site.api import app
from warehouse import runs
from warehouse.published import Published
from warehouse.release import Home, published

HOUR = timedelta(hours=1)


@pytest.fixture
def home(demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo.parents[1], tmp_path / "var", symlinks=True))


def asked(home: Path, max_age: timedelta, **query: bool):
    build = Published(published(Home(home)))
    with TestClient(app(build, max_age=max_age)) as client:
        return client.get("/api/v1/status", params=query)


def test_all_is_well_after_a_good_run(home):
    answer = asked(home, 1000 * HOUR, strict=True)
    assert answer.status_code == 200
    known = answer.json()
    assert (known["stale"], known["failures"], known["failing_since"]) == (False, 0, None)
    assert known["fresh_at"]
    assert not known["scheduled"]


def test_failures_are_counted_and_the_strict_are_refused(home):
    for _ in range(2):
        record = runs.begun(home, "schedule", "0.1.0")
        assert record is not None
        record.end(runs.FAILED, 2, "/srv/secret/tracks.csv: no such file")
    answer = asked(home, 1000 * HOUR)
    assert answer.status_code == 200
    assert answer.json()["failures"] == 2
    assert answer.json()["failing_since"]
    assert "secret" not in answer.text
    assert asked(home, 1000 * HOUR, strict=True).status_code == 503


def test_what_nobody_refreshed_for_long_is_stale(home):
    answer = asked(home, timedelta(seconds=-1), strict=True)
    assert (answer.status_code, answer.json()["stale"]) == (503, True)
