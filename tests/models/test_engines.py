"""What every engine promises; a new one is added to ``EXACT``, or to ``ENGINES`` alone."""

import os
import signal
from functools import partial

import numpy as np
import pytest
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.neighbours.boxes import Boxes
from models.neighbours.dask import Cluster
from models.neighbours.definition import nearest_by_definition
from models.neighbours.ivf import InvertedFile

EXACT = ("boxes", "cluster")
ENGINES = (*EXACT, "inverted file")

steps = st.integers(-3, 3).map(float)
clouds = st.tuples(st.integers(2, 40), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=steps)
)


@pytest.fixture(scope="module")
def client():
    """A cluster in this process: two workers that are threads."""
    how = {"processes": False, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, **how) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def engines(client):
    return {
        "boxes": Boxes,
        "cluster": partial(Cluster, client=client, shard_boxes=2),
        "inverted file": partial(InvertedFile, probes=10**6),
    }


@pytest.fixture(params=ENGINES)
def engine(request, engines):
    return engines[request.param]


@pytest.fixture(params=EXACT)
def exact(request, engines):
    return engines[request.param]


def cloud(songs, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(songs, columns)).astype(np.float32)


def assert_exact(found, points, k, rows=None):
    near, far = found
    wanted = np.arange(len(points)) if rows is None else rows
    exact = points.astype(np.float64)
    expected, distances = nearest_by_definition(exact, exact[wanted], k, wanted)
    np.testing.assert_allclose(far, distances, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(near, expected)


@pytest.mark.parametrize("name", EXACT)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(points=clouds, data=st.data())
def test_the_answer_is_that_of_the_definition_among_twins_and_ties(engines, name, points, data):
    k = data.draw(st.integers(1, len(points) - 1))
    assert_exact(engines[name](points).nearest_others(k), points, k)


@pytest.mark.parametrize("columns", [1, 14, 130])
def test_the_answer_is_that_of_the_definition_among_many(engine, columns):
    points = cloud(1500, columns)
    rows = np.arange(0, 1500, 11)
    assert_exact(engine(points).nearest_others(20, rows), points, 20, rows)


def test_songs_that_are_all_alike_come_in_the_order_of_their_numbers(exact):
    near, far = exact(np.ones((700, 4), np.float32)).nearest_others(5)
    assert (far == 0).all()
    for song, row in enumerate(near.tolist()):
        assert row == [other for other in range(6) if other != song][:5]


@pytest.mark.parametrize("shard_boxes", [1, 3, 1000])
def test_shards_of_any_size_give_the_answer_of_one_machine(client, shard_boxes):
    points = np.round(cloud(2000, 5, seed=8), 1)
    rows = np.random.default_rng(9).permutation(2000)[:1500]
    one = Boxes(points).nearest_others(30, rows)
    many = Cluster(points, client, shard_boxes).nearest_others(30, rows)
    assert one[0].tobytes() == many[0].tobytes()
    assert one[1].tobytes() == many[1].tobytes()


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing_of_the_answer():
    points = cloud(12_000, 16, seed=10)
    how = {"processes": True, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, host="127.0.0.1", **how) as cluster, Client(cluster) as client:
        blocks = Cluster(points, client, 2).blocks(40)
        came = [next(blocks)]
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        came += blocks
    near, far = Boxes(points).nearest_others(40)
    rows = np.concatenate([block.rows for block in came])
    assert np.sort(rows).tolist() == list(range(len(points)))
    assert np.concatenate([block.near for block in came]).tobytes() == near[rows].tobytes()
    assert np.concatenate([block.far for block in came]).tobytes() == far[rows].tobytes()


def test_few_probes_find_most_of_what_is_near_and_tell_its_distance(engines):
    points = np.repeat(cloud(40, 30, seed=11), 300, axis=0) + cloud(12_000, 30, seed=12)
    rows = np.arange(0, 12_000, 40)
    near, far = InvertedFile(points, probes=4).nearest_others(20, rows)
    exact, _ = Boxes(points).nearest_others(20, rows)
    shared = [len(np.intersect1d(one, other)) for one, other in zip(near, exact, strict=True)]
    assert 0.6 < np.mean(shared) / 20 < 1
    gaps = points[near].astype(np.float64) - points[rows, None]
    np.testing.assert_allclose(far, np.sqrt((gaps**2).sum(axis=2)), rtol=1e-12)
    assert (np.diff(far, axis=1) >= 0).all()


def test_lists_too_short_for_what_is_asked_are_filled_from_all_songs():
    points = cloud(900, 3, seed=13)
    found = InvertedFile(points, probes=1).nearest_others(600, np.arange(50))
    assert_exact(found, points, 600, np.arange(50))


def test_rows_in_another_order_have_the_same_neighbours(engine):
    points = cloud(600, 6, seed=1)
    order = np.random.default_rng(2).permutation(len(points))
    near, far = engine(points).nearest_others(7)
    moved, moved_far = engine(points[order]).nearest_others(7)
    np.testing.assert_array_equal(order[moved], near[order])
    np.testing.assert_array_equal(moved_far, far[order])


def test_rows_are_answered_in_the_order_in_which_they_are_asked_for(engine):
    points = np.round(cloud(900, 3, seed=3), 1)
    rows = np.array([899, 0, 17, 450, 16])
    search = engine(points)
    whole, some = search.nearest_others(5), search.nearest_others(5, rows)
    assert some[0].tobytes() == whole[0][rows].tobytes()
    assert some[1].tobytes() == whole[1][rows].tobytes()


def test_blocks_hold_each_row_once_and_the_same_as_the_whole(engine):
    search = engine(cloud(1200, 5, seed=4))
    rows = np.random.default_rng(5).permutation(1200)[:700]
    near, far = search.nearest_others(4, rows)
    place = {row: at for at, row in enumerate(rows.tolist())}
    seen = []
    for block in search.blocks(4, rows):
        at = [place[row] for row in block.rows.tolist()]
        np.testing.assert_array_equal(block.near, near[at])
        np.testing.assert_array_equal(block.far, far[at])
        seen += block.rows.tolist()
    assert sorted(seen) == sorted(rows.tolist())


def test_the_same_search_is_asked_again_and_deeper(engine):
    search = engine(cloud(300, 3, seed=6))
    shallow, deep = search.nearest_others(3), search.nearest_others(60)
    np.testing.assert_array_equal(deep[0][:, :3], shallow[0])


def test_every_row_is_reported_as_done_once(engine):
    done = []
    engine(cloud(800, 3)).nearest_others(2, advance=done.append)
    assert sum(done) == 800


def test_no_rows_get_an_empty_answer(engine):
    search = engine(cloud(20, 3))
    near, far = search.nearest_others(4, np.array([], dtype=np.int64))
    assert near.shape == far.shape == (0, 4)
    assert near.dtype == np.int64
    assert far.dtype == np.float64


def test_the_number_of_songs_is_known(engine):
    assert len(engine(cloud(37, 2))) == 37


@pytest.mark.parametrize("k", [0, -1, 3, 4])
def test_a_k_that_there_are_not_songs_for_is_refused(engine, k):
    search = engine(np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match=rf"k={k}: expected from 1 to 2 with 3 songs"):
        search.nearest_others(k)
