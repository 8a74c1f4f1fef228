from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from models.lists import Sameness
from models.ratings import visitors
from models.ratings.factorisation import Factors, Recipe, fitted
from models.ratings.prediction import (
    contributions,
    errors_in_folds,
    folded_in,
    predicted,
    with_fallback,
    worth_asking,
)
from models.ratings.visitors import highest, shelved

NOTHING = np.array([], dtype=int)
USERS, SONGS, DIMENSIONS = 300, 120, 3


class Planted:
    """Ratings in half stars with biases, three tastes and noise that are known."""

    def __init__(self, seed=0, share=0.25):
        rng = np.random.default_rng(seed)
        self.people = rng.normal(scale=0.8, size=(USERS, DIMENSIONS))
        self.vectors = rng.normal(scale=0.8, size=(SONGS, DIMENSIONS))
        bias = rng.normal(scale=0.4, size=USERS)[:, None] + rng.normal(scale=0.4, size=SONGS)
        self.truth = 3 + bias + self.people @ self.vectors.T
        noisy = self.truth + rng.normal(scale=0.4, size=self.truth.shape)
        self.all = np.clip(np.round(noisy * 2) / 2, 1, 5)
        self.users, self.songs = np.nonzero(rng.random(self.truth.shape) < share)
        self.ratings = self.all[self.users, self.songs]

    def fit(self, kept=slice(None), recipe=None):
        given_ = self.users[kept], self.songs[kept], self.ratings[kept]
        return fitted(*given_, (USERS, SONGS), recipe)


@pytest.fixture(scope="module")
def planted():
    return Planted()


@pytest.fixture(scope="module")
def learnt(planted):
    return planted.fit()


def rmse(guess, ratings):
    return np.sqrt(np.mean(np.subtract(guess, ratings) ** 2))


def song_means(songs, ratings):
    count = np.bincount(songs, minlength=SONGS)
    total = np.bincount(songs, ratings, minlength=SONGS)
    return np.where(count > 0, total / np.maximum(count, 1), ratings.mean())


def assert_same(one, other):
    for field in fields(Factors):
        left, right = getattr(one[0], field.name), getattr(other[0], field.name)
        assert np.asarray(left).tobytes() == np.asarray(right).tobytes(), field.name
    assert one[1].tobytes() == other[1].tobytes()


def random_factors(seed, songs=40, factors=3):
    rng = np.random.default_rng(seed)
    return Factors(
        mean=3.4,
        spread=rng.uniform(0.1, 1, 1 + factors),
        bias=rng.normal(size=songs),
        vectors=rng.normal(size=(songs, factors)),
        noise=rng.uniform(0.2, 1, songs),
        ratings=rng.integers(0, 30, songs),
    )


def test_what_was_planted_is_found_better_than_by_means_and_biases(planted):
    kept = np.random.default_rng(1).random(len(planted.ratings)) < 0.8
    users, songs = planted.users[~kept], planted.songs[~kept]
    held = planted.ratings[~kept]
    errors = {"mean": rmse(song_means(planted.songs[kept], planted.ratings[kept])[songs], held)}
    for name, recipe in {"bias": Recipe(factors=0), "ours": Recipe()}.items():
        factors, vectors = planted.fit(kept, recipe)
        errors[name] = rmse(predicted(factors, vectors[users], songs), held)
    assert errors["ours"] < 0.7 * errors["bias"] < 0.7 * errors["mean"]
    assert errors["ours"] < 0.51  # the noise that was planted and half stars: 0.42


def test_a_song_is_not_worse_for_being_rated_by_the_harsh():
    rng = np.random.default_rng(7)
    harsh, good = np.arange(200) % 2, np.arange(60) % 2
    users, songs = np.nonzero(rng.random((200, 60)) < np.where(harsh[:, None] == good, 0.4, 0.1))
    ratings = 3 - 1.5 * (harsh[users] - 0.5) + 1.5 * (good[songs] - 0.5)
    factors, vectors = fitted(users, songs, ratings, (200, 60))
    assert np.ptp([factors.bias[good == kind].mean() for kind in (0, 1)]) > 1.4
    assert np.ptp([vectors[harsh == kind, 0].mean() for kind in (0, 1)]) > 1.4
    plain = song_means(songs, ratings)[:60]
    assert np.ptp([plain[good == kind].mean() for kind in (0, 1)]) < 0.7


def test_a_song_whose_ratings_are_dice_is_noisier_than_any_other(planted, learnt):
    dice = np.random.default_rng(9).choice([1.0, 5.0], len(planted.ratings))
    ratings = np.where(planted.songs == 7, dice, planted.ratings)
    factors, _ = fitted(planted.users, planted.songs, ratings, (USERS, SONGS))
    assert factors.noise[7] > 4 * np.median(factors.noise)
    others = np.delete(learnt[0].noise / np.median(learnt[0].noise), 7)
    assert others.max() < 2


def test_errors_in_folds_are_of_ratings_that_were_not_seen_in_any_order(planted):
    columns, shape = (planted.users, planted.songs, planted.ratings), (USERS, SONGS)
    errors = errors_in_folds(*columns, shape, 3)
    assert errors["factors"] < 0.7 * errors["biases"] < 0.7 * errors["song means"]
    turned = errors_in_folds(*(column[::-1] for column in columns), shape=shape, folds=3)
    assert turned == errors
    noise = np.random.default_rng(8).choice([1.0, 5.0], len(planted.ratings))
    assert min(errors_in_folds(*columns[:2], noise, shape, 3).values()) > 1.98


def test_fewer_ratings_than_folds_are_refused():
    four = np.arange(4)
    with pytest.raises(ValueError, match="at least 5 ratings"):
        errors_in_folds(four, four, np.full(4, 3.0), (4, 4))


def test_factors_that_nothing_needs_are_left_without_spread(planted):
    factors, _ = planted.fit(recipe=Recipe(factors=8))
    spread = np.sort((factors.vectors**2).mean(axis=0) * factors.spread[1:])
    assert spread[:5].sum() < 0.05 * spread[5:].sum()


def test_the_same_ratings_give_the_same_bytes_in_any_order_with_any_threads(planted, learnt):
    shuffled = np.random.default_rng(2).permutation(len(planted.ratings))
    with threadpool_limits(2):
        assert_same(planted.fit(shuffled), learnt)


def test_users_and_songs_without_ratings_are_the_average_ones(planted):
    users, songs = planted.users * 2 + 1, planted.songs * 2
    factors, vectors = fitted(users, songs, planted.ratings, (2 * USERS + 1, 2 * SONGS))
    assert not vectors[::2].any()
    assert vectors[1::2].any()
    assert not factors.bias[1::2].any()
    assert not factors.vectors[1::2].any()
    assert factors.ratings.tolist()[:4] == [
        *(int((planted.songs == 0).sum()), 0),
        *(int((planted.songs == 1).sum()), 0),
    ]
    assert (factors.noise > 0).all()


@pytest.mark.parametrize("rating", [1.0, 3.0, 4.5])
def test_one_rating_is_enough_and_is_its_own_mean(rating):
    factors, vectors = fitted(np.array([0]), np.array([0]), np.array([rating]), (1, 1))
    assert factors.mean == rating
    np.testing.assert_allclose(predicted(factors, vectors, np.array([0])), rating)


def test_ratings_that_are_all_the_same_are_predicted(planted):
    same = np.full(len(planted.ratings), 4.0)
    factors, vectors = fitted(planted.users, planted.songs, same, (USERS, SONGS))
    guesses = predicted(factors, vectors[planted.users], planted.songs)
    np.testing.assert_allclose(guesses, 4, atol=0.01)


def test_a_song_that_all_rate_alike_has_a_bias_and_little_noise(planted):
    ratings = np.where(planted.songs == 7, 5.0, planted.ratings)
    factors, _ = fitted(planted.users, planted.songs, ratings, (USERS, SONGS))
    assert factors.bias[7] > factors.bias.mean() + 1
    assert np.linalg.norm(factors.vectors[7]) < 0.3 * np.median(
        np.linalg.norm(factors.vectors, axis=1)
    )


@pytest.mark.parametrize("wrong", [0.5, 5.5, np.inf, np.nan])
def test_a_rating_that_is_not_from_1_to_5_is_refused_with_the_number_of_them(wrong):
    ratings = np.array([3, wrong, wrong])
    with pytest.raises(ValueError, match="from 1 to 5, got 2 others"):
        fitted(np.arange(3), np.arange(3), ratings, (3, 3))


def test_no_ratings_are_refused():
    with pytest.raises(ValueError, match="at least one rating"):
        fitted(NOTHING, NOTHING, np.array([]), (3, 3))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 999),
    rated=st.lists(st.integers(0, 39), max_size=12, unique=True),
    data=st.data(),
)
def test_a_fold_in_is_the_regularised_least_squares_solution(seed, rated, data):
    factors, songs = random_factors(seed), np.array(rated, dtype=int)
    stars = st.integers(2, 10).map(lambda half: half / 2)
    ratings = np.array(data.draw(st.lists(stars, min_size=len(rated), max_size=len(rated))))
    design = np.column_stack([np.ones(len(songs)), factors.vectors[songs]])
    target = ratings - factors.mean - factors.bias[songs]
    weight = 1 / np.sqrt(factors.noise[songs])
    left = np.vstack([design * weight[:, None], np.diag(1 / np.sqrt(factors.spread))])
    right = np.concatenate([target * weight, np.zeros(len(factors.spread))])
    solution = np.linalg.lstsq(left, right)[0]
    np.testing.assert_allclose(folded_in(factors, songs, ratings), solution, atol=1e-9)


def test_do_not_know_it_is_no_rating():
    factors = random_factors(0)
    songs, ratings = np.array([3, 4, 5]), np.array([5, np.nan, 1])
    without = folded_in(factors, songs[[0, 2]], ratings[[0, 2]])
    np.testing.assert_array_equal(folded_in(factors, songs, ratings), without)
    nothing = folded_in(factors, songs, np.full(3, np.nan))
    np.testing.assert_array_equal(nothing, np.zeros(4))


@pytest.mark.parametrize("song", [-1, 40])
def test_a_song_that_is_not_there_is_refused(song):
    with pytest.raises(ValueError, match=f"from 0 to 39, got {song}"):
        folded_in(random_factors(0), np.array([song]), np.array([4.0]))


def test_visitors_with_five_ratings_are_served_as_if_all_were_learnt_again(planted):
    cold = planted.users >= 240
    place = np.arange(len(planted.users)) - np.searchsorted(planted.users, planted.users)
    shown, hidden = cold & (place < 5), cold & (place >= 5)
    users, songs, held = (a[hidden] for a in (planted.users, planted.songs, planted.ratings))

    def folded(recipe):
        factors, vectors = planted.fit(~cold, recipe)
        for user in np.unique(planted.users[shown]):
            own = shown & (planted.users == user)
            vectors[user] = folded_in(factors, planted.songs[own], planted.ratings[own])
        return rmse(predicted(factors, vectors[users], songs), held)

    factors, vectors = planted.fit(~cold | shown)
    again = rmse(predicted(factors, vectors[users], songs), held)
    mean = rmse(song_means(planted.songs[~cold], planted.ratings[~cold])[songs], held)
    ours, bias = folded(Recipe()), folded(Recipe(factors=0))
    assert ours < 1.01 * again
    assert ours < 0.85 * min(bias, mean)


def test_ratings_the_other_way_round_give_other_songs(planted, learnt):
    factors, _ = learnt
    shared = []
    for user in range(100):
        songs = worth_asking(factors, factors.ratings / USERS, np.zeros(SONGS, int), NOTHING)
        ratings = planted.all[user, songs]
        both = [folded_in(factors, songs, r) for r in (ratings, 6 - ratings)]
        one, other = (top(factors, visitor, songs, 3)[0] for visitor in both)
        shared.append(len(set(one) & set(other)))
        assert shared[-1] < 3 or (ratings == 3).all()
    assert np.mean(shared) < 0.5


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), rated=st.lists(st.integers(0, 39), max_size=8, unique=True))
def test_contributions_add_up_to_what_depends_on_visitor_and_song(seed, rated):
    factors, songs = random_factors(seed), np.array(rated, dtype=int)
    ratings = np.random.default_rng(seed).integers(1, 6, len(songs)).astype(float)
    ratings[::3] = np.nan
    moved = contributions(factors, songs, ratings, np.arange(40))
    visitor = folded_in(factors, songs, ratings)
    np.testing.assert_allclose(moved.sum(axis=1), factors.vectors @ visitor[1:], atol=1e-9)
    assert not moved[:, ::3].any()


def test_a_rating_that_changes_changes_its_own_contribution_alone():
    factors, songs, ratings = random_factors(1), np.array([1, 2, 3]), np.array([4.0, 2, 5])
    changed = contributions(factors, songs, np.array([4.0, 2, 1]), np.arange(9))
    moved = contributions(factors, songs, ratings, np.arange(9))
    np.testing.assert_array_equal(moved[:, :2], changed[:, :2])
    assert (moved[:, 2] != changed[:, 2]).all()


def like_minded(planted, songs):
    """Return for each song five of the ten whose planted vectors are nearest."""
    apart = ((planted.vectors[:, None] - planted.vectors) ** 2).sum(axis=2)
    return np.argsort(apart, axis=1)[:, 1:11:2][songs]


def test_songs_with_few_ratings_are_served_by_like_minded_neighbours(planted):
    rare = planted.songs % 5 == 0
    kept = ~rare | (np.random.default_rng(4).random(len(rare)) < 0.02)
    factors, vectors = planted.fit(kept)
    neighbours = like_minded(planted, np.arange(SONGS))
    filled = with_fallback(factors, neighbours, np.ones(neighbours.shape))
    users, songs, held = (a[~kept] for a in (planted.users, planted.songs, planted.ratings))
    alone = rmse(predicted(factors, vectors[users], songs), held)
    assert rmse(predicted(filled, vectors[users], songs), held) < 0.9 * alone


def test_neighbours_that_say_nothing_about_taste_do_no_harm(planted):
    kept = (planted.songs % 5 > 0) | (np.random.default_rng(4).random(len(planted.songs)) < 0.02)
    factors, vectors = planted.fit(kept)
    strangers = np.random.default_rng(5).integers(0, SONGS, (SONGS, 5))
    filled = with_fallback(factors, strangers, np.ones(strangers.shape))
    users, songs, held = (a[~kept] for a in (planted.users, planted.songs, planted.ratings))
    alone = rmse(predicted(factors, vectors[users], songs), held)
    assert rmse(predicted(filled, vectors[users], songs), held) < 1.005 * alone


def test_what_neighbours_lend_is_their_mean_by_weight_and_by_how_much_they_are_rated():
    factors = replace(
        random_factors(0, 4, 1),
        bias=np.zeros(4),
        vectors=np.array([[2.0], [1], [7], [0]]),
        ratings=np.array([5, 15, 0, 0]),
    )
    neighbours = np.array([[1, -1], [0, -1], [-1, -1], [0, 1]])
    weights = np.array([[1.0, 9], [1, 9], [9, 9], [3, 1]])
    filled = with_fallback(factors, neighbours, weights, enough=5)
    slope = (0.5 * 2 * 1 + 0.75 * 1 * 2) / (0.5 * 1**2 + 0.75 * 2**2)
    lent = slope * np.array([1, 2, 0, (3 * 0.5 * 2 + 0.75 * 1) / (3 * 0.5 + 0.75)])
    expected = np.array([2, 1, 7, 0]) + np.array([0.5, 0.25, 1, 1]) * lent
    np.testing.assert_allclose(filled.vectors[:, 0], expected)
    np.testing.assert_array_equal(filled.bias, np.zeros(4))


def top(factors, visitor, rated, k, families=None, artists=None):
    alone = np.arange(len(factors.bias))
    families = alone if families is None else families
    shelf = shelved(factors, Sameness(families, alone if artists is None else artists), alone)
    return highest(shelf, visitor, np.array(rated, dtype=int), k)


def by_the_rules(factors, visitor, rated, families, artists, k):
    """Walk all songs from the highest score and take what the rules let through."""
    scores = factors.mean + visitor[0] + factors.bias + factors.vectors @ visitor[1:]
    barred, by, listed = {families[song] for song in rated}, [], []
    for song in np.lexsort((np.arange(len(scores)), -np.round(scores, 9))):
        if families[song] not in barred and by.count(artists[song]) < 2 and len(listed) < k:
            barred.add(families[song])
            by.append(artists[song])
            listed.append(int(song))
    return listed, scores


@pytest.mark.parametrize("depth", [0, 200])
@settings(max_examples=80, deadline=None)
@given(data=st.data(), k=st.integers(1, 8), songs=st.integers(1, 25))
def test_a_list_is_what_the_rules_give_over_the_complete_order(depth, data, k, songs):
    def numbers(low, high, size):
        return np.array(data.draw(st.lists(st.integers(low, high), min_size=size, max_size=size)))

    values = numbers(-2, 2, songs * 3).reshape(songs, 3).astype(float)
    factors = Factors(3.0, np.ones(3), values[:, 0], values[:, 1:], np.ones(songs), np.ones(songs))
    families, artists = numbers(0, 9, songs), numbers(0, 3, songs)
    visitor = numbers(-2, 2, 3).astype(float)
    rated = sorted(data.draw(st.sets(st.integers(0, songs - 1))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visitors, "DEPTH", depth)
        patch.setattr(visitors, "EVERY", 2)
        listed, scores = top(factors, visitor, rated, k, families, artists)
    expected, all_scores = by_the_rules(factors, visitor, rated, families, artists, k)
    assert listed.tolist() == expected
    np.testing.assert_allclose(scores, all_scores[listed])


def test_equal_songs_are_listed_by_their_number():
    factors = random_factors(3)
    twins = replace(
        factors, bias=np.tile(factors.bias[:8], 5), vectors=np.tile(factors.vectors[:8], (5, 1))
    )
    for visitor in np.random.default_rng(0).normal(size=(50, 4)):
        assert (np.diff(top(twins, visitor, [], 5)[0]) == 8).all()


def test_taste_alone_lists_what_is_more_ones_own_than_everybodys(planted, learnt):
    factors, vectors = learnt
    own = replace(factors, bias=np.zeros(SONGS))
    chosen = {"usual": [], "special": []}
    for user, visitor in enumerate(vectors):
        rated = planted.songs[planted.users == user]
        chosen["usual"].extend(top(factors, visitor, rated, 3)[0])
        chosen["special"].extend(top(own, visitor, rated, 3)[0])
    usual, special = (factors.bias[songs].mean() for songs in chosen.values())
    assert special < usual - 0.1


def test_songs_worth_asking_are_known_split_opinion_and_are_of_several_tastes(learnt):
    factors, _ = learnt
    known = np.where(np.arange(SONGS) < 60, 0.9, 0.001)
    tastes = np.arange(SONGS) % 6
    asked = worth_asking(factors, known, tastes, NOTHING)
    assert (asked < 60).all()
    assert len(set(asked)) == len(set(tastes[asked])) == 5
    lengths = np.linalg.norm(factors.vectors, axis=1)
    assert lengths[asked].mean() > lengths[:60].mean()


def test_answers_to_what_is_asked_tell_more_than_to_five_others(planted):
    factors, _ = planted.fit(planted.users < 200)
    rng, known = np.random.default_rng(6), np.ones(SONGS)
    asked = worth_asking(factors, known, np.zeros(SONGS, int), NOTHING)
    errors = {"asked": [], "others": []}
    for user in range(200, USERS):
        for name, five in {"asked": asked, "others": rng.choice(SONGS, 5, replace=False)}.items():
            visitor = folded_in(factors, five, planted.all[user, five])
            hidden = np.setdiff1d(np.arange(SONGS), [*five, *asked])
            errors[name].extend(predicted(factors, visitor, hidden) - planted.all[user, hidden])
    assert rmse(errors["asked"], 0) < 0.9 * rmse(errors["others"], 0)


def test_another_five_are_others_and_depend_on_what_was_answered(learnt):
    factors, _ = learnt
    known, tastes = np.ones(SONGS), np.zeros(SONGS, int)
    first = worth_asking(factors, known, tastes, NOTHING)
    known[first] = 0
    others = worth_asking(factors, known, tastes, NOTHING)
    after = worth_asking(factors, known, tastes, first)
    assert not set(first) & (set(others) | set(after))
    assert others.tolist() != after.tolist()


def test_a_song_that_says_what_an_answer_said_already_is_not_asked():
    vectors = np.array([[2.0, 0], [2, 0], [0, 1]])
    factors = replace(random_factors(0, 3, 2), spread=np.ones(3), bias=np.zeros(3))
    factors = replace(factors, vectors=vectors, noise=np.full(3, 0.3))
    known, tastes = np.ones(3), np.zeros(3, int)
    assert worth_asking(factors, known, tastes, NOTHING, 2).tolist() == [0, 2]
    assert worth_asking(factors, known, tastes, np.array([0]), 1).tolist() == [2]


@pytest.mark.parametrize(("left", "count"), [(0, 0), (1, 1), (3, 3), (9, 5)])
def test_as_many_are_asked_as_are_left(left, count):
    known = np.where(np.arange(40) < left, 0.5, 0)
    asked = worth_asking(random_factors(0), known, np.zeros(40, int), NOTHING)
    assert len(asked) == count
    assert asked.dtype == np.int64


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), answered=st.lists(st.integers(0, 39), max_size=5, unique=True))
def test_no_answered_song_is_asked_and_tastes_repeat_only_when_all_were_asked(seed, answered):
    factors, rng = random_factors(seed), np.random.default_rng(seed)
    known, tastes = rng.random(40), rng.integers(0, 3, 40)
    asked = worth_asking(factors, known, tastes, np.array(answered, dtype=int))
    assert len(set(asked)) == 5
    assert not set(asked) & set(answered)
    assert len(set(tastes[asked])) == 3
    assert len(set(tastes[asked[:3]])) == 3
