import math
from itertools import chain

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.metrics import ndcg_score

from models.judging import baselines, evaluation, exactness, exposure, queries
from models.judging.evaluation import HEADLINE, METRICS, Measure, accuracy, fell, interval, measured
from models.judging.queries import Catalogue, Entries, drawn_queries, leaked
from models.neighbours.boxes import Boxes
from models.neighbours.definition import nearest_by_definition
from transforms.evaluation import evaluation_rows
from warehouse.errors import ContractError

NONE = Entries(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def catalogue_of(families, credits=None):
    """Make a catalogue; without ``credits`` every family has an artist of its own."""
    credits = [[family] for family in families] if credits is None else credits
    starts = np.cumsum([0, *map(len, credits)])
    return Catalogue(np.array(families), starts, np.array([*chain(*credits)], dtype=np.int64))


def entries_of(playlists):
    pairs = [(number, song) for number, songs in sorted(playlists.items()) for song in songs]
    return Entries(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T)


def query_of(catalogue, song, relevant, warm=True, learnt=False):
    """Make the one query ``song`` by hand, with the families that answer it."""
    family = catalogue.families[song]
    everyone = np.arange(len(catalogue.first_songs))
    alike = catalogue.share_artist(np.full(len(everyone), family), everyone)
    return queries.Queries(
        songs=np.array([song]),
        playlists=np.array([0]),
        warm=np.array([warm]),
        relevant=np.sort(np.array(relevant)),
        by_same_artist=np.union1d(np.flatnonzero(alike), family),
        learnt=learnt,
    )


def score(catalogue, query, songs):
    scores = accuracy(catalogue, query, np.array([songs]))
    return dict(zip(METRICS, scores[0].tolist(), strict=True))


# What is asked


def test_a_playlist_is_asked_from_ten_to_two_hundred_families():
    catalogue = catalogue_of(range(300))
    held = entries_of({0: range(9), 1: range(10), 2: range(200), 3: range(201)})
    found = drawn_queries(catalogue, held, NONE)
    assert sorted(found.playlists.tolist()) == [1] * 5 + [2] * 5


def test_versions_of_one_song_count_once():
    catalogue = catalogue_of([song // 2 for song in range(20)])
    held = entries_of({0: range(18), 1: range(20)})  # 9 and 10 families
    assert set(drawn_queries(catalogue, held, NONE).playlists.tolist()) == {1}


def test_what_answers_a_query_is_the_rest_of_its_playlist_without_its_artists():
    credits = [[song] for song in range(12)]
    credits[1] = [1, 0]  # a guest: songs 0 and 1 share an artist
    catalogue = catalogue_of(range(12), credits)
    found = drawn_queries(catalogue, entries_of({0: range(10)}), NONE)
    assert len(found.songs) == 5  # of each playlist
    assert set(found.songs.tolist()) <= set(range(10))
    for row, song in enumerate(found.songs):
        answers = found.relevant[found.relevant // 12 == row] % 12
        assert answers.tolist() == [other for other in range(10) if other != song]
        alike = found.by_same_artist[found.by_same_artist // 12 == row] % 12
        assert alike.tolist() == ([0, 1] if song in (0, 1) else [song])


def test_a_playlist_by_one_artist_asks_nothing():
    catalogue = catalogue_of(range(12), [[7]] * 12)
    assert len(drawn_queries(catalogue, entries_of({0: range(12)}), NONE).songs) == 0


def test_a_query_is_warm_where_any_version_of_it_was_learnt():
    catalogue = catalogue_of([song // 2 for song in range(48)])
    held, others = entries_of({0: range(0, 24, 2)}), entries_of({1: range(25, 48, 2)})
    versions = entries_of({1: range(1, 12, 2), 2: range(13, 24, 2)})
    assert drawn_queries(catalogue, held, versions).warm.tolist() == [True] * 5
    assert drawn_queries(catalogue, held, others).warm.tolist() == [False] * 5


def test_no_more_than_the_limit_is_asked(monkeypatch):
    monkeypatch.setattr(queries, "MOST", 7)
    catalogue = catalogue_of(range(40))
    held = entries_of({number: range(number, number + 12) for number in range(20)})
    assert len(drawn_queries(catalogue, held, NONE).songs) == 7


def test_the_draws_of_a_playlist_do_not_depend_on_the_others():
    catalogue = catalogue_of(range(40))
    alone = drawn_queries(catalogue, entries_of({3: range(20)}), NONE)
    both = drawn_queries(catalogue, entries_of({1: range(9, 30), 3: range(20)}), NONE)
    assert both.songs[both.playlists == 3].tolist() == alone.songs.tolist()


# Leaks


def test_a_planted_leak_is_caught_by_its_number():
    catalogue = catalogue_of(range(60))
    held = entries_of({0: range(12), 1: range(12, 30)})
    training = entries_of({1: range(40, 50), 2: range(30, 50)})
    assert leaked(catalogue, held, training).tolist() == [1]
    with pytest.raises(ValueError, match="1 of them were learnt from, such as \\[1\\]"):
        drawn_queries(catalogue, held, training)


def test_a_planted_copy_under_another_number_is_caught():
    catalogue = catalogue_of([song // 2 for song in range(80)])
    held = entries_of({0: range(0, 40, 2), 1: range(40, 70)})
    copy = range(1, 41, 2)  # other versions of the same families
    assert leaked(catalogue, held, entries_of({5: copy})).tolist() == [0]
    nearly = list(copy)[:-2]  # 18 of 20 families
    assert leaked(catalogue, held, entries_of({5: nearly})).tolist() == [0]
    half = list(copy)[:10]
    assert leaked(catalogue, held, entries_of({5: half})).tolist() == []


def test_a_copy_is_found_wherever_it_stands_among_many(monkeypatch):
    monkeypatch.setattr(queries, "BLOCK", 2)
    catalogue = catalogue_of(range(100))
    held = entries_of({number: range(number * 10, number * 10 + 10) for number in range(7)})
    training = entries_of({8: range(50, 60), 9: range(5, 15)})
    assert leaked(catalogue, held, training).tolist() == [5]


def test_clean_playlists_have_no_leak():
    catalogue = catalogue_of(range(60))
    held, training = entries_of({0: range(12)}), entries_of({1: range(8, 40), 2: [1]})
    assert len(leaked(catalogue, held, training)) == 0
    assert len(leaked(catalogue, held, NONE)) == 0


def test_what_was_learnt_is_marked_and_never_held_out():
    catalogue = catalogue_of(range(30))
    training = entries_of({0: range(12), 1: range(12, 30)})
    found = drawn_queries(catalogue, training, training, learnt=True)
    measures = measured(catalogue, found, baselines.random(catalogue, found), "random")
    assert {measure.split for measure in measures} == {"learnt"}


# Metrics, by hand


def test_ndcg_by_hand():
    catalogue = catalogue_of(range(10))
    query = query_of(catalogue, 0, relevant=[1, 2, 3])
    scores = score(catalogue, query, [4, 1, 5, 2, 6, 3])
    gained = 1 / math.log2(3) + 1 / math.log2(5)  # ranks 2 and 4
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert scores[HEADLINE] == pytest.approx(gained / ideal)
    assert scores["NDCG@5"] == pytest.approx(gained / ideal)
    assert scores["hit rate@5-AF"] == 1
    assert scores["recall@100-AF"] == 1


def test_the_artist_filter_closes_the_ranks_up():
    credits = [[0], [0], [1, 0], [3], [4], [5]]
    catalogue = catalogue_of(range(6), credits)
    query = query_of(catalogue, 0, relevant=[1, 3])
    scores = score(catalogue, query, [1, 2, 5, 3])
    assert scores[HEADLINE] == pytest.approx(1 / math.log2(3))  # 5, then 3: one answer is left
    ideal = 1 + 1 / math.log2(3)
    assert scores["NDCG@5"] == pytest.approx((1 + 1 / math.log2(5)) / ideal)
    assert scores["recall@100-AF"] == 1


def test_own_versions_repeated_families_and_gaps_are_passed_over():
    catalogue = catalogue_of([0, 0, 1, 1, 2, 3])
    query = query_of(catalogue, 0, relevant=[2])
    scores = score(catalogue, query, [-1, 1, 2, 3, -1, 4])  # own, 1, 1 again, then 2
    assert scores[HEADLINE] == scores["NDCG@5"] == pytest.approx(1 / math.log2(3))


def test_a_list_full_of_answers_has_recall_one_though_more_are_relevant():
    catalogue = catalogue_of(range(200))
    query = query_of(catalogue, 0, relevant=range(1, 151))
    assert score(catalogue, query, range(1, 101))["recall@100-AF"] == 1


def test_recall_counts_what_the_top_five_misses_but_nothing_past_a_hundred():
    catalogue = catalogue_of(range(300))
    query = query_of(catalogue, 0, relevant=[50, 100, 101, 299])
    scores = score(catalogue, query, range(1, 300))
    assert scores["hit rate@5-AF"] == scores[HEADLINE] == 0
    assert scores["recall@100-AF"] == pytest.approx(2 / 4)


def test_an_empty_list_scores_nothing():
    catalogue = catalogue_of(range(10))
    scores = score(catalogue, query_of(catalogue, 0, relevant=[1]), [-1, -1])
    assert set(scores.values()) == {0}


@st.composite
def judged(draw):
    size = draw(st.integers(12, 40))
    credits = [[draw(st.integers(0, size))] for _ in range(size)]
    catalogue = catalogue_of(range(size), credits)
    relevant = draw(st.sets(st.integers(1, size - 1), min_size=1))
    query = query_of(catalogue, 0, sorted(relevant))
    apart = sorted(set(relevant) - set(query.by_same_artist.tolist()))
    songs = draw(st.permutations(range(1, size)))
    return catalogue, query, relevant, apart, list(songs)


@settings(max_examples=100, deadline=None)
@given(case=judged())
def test_a_perfect_list_has_one_and_every_score_lies_between(case):
    catalogue, query, relevant, apart, songs = case
    if not apart:
        return
    perfect = [*apart, *sorted(relevant - set(apart)), *[s for s in songs if s not in relevant]]
    assert score(catalogue, query, perfect) == pytest.approx(dict.fromkeys(METRICS, 1.0))
    assert all(0 <= value <= 1 for value in score(catalogue, query, songs).values())


@settings(max_examples=100, deadline=None)
@given(case=judged(), data=st.data())
def test_the_order_past_the_fifth_changes_nothing(case, data):
    catalogue, query, _, apart, songs = case
    if not apart:
        return
    filtered = [s for s in songs if s not in query.by_same_artist]
    shuffled = [*filtered[:5], *data.draw(st.permutations(filtered[5:]))]
    assert score(catalogue, query, shuffled) == score(catalogue, query, filtered)


@settings(max_examples=50, deadline=None)
@given(case=judged())
def test_ndcg_agrees_with_scikit_learn(case):
    catalogue, query, relevant, apart, songs = case
    if not apart:
        return
    ranked = [s for s in songs if s not in query.by_same_artist]
    if len(ranked) < 2:
        return
    truth = np.array([[song in relevant for song in ranked]], dtype=float)
    expected = ndcg_score(truth, -np.arange(len(ranked), dtype=float)[None], k=5)
    assert score(catalogue, query, songs)[HEADLINE] == pytest.approx(expected)


def test_all_warm_and_cold_queries_are_measured_apart():
    catalogue = catalogue_of(range(40))
    held = entries_of({0: range(12), 1: range(12, 24)})
    found = drawn_queries(catalogue, held, entries_of({2: range(7), 3: range(7, 12)}))
    lists = np.array(
        [[11 if song < 11 else 0, 30] if song < 12 else [30, 31] for song in found.songs]
    )
    headline = {
        m.split: m for m in measured(catalogue, found, lists, "segue") if m.metric == HEADLINE
    }
    assert {split: m.n for split, m in headline.items()} == {"all": 10, "warm": 5, "cold": 5}
    assert headline["cold"].value == 0 < headline["warm"].value
    assert headline["all"].value == pytest.approx(headline["warm"].value / 2)


def test_a_split_without_queries_is_not_reported():
    catalogue = catalogue_of(range(20))
    found = drawn_queries(catalogue, entries_of({0: range(12)}), NONE)
    lists = baselines.random(catalogue, found)
    assert {m.split for m in measured(catalogue, found, lists, "random")} == {"all", "cold"}
    assert measured(catalogue, drawn_queries(catalogue, NONE, NONE), lists[:0], "random") == []


# Intervals


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=30),
    seed=st.integers(0, 100),
)
def test_an_interval_holds_the_mean(sizes, seed):
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    values = np.random.default_rng(seed).random((len(clusters), 2))
    low, high = interval(values, clusters)
    assert (low <= values.mean(axis=0)).all()
    assert (values.mean(axis=0) <= high).all()


def test_an_interval_is_as_wide_as_that_of_the_playlists_not_of_the_queries():
    rng = np.random.default_rng(0)
    playlists = rng.normal(size=400)
    values = np.repeat(playlists, 5)[:, None]  # the queries of a playlist all score the same
    low, high = interval(values, np.repeat(np.arange(400), 5))
    expected = 1.96 * playlists.std() / 400**0.5
    assert (high - low)[0] / 2 == pytest.approx(expected, rel=0.1)


def test_one_playlist_has_no_interval():
    assert interval(np.ones((5, 1)), np.zeros(5, dtype=int)) is None


# The headline and the last one


def headline(value, half=0.01):
    return Measure(HEADLINE, "segue", "all", value, value - half, value + half, 100)


def test_a_fall_on_the_same_queries_is_judged_by_the_tolerance():
    last = headline(0.10)
    assert not fell(headline(0.11), last, 0.05, True)
    assert not fell(headline(0.096), last, 0.05, True)
    assert fell(headline(0.094), last, 0.05, True)


def test_a_fall_on_other_queries_must_exceed_the_noise_too():
    last = headline(0.10)
    assert not fell(headline(0.09), last, 0.05, False)
    assert fell(headline(0.085), last, 0.05, False)
    assert not fell(headline(0.085), last, 0.20, False)


def test_without_intervals_the_tolerance_decides():
    now, last = headline(0.09)._replace(low=None), headline(0.10)._replace(high=None)
    assert fell(now, last, 0.05, False)


# Baselines


def held_out_case():
    credits = [[song % 17] for song in range(60)]
    catalogue = catalogue_of([song // 2 for song in range(60)], credits)
    training = entries_of({1: [0, 2, 4, 6], 2: [2, 4, 6], 3: [4, 6, 40], 4: [59]})
    found = drawn_queries(catalogue, entries_of({0: range(0, 40)}), training)
    return catalogue, training, found


def all_baselines(catalogue, training, found):
    rng = np.random.default_rng(0)
    size = len(catalogue.families)
    popularity = np.where(rng.random(size) < 0.2, np.nan, rng.integers(0, 100, size))
    audio = np.where(rng.random((size, 4)) < 0.1, np.nan, rng.random((size, 4)))
    genres = csr_array(rng.random((size, 5)) < 0.3)
    return {
        "random": baselines.random(catalogue, found),
        "popular": baselines.popular(catalogue, found, training, popularity),
        "same genre": baselines.same_genre(catalogue, found, training, popularity, genres),
        "z-scored audio": baselines.zscored_audio(catalogue, found, audio),
        "co-occurrence": baselines.co_occurrence(catalogue, found, training),
    }


@pytest.mark.parametrize(
    "name", ["random", "popular", "same genre", "z-scored audio", "co-occurrence"]
)
def test_a_baseline_names_other_families_once_and_fills_from_the_left(name):
    catalogue, training, found = held_out_case()
    lists = all_baselines(catalogue, training, found)[name]
    assert lists.shape == (len(found.songs), evaluation.DEPTH)
    for song, row in zip(found.songs, lists, strict=True):
        named = row[row >= 0]
        assert (row[len(named) :] == -1).all()
        families = catalogue.families[named]
        assert catalogue.families[song] not in families
        assert len(set(families.tolist())) == len(families)


def test_the_same_seed_gives_the_same_random_lists_and_each_query_its_own():
    catalogue, _, found = held_out_case()
    lists = baselines.random(catalogue, found)
    np.testing.assert_array_equal(lists, baselines.random(catalogue, found))
    assert len({tuple(row) for row in lists.tolist()}) == len(found.songs)


def test_popular_goes_by_training_playlists_then_by_popularity():
    catalogue = catalogue_of(range(12))
    popularity = np.arange(12, dtype=float)
    popularity[11] = np.nan
    training = entries_of({1: [3, 4], 2: [4]})
    found = query_of(catalogue, 10, relevant=[1])
    lists = baselines.popular(catalogue, found, training, popularity)
    assert lists[0, :11].tolist() == [4, 3, 9, 8, 7, 6, 5, 2, 1, 0, 11]
    without = baselines.popular(catalogue, found, NONE, popularity)
    assert without[0, :3].tolist() == [9, 8, 7]


def test_same_genre_names_favourites_of_the_genre_only():
    catalogue = catalogue_of(range(6))
    genres = csr_array(np.array([[1, 0], [0, 1], [1, 1], [1, 0], [0, 0], [0, 1]]))
    popularity = np.array([1.0, 99, 3, 5, 99, 99])
    found = query_of(catalogue, 0, relevant=[1])
    lists = baselines.same_genre(catalogue, found, NONE, popularity, genres)
    assert lists[0, :3].tolist() == [3, 2, -1]


def test_zscored_audio_is_the_nearest_by_the_definition():
    rng = np.random.default_rng(0)
    catalogue = catalogue_of(range(50))
    audio = rng.random((50, 3)) * [1, 100, 1000]
    audio[rng.random(audio.shape) < 0.1] = np.nan
    found = query_of(catalogue, 7, relevant=[1])
    filled = np.where(np.isnan(audio), np.nanmedian(audio, axis=0), audio)
    points = (filled - filled.mean(axis=0)) / filled.std(axis=0)
    expected, _ = nearest_by_definition(points, points[[7]], 49, np.array([7]))
    lists = baselines.zscored_audio(catalogue, found, audio)
    assert lists[0, :49].tolist() == expected[0].tolist()


def test_a_feature_that_is_never_known_does_not_matter():
    catalogue = catalogue_of(range(4))
    audio = np.array([[0.0, np.nan], [1, np.nan], [3, np.nan], [9, np.nan]])
    lists = baselines.zscored_audio(catalogue, query_of(catalogue, 0, [1]), audio)
    assert lists[0, :4].tolist() == [1, 2, 3, -1]


def test_co_occurrence_by_hand():
    catalogue = catalogue_of(range(10))
    training = entries_of(
        {1: [0, 1], 2: [0, 2, 3, 4], 3: [1, 5], 4: [1, 6], 5: [4, 7], 6: [3], 7: [3]}
    )
    # Song 1 shares a playlist of two, 0.71; songs 2 to 4 share one of four, 0.5, and go by number.
    # How many others they stand in does not count.
    lists = baselines.co_occurrence(catalogue, query_of(catalogue, 0, relevant=[1]), training)
    assert lists[0, :5].tolist() == [1, 2, 3, 4, -1]


def test_co_occurrence_knows_nothing_of_a_cold_query():
    catalogue, training, _ = held_out_case()
    found = query_of(catalogue, 30, relevant=[1])
    assert (baselines.co_occurrence(catalogue, found, training) == -1).all()


# What needs no playlists


def values_of(measures):
    return {measure.metric: measure.value for measure in measures}


def test_coverage_by_hand():
    catalogue = catalogue_of([0, 0, 1, 2])
    lists = np.array([[2, 3, -1], [2, 3, -1], [0, 3, -1], [2, 0, -1]])
    values = values_of(exposure.coverage(catalogue, lists, "segue"))
    counts = np.array([2, 0, 3, 3])
    spread = (counts - 2) / counts.std()
    assert values["catalogue coverage"] == 1  # family 0 is reached by its first version
    assert values["never recommended"] == 0.25
    assert values["N5 maximum"] == 3
    assert values["N5 skewness"] == pytest.approx((spread**3).mean())
    gaps = np.abs(counts[:, None] - counts).mean()
    assert values["N5 Gini"] == pytest.approx(gaps / (2 * counts.mean()))


def test_only_the_first_five_places_count():
    catalogue = catalogue_of(range(8))
    lists = np.array([[other for other in range(8) if other != song] for song in range(8)])
    deep = values_of(exposure.coverage(catalogue, lists, "segue"))
    assert deep == values_of(exposure.coverage(catalogue, lists[:, :5], "segue"))
    assert deep["N5 maximum"] == 7  # songs 0 to 4 stand first in nearly every list


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_gini_is_half_the_relative_mean_difference(counts):
    counts = np.array(counts)
    if counts.sum():
        expected = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
        assert exposure.gini(counts) == pytest.approx(expected, abs=1e-12)
    else:
        assert exposure.gini(counts) == 0


def test_popularity_drift_by_hand():
    popularity = np.array([10.0, 50, 90, np.nan])
    lists = np.array([[1, 2, 3], [2, 3, -1], [0, 1, 3], [0, 1, 2]])
    values = values_of(exposure.popularity_drift(lists, popularity, "segue"))
    listed = np.array([70, 90, 30])
    assert values["popularity drift"] == pytest.approx((listed - popularity[:3]).mean())
    expected = np.corrcoef(listed, popularity[:3])[0, 1]
    assert values["popularity correlation"] == pytest.approx(expected)


def test_without_popularity_there_is_no_drift():
    assert exposure.popularity_drift(np.array([[1], [0]]), np.full(2, np.nan), "segue") == []


def test_intra_list_similarity_by_hand():
    vectors = np.array([[0.0], [1], [4], [9]])
    lists = np.array([[0, 1, 2], [0, 1, -1], [3, -1, -1]])
    first = (1 / 2 + 1 / 5 + 1 / 4) / 3
    (measure,) = exposure.intra_list_similarity(lists, vectors, "segue")
    assert measure.value == pytest.approx((first + 1 / 2) / 2)
    assert measure.n == 2
    assert measure.low <= measure.value <= measure.high


def test_genre_lift_is_near_one_by_chance_and_the_number_of_genres_when_sorted():
    rng = np.random.default_rng(0)
    catalogue = catalogue_of(range(400))
    genre = np.arange(400) % 4
    genres = csr_array((np.ones(400), (np.arange(400), genre)), shape=(400, 4))
    chance = rng.integers(0, 400, (400, 5))
    (measure,) = exposure.genre_lift(catalogue, chance, genres, "random")
    assert measure.value == pytest.approx(1, abs=0.1)
    sorted_in = (np.arange(400)[:, None] + 4 * np.arange(1, 6)) % 400
    (measure,) = exposure.genre_lift(catalogue, sorted_in, genres, "segue")
    assert measure.low < measure.value < measure.high
    assert measure.value == pytest.approx(4, rel=0.03)
    error = 1.96 * (0.25 * 0.75 / exposure.RANDOM_PAIRS) ** 0.5
    assert measure.high - measure.low == pytest.approx(4 * 2 * error / 0.25, rel=0.03)


def test_pairs_by_one_artist_do_not_lift():
    catalogue = catalogue_of(range(4), [[0], [0], [1], [2]])
    genres = csr_array(np.array([[1, 0], [1, 0], [0, 1], [0, 1]]))
    lists = np.array([[1, 2], [0, 3], [0, 3], [1, 0]])
    (measure,) = exposure.genre_lift(catalogue, lists, genres, "segue")
    assert measure.n == 6
    assert exposure.genre_lift(catalogue, lists, csr_array((4, 2)), "segue") == []


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), twins=st.booleans())
def test_an_exact_search_is_found_exact(seed, twins):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(0, 3, (60, 3)).astype(float) if twins else rng.normal(size=(60, 3))
    songs = exactness.sampled_songs(60, 20)
    candidates, _ = Boxes(vectors).nearest_others(6, songs)
    (measure,) = exactness.exactness(vectors, songs, candidates, "segue")
    assert (measure.value, measure.n) == (1, 20)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), wrong=st.integers(0, 6))
def test_exactness_is_the_share_within_the_nearest_by_the_definition(seed, wrong):
    rng = np.random.default_rng(seed)
    vectors = np.round(rng.normal(size=(60, 3)) + 1e4, 1)  # far from 0, and many are equal
    songs = exactness.sampled_songs(60, 20)
    candidates, _ = nearest_by_definition(vectors, vectors[songs], 6, songs)
    candidates[:, :wrong] = rng.integers(-1, 60, (20, wrong))
    _, reach = nearest_by_definition(vectors, vectors[songs], 6, songs)
    right = 0
    for song, row, far in zip(songs, candidates, reach[:, -1], strict=True):
        others = set(row.tolist()) - {-1, song}
        right += sum(np.linalg.norm(vectors[o] - vectors[song]) <= far + 1e-9 for o in others)
    (measure,) = exactness.exactness(vectors, songs, candidates, "segue")
    assert measure.value == pytest.approx(right / 120)


def test_what_is_not_nearest_is_counted_once_each():
    vectors = np.arange(10, dtype=float)[:, None] ** 2
    songs = np.array([0, 9])
    right = [[1, 2, 3, 4], [8, 7, 6, 5]]

    def share(candidates):
        return exactness.exactness(vectors, songs, np.array(candidates), "segue")[0].value

    assert share(right) == 1
    assert share([[1, 2, 3, 5], [8, 7, 6, 5]]) == 7 / 8
    assert share([[1, 1, 2, 3], [8, 7, 6, 5]]) == 7 / 8  # named twice
    assert share([[0, 1, 2, 3], [8, 7, 6, 5]]) == 7 / 8  # the song itself
    assert share([[1, 2, 3, -1], [-1, -1, -1, -1]]) == 3 / 8


def test_a_proxy_is_the_recall_of_other_families_with_the_label():
    catalogue = catalogue_of([0, 0, 1, 2, 3, 4])
    albums = np.array([5, 5, 5, 5, 6, -1])
    songs = np.array([0, 2, 4, 5])
    lists = np.array([[1, 2, 4], [0, 1, 3], [0, 1, 2], [0, 1, 2]])
    (measure,) = exposure.proxies(catalogue, {"same album": albums}, songs, lists, "segue")
    # Song 0 finds one of two families, song 2 both; 4 and 5 have nobody to find.
    assert measure.metric == "proxy: same album"
    assert (measure.value, measure.n) == (0.75, 2)
    alone = np.arange(6)
    assert exposure.proxies(catalogue, {"same album": alone}, songs, lists, "segue") == []


# The table


def test_measures_become_rows_in_the_order_of_the_key():
    whole = Measure("N5 maximum", "segue", "catalogue", 9.0, None, None, 10)
    frame = evaluation_rows([headline(0.1), whole])
    assert frame["metric"].to_list() == ["N5 maximum", HEADLINE]
    assert frame.row(0) == ("N5 maximum", "segue", "catalogue", 9.0, None, None, 10)


@pytest.mark.parametrize("twice", [[headline(0.1)] * 2, [headline(math.nan)]])
def test_a_measure_that_repeats_or_is_no_number_is_refused(twice):
    with pytest.raises(ContractError):
        evaluation_rows(twice)


def test_everything_measured_fits_the_table():
    catalogue, training, found = held_out_case()
    size = len(catalogue.families)
    rows = [
        measure
        for model, lists in all_baselines(catalogue, training, found).items()
        for measure in measured(catalogue, found, lists, model)
    ]
    lists = np.random.default_rng(0).integers(0, size, (size, 5))
    rows += exposure.coverage(catalogue, lists, "segue")
    assert evaluation_rows(rows).select(pl.col("value").is_between(0, 60).all()).item()
