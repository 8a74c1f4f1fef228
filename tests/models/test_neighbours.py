import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.neighbours import boxes as neighbours
from models.neighbours import definition
from models.neighbours.boxes import BOX_SONGS, HEAD, SPARE, Boxes
from models.neighbours.definition import nearest_by_definition


def by_definition(points, k, rows=None):
    """Measure every pair, one after the other, and sort by distance and then by number."""
    wanted = range(len(points)) if rows is None else rows
    indices, distances = [], []
    for row in wanted:
        apart = np.sqrt(((points - points[row]) ** 2).sum(axis=1))
        order = [other for other in np.argsort(apart, kind="stable") if other != row][:k]
        indices.append(order)
        distances.append(apart[order])
    return np.array(indices), np.array(distances)


def assert_exact(points, k, rows=None, workers=1):
    found, apart = Boxes(points, workers).nearest_others(k, rows)
    expected, distances = by_definition(points.astype(np.float64), k, rows)
    np.testing.assert_allclose(apart, distances, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(found, expected)


@pytest.fixture
def small_boxes(monkeypatch):
    """Lay songs out in boxes of eight, a few at a time, so that a few hundred make many."""
    monkeypatch.setattr(neighbours, "BOX_SONGS", 8)
    monkeypatch.setattr(neighbours, "FIRST_BOXES", 2)
    monkeypatch.setattr(neighbours, "NEXT_BOXES", 3)
    monkeypatch.setattr(neighbours, "SPARE", 4)


def cloud(songs, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(songs, columns))


# ---- against the definition

steps = st.integers(-3, 3).map(float)
clouds = st.tuples(st.integers(2, 40), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=steps)
)


@settings(max_examples=150, deadline=None)
@given(points=clouds, data=st.data())
def test_agrees_with_the_definition_among_twins_and_ties(points, data):
    k = data.draw(st.integers(1, len(points) - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BOX_SONGS", data.draw(st.sampled_from([2, 5, 512])))
        patch.setattr(neighbours, "FIRST_BOXES", data.draw(st.sampled_from([1, 2, 16])))
        patch.setattr(neighbours, "NEXT_BOXES", data.draw(st.sampled_from([1, 3, 32])))
        patch.setattr(neighbours, "HEAD", data.draw(st.sampled_from([1, 32])))
        patch.setattr(neighbours, "SPARE", data.draw(st.sampled_from([0, 1, 8])))
        assert_exact(points, k)


@settings(max_examples=60, deadline=None)
@given(points=clouds, data=st.data())
def test_agrees_with_the_definition_for_some_of_the_rows(points, data):
    rows = data.draw(st.lists(st.integers(0, len(points) - 1), min_size=1, unique=True))
    assert_exact(points, min(3, len(points) - 1), np.array(rows))


@pytest.mark.parametrize("columns", [1, 2, 14, HEAD, HEAD + 1, HEAD + 2, 130])
@pytest.mark.parametrize("k", [1, 5, 60])
def test_agrees_with_the_definition_over_many_boxes(small_boxes, columns, k):
    assert_exact(cloud(400, columns), k)


@pytest.mark.parametrize("songs", [BOX_SONGS, BOX_SONGS + 1, 3 * BOX_SONGS + 7])
def test_agrees_with_the_definition_around_the_size_of_a_box(songs):
    assert_exact(cloud(songs, 5, seed=songs), 5)


@pytest.mark.parametrize("songs", [2, 3, 30, BOX_SONGS + 3])
def test_all_others_are_found_when_all_are_asked_for(songs):
    assert_exact(cloud(songs, 3), songs - 1)


@pytest.mark.parametrize("columns", [2, 40])
def test_songs_far_out_are_answered_beside_songs_in_a_crowd(small_boxes, columns):
    assert_exact(cloud(400, columns) ** 5, 3)


def test_more_are_found_than_the_first_boxes_hold(small_boxes):
    assert_exact(cloud(300, 3), 100)


def families(songs, columns, spread, seed=0):
    """Return songs in families of about thirty, on few axes but for ``spread`` around them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(songs // 30 + 1, 5)) @ rng.normal(size=(5, columns))
    return centres[rng.integers(len(centres), size=songs)] + spread * cloud(songs, columns, seed)


@pytest.mark.parametrize("spread", [1.0, 0.1, 1e-3, 1e-5, 0.0])
def test_agrees_with_the_definition_on_long_vectors_that_lie_in_families(small_boxes, spread):
    assert_exact(families(600, 130, spread), 40)


def test_agrees_with_the_definition_on_long_vectors_in_boxes_of_the_usual_size():
    points = families(6000, 60, 0.05)
    assert_exact(points, 50, rows=np.arange(0, 6000, 37), workers=2)


def test_songs_that_differ_beyond_the_head_only_are_told_apart(small_boxes, monkeypatch):
    monkeypatch.setattr(neighbours, "HEAD", 4)
    rng = np.random.default_rng(12)
    wide = 10 * np.repeat(cloud(12, 4), 50, axis=0)
    beyond = np.repeat(rng.choice([-5, 5], 12), 50) + rng.normal(size=len(wide))
    points = np.column_stack([wide, beyond, np.zeros((len(wide), 2))])
    assert_exact(rng.permutation(points), 3)


def test_points_in_single_precision_are_measured_in_double(small_boxes):
    points = families(400, 60, 0.01).astype(np.float32)
    assert_exact(points, 10)
    assert points.dtype == np.float32


def test_two_clusters_never_mix():
    points = np.array([[0, 0], [0, 1], [1, 0], [9, 9], [9, 8], [8, 9]], dtype=float)
    found, _ = Boxes(points).nearest_others(2)
    assert [set(row) for row in found.tolist()] == [
        *({1, 2}, {0, 2}, {0, 1}, {4, 5}, {3, 5}, {3, 4}),
    ]


# ---- twins


@pytest.mark.parametrize("songs", [2, SPARE + 9, BOX_SONGS + 50])
def test_songs_that_are_all_alike_are_given_in_the_order_of_their_numbers(songs):
    k = min(5, songs - 1)
    found, apart = Boxes(np.ones((songs, 4))).nearest_others(k)
    assert (apart == 0).all()
    for song, row in enumerate(found.tolist()):
        assert row == [other for other in range(k + 1) if other != song][:k]


def test_more_twins_than_are_kept_in_spare_are_cut_by_number(small_boxes):
    rng = np.random.default_rng(1)
    points = np.repeat(cloud(8, 3), 4 * SPARE, axis=0)[rng.permutation(32 * SPARE)]
    assert_exact(points, 5)


def test_ties_on_a_grid_are_cut_by_number(small_boxes):
    grid = np.stack(np.meshgrid(*[np.arange(6.0)] * 3), axis=-1).reshape(-1, 3)
    assert_exact(np.random.default_rng(2).permutation(grid), 7)


def test_clusters_larger_than_a_box_are_searched_to_their_ends():
    rng = np.random.default_rng(3)
    centres = 50 * cloud(3, 4)
    points = np.repeat(centres, BOX_SONGS + 90, axis=0) + 0.1 * rng.normal(
        size=(len(centres) * (BOX_SONGS + 90), 4)
    )
    assert_exact(rng.permutation(points), 5, rows=np.arange(0, len(points), 9))


# ---- where single precision misleads


@pytest.mark.parametrize("offset", [1e4, 1e8])
@pytest.mark.parametrize("step", [1e-2, 1e-4])
def test_tiny_steps_far_from_zero_are_told_apart(small_boxes, offset, step):
    points = step * np.random.default_rng(4).permutation(np.arange(300.0))[:, None]
    points = np.hstack([points, np.zeros((300, 2))]) + offset
    assert_exact(points, 4)


@pytest.mark.parametrize("far", [1e3, 1e5])
def test_tiny_steps_in_clusters_far_apart_are_told_apart(small_boxes, far):
    rng = np.random.default_rng(5)
    centres = far * np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 1]])
    points = np.repeat(centres, 90, axis=0) + 1e-5 * rng.normal(size=(270, 3))
    assert_exact(rng.permutation(points), 6)


@pytest.mark.parametrize("far", [1e3, 1e5])
def test_tiny_steps_of_long_vectors_are_told_apart(small_boxes, far):
    points = far * np.repeat(cloud(4, 80, seed=8), 60, axis=0) + 1e-4 * cloud(240, 80, seed=9)
    assert_exact(np.random.default_rng(10).permutation(points), 6)


def test_twins_among_long_vectors_are_cut_by_number(small_boxes):
    points = np.repeat(cloud(10, 60), 40, axis=0)
    assert_exact(np.random.default_rng(11).permutation(points), 50)


def test_one_song_far_from_all_others_blurs_no_one(small_boxes):
    points = np.vstack([1e-3 * cloud(200, 3), [[1e6, 1e6, 1e6]]])
    assert_exact(points, 5)


def test_columns_of_very_different_scale_are_all_counted(small_boxes):
    assert_exact(cloud(300, 4) * np.array([1e3, 1.0, 1e-3, 1e-6]), 5)


def test_a_column_that_never_varies_changes_nothing(small_boxes):
    points = cloud(200, 3)
    plain, _ = Boxes(points).nearest_others(4)
    found, _ = Boxes(np.hstack([points, np.full((200, 2), 7.0)])).nearest_others(4)
    np.testing.assert_array_equal(found, plain)


# ---- the same answer again


def test_the_number_of_workers_does_not_change_the_answer(small_boxes):
    points = np.round(cloud(500, 3), 1)
    one, two, all_ = (Boxes(points, w).nearest_others(5) for w in (1, 2, -1))
    for other in (two, all_):
        assert one[0].tobytes() == other[0].tobytes()
        assert one[1].tobytes() == other[1].tobytes()


def test_more_songs_than_can_be_numbered_are_refused(monkeypatch):
    monkeypatch.setattr(neighbours, "POSITION_BITS", 3)
    assert Boxes(cloud(8, 2)).nearest_others(2)[0].shape == (8, 2)
    with pytest.raises(ValueError, match="9 songs: expected at most 8"):
        Boxes(cloud(9, 2))


# ---- the plain search for songs that are not in the catalogue


@settings(max_examples=60, deadline=None)
@given(points=clouds, data=st.data())
def test_the_plain_search_agrees_with_the_definition(points, data):
    k = data.draw(st.integers(1, len(points) - 1))
    rows = np.arange(len(points))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definition, "CHUNK_BYTES", data.draw(st.sampled_from([1, 2**26])))
        found, apart = nearest_by_definition(points, points, k, leave_out=rows)
    expected, distances = by_definition(points, k)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(apart, distances, rtol=1e-12)


def test_a_new_song_may_be_given_every_song_nearest_first():
    points = np.array([[3.0], [1.0], [2.0], [1.0]])
    found, apart = nearest_by_definition(points, np.array([[0.0]]), 4)
    assert found.tolist() == [[1, 3, 2, 0]]
    assert apart.tolist() == [[1, 1, 2, 3]]
