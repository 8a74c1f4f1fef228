import io
import warnings
from dataclasses import replace

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from models.encoder.listening_blocks import Listening
from models.encoder.pipeline import (
    BLOCKS,
    SOUND_ALONE,
    WITH_GENRES,
    WITH_PLAYLISTS,
    Weights,
    columns,
    encoded,
    encoder,
    recipe,
    recipe_for,
    spans,
    stranger,
)
from models.encoder.song_blocks import CLIP, EVEN, SKEWED, Era, Genres, Measured
from models.songs import Songs
from warehouse.contracts import COMPARED, FEATURES

ALL = WITH_PLAYLISTS.weights
MEASURED = ("mood", "sound", "rhythm", "harmony")
ONE_COLUMN = [n for n in COMPARED if n not in ("key", "mode", "year")]


def measurements(number=200, seed=1):
    """Draw songs as they are measured: skewed, bounded."""
    rng = np.random.default_rng(seed)
    table = {name: rng.beta(2, 3, number) for name in COMPARED}
    table["instrumentalness"] = np.where(rng.random(number) < 0.4, 0, rng.beta(0.2, 1, number))
    table["loudness"] = -rng.gamma(4, 2.5, number)
    table["tempo"] = rng.normal(120, 25, number).clip(40, 220)
    table["duration_ms"] = np.exp(rng.normal(12.2, 0.4, number)).round()
    table["key"] = rng.integers(0, 12, number).astype(float)
    table["mode"] = rng.integers(0, 2, number).astype(float)
    table["year"] = rng.integers(1950, 2024, number).astype(float)
    return np.column_stack([table[name] for name in COMPARED])


def songs(measured=None, genres=None, artists=None):
    """Return songs of three an artist, each a family of its own, without genres unless told."""
    measured = measurements() if measured is None else measured
    number = len(measured)
    genres = csr_array((number, 0), dtype=np.int8) if genres is None else csr_array(genres)
    artists = np.arange(number) // 3 if artists is None else np.asarray(artists)
    return Songs(measured, genres, artists, np.arange(number))


def filed(*rows, genres):
    """Return which of some genres each song has."""
    table = np.zeros((len(rows), genres), dtype=np.int8)
    for row, held in enumerate(rows):
        table[row, list(held)] = 1
    return table


def everything(number=200):
    """Return songs and playlists, so that no block drops out."""
    rng = np.random.default_rng(2)
    told = songs(measurements(number), (rng.random((number, 80)) < 0.05).astype(np.int8))
    entries = rng.integers(0, number, 2000)
    held = Listening(rng.integers(0, 150, 2000), entries, entries // 3)
    return told, held


def changed(told, **values):
    """Give every song other measurements."""
    measured = told.measurements.copy()
    for name, value in values.items():
        measured[:, COMPARED.index(name)] = value
    return replace(told, measurements=measured)


def part(told, rows):
    rows = np.asarray(rows)
    return Songs(
        told.measurements[rows], told.genres[rows], told.artists[rows], told.families[rows]
    )


def alone(**weights):
    return Weights(**{**dict.fromkeys(Weights.__slots__, 0), **weights})


def place(block, told, **values):
    """Return the first song's columns of a fitted block, by name, with other measurements."""
    found = block.transform(changed(part(told, [0]), **values))
    return dict(zip(block.names(found.shape[1]), found[0].tolist(), strict=True))


def measured_block(name):
    return next(b for b in MEASURED if name in {*inputs_of(b)})


def inputs_of(block):
    return {
        "mood": EVEN,
        "sound": SKEWED,
        "rhythm": ("duration_ms", "tempo"),
        "harmony": ("key", "mode"),
    }[block]


def column_of(name):
    return "duration" if name == "duration_ms" else name


@pytest.fixture(scope="module")
def told():
    return songs()


@pytest.fixture(scope="module")
def fitted(told):
    return {name: Measured(name).fit(told) for name in MEASURED}


@pytest.fixture(scope="module")
def whole():
    """Return songs, playlists, the pipeline with every block, and the vectors."""
    told, held = everything()
    pipeline = encoder(told, ALL, held)
    return told, held, pipeline, encoded(pipeline, told)


# ---- blocks and their weights


def test_every_compared_measurement_is_read_by_one_block():
    read = [name for block in MEASURED for name in inputs_of(block)]
    assert sorted([*read, "year"]) == sorted(COMPARED)
    assert set(BLOCKS) == {*MEASURED, "era", "genre", "artists", "playlists"}


@pytest.mark.parametrize("kind", ["sound alone", "genres", "playlists"])
def test_two_random_songs_are_1_apart_in_the_root_mean_square(kind):
    told, held = everything()
    told = replace(told, genres=csr_array((200, 0))) if kind == "sound alone" else told
    held = held if kind == "playlists" else None
    vectors = encoded(encoder(told, recipe_for(told, held).weights, held), told).astype(float)
    squares = np.square(vectors[:, None] - vectors).sum(axis=2)
    assert np.sqrt(squares.mean()) == pytest.approx(1, abs=1e-5)


def test_vectors_are_finite_singles_in_rows(whole):
    vectors = whole[3]
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    assert np.isfinite(vectors).all()


def test_a_block_has_the_share_of_the_variance_that_its_weight_says(whole):
    told, _, _, _ = whole
    weights = alone(mood=2, sound=1, rhythm=0.5, harmony=0.25, era=1.5)
    pipeline = encoder(told, weights)
    variance = encoded(pipeline, told).var(axis=0, dtype=float)
    share = {name: variance[span].sum() for name, span in spans(pipeline).items()}
    total = sum(getattr(weights, name) ** 2 for name in share)
    for name, found in share.items():
        assert found == pytest.approx(getattr(weights, name) ** 2 / total / 2, rel=1e-4)


def test_only_the_ratios_of_weights_matter(whole):
    told, held, _, vectors = whole
    double = Weights(**{name: 2 * getattr(ALL, name) for name in Weights.__slots__})
    found = encoded(encoder(told, double, held), told)
    before = slice(0, spans(whole[2])["genre"].stop)
    np.testing.assert_allclose(found[:, before], vectors[:, before], atol=0.02)


def test_a_block_without_data_or_without_weight_drops_out(whole):
    told, held, _, _ = whole
    plain = replace(told, genres=csr_array((200, 0)))
    cases = [
        (told, held, ALL, [*BLOCKS]),
        (told, None, ALL, [*BLOCKS][:6]),
        (plain, None, ALL, [*BLOCKS][:5]),
        (plain, held, ALL, [n for n in BLOCKS if n != "genre"]),
        (
            told,
            held,
            replace(ALL, era=0, artists=0),
            ["mood", "sound", "rhythm", "harmony", "genre", "playlists"],
        ),
    ]
    for known, listening, weights, expected in cases:
        pipeline = encoder(known, weights, listening)
        assert list(spans(pipeline)) == expected
        assert encoded(pipeline, known).shape == (200, len(columns(pipeline)))


def test_the_recipe_suits_what_is_known(whole):
    told, held, _, _ = whole
    plain = replace(told, genres=csr_array((200, 0)))
    assert recipe_for(plain, None) is SOUND_ALONE
    assert recipe_for(told, None) is WITH_GENRES
    assert recipe_for(told, held) is recipe_for(plain, held) is WITH_PLAYLISTS


def test_the_recipe_describes_each_column_as_the_features_table_wants_it(whole):
    _, _, pipeline, vectors = whole
    found = recipe(pipeline, vectors)
    assert set(found) == set(FEATURES.schema)
    assert found["feature"] == columns(pipeline)
    assert len(set(found["feature"])) == vectors.shape[1]
    assert found["variance_share"].sum() == pytest.approx(1)
    np.testing.assert_allclose(np.asarray(found["mean"]), vectors.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(np.asarray(found["spread"]), vectors.std(axis=0), atol=1e-6)
    for name, span in spans(pipeline).items():
        assert set(found["block"][span]) == {name}
        assert len(set(found["weight"][span])) == 1
        assert found["weight"][span][0] > 0
    year = columns(pipeline).index("year")
    raw = pipeline["era"].block_.transform(whole[0])[:, 0]
    np.testing.assert_allclose(vectors[:, year], raw * found["weight"][year], atol=1e-6)


def test_spans_follow_one_another_to_the_last_column(whole):
    _, _, pipeline, vectors = whole
    found = list(spans(pipeline).values())
    assert found[0].start == 0
    assert [span.start for span in found[1:]] == [span.stop for span in found[:-1]]
    assert found[-1].stop == vectors.shape[1]


# ---- measurements


def test_nothing_unknown_becomes_nan(told):
    holes = np.random.default_rng(0).random(told.measurements.shape) < 0.5
    found = replace(told, measurements=np.where(holes, np.nan, told.measurements))
    assert np.isfinite(encoded(encoder(found, ALL), found)).all()


@pytest.mark.parametrize("name", ONE_COLUMN)
def test_an_unknown_measurement_stands_where_the_median_does(told, fitted, name):
    values = told.measurements[:, COMPARED.index(name)]
    middle = 2 ** np.median(np.log2(values)) if name == "tempo" else np.median(values)
    block = fitted[measured_block(name)]
    unknown, median = (place(block, told, **{name: v}) for v in (np.nan, middle))
    assert unknown == pytest.approx(median, abs=1e-6)


@pytest.mark.parametrize("name", ONE_COLUMN)
def test_more_of_a_measurement_is_never_less_in_its_column(told, fitted, name):
    values = np.sort(told.measurements[:, COMPARED.index(name)])
    block = fitted[measured_block(name)]
    found = block.transform(changed(part(told, [0] * 200), **{name: values}))
    column = block.names(0).index(column_of(name))
    assert (np.diff(found[:, column]) >= 0).all()
    assert found[-1, column] > found[0, column]
    assert np.ptp(np.delete(found, column, axis=1), axis=0).max() == 0


def test_double_tempo_is_as_far_from_a_tempo_as_half_of_it(told, fitted):
    slow, usual, fast = (place(fitted["rhythm"], told, tempo=t)["tempo"] for t in (80, 120, 180))
    assert usual - slow == pytest.approx(fast - usual, rel=1e-5)


def test_an_extreme_is_held_to_the_clip(told, fitted):
    assert place(fitted["rhythm"], told, tempo=100_000)["tempo"] == CLIP
    assert place(fitted["mood"], told, loudness=-1000)["loudness"] == -CLIP
    assert place(fitted["sound"], told, liveness=9)["liveness"] == CLIP


def key(fitted, told, key, mode):
    found = place(fitted["harmony"], told, key=key, mode=mode)
    return np.array([found["fifths_cos"], found["fifths_sin"], found["mode"]])


def apart(fitted, told, one, other):
    return np.linalg.norm(key(fitted, told, *one) - key(fitted, told, *other))


@pytest.mark.parametrize("mode", [0, 1])
def test_a_fifth_is_nearer_than_a_semitone_and_both_ways_alike(told, fitted, mode):
    for tonic in range(12):
        up, down, semitone, tritone = (
            apart(fitted, told, (tonic, mode), ((tonic + step) % 12, mode)) for step in (7, 5, 1, 6)
        )
        assert up == pytest.approx(down, rel=1e-5)
        assert up < semitone < tritone == pytest.approx(2)


def test_a_minor_key_stands_beside_its_relative_major(told, fitted):
    c_major, a_minor, c_minor, f_sharp_minor = (0, 1), (9, 0), (0, 0), (6, 0)
    relative = apart(fitted, told, c_major, a_minor)
    assert relative == pytest.approx(1)  # the mode alone
    assert relative < apart(fitted, told, c_major, c_minor)
    assert relative < apart(fitted, told, c_major, f_sharp_minor)


def test_an_unknown_key_stands_in_the_centre_of_the_circle_and_an_unknown_mode_between(
    told, fitted
):
    assert key(fitted, told, np.nan, np.nan).tolist() == [0, 0, 0]
    assert key(fitted, told, np.nan, 1).tolist() == [0, 0, 0.5]
    assert key(fitted, told, 0, np.nan).tolist() == [1, 0, 0]


# ---- era


def years(*values, artists=None):
    measured = np.full((len(values), len(COMPARED)), np.nan)
    measured[:, COMPARED.index("year")] = values
    return songs(measured, artists=range(len(values)) if artists is None else artists)


def test_a_year_counts_for_more_the_younger_songs_are():
    told = years(*np.repeat(np.arange(1951, 2021), 3))
    found = Era().fit(told).transform(told)[::3, 0]
    gaps = dict(zip(range(1951, 2020), np.diff(found), strict=True))
    assert min(gaps.values()) >= 0  # 0 beyond the clip
    assert 0 < gaps[1971] < gaps[1991] < gaps[2011]
    ratio = np.log(51 / 50) / np.log(21 / 20)  # two years are added to every age
    assert gaps[1971] / gaps[2001] == pytest.approx(ratio, rel=1e-3)


def test_a_song_without_a_year_stands_at_the_mean_of_its_artist_else_at_the_median():
    told = years(1970, 1980, np.nan, 2000, np.nan, np.nan, 1990, artists=[0, 0, 0, 1, 1, 2, 3])
    found = Era().fit(told).transform(told)[:, 0]
    assert found[2] == pytest.approx((found[0] + found[1]) / 2, abs=1e-6)
    assert found[4] == found[3]
    assert found[5] == 0
    assert np.median(found[[0, 1, 3, 6]]) == pytest.approx(0, abs=1e-6)


def test_a_song_to_come_is_placed_by_its_artist_if_that_is_known():
    era = Era().fit(years(1970, 1980, 2000, 2010, artists=[0, 0, 1, 1]))
    found = era.transform(years(np.nan, np.nan, np.nan, np.nan, artists=[0, 1, -1, 99]))[:, 0]
    assert found[0] < 0 < found[1]
    assert found[2] == found[3] == 0


def test_a_year_far_from_all_others_is_held_to_the_clip_and_the_future_to_today():
    era = Era().fit(years(*np.repeat(np.arange(2000, 2021), 3)))
    found = era.transform(years(1100, 2020, 2021, 2500))[:, 0]
    assert found[0] == -CLIP
    assert found[1] == found[2] == found[3] <= CLIP


@pytest.mark.parametrize("number", [1, 3, 7, 100, 331])
@pytest.mark.parametrize("year", [np.nan, 1960.0, 2013.0])
def test_where_all_songs_are_of_one_year_the_year_says_nothing(number, year):
    told = years(*np.where(np.arange(number) % 3, year, np.nan), artists=np.arange(number) // 2)
    era = Era().fit(told)
    assert not era.transform(told).any()
    assert not era.transform(years(1950, 2020)).any()


# ---- genres


def genre_places(*rows, genres, dimensions=64):
    table = filed(*rows, genres=genres)
    told = songs(measurements(len(rows)), table)
    return Genres(dimensions).fit(told).transform(told)


def test_songs_of_the_same_genres_stand_in_one_place_whoever_they_are_by():
    found = genre_places({0, 1}, {2}, {0, 1}, {3, 4}, {2}, genres=5)
    assert found[0].tobytes() == found[2].tobytes()
    assert found[1].tobytes() == found[4].tobytes()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_a_song_without_a_genre_stands_at_the_mean_of_the_others():
    found = genre_places({0}, {0}, {1}, {2, 3}, set(), genres=4)
    np.testing.assert_allclose(found[4], found[:4].mean(axis=0), atol=1e-6)
    assert np.linalg.norm(found[4]) < 1


def test_a_rare_genre_that_two_songs_share_brings_them_nearer_than_a_common_one():
    # The genre 0 is everywhere; 1 stands with it twice.
    common = [{0, genre} for genre in range(2, 12)]
    found = genre_places({0, 1, 12}, {0, 1, 13}, {0, 14}, {0, 15}, *common, genres=16)
    rare, usual = (np.linalg.norm(found[a] - found[b]) for a, b in ((0, 1), (2, 3)))
    assert rare < usual


def test_genres_that_go_together_lie_together():
    sets = [{0, 1}, {0, 1, 2}, {1, 2}, {3, 4}, {3, 4, 5}, {4, 5}] * 3 + [{0}, {2}, {3}]
    found = genre_places(*sets, genres=6, dimensions=2)
    assert found[-3] @ found[-2] > 0.9  # no song has both
    assert found[-3] @ found[-1] < 0.5


@pytest.mark.parametrize(
    ("rows", "genres", "width"),
    [
        ([{0}, {0}, set()], 1, 1),
        ([{0}], 1, 1),
        ([{0, 1, 2}] * 4, 3, 1),
        ([{0}, {1}, {2}], 3, 3),
        ([{0, 1}, {2}], 70, 2),
        ([{n} for n in range(80)], 80, 64),
    ],
    ids=["one genre", "one song", "one set", "three sets", "two sets of many", "many"],
)
def test_there_are_as_many_columns_as_sets_and_genres_give(rows, genres, width):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = genre_places(*rows, genres=genres)
    assert found.shape == (len(rows), width)
    assert np.isfinite(found).all()


def test_how_many_songs_have_a_set_of_genres_does_not_move_the_others():
    few = genre_places({0, 1}, {1, 2}, {3}, {0, 3}, genres=4)
    many = genre_places({0, 1}, {1, 2}, {3}, {0, 3}, *[{0, 1}] * 50, genres=4)
    np.testing.assert_allclose(many[:4] @ many[:4].T, few @ few.T, atol=1e-5)


# ---- odd catalogues


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("genres", [0, 1, 4])
def test_a_catalogue_of_few_songs_is_encoded_without_a_warning(number, genres):
    told = songs(measurements(number), np.ones((number, genres), dtype=np.int8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = encoded(encoder(told, WITH_GENRES.weights), told)
    assert np.isfinite(found).all()
    if number == 1:
        assert np.ptp(found, axis=0).max() == 0


@pytest.mark.parametrize("name", [n for n in COMPARED if n not in ("key", "mode")])
@pytest.mark.parametrize("value", [0.3, np.nan], ids=["the same", "unknown"])
def test_a_measurement_that_never_varies_is_nothing_for_songs_to_come_as_well(told, name, value):
    same = changed(told, **{name: value})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = encoder(same, SOUND_ALONE.weights)
        found = encoded(pipeline, same)
    column = columns(pipeline).index(column_of(name))
    assert not found[:, column].any()
    assert not encoded(pipeline, told)[:, column].any()
    assert np.isfinite(found).all()


def test_a_catalogue_in_one_key_has_no_harmony(told):
    same = changed(told, key=5, mode=0)
    pipeline = encoder(same, SOUND_ALONE.weights)
    assert not encoded(pipeline, same)[:, spans(pipeline)["harmony"]].any()
    assert not encoded(pipeline, told)[:, spans(pipeline)["harmony"]].any()


def test_songs_that_are_all_unknown_and_by_one_artist_are_all_one(told):
    nothing = np.full_like(told.measurements, np.nan)
    unknown = replace(told, measurements=nothing, artists=np.zeros_like(told.artists))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = encoded(encoder(unknown, SOUND_ALONE.weights), unknown)
    assert (vectors == vectors[0]).all()


@settings(max_examples=30, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 12), st.just(len(COMPARED))),
        elements=st.sampled_from([np.nan, 0.0, 0.1, 0.5, 1.0]),
    )
)
def test_any_measurements_give_finite_vectors(drawn):
    told = changed(
        songs(drawn), tempo=60 + 100 * drawn[:, COMPARED.index("tempo")], key=drawn[:, 0].round()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(encoded(encoder(told, SOUND_ALONE.weights), told)).all()


# ---- the same again


def test_a_song_has_the_same_vector_wherever_it_stands(whole):
    told, held, _, vectors = whole
    order = np.random.default_rng(3).permutation(len(told))
    mixed = part(told, order)
    found = encoded(encoder(mixed, ALL, held), mixed)
    np.testing.assert_allclose(found, vectors[order], atol=1e-4)


def test_the_same_songs_give_the_same_bytes(whole):
    told, held, _, vectors = whole
    assert encoded(encoder(told, ALL, held), told).tobytes() == vectors.tobytes()


def test_a_saved_pipeline_encodes_songs_as_it_did_to_the_last_byte(whole):
    told, held, pipeline, vectors = whole
    kept = io.BytesIO()
    joblib.dump(pipeline, kept)
    loaded = joblib.load(io.BytesIO(kept.getvalue()))
    assert encoded(loaded, told).tobytes() == vectors.tobytes()
    assert columns(loaded) == columns(pipeline)
    again = io.BytesIO()
    joblib.dump(encoder(told, ALL, held), again)
    assert again.getvalue() == kept.getvalue()


def test_a_song_is_encoded_alone_as_among_others(whole):
    told, _, pipeline, vectors = whole
    lone = np.vstack([encoded(pipeline, part(told, [row])) for row in range(20)])
    np.testing.assert_allclose(lone, vectors[:20], atol=1e-5)


# ---- strangers


def test_a_stranger_has_the_columns_of_its_measurements_and_the_middle_of_all_else(whole):
    told, _, pipeline, vectors = whole
    found = encoded(pipeline, stranger(pipeline, told.measurements[:5]))
    assert found.shape == (5, vectors.shape[1])
    own = slice(0, spans(pipeline)["era"].stop)
    np.testing.assert_allclose(found[:, own], vectors[:5, own], atol=1e-6)
    genre = spans(pipeline)["genre"]
    assert np.ptp(found[:, genre], axis=0).max() == 0
    middle = pipeline["genre"].block_.middle_ * recipe(pipeline, vectors)["weight"][genre.start]
    np.testing.assert_allclose(found[0, genre], middle, atol=1e-5)


def test_a_stranger_by_an_artist_of_the_catalogue_takes_what_the_artist_is_heard_with(whole):
    told, _, pipeline, vectors = whole
    found = encoded(pipeline, stranger(pipeline, told.measurements[:3], 0))
    artists = spans(pipeline)["artists"]
    np.testing.assert_allclose(found[:, artists], vectors[:3, artists], atol=1e-6)


@pytest.mark.parametrize("weights", [SOUND_ALONE.weights, WITH_GENRES.weights])
def test_strangers_are_encoded_by_pipelines_with_fewer_blocks(whole, weights):
    told, _, _, _ = whole
    pipeline = encoder(told, weights)
    found = encoded(pipeline, stranger(pipeline, told.measurements[:2]))
    assert found.shape == (2, len(columns(pipeline)))
