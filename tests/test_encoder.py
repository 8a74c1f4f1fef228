import io
import warnings

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.encoder import BLOCKS, Weights, columns, encoded, encoder, recipe
from warehouse.contracts import COMPARED, FEATURES

USUAL = Weights()
EVEN_WEIGHTS = Weights(mood=1, sound=1, rhythm=1, harmony=1, era=1, clip=100)


def songs(number=200, seed=1):
    """Draw songs as they are measured: skewed, bounded, some values unknown."""
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


def changed(measured, **values):
    """Give every song other values."""
    out = measured.copy()
    for name, value in values.items():
        out[:, COMPARED.index(name)] = value
    return out


def vectors(measured, weights=USUAL):
    return encoded(encoder(measured, weights), measured)


def place(pipeline, measured, **values):
    """Encode the first song with other values; by name of the column."""
    return dict(zip(columns(), encoded(pipeline, changed(measured[:1], **values))[0], strict=True))


@pytest.fixture(scope="module")
def measured():
    return songs()


@pytest.fixture(scope="module")
def pipeline(measured):
    return encoder(measured, EVEN_WEIGHTS)


# ---- columns


def test_every_compared_measurement_is_read_by_one_block_and_nothing_else_is():
    read = [name for block in BLOCKS for name in block.inputs]
    assert sorted(read) == sorted(COMPARED)
    assert len(set(columns())) == len(columns()) == vectors(songs(20)).shape[1]


def test_the_recipe_describes_each_column_as_the_features_table_wants_it(measured):
    weights = Weights()
    found = recipe(vectors(measured, weights), weights)
    assert set(found) == set(FEATURES.schema)
    assert found["feature"] == columns()
    assert found["variance_share"].sum() == pytest.approx(1)
    assert found["weight"][columns().index("year")] == weights.era


def test_vectors_are_finite_float64_in_rows(measured):
    found = vectors(measured)
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    assert np.isfinite(found).all()


# ---- unknown values


def test_nothing_unknown_becomes_nan(measured):
    holes = np.where(np.random.default_rng(0).random(measured.shape) < 0.5, np.nan, measured)
    assert np.isfinite(vectors(holes)).all()


@pytest.mark.parametrize("name", [n for n in COMPARED if n not in ("key", "mode")])
def test_an_unknown_measurement_stands_where_the_median_does(measured, pipeline, name):
    middle = np.median(measured[:, COMPARED.index(name)])
    if name == "tempo":
        middle = 2 ** np.median(np.log2(measured[:, COMPARED.index(name)]))
    unknown, median = (place(pipeline, measured, **{name: v}) for v in (np.nan, middle))
    assert unknown == pytest.approx(median, abs=1e-9)


def test_an_unknown_key_stands_in_the_centre_of_the_circle_and_an_unknown_mode_between(
    measured, pipeline
):
    unknown = place(pipeline, measured, key=np.nan, mode=np.nan)
    assert (unknown["fifths_cos"], unknown["fifths_sin"], unknown["mode"]) == (0, 0, 0)
    assert place(pipeline, measured, key=np.nan, mode=1)["mode"] == 0.5
    assert place(pipeline, measured, key=0, mode=np.nan)["mode"] == 0


# ---- order


@pytest.mark.parametrize("name", [n for n in COMPARED if n not in ("key", "mode")])
def test_more_of_a_measurement_is_never_less_in_its_column(measured, pipeline, name):
    values = np.sort(measured[:, COMPARED.index(name)])
    rows = changed(np.repeat(measured[:1], len(values), axis=0), **{name: values})
    found = encoded(pipeline, rows)
    column = columns().index("duration" if name == "duration_ms" else name)
    assert (np.diff(found[:, column]) >= -1e-12).all()
    assert found[-1, column] > found[0, column]
    assert np.ptp(np.delete(found, column, axis=1), axis=0).max() == 0


def test_double_tempo_is_as_far_from_a_tempo_as_half_of_it(measured, pipeline):
    slow, usual, fast = (place(pipeline, measured, tempo=t)["tempo"] for t in (60, 120, 240))
    assert usual - slow == pytest.approx(fast - usual)


def test_an_extreme_is_held_to_the_clip(measured):
    weights = Weights(clip=2.0, era=1.5)
    found = place(encoder(measured, weights), measured, year=1100, tempo=100_000, loudness=10)
    assert found["year"] == -2.0 * 1.5
    assert found["tempo"] == 2.0 * weights.rhythm


# ---- keys


def key(pipeline, measured, key, mode):
    found = place(pipeline, measured, key=key, mode=mode)
    return np.array([found["fifths_cos"], found["fifths_sin"], found["mode"]])


def apart(pipeline, measured, one, other):
    return np.linalg.norm(key(pipeline, measured, *one) - key(pipeline, measured, *other))


@pytest.mark.parametrize("mode", [0, 1])
def test_a_fifth_is_nearer_than_a_semitone_and_both_ways_alike(measured, pipeline, mode):
    for tonic in range(12):
        up, down, semitone, tritone = (
            apart(pipeline, measured, (tonic, mode), ((tonic + step) % 12, mode))
            for step in (7, 5, 1, 6)
        )
        assert up == pytest.approx(down)
        assert up < semitone < tritone == pytest.approx(2)


def test_a_minor_key_stands_beside_its_relative_major(measured, pipeline):
    c_major, a_minor, c_minor, f_sharp_minor = (0, 1), (9, 0), (0, 0), (6, 0)
    relative = apart(pipeline, measured, c_major, a_minor)
    assert relative == pytest.approx(1)  # the mode alone
    assert relative < apart(pipeline, measured, c_major, c_minor)
    assert relative < apart(pipeline, measured, c_major, f_sharp_minor)


# ---- weights


def test_a_column_has_the_spread_that_its_block_weighs(measured):
    weights = Weights(mood=1, sound=0.7, rhythm=0.5, harmony=0.3, era=1.5, clip=100)
    found = recipe(vectors(measured, weights), weights)
    for block, spread in zip(found["block"], found["spread"], strict=True):
        if block != "harmony":
            assert spread == pytest.approx(weights.of(block))


@pytest.mark.parametrize("block", ["mood", "sound", "rhythm", "harmony", "era"])
def test_twice_the_weight_is_twice_the_distance_in_that_block_alone(measured, block):
    single = vectors(measured, Weights())
    double = vectors(measured, Weights(**{block: 2 * Weights().of(block)}))
    own = [b.name == block for b in BLOCKS for _ in b.outputs]
    np.testing.assert_allclose(double, np.where(own, 2 * single, single), atol=1e-12)


def test_a_weight_of_nothing_leaves_a_block_out(measured):
    found = vectors(measured, Weights(era=0))
    assert np.ptp(found[:, columns().index("year")]) == 0


# ---- odd catalogues


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_catalogue_of_few_songs_is_encoded_without_a_warning(number):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = vectors(songs(number))
    assert np.isfinite(found).all()
    if number == 1:
        np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize("name", [n for n in COMPARED if n not in ("key", "mode")])
@pytest.mark.parametrize("value", [0.3, np.nan], ids=["the same", "unknown"])
def test_a_column_that_never_varies_is_nothing(measured, name, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = vectors(changed(measured, **{name: value}))
    column = columns().index("duration" if name == "duration_ms" else name)
    np.testing.assert_array_equal(found[:, column], 0)
    assert np.isfinite(found).all()


def test_a_measurement_that_never_varied_does_not_set_a_new_song_apart(measured):
    pipeline = encoder(changed(measured, year=1999, liveness=0.1, mode=1), Weights())
    one, other = (
        place(pipeline, measured, year=year, liveness=live, mode=mode, key=0)
        for year, live, mode in ((1999, 0.1, 1), (1950, 0.9, 1))
    )
    assert one == other
    assert place(pipeline, measured, mode=0, key=9)["mode"] == 0


def test_a_catalogue_in_one_key_has_no_harmony(measured):
    found = vectors(changed(measured, key=5, mode=0))
    np.testing.assert_array_equal(
        found[:, [n in ("fifths_cos", "fifths_sin", "mode") for n in columns()]], 0
    )


def test_songs_that_are_all_unknown_are_all_one(measured):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = vectors(np.full_like(measured, np.nan))
    np.testing.assert_array_equal(found, 0)


@settings(max_examples=30, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 12), st.just(len(COMPARED))),
        elements=st.sampled_from([np.nan, 0.0, 0.1, 0.5, 1.0]),
    )
)
def test_any_measurements_give_finite_vectors(drawn):
    whole = changed(
        drawn, tempo=60 + 100 * drawn[:, COMPARED.index("tempo")], key=drawn[:, 0].round()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(vectors(whole)).all()


# ---- the same again


def test_a_song_has_the_same_vector_wherever_it_stands(measured):
    order = np.random.default_rng(3).permutation(len(measured))
    np.testing.assert_allclose(vectors(measured[order]), vectors(measured)[order], atol=1e-12)


def test_the_same_songs_give_the_same_bytes(measured):
    assert vectors(measured).tobytes() == vectors(measured.copy()).tobytes()


def test_a_saved_encoder_encodes_a_new_song_as_the_first_one_did(measured):
    kept = io.BytesIO()
    joblib.dump(encoder(measured, Weights()), kept)
    loaded = joblib.load(io.BytesIO(kept.getvalue()))
    new = songs(5, seed=9)
    fitted = encoder(measured, Weights())
    assert encoded(loaded, new).tobytes() == encoded(fitted, new).tobytes()


def test_a_song_is_encoded_alone_as_among_others(measured, pipeline):
    alone = np.vstack([encoded(pipeline, measured[n : n + 1]) for n in range(20)])
    np.testing.assert_allclose(alone, encoded(pipeline, measured)[:20], atol=1e-12)
