"""Builds by other engines than the usual one."""

import json
import shutil
import sqlite3
import sys

import numpy as np
import pytest

from flows.judging.measures import recall_check
from flows.nightly import engines
from flows.nightly.run import directly
from flows.settings import settings
from warehouse.errors import InputError, SegueError


def built(home, **how):
    directly(settings(home=home, **how), force=False)
    return home / "current"


def facts(build):
    files = json.loads((build / "manifest.json").read_text())["files"]
    return {name: fact["sha256"] for name, fact in files.items()}


@pytest.mark.slow
def test_a_cluster_of_processes_publishes_the_same_bytes(build, small, tmp_path):
    alone = build(tmp_path / "alone", **small)
    assert facts(build(tmp_path / "cluster", dask="local", **small)) == facts(alone)


@pytest.mark.slow
def test_an_approximate_search_publishes_its_recall_and_what_bounds_it(tmp_path):
    build = built(tmp_path / "var", engine="ivf")
    with sqlite3.connect(build / "segue.db") as database:
        (recall,) = database.execute(
            "select value from evaluation where metric = 'exactness' and model = 'segue'"
        ).fetchone()
        row = database.execute(
            'select value, bound, passed from checks where "check" = ?', ["nearest_songs_found"]
        ).fetchone()
    assert 0.98 <= recall <= 1
    assert row == (pytest.approx(1 - recall), pytest.approx(0.02), 1)


@pytest.mark.parametrize(
    ("recall", "engine", "passes"),
    [(1.0, "exact", True), (0.999, "exact", False), (0.985, "ivf", True), (0.97, "ivf", False)],
)
def test_a_search_that_misses_too_much_is_not_published(demo, tmp_path, recall, engine, passes):
    shutil.copy(demo / "segue.db", tmp_path)
    with sqlite3.connect(tmp_path / "segue.db") as database:
        database.execute("update evaluation set value = ? where metric = 'exactness'", [recall])
    check = recall_check(tmp_path, engine, 0.98)
    assert check.passed == passes
    assert check.value == pytest.approx(1 - recall)
    assert bool(check.offenders) != passes


def test_an_approximate_search_on_a_cluster_is_refused():
    chosen = settings(engine="ivf", dask="local")
    with (
        pytest.raises(InputError, match="SEGUE_ENGINE=ivf runs on one machine"),
        engines.engine(chosen, np.ones((3, 2), np.float32)),
    ):
        pass


def test_a_scheduler_that_is_not_there_is_said_so(monkeypatch):
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 0.5)
    chosen = settings(dask="tcp://127.0.0.1:9")
    with (
        pytest.raises(SegueError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        engines.engine(chosen, np.ones((3, 2), np.float32)),
    ):
        pass


@pytest.mark.parametrize("address", ["here", "tcp:", "local "])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InputError, match="SEGUE_DASK"):
        settings(dask=address)


@pytest.mark.parametrize(
    ("how", "extra"), [({"engine": "ivf"}, "ivf"), ({"dask": "local"}, "dask")]
)
def test_an_extra_that_is_not_installed_is_named(monkeypatch, how, extra):

    for name in ("faiss", "distributed", "models.neighbours.ivf", "models.neighbours.dask"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, {"ivf": "faiss", "dask": "distributed"}[extra], None)
    with (
        pytest.raises(InputError, match=f"uv sync --extra {extra}"),
        engines.engine(settings(**how), np.ones((3, 2), np.float32)),
    ):
        pass
