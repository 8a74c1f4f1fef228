import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import ranking
from models.ranking import ARTIST_CAP, allowed, recommended


def by_the_rules(points, families, artists, k):
    """Walk the complete order of each song and take whatever the rules let through."""
    lists = []
    for song in range(len(points)):
        apart = np.sqrt(((points - points[song]) ** 2).sum(axis=1))
        taken = []
        for other in np.argsort(apart, kind="stable"):
            family, artist = families[other], artists[other]
            fine = other != song and family != families[song] and len(taken) < k
            fine &= family not in [families[t] for t in taken]
            if fine and [artists[t] for t in taken].count(artist) < ARTIST_CAP:
                taken.append(int(other))
        lists.append(([*taken, *[-1] * (k - len(taken))], apart[taken]))
    return lists


def assert_by_the_rules(points, families, artists, k):
    families, artists = np.asarray(families), np.asarray(artists)
    indices, distances = recommended(points, families, artists, k)
    assert indices.shape == distances.shape == (len(points), k)
    expected = by_the_rules(points, families, artists, k)
    for row, apart, (others, gaps) in zip(indices, distances, expected, strict=True):
        assert row.tolist() == others
        np.testing.assert_allclose(apart[: len(gaps)], gaps, rtol=1e-12)
        assert np.isinf(apart[len(gaps) :]).all()


@st.composite
def catalogues(draw):
    songs = draw(st.integers(1, 40))
    numbers = st.lists(st.integers(0, 9), min_size=songs, max_size=songs)
    points = draw(st.lists(st.tuples(*[st.integers(-3, 3)] * 2), min_size=songs, max_size=songs))
    few = draw(st.sampled_from([1, 3, 10]))
    families = [f % few if few < 10 else n for n, f in enumerate(draw(numbers))]
    return np.array(points, dtype=float), np.array(families), np.array(draw(numbers)) // 3


@settings(max_examples=150, deadline=None)
@given(catalogue=catalogues(), k=st.integers(1, 7))
def test_a_list_is_what_the_rules_give_over_the_complete_order(catalogue, k):
    assert_by_the_rules(*catalogue, k)


@pytest.mark.parametrize("k", [1, 5, 12])
def test_lists_of_a_larger_catalogue_are_what_the_rules_give(k):
    rng = np.random.default_rng(0)
    points = np.round(rng.normal(size=(600, 3)), 1)
    assert_by_the_rules(points, rng.integers(0, 350, 600), rng.integers(0, 40, 600), k)


def test_the_search_goes_as_deep_as_it_must():
    # A thousand near songs are of one artist; what the rules want lies behind them all.
    points = np.concatenate([np.linspace(0, 1, 300), [50.0, 51, 52, 53]])[:, None]
    artists = np.concatenate([np.zeros(300), [1, 2, 3, 4]]).astype(int)
    assert_by_the_rules(points, np.arange(304), artists, 5)


def test_a_song_is_never_given_itself_nor_another_of_its_family():
    points = np.array([[0.0], [0], [0], [5], [6], [7]])
    families = np.array([0, 0, 0, 1, 2, 3])
    indices, _ = recommended(points, families, np.arange(6), 3)
    assert indices[:3].tolist() == [[3, 4, 5]] * 3


def test_one_song_of_any_other_family_is_given_the_nearest():
    points = np.array([[0.0], [1], [2], [3], [4]])
    indices, distances = recommended(points, np.array([0, 1, 1, 2, 2]), np.arange(5), 2)
    assert indices[0].tolist() == [1, 3]
    assert distances[0].tolist() == [1, 3]


def test_two_songs_by_one_artist_are_given_at_most_even_by_the_songs_own():
    points = np.arange(7.0)[:, None]
    artists = np.array([0, 0, 0, 0, 1, 1, 1])
    indices, _ = recommended(points, np.arange(7), artists, 4)
    assert indices[0].tolist() == [1, 2, 4, 5]


def test_ties_go_to_the_smaller_number():
    points = np.array([[0.0], [1], [-1], [1], [-1]])
    indices, _ = recommended(points, np.arange(5), np.arange(5), 3)
    assert indices[0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("songs", [1, 2, 3])
def test_a_list_that_the_rules_leave_short_is_filled_up(songs):
    indices, distances = recommended(np.zeros((songs, 2)), np.arange(songs), np.arange(songs), 5)
    assert (indices >= 0).sum(axis=1).tolist() == [songs - 1] * songs
    assert (indices[:, songs - 1 :] == -1).all()
    assert np.isinf(distances[:, songs - 1 :]).all()


def test_a_catalogue_that_is_one_family_has_empty_lists():
    indices, _ = recommended(np.zeros((30, 2)), np.zeros(30, int), np.arange(30), 5)
    assert (indices == -1).all()


def test_a_catalogue_by_one_artist_gives_as_many_as_an_artist_may_have():
    points = np.arange(30.0)[:, None]
    indices, _ = recommended(points, np.arange(30), np.zeros(30, int), 5)
    assert ((indices >= 0).sum(axis=1) == ARTIST_CAP).all()


def test_every_song_is_reported_as_done_once():
    done = []
    rng = np.random.default_rng(1)
    recommended(rng.normal(size=(200, 3)), np.arange(200), rng.integers(0, 3, 200), 5, done.append)
    assert sum(done) == 200


def test_songs_in_another_order_are_given_the_same_songs():
    rng = np.random.default_rng(2)
    points = rng.normal(size=(150, 3))
    families, artists = rng.integers(0, 100, 150), rng.integers(0, 30, 150)
    order = rng.permutation(150)
    here, _ = recommended(points, families, artists, 5)
    there, _ = recommended(points[order], families[order], artists[order], 5)
    np.testing.assert_array_equal(order[there], here[order])


def test_a_shallow_start_gives_the_same_lists(monkeypatch):
    rng = np.random.default_rng(3)
    catalogue = rng.normal(size=(200, 3)), rng.integers(0, 9, 200), rng.integers(0, 50, 200)
    monkeypatch.setattr(ranking, "DEEPER", 2)
    step_by_step, _ = recommended(*catalogue, 5)
    monkeypatch.setattr(ranking, "DEEPER", 1000)
    at_once, _ = recommended(*catalogue, 5)
    np.testing.assert_array_equal(step_by_step, at_once)


def test_columns_are_picked_from_candidates_as_they_are_ordered():
    families, artists = np.array([0, 1, 1, 2, 3, 4]), np.array([0, 1, 1, 1, 1, 2])
    candidates = np.array([[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]])
    picked = allowed(candidates, np.array([0, 4]), families, artists, 4)
    assert picked.tolist() == [[1, 3, 5, -1], [1, 2, 5, -1]]
