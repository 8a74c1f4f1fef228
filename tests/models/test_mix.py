from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from models.lists import Sameness
from models.mix import Shelves, in_order, mix, nearest_first, quotas

COUNTS = st.lists(st.integers(0, 300), min_size=1, max_size=30).map(np.array)


def catalogue(songs=600, tastes=5, seed=0, artists=200, families=400):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(tastes, 6)) * 5
    of_song = rng.integers(tastes, size=songs)
    points = (middles[of_song] + rng.normal(size=(songs, 6))).astype(np.float32)
    numbers = rng.integers(families, size=songs), rng.integers(artists, size=songs)
    return Shelves(points, of_song, Sameness(*numbers))


@given(COUNTS, st.integers(0, 80))
def test_quotas_sum_and_drop_no_taste(counts, places):
    dealt = quotas(counts, places)
    assert dealt.sum() == (places if counts.any() else 0)
    assert (dealt[counts == 0] == 0).all()
    if (counts > 0).sum() <= places:
        assert (dealt[counts > 0] >= 1).all()
    else:
        assert dealt.max(initial=0) <= 1
        assert counts[dealt == 1].min(initial=301) >= counts[dealt == 0].max(initial=0)


@given(COUNTS.filter(np.any), st.integers(1, 80))
def test_quotas_are_the_largest_remainder_where_none_is_too_small(counts, places):
    exact = places * counts / counts.sum()
    dealt = quotas(counts, places)
    if (exact[counts > 0] >= 1).all():
        assert (np.abs(dealt - exact) < 1).all()
        up = dealt > np.floor(exact)
        remainder = exact - np.floor(exact)
        assert remainder[up].min(initial=1) >= remainder[~up].max(initial=0)


def test_quotas_by_hand():
    assert quotas(np.array([50, 30, 20]), 10).tolist() == [5, 3, 2]
    assert quotas(np.array([97, 2, 1]), 10).tolist() == [8, 1, 1]
    assert quotas(np.array([5, 5, 5]), 2).tolist() == [1, 1, 0]
    assert quotas(np.array([0, 0]), 5).tolist() == [0, 0]


@examples(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(0, 120))
def test_a_mix_holds_to_its_rules(seed, places, number):
    shelves = catalogue(seed=seed % 7)
    saved = np.random.default_rng(seed).integers(-1, 700, size=number)
    made = mix(shelves, saved, places)
    known = np.unique(saved[(saved >= 0) & (saved < 600)])
    families = shelves.sameness.namesakes[made.songs]
    assert not set(families.tolist()) & set(shelves.sameness.namesakes[known].tolist())
    assert len(set(families.tolist())) == len(families)
    assert max(Counter(shelves.sameness.artists[made.songs].tolist()).values(), default=0) <= 2
    assert set(made.near.tolist()) <= set(known.tolist())
    assert made.quotas.sum() == (places if len(known) else 0)
    assert len(made.songs) <= made.quotas.sum()
    assert len(made.songs) >= made.quotas.sum() - made.short.sum()
    if not made.short.any():
        of = np.bincount(shelves.tastes[made.songs], minlength=5)
        assert of.tolist() == made.quotas.tolist()


def test_what_is_repeated_unknown_or_in_another_order_changes_nothing():
    shelves = catalogue()
    once = mix(shelves, np.array([3, 50, 400]), 20)
    again = mix(shelves, np.array([400, -1, 50, 3, 3, 10_000, 50]), 20)
    assert once.songs.tolist() == again.songs.tolist()


def test_nothing_saved_gives_nothing():
    made = mix(catalogue(), np.array([], dtype=int))
    assert not len(made.songs)
    assert not len(made.near)


def test_songs_lie_near_to_what_was_saved_not_to_its_mean():
    """Two circles are saved in one taste; its mean lies in a third one that nobody saved."""
    rng = np.random.default_rng(0)
    middles = np.repeat([[-10.0, 0], [0, 0], [10, 0]], 40, axis=0)
    points = (middles + rng.normal(size=(120, 2))).astype(np.float32)
    numbers = np.arange(120)
    shelves = Shelves(points, np.zeros(120, dtype=int), Sameness(numbers, numbers))
    made = mix(shelves, np.concatenate([numbers[:20], numbers[80:100]]), 20)
    circles = Counter((made.songs // 40).tolist())
    assert circles[1] == 0
    assert min(circles[0], circles[2]) >= 5


def test_the_nearest_comes_first_and_several_beat_one():
    points = np.array([[0, 0], [0.4, 0], [5, 0], [0.2, 0.5], [5.5, 0], [30, 0]], dtype=np.float32)
    order = nearest_first(points, np.array([3, 4, 5]), np.array([0, 1, 2]))
    assert order.tolist() == [0, 1, 2]


def test_many_saved_songs_are_compared_by_a_sample():
    shelves = catalogue(songs=3000, tastes=1, artists=3000, families=9000)
    made = mix(shelves, np.arange(0, 2000), 10)
    assert len(made.songs) == 10


def test_what_a_taste_cannot_fill_goes_to_the_next_nearest_and_is_said():
    numbers = np.arange(33)
    tastes = np.repeat([0, 1, 2], [3, 15, 15])
    points = np.column_stack([np.repeat([0.0, 10, 100], [3, 15, 15]), numbers / 100])
    shelves = Shelves(points, tastes, Sameness(numbers, numbers))
    made = mix(shelves, np.array([0, 1]), 10)
    assert made.quotas.tolist() == [10, 0, 0]
    assert made.short.tolist() == [9, 0, 0]
    assert np.bincount(tastes[made.songs], minlength=3).tolist() == [1, 9, 0]


def test_where_no_song_is_left_the_playlist_is_shorter():
    shelves = Shelves(
        np.eye(4), np.zeros(4, dtype=int), Sameness(np.arange(4), np.array([0, 1, 1, 1]))
    )
    made = mix(shelves, np.array([0]), 50)
    assert len(made.songs) == 2
    assert made.short.tolist() == [48]


def test_a_small_taste_is_not_robbed_of_its_artist():
    """All of taste 1 is by artist 0, who also leads taste 0."""
    tastes = np.array([0] * 12 + [1] * 3)
    artists = np.array([1, 0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0])
    points = np.column_stack([np.arange(15.0), tastes * 100])
    shelves = Shelves(points, tastes, Sameness(np.arange(15), artists))
    made = mix(shelves, np.array([0, 0, 3, 12]), 6)
    assert not made.short.any()


def length(points, order):
    return np.linalg.norm(np.diff(points[order], axis=0), axis=1).sum()


@given(st.integers(0, 1000), st.integers(0, 40))
@examples(max_examples=40, deadline=None)
def test_the_order_names_each_song_once_and_no_reversal_shortens_it(seed, songs):
    points = np.random.default_rng(seed).normal(size=(songs, 3))
    order = in_order(points)
    assert sorted(order.tolist()) == list(range(songs))
    best = length(points, order)
    for start in range(songs):
        for stop in range(start + 2, songs + 1):
            turned = np.concatenate([order[:start], order[start:stop][::-1], order[stop:]])
            assert length(points, turned) >= best - 1e-6


def test_songs_on_a_line_are_played_along_it():
    points = np.array([[3.0], [0], [4], [1], [2]])
    walked = points[in_order(points)].ravel().tolist()
    assert walked in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0])


def test_flow_may_follow_other_columns_than_nearness():
    shelves = catalogue()
    tempo = np.random.default_rng(3).normal(size=(600, 1))
    flowing = Shelves(shelves.points, shelves.tastes, shelves.sameness, tempo)
    saved = np.arange(30)
    plain, ordered = mix(shelves, saved), mix(flowing, saved)
    assert sorted(plain.songs.tolist()) == sorted(ordered.songs.tolist())
    steps = np.diff(tempo[ordered.songs].ravel())
    assert (steps >= 0).all() or (steps <= 0).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_vectors_on_disk_give_the_same(tmp_path, threads):
    from threadpoolctl import threadpool_limits

    shelves = catalogue()
    np.save(tmp_path / "points.npy", shelves.points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    other = Shelves(mapped, shelves.tastes, shelves.sameness)
    saved = np.arange(40)
    with threadpool_limits(threads):
        found = mix(other, saved).songs
    assert found.tolist() == mix(shelves, saved).songs.tolist()
