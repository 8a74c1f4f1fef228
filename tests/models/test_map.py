import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from models import map as model


def nearest(points, k):
    found = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)[1]
    return np.array([[n for n in row if n != song][:k] for song, row in enumerate(found)])


def planted(songs=900, columns=20, clusters=9, seed=0):
    rng = np.random.default_rng(seed)
    tastes = rng.integers(clusters, size=songs)
    points = rng.normal(size=(clusters, columns))[tastes] * 3 + rng.normal(size=(songs, columns))
    return points.astype(np.float32), tastes, nearest(points, 5)


def kept(found, lists):
    """The share of the five of each song that are among its fifty nearest on a map."""
    near = nearest(found, 50)
    return np.mean([np.isin(five, some).mean() for five, some in zip(lists, near, strict=True)])


@pytest.fixture
def few_landmarks(monkeypatch):
    real = model.landmarks
    monkeypatch.setattr(model, "landmarks", lambda tastes: real(tastes, 200))


def test_the_map_is_a_square_of_which_one_side_is_used_whole():
    found = model.places(*planted())
    assert found.shape == (900, 2)
    assert 0 <= found.min() < found.max() <= 1
    assert max(np.ptp(found, axis=0)) == pytest.approx(1)
    np.testing.assert_allclose((found.min(axis=0) + found.max(axis=0)) / 2, 0.5, atol=1e-5)


def test_neighbours_stay_nearer_than_on_two_components_or_by_chance():
    points, tastes, lists = planted()
    share = kept(model.places(points, tastes, lists), lists)
    assert share > kept(PCA(2).fit_transform(points), lists) + 0.15
    assert share > 0.4 > 50 / 899


def test_songs_that_are_no_landmarks_lie_among_their_neighbours_too(few_landmarks):
    points, tastes, lists = planted()
    found = model.places(points, tastes, lists)
    rest = np.setdiff1d(np.arange(900), model.landmarks(tastes))
    assert len(rest) == 700
    own = np.array([found[tastes == taste].mean(axis=0) for taste in range(9)])
    at = np.argmin(((found[rest, None] - own) ** 2).sum(axis=2), axis=1)
    assert (at == tastes[rest]).mean() > 0.95
    assert kept(found, lists) > kept(PCA(2).fit_transform(points), lists)


@pytest.mark.usefixtures("few_landmarks")
def test_equal_input_gives_an_equal_map_on_any_number_of_threads():
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(model.places(*planted()).tobytes())
    assert found[0] == found[1]


def test_landmarks_are_of_each_taste_by_its_share():
    tastes = np.repeat([0, 1, 2], [6000, 3000, 1000])
    marks = model.landmarks(tastes, 100)
    assert len(set(marks.tolist())) == 100
    np.testing.assert_allclose(np.bincount(tastes[marks]), [60, 30, 10], atol=1)


@pytest.mark.usefixtures("few_landmarks")
def test_short_lists_and_no_lists_leave_a_song_where_its_landmarks_are():
    points, tastes, lists = planted()
    lists[:, 3:] = -1
    lists[5] = -1
    assert np.isfinite(model.places(points, tastes, lists)).all()


@pytest.mark.parametrize("songs", [1, 2, 3, 4, 7])
def test_a_handful_of_songs_has_a_map(songs):
    points = np.random.default_rng(2).normal(size=(songs, 6)).astype(np.float32)
    found = model.places(points, np.zeros(songs, np.int64), np.full((songs, 2), -1))
    assert found.shape == (songs, 2)
    assert len({*map(tuple, found.tolist())}) == songs


@pytest.mark.parametrize("columns", [1, 8])
def test_songs_that_are_all_the_same_lie_in_the_middle(columns):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the shares of a variance of nothing
        found = model.places(
            np.ones((40, columns), np.float32), np.zeros(40, np.int64), np.full((40, 2), -1)
        )
    assert (found == 0.5).all()
