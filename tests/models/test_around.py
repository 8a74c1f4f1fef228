import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.neighbours import around as module
from models.neighbours.around import around

positions = st.integers(-3, 3).map(float)
clouds = st.integers(2, 40).flatmap(lambda n: arrays(np.float32, (n, 3), elements=positions))


@given(points=clouds, rows=st.lists(st.integers(0, 1), min_size=1, max_size=4), data=st.data())
@settings(max_examples=80, deadline=None)
def test_agrees_with_the_definition_even_among_twins(points, rows, data):
    depth = data.draw(st.integers(1, 45))
    queries = points[rows] + np.float32(0.25)
    found = around(points, queries, depth)
    apart = np.sqrt(((points[:, None].astype(float) - queries[None]) ** 2).sum(axis=2))
    least = apart.min(axis=1)
    order = np.lexsort((np.arange(len(points)), least))[:depth]
    assert found.songs.tolist() == order.tolist()
    np.testing.assert_allclose(found.distances, least[order])
    np.testing.assert_allclose(apart[order, found.nearest], least[order])


@pytest.mark.parametrize("block", [1, 7, 8192])
def test_blocks_change_nothing(monkeypatch, block):
    points = np.random.default_rng(1).normal(size=(300, 12)).astype(np.float32)
    whole = around(points, points[:5], 20)
    monkeypatch.setattr(module, "BLOCK", block)
    part = around(points, points[:5], 20)
    assert part.songs.tolist() == whole.songs.tolist()
    assert whole.distances[:5].tolist() == [0] * 5
