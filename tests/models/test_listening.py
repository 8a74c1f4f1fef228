import hashlib
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from flows.nightly.recommend import Known
from models.encoder import listening_blocks as listening
from models.encoder.listening_blocks import CoListening, Listening, co_listening
from models.encoder.pipeline import WITH_PLAYLISTS, encoded, encoder, recipe_for, stranger
from models.songs import Songs
from warehouse.contracts import COMPARED

SONGS, GROUPS = 120, 2


def group(song):
    return song % GROUPS


def told(number=SONGS, content=None, artists=None):
    """Return songs of two groups, each by its own artist, with some columns already made."""
    rng = np.random.default_rng(4)
    own = np.arange(number)
    noise = rng.normal(size=(number, 4)).astype(np.float32)
    return Songs(
        rng.random((number, len(COMPARED))),
        csr_array((number, 0), dtype=np.int8),
        own if artists is None else np.asarray(artists),
        own,
        noise if content is None else content.astype(np.float32),
    )


def content_of_groups(number=SONGS):
    """Return columns of which the first tells the group, with noise."""
    rng = np.random.default_rng(5)
    columns = rng.normal(size=(number, 4))
    columns[:, 0] = np.where(group(np.arange(number)), 3, -3) + 0.3 * columns[:, 0]
    return columns


def planted(heard, playlists=150, length=8, stray=0.05, seed=6):
    """Draw playlists, each of songs of one group, but for a few that stray."""
    rng = np.random.default_rng(seed)
    numbers, songs = [], []
    for playlist in range(playlists):
        own = heard[group(heard) == playlist % GROUPS]
        chosen = rng.choice(own, length, replace=False)
        strays = rng.random(length) < stray
        chosen[strays] = rng.choice(heard, strays.sum())
        numbers += [playlist] * length
        songs += chosen.tolist()
    return Listening(np.array(numbers), np.array(songs), np.array(songs))


def matrix(*playlists, items):
    rows = np.repeat(np.arange(len(playlists)), [len(held) for held in playlists])
    ones = np.ones(len(rows), np.float32)
    columns = [item for held in playlists for item in held]
    return csr_array((ones, (rows, columns)), shape=(len(playlists), items))


def block(**others):
    chosen = {"of": "families", "dimensions": 8, "power": 1, "trust": 1, "cold": 0.5}
    return CoListening(**{**chosen, **others})


def by_group(vectors, songs):
    """Return the mean cosine with songs of the same group, and with songs of the other."""
    some = vectors[songs].astype(float)
    some /= np.linalg.norm(some, axis=1, keepdims=True)
    alike, same = some @ some.T, group(songs)[:, None] == group(songs)
    return alike[same & ~np.eye(len(songs), dtype=bool)].mean(), alike[~same].mean()


# ---- which playlist holds what


def test_each_song_counts_once_in_a_playlist_and_what_is_not_known_does_not():
    held = Listening(
        np.array([0, 0, 0, 2, 2]), np.array([1, 1, -1, 0, 1]), np.array([0, 0, 5, -1, 3])
    )
    assert held.matrix("families").toarray().tolist() == [[0, 1], [0, 0], [1, 1]]
    assert held.matrix("artists").toarray().tolist() == [
        [1, 0, 0, 0, 0, 1],
        [0] * 6,
        [0, 0, 0, 1, 0, 0],
    ]


def test_playlists_without_a_known_song_are_rows_without_entries():
    held = Listening(np.array([0, 1]), np.array([-1, -1]), np.array([-1, 2]))
    assert held.matrix("families").shape == (2, 0)
    assert held.matrix("artists").toarray().tolist() == [[0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("length", [499, 500, 501, 750, 1700])
def test_a_long_playlist_is_thinned_evenly_and_others_are_left_as_they_are(length):
    songs = np.concatenate([np.arange(length), [3, 4]])
    held = Listening(np.concatenate([np.zeros(length, int), [1, 1]]), songs, songs)
    found = held.matrix("families")
    assert found.sum(axis=1).tolist() == [min(length, listening.LONGEST), 2]
    kept = np.flatnonzero(found.toarray()[0])
    assert kept[0] == 0
    assert np.diff(kept).max() <= -(-length // listening.LONGEST)


# ---- vectors of what is listened to


def test_songs_of_one_group_of_playlists_lie_in_one_direction():
    heard = np.arange(SONGS)
    vectors = co_listening(planted(heard).matrix("families"), 8, 1)
    same, other = by_group(vectors, heard)
    assert same > 0.7
    assert other < 0.2
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_what_stands_in_no_playlist_or_alone_in_all_of_them_has_no_direction():
    found = co_listening(matrix([0, 1], [0, 1], [2, 3], [5], items=6), 3, 1)
    assert np.flatnonzero(~found.any(axis=1)).tolist() == [4, 5]


@pytest.mark.parametrize(
    "held",
    [
        matrix(items=0),
        matrix(items=3),
        matrix([0], [1], [2], items=3),
        matrix([0, 0], items=1),
        matrix([], [], items=2),
    ],
    ids=["no items", "no playlists", "a song each", "one item", "empty playlists"],
)
def test_where_no_two_stand_together_nothing_is_learnt(held):
    held.data[:] = 1
    found = co_listening(held, 4, 1)
    assert found.shape == (held.shape[1], 4)
    assert not found.any()


@pytest.mark.parametrize("playlists", [1, 5])
def test_songs_that_all_stand_in_all_playlists_are_alike(playlists):
    found = co_listening(matrix(*[range(20)] * playlists, items=20), 4, 1)
    assert np.isfinite(found).all()
    others = found @ found.T
    assert np.ptp(others[~np.eye(20, dtype=bool)]) < 2


def test_information_is_what_its_formula_gives():
    held = matrix([0, 1, 2], [0, 1], [1, 2, 3], [3, 4], items=5)
    dense = held.toarray().astype(float)
    together = dense.T @ (dense / dense.sum(axis=1, keepdims=True))
    np.fill_diagonal(together, 0)
    total = together.sum(axis=1)
    context = total**0.75 / (total**0.75).sum()
    with np.errstate(divide="ignore"):
        expected = np.maximum(np.log(together / (total[:, None] * context)), 0)
    spread = csr_array(held.T @ (held / dense.sum(axis=1)[:, None])).tocoo()
    np.testing.assert_allclose(listening._information(spread).toarray(), expected, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=30),
    dimensions=st.integers(1, 9),
)
def test_any_playlists_give_directions_of_length_one_or_none(entries, dimensions):
    pairs = np.array(sorted(set(entries)), dtype=int).reshape(-1, 2)
    found = co_listening(
        Listening(pairs[:, 0], pairs[:, 1], pairs[:, 1]).matrix("families"), dimensions, 1.25
    )
    length = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(length[length > 0], 1, rtol=1e-4)


# ---- songs that nobody has heard


@pytest.fixture(scope="module")
def cold_and_heard():
    """Return songs whose content tells their group, of which every fifth stands in no playlist."""
    songs = told(content=content_of_groups())
    cold = np.arange(0, SONGS, 5)
    heard = np.setdiff1d(np.arange(SONGS), cold)
    fitted = block().fit(songs, planted(heard))
    return songs, fitted, cold, heard


def test_cold_songs_go_where_their_content_tells_and_stay_nearer_to_the_middle(cold_and_heard):
    songs, fitted, cold, heard = cold_and_heard
    vectors = fitted.transform(songs)
    assert np.flatnonzero(~fitted.heard_).tolist() == cold.tolist()
    middles = np.array([vectors[heard[group(heard) == g]].mean(axis=0) for g in range(GROUPS)])
    assert (np.argmax(vectors[cold] @ middles.T, axis=1) == group(cold)).all()
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[cold].max() < lengths[heard].min()


def test_songs_to_come_go_where_their_content_tells_too(cold_and_heard):
    songs, fitted, cold, _ = cold_and_heard
    nowhere = np.full(SONGS, -1)
    new = Songs(songs.measurements, songs.genres, nowhere, nowhere, songs.columns)
    np.testing.assert_allclose(
        fitted.transform(new)[cold], fitted.transform(songs)[cold], atol=1e-6
    )
    beyond = Songs(
        songs.measurements, songs.genres, nowhere + 10_000, nowhere + 10_000, songs.columns
    )
    assert fitted.transform(beyond).tobytes() == fitted.transform(new).tobytes()


def test_the_more_playlists_hold_a_song_the_less_its_content_counts(cold_and_heard):
    songs, _, _, heard = cold_and_heard
    held = planted(heard)
    believed, doubted, alone = (
        block(trust=trust).fit(songs, held).transform(songs)[heard] for trust in (0, 10, 1e9)
    )
    learnt = co_listening(held.matrix("families"), 8, 1)[heard]
    np.testing.assert_allclose(believed, learnt, atol=1e-6)
    share = held.matrix("families").sum(axis=0)[heard]
    share = (share / (share + 10))[:, None]
    np.testing.assert_allclose(doubted, share * learnt + (1 - share) * alone, atol=1e-5)


def test_all_songs_of_a_unit_share_what_was_learnt():
    artists = np.arange(SONGS) // 4 * 2 + group(np.arange(SONGS))
    songs = told(content=content_of_groups(), artists=artists)
    drawn = planted(np.arange(SONGS))
    held = Listening(drawn.playlists, drawn.families, artists[drawn.families])
    vectors = block(of="artists").fit(songs, held).transform(songs)
    for artist in np.unique(artists):
        assert np.ptp(vectors[artists == artist], axis=0).max() == 0


def test_artists_outside_the_catalogue_tell_who_belongs_together():
    # No two of the catalogue stand in one playlist; what they share are strangers.
    rng = np.random.default_rng(7)
    strangers = SONGS + np.arange(40)
    playlists, artists = [], []
    for number in range(3 * SONGS):
        own = strangers[group(strangers) == group(number)]
        playlists += [number] * 6
        artists += [number % SONGS, *rng.choice(own, 5, replace=False)]
    heard = np.array(artists)
    families = np.where(heard < SONGS, heard, -1)
    with_them = Listening(np.array(playlists), families, heard)
    vectors = block(of="artists").fit(told(), with_them).transform(told())
    same, other = by_group(vectors, np.arange(SONGS))
    assert same > 0.7
    assert other < 0.2
    known = heard < SONGS
    without = Listening(with_them.playlists[known], families[known], heard[known])
    assert not block(of="artists").fit(told(), without).heard_.any()


@pytest.mark.parametrize(
    "held",
    [
        Listening(np.zeros(1, int), np.array([3]), np.array([-1])),
        Listening(np.arange(30), np.arange(30), np.arange(30)),
        Listening(np.zeros(9, int), np.arange(9), np.arange(9)),
        Listening(
            np.repeat(np.arange(5), 30), np.tile(np.arange(30), 5), np.tile(np.arange(30), 5)
        ),
        Listening(np.zeros(2, int), np.array([3, -1]), np.array([3, 99])),
    ],
    ids=["one entry", "a song each", "one playlist", "all in all", "one song and a stranger"],
)
@pytest.mark.parametrize("content", [np.ones((30, 2)), np.empty((0, 0))], ids=["same", "nothing"])
def test_playlists_that_tell_next_to_nothing_are_no_error(held, content):
    songs = told(30, content)
    for of in ("families", "artists"):
        found = block(of=of).fit(songs, held).transform(songs)
        assert found.shape == (30, 8)
        assert np.isfinite(found).all()
    vectors = encoded(encoder(songs, WITH_PLAYLISTS.weights, held), songs)
    assert np.isfinite(vectors).all()


def test_where_nothing_could_be_learnt_nothing_is_said():
    songs = told(30)
    held = Listening(np.arange(30), np.arange(30), np.arange(30))
    assert not block().fit(songs, held).transform(songs).any()


# ---- what is held out


def known(held_out):
    """Return 60 songs in playlists of their groups, of which some playlists are held out."""
    songs = told(60)
    songs = Songs(songs.measurements, songs.genres, songs.artists // 2, songs.families)
    drawn = planted(np.arange(60), playlists=40)
    strangers = 30 + np.arange(len(drawn.playlists)) % 7  # artists outside the catalogue
    outside = np.arange(len(drawn.playlists)) % 5 == 0
    families = np.where(outside, -1, drawn.families)
    artists = np.where(outside, strangers, drawn.families // 2)
    entries = np.column_stack([families, families, artists])
    return Known(pl.DataFrame(), songs, [], drawn.playlists, entries, held_out(drawn.playlists))


def fitted_vectors(told_of):
    pipeline = encoder(told_of.songs, WITH_PLAYLISTS.weights, told_of.listening)
    return encoded(pipeline, told_of.songs)


def test_what_is_held_out_is_never_learnt_from():
    everything = known(lambda playlists: playlists % 4 == 0)
    kept = ~everything.held_out
    assert 0 < kept.sum() < len(kept)
    less = Known(
        everything.rows,
        everything.songs,
        [],
        everything.playlists[kept],
        everything.entries[kept],
        everything.held_out[kept],
    )
    vectors = fitted_vectors(everything)
    assert vectors.tobytes() == fitted_vectors(less).tobytes()
    leaked = fitted_vectors(known(lambda playlists: np.zeros(len(playlists), bool)))
    assert np.abs(leaked - vectors).max() > 0.01


def test_other_songs_in_a_held_out_playlist_change_nothing():
    one = known(lambda playlists: playlists % 4 == 0)
    moved = np.where(one.held_out[:, None], np.roll(one.entries, 11, axis=0), one.entries)
    other = Known(one.rows, one.songs, [], one.playlists, moved, one.held_out)
    assert fitted_vectors(other).tobytes() == fitted_vectors(one).tobytes()


def test_where_all_is_held_out_or_unknown_there_is_nothing_to_learn_from():
    held = known(lambda playlists: np.ones(len(playlists), bool))
    assert held.listening is None
    unknown = known(lambda playlists: np.zeros(len(playlists), bool))
    unknown.entries[:, :2] = -1
    assert unknown.listening is None
    assert recipe_for(unknown.songs, unknown.listening).weights.playlists == 0


# ---- the same again

FITTED = """
import hashlib, numpy, tests.models.test_listening as own
songs = own.told()
held = own.planted(numpy.arange(own.SONGS))
pipeline = own.encoder(songs, own.WITH_PLAYLISTS.weights, held)
print(hashlib.sha256(own.encoded(pipeline, songs).tobytes()).hexdigest())
"""


def test_another_process_learns_the_same_bytes():
    songs = told()
    pipeline = encoder(songs, WITH_PLAYLISTS.weights, planted(np.arange(SONGS)))
    mine = hashlib.sha256(encoded(pipeline, songs).tobytes()).hexdigest()
    run = subprocess.run([sys.executable, "-c", FITTED], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == mine


def test_the_order_of_entries_does_not_matter():
    songs, held = told(), planted(np.arange(SONGS))
    order = np.random.default_rng(8).permutation(len(held.playlists))
    mixed = Listening(held.playlists[order], held.families[order], held.artists[order])
    one, other = (encoded(encoder(songs, WITH_PLAYLISTS.weights, h), songs) for h in (held, mixed))
    assert one.tobytes() == other.tobytes()


def test_a_stranger_by_a_known_artist_is_near_those_whom_the_artist_is_heard_with():
    songs = told(content=np.empty((0, 0)))
    pipeline = encoder(songs, WITH_PLAYLISTS.weights, planted(np.arange(SONGS)))
    vectors = encoded(pipeline, songs)
    one, other = (
        encoded(pipeline, stranger(pipeline, songs.measurements[:1], artist))[0]
        for artist in (2, 3)
    )
    assert not np.array_equal(one, other)
    for vector, own in ((one, 0), (other, 1)):
        far = np.square(vectors - vector).sum(axis=1)
        mine = group(np.arange(SONGS)) == own
        assert far[mine].mean() < far[~mine].mean()
