import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from transforms import reasons
from transforms.reasons import HEARD, NOTHING_SHARED, Facts, Reasons, Space, held
from transforms.recommendations import because, recommendation_rows
from warehouse.contracts import BECAUSE, RECOMMENDATIONS

SOUND = {"mood": 4, "sound": 4, "rhythm": 2, "harmony": 1}
WIDE = {"era": 1, "genre": 2, "artists": 2, "playlists": 3}
NOT_SOUND = tuple(WIDE)


def space(number, blocks=(*SOUND, *NOT_SOUND), seed=1):
    """Draw vectors so that two songs taken at random are 1 apart in the root mean square."""
    rng = np.random.default_rng(seed)
    widths = {name: width for name, width in (SOUND | WIDE).items() if name in blocks}
    spans, start = {}, 0
    for name, width in widths.items():
        spans[name] = slice(start, start + width)
        start += width
    vectors = rng.normal(size=(number, start))
    vectors /= np.sqrt(2 * vectors.var(axis=0).sum())
    names = [*HEARD, "mode", *(f"other_{column}" for column in range(11, start))]
    unknown = np.zeros((number, len(HEARD)), dtype=np.bool_)
    return Space(names, spans, vectors.astype(np.float32), unknown)


def facts(number, *, filed=(), genres=(), playlists=(), families=None, artists=None, **columns):
    """Say what is known: nothing but what is given, every song of its own family and artist."""
    unknown = {"year": None, "key": None, "mode": None}
    songs = pl.DataFrame(
        {"song_id": [f"s{i:02}" for i in range(number)]}
        | {name: columns.get(name, [value] * number) for name, value in unknown.items()},
        schema_overrides=dict.fromkeys(unknown, pl.Int64),
    )
    families = np.arange(number) if families is None else np.array(families)
    artists = np.arange(number) if artists is None else np.array(artists)
    entries = [(at, song) for at, members in enumerate(playlists) for song in members]
    at, song = np.array(entries, dtype=np.int64).reshape(-1, 2).T
    marks = np.zeros((number, len(genres)), dtype=np.int8)
    for row, column in filed:
        marks[row, column] = 1
    return Facts(
        songs,
        genres,
        csr_array(marks),
        families,
        artists,
        held(at, families[song], int(families.max()) + 1),
        held(at, artists[song], int(artists.max()) + 1),
    )


def said(known, seen, song=0, other=1):
    """Return the phrases for one pair."""
    made = Reasons(known, seen)
    pair = np.array([song]), np.array([other])
    return made.words(*pair, made.nearer(*pair)).item().split("; ")


def alike(seen, *blocks):
    """Put songs 0 and 1 at one place in some blocks."""
    for name in blocks:
        seen.vectors[1, seen.spans[name]] = seen.vectors[0, seen.spans[name]]
    return seen


def apart(seen, *blocks):
    """Put songs 0 and 1 at opposite ends in some blocks."""
    for name in blocks:
        seen.vectors[0, seen.spans[name]] = 1
        seen.vectors[1, seen.spans[name]] = -1
    return seen


# ---- numbers


@given(seed=st.integers(0, 99), blocks=st.sets(st.sampled_from(NOT_SOUND)))
@settings(max_examples=30, deadline=None)
def test_what_the_blocks_bring_adds_up_to_one_less_the_squared_distance(seed, blocks):
    seen = space(30, (*SOUND, *blocks), seed=seed)
    song, other = np.divmod(np.arange(900), 30)
    nearer = Reasons(facts(30), seen).nearer(song, other)
    squared = ((seen.vectors[song] - seen.vectors[other]) ** 2).sum(axis=1)
    np.testing.assert_allclose(sum(nearer.values()), 1 - squared, atol=1e-5)
    columns = because(nearer, 900)
    assert list(columns) == [column.name for column in BECAUSE]
    np.testing.assert_allclose(sum(columns.values()), 1000 * (1 - squared), atol=2.6)
    for name in set(NOT_SOUND) - blocks:
        assert not columns[f"because_{name}"].any()


@given(seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_over_all_pairs_no_block_brings_songs_nearer_on_average(seed):
    song, other = np.divmod(np.arange(400), 20)
    nearer = Reasons(facts(20), space(20, seed=seed)).nearer(song, other)
    for brought in nearer.values():
        assert abs(brought.mean()) < 1e-6


def test_rows_come_in_order_whatever_the_chunk_and_short_lists_stay_short(monkeypatch):
    indices = np.array([[(song + place) % 12 for place in (1, 2, 3)] for song in range(12)])
    indices[5, 1:] = -1
    distances = np.where(indices < 0, np.inf, np.tile([0.5, 1.0, 3.0], (12, 1)))
    whole = pl.concat(recommendation_rows(facts(12), space(12), indices, distances))
    RECOMMENDATIONS.check(whole)
    assert whole.height == 34
    assert whole.filter(song_id="s05").rows()[0][:5] == ("s05", 1, "s06", 0.5, 1 / 1.5)
    assert whole.filter(song_id="s11")["recommended_song_id"].to_list() == ["s00", "s01", "s02"]
    monkeypatch.setattr("transforms.recommendations.CHUNK_PAIRS", 7)
    parts = list(recommendation_rows(facts(12), space(12), indices, distances))
    assert len(parts) == 6
    assert pl.concat(parts).equals(whole)


# ---- playlists


def test_held_counts_an_item_of_a_playlist_once_and_leaves_out_what_stands_alone():
    playlists, items = np.array([0, 0, 0, 1, 2, 2, 3, 3]), np.array([1, 1, 0, 1, 2, -1, 0, 9])
    assert held(playlists, items, 3).toarray().tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [0] * 4]
    nothing = np.array([], dtype=np.int64)
    assert held(nothing, nothing, 3).sum() == 0


@given(
    playlists=st.lists(st.sets(st.integers(0, 7), max_size=6), max_size=9),
    families=st.lists(st.integers(0, 5), min_size=8, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_playlists_are_counted_by_family_as_one_counts_them_by_hand(playlists, families):
    known = facts(8, playlists=playlists, families=families)
    seen = alike(space(8), "playlists")
    number = sum({families[0], families[1]} <= {families[i] for i in p} for p in playlists)
    phrases = said(known, seen)
    counted = [p for p in phrases if p.startswith("together in ")]
    if number >= 2 and families[0] != families[1]:
        assert counted == [f"together in {number} playlists"]
    elif number == 1 and families[0] != families[1]:
        assert counted == ["together in a playlist"]
    else:
        assert not counted


def test_counting_a_few_pairs_at_once_gives_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    known = facts(40, playlists=[set(rng.choice(40, 12).tolist()) for _ in range(30)])
    made = Reasons(known, space(40))
    song, other = np.divmod(np.arange(1600), 40)
    nearer = made.nearer(song, other)
    at_once = made.words(song, other, nearer)
    assert at_once.str.contains("together in 5 playlists").any()
    monkeypatch.setattr(reasons, "PAIRS_AT_ONCE", 7)
    assert made.words(song, other, nearer).equals(at_once)


def test_one_playlist_of_both_is_named_only_where_the_vectors_are_near_too():
    known = facts(9, playlists=[{0, 1, 2}, {0, 3}])
    assert "together in a playlist" in said(known, alike(space(9), "playlists"))
    seen = alike(space(9), "playlists")
    block = seen.spans["playlists"]
    seen.vectors[1, block] += np.sqrt(0.4 * seen.vectors[:, block].var(axis=0).sum())
    nearer = Reasons(known, seen).nearer(np.array([0]), np.array([1]))["playlists"]
    assert nearer > 0
    assert not any("playlist" in phrase for phrase in said(known, seen))


def test_songs_that_meet_in_no_playlist_may_be_heard_in_similar_ones():
    known = facts(9, playlists=[{0, 2}, {1, 2}])
    assert "heard in similar playlists" in said(known, alike(space(9), "playlists"))
    assert not any("playlist" in phrase for phrase in said(known, apart(space(9), "playlists")))


@pytest.mark.parametrize("playlists", [[], [{0, 2}, {0, 3}], [{1, 2}], [{0, 2}, {1}]])
def test_of_a_song_that_was_heard_with_no_other_nothing_is_said_of_playlists(playlists):
    seen = alike(space(9), "playlists", "artists")
    assert not any("playlist" in phrase for phrase in said(facts(9, playlists=playlists), seen))


def test_artists_share_playlists_where_their_songs_do_not():
    known = facts(6, artists=[0, 1, 0, 1, 4, 5], playlists=[{2, 3}, {2, 3, 4}, {2, 5}])
    seen = alike(space(6), "artists")
    assert "their artists share 2 playlists" in said(known, seen)
    assert "by the same artist" in said(facts(6, artists=[0, 0, 1, 2, 3, 4]), seen)
    assert not any("artist" in phrase for phrase in said(known, apart(space(6), "artists")))


def test_artists_are_not_named_where_the_songs_stand_together_themselves():
    known = facts(6, playlists=[{0, 1}, {0, 1}, {0, 1}])
    phrases = said(known, alike(space(6), "artists", "playlists"))
    assert "together in 3 playlists" in phrases
    assert not any("artists" in phrase for phrase in phrases)


# ---- genres, years, key and sound


def test_two_genres_at_most_are_named_the_rarest_first():
    filed = [(row, 0) for row in range(9)] + [(row, 1) for row in range(3)]
    filed += [(0, 2), (1, 2), (0, 3), (2, 3)]
    known = facts(9, genres=["pop", "shoegaze", "dream pop", "noise"], filed=filed)
    seen = alike(space(9), "genre")
    assert "both dream pop and shoegaze" in said(known, seen)
    assert not any(phrase.startswith("both") for phrase in said(known, apart(space(9), "genre")))


def test_years_and_key_are_said_only_where_the_distance_reads_them():
    known = facts(4, year=[1991, 1991, 1992, 1999], key=[9, 9, 9, 9], mode=[0, 0, 1, 0])
    seen = alike(space(4), "era", "harmony")
    assert {"both from 1991", "both in A minor"} <= set(said(known, seen))
    without = said(known, space(4, blocks=[*SOUND, "playlists"]))
    assert not any("1991" in phrase for phrase in without)


def test_a_key_is_not_named_where_harmony_hardly_weighs():
    known = facts(4, key=[9] * 4, mode=[0] * 4)
    seen = alike(space(4), "harmony")
    assert "both in A minor" in said(known, seen)
    seen.vectors[:, seen.spans["harmony"]] *= 0.01
    assert "both in A minor" not in said(known, seen)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (1991, 1993, "1991 and 1993"),
        (1993, 1991, "1991 and 1993"),
        (1991, 1994, None),
        (1991, None, None),
    ],
)
def test_years_close_together_are_named_the_earlier_first(a, b, words):
    known = facts(4, year=[a, b, 1950, 1960])
    phrases = [p for p in said(known, alike(space(4), "era")) if "199" in p]
    assert phrases == ([words] if words else [])


def test_the_features_named_are_the_closest_of_those_that_are_known():
    seen = space(300)
    seen.vectors[0, :10] = seen.vectors[1, :10] + 3
    seen.vectors[0, [2, 8]] = seen.vectors[1, [2, 8]]
    assert "close in mood and tempo" in said(facts(300), seen)
    seen.unknown[1, 8] = True
    assert "close in mood" in said(facts(300), seen)


def test_where_nothing_is_close_the_least_far_is_named_and_only_where_nothing_else_is():
    seen = apart(space(300), *SOUND)
    seen.vectors[0, 4] = seen.vectors[1, 4] + 0.9
    assert said(facts(300), seen) == ["nearest in speech"]
    years = facts(300, year=[1991] * 300)
    assert said(years, alike(seen, "era")) == ["both from 1991"]
    seen.unknown[1] = True
    assert said(facts(300), seen) == [NOTHING_SHARED]


def test_what_brings_nearest_is_said_first_and_no_more_than_four_phrases():
    everything = facts(
        9,
        genres=["shoegaze"],
        filed=[(0, 0), (1, 0)],
        playlists=[{0, 1}, {0, 1}],
        year=[1991] * 9,
        key=[0] * 9,
        mode=[1] * 9,
    )
    kinds = {
        "together": "playlists",
        "both shoegaze": "genre",
        "both from": "era",
        "both in": "harmony",
    }
    for seed in range(20):
        seen = alike(space(9, seed=seed), *SOUND, *NOT_SOUND)
        made = Reasons(everything, seen).nearer(np.array([0]), np.array([1]))
        phrases = said(everything, seen)
        assert len(phrases) == 4
        brought = [
            made[block] for p in phrases for words, block in kinds.items() if p.startswith(words)
        ]
        assert len(brought) >= 3
        assert brought == sorted(brought, reverse=True)
