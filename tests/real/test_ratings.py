"""MovieLens-100k: the model's errors are at most what the decision on ratings gives for them."""

import gzip

import numpy as np
import pytest

from models.lists import Sameness
from models.ratings.factorisation import Recipe, fitted
from models.ratings.prediction import errors_in_folds, folded_in, predicted, worth_asking
from models.ratings.visitors import recommended, shelved

FOLDS = 5
NOTHING = np.array([], dtype=int)


@pytest.fixture(scope="module")
def movielens(shared_data):
    with gzip.open(shared_data("ratings-ml-100k.tsv.gz"), "rt") as file:
        users, songs, ratings, _ = np.loadtxt(file, dtype=int, delimiter="\t").T
    return users - 1, songs - 1, ratings.astype(float)


def fit(movielens, kept=slice(None), recipe=None):
    return fitted(*(column[kept] for column in movielens), shape=(943, 1682), recipe=recipe)


def rmse(errors):
    return np.sqrt(np.mean(np.concatenate(errors) ** 2))


def test_the_file_is_the_one_that_was_measured(movielens):
    users, songs, ratings = movielens
    assert (len(ratings), users.max(), songs.max()) == (100_000, 942, 1681)
    assert np.bincount(ratings.astype(int)).tolist() == [0, 6_110, 11_370, 27_145, 34_174, 21_201]


def test_in_five_folds_the_error_is_well_under_that_of_biases_and_of_plain_factors(movielens):
    errors = errors_in_folds(*movielens, shape=(943, 1682), folds=FOLDS)
    assert errors["song means"] > 1
    assert errors["biases"] < 0.944  # measured: 0.9394
    assert errors["factors"] < 0.90  # measured: 0.8969; the target was 0.935


def revealed(users):
    """Draw five ratings of each user at random; return who is in which group, and the mask."""
    rng = np.random.default_rng(1)
    group = rng.permutation(943) % FOLDS
    order = np.lexsort((rng.random(len(users)), users))
    nth = np.empty(len(order), dtype=int)
    nth[order] = np.arange(len(order)) - np.searchsorted(users[order], users[order])
    return group[users], nth < 5


def song_means(songs, ratings):
    count, total = np.bincount(songs, minlength=1682), np.bincount(songs, ratings, 1682)
    return np.where(count > 0, total / np.maximum(count, 1), ratings.mean())


def test_cold_visitors_are_served_better_than_by_means_and_biases_and_as_by_a_new_fit(movielens):
    users, songs, ratings = movielens
    group, five = revealed(users)
    errors = {"means": [], "biases": [], "folded in": [], "new fit": []}
    for number in range(FOLDS):
        cold = group == number
        shown, hidden = cold & five, cold & ~five
        means = song_means(songs[~cold], ratings[~cold])
        errors["means"].append(means[songs[hidden]] - ratings[hidden])
        for name, recipe in {"biases": Recipe(factors=0), "folded in": Recipe()}.items():
            factors, vectors = fit(movielens, ~cold, recipe)
            for user in np.unique(users[shown]):
                own = shown & (users == user)
                vectors[user] = folded_in(factors, songs[own], ratings[own])
            guesses = predicted(factors, vectors[users[hidden]], songs[hidden])
            errors[name].append(guesses - ratings[hidden])
        factors, vectors = fit(movielens, ~cold | shown)
        guesses = predicted(factors, vectors[users[hidden]], songs[hidden])
        errors["new fit"].append(guesses - ratings[hidden])
    measured = {name: rmse(found) for name, found in errors.items()}
    assert measured["folded in"] < measured["biases"] < measured["means"]
    assert measured["folded in"] < 1.01 * measured["new fit"]


def test_ratings_the_other_way_round_give_other_films(movielens):
    factors, _ = fit(movielens)
    asked = worth_asking(factors, factors.ratings / 943, np.zeros(1682, int), NOTHING)
    assert (factors.ratings[asked] > 150).all()
    alone = np.arange(1682)
    shelf = shelved(factors, Sameness(alone, alone), alone)
    rng, shared = np.random.default_rng(0), []
    for _ in range(100):
        ratings = rng.integers(1, 6, 5).astype(float)
        one, other = (recommended(shelf, asked, given).songs for given in (ratings, 6 - ratings))
        shared.append(len(set(one) & set(other)))
    assert max(shared) < 3
    assert np.mean(shared) < 1  # measured: 0.48, by films that everybody likes
