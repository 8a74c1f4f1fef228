import numpy as np
import polars as pl
import pytest
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from models import tastes as model
from transforms import tastes as named
from warehouse.contracts import AVERAGED, TASTES

CLUSTERS = 12


def planted(songs=1800, columns=10, seed=0, clusters=CLUSTERS):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(clusters, columns)) * 4
    own = rng.integers(clusters, size=songs)
    return (middles[own] + rng.normal(size=(songs, columns))).astype(np.float32), own


def kept(today, yesterday):
    """The share of songs whose taste is yesterday's."""
    known = yesterday >= 0
    return (today.before[today.of_song[known]] == yesterday[known]).mean()


def test_planted_clusters_are_found_and_their_number_too():
    points, own = planted()
    found = model.tastes(points).of_song
    assert len(set(found.tolist())) == CLUSTERS
    assert len(set(zip(found.tolist(), own.tolist(), strict=True))) == CLUSTERS


def test_tastes_are_numbered_by_size():
    found = model.tastes(planted()[0]).of_song
    sizes = np.bincount(found)
    assert (np.diff(sizes) <= 0).all()
    assert sizes.min() > 0


def test_equal_input_gives_equal_tastes_on_any_number_of_threads():
    points, _ = planted(clusters=40, columns=60)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(model.tastes(points).of_song.tobytes())
    assert found[0] == found[1] == model.tastes(points).of_song.tobytes()


def test_songs_added_and_removed_move_few_others():
    points, _ = planted(songs=4000, clusters=30)
    first = model.tastes(points[200:])
    yesterday = np.concatenate([np.full(200, -1), first.of_song])[:3800]
    assert kept(model.tastes(points[:3800], yesterday), yesterday) >= 0.9


def test_vectors_on_other_axes_change_no_taste():
    points, _ = planted(clusters=30)
    first = model.tastes(points).of_song
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(10, 10)))
    assert kept(model.tastes((points @ turn).astype(np.float32), first), first) > 0.99


def test_the_number_changes_where_yesterdays_no_longer_separates():
    points, own = planted()
    found = model.tastes(points, (own > 0).astype(np.int64))
    assert len(set(found.of_song.tolist())) == CLUSTERS
    assert (found.before >= 0).sum() <= 2


def test_a_taste_stays_where_a_third_of_all_its_songs_is_shared():
    today = np.array([0, 0, 0, 1, 1, 1, 2])
    yesterday = np.array([1, 1, 0, 0, -1, 0, -1])
    assert model.same_tastes(today, yesterday).tolist() == [1, 0, -1]
    scattered = np.array([0, 1, 2, 3])
    assert model.same_tastes(np.zeros(4, dtype=int), scattered).tolist() == [-1]


@pytest.mark.parametrize("songs", [0, 1, 2, 30, 120])
def test_small_catalogues_have_few_tastes(songs):
    if songs == 0:
        assert model.possible(0) == [1]
        return
    found = model.tastes(planted(songs)[0])
    assert len(found.of_song) == songs
    assert found.of_song.max() + 1 == max(1, songs // model.SMALLEST)


def test_the_fewest_nearly_best_number_is_chosen():
    assert model.how_many({12: 0.05, 16: 0.09, 24: 0.1, 32: 0.095}) == 16
    assert model.how_many({12: -0.02, 16: -0.01}) == 16


def test_equal_songs_are_one_taste():
    with pytest.warns(ConvergenceWarning):
        found = model.tastes(np.ones((700, 3), dtype=np.float32)).of_song
    assert set(found.tolist()) == {0}


def songs_of(tastes, **columns):
    absent: dict = dict.fromkeys(AVERAGED, [0.5] * len(tastes))
    ids = [f"s{number:03}" for number in range(len(tastes))]
    absent |= {"year": 2000, "duration_ms": 1.0}
    return pl.DataFrame({"song_id": ids, **absent, **columns}).cast({"year": pl.Int64})


def genres_of(songs, lists):
    rows = zip(songs["song_id"], lists, strict=True)
    pairs = [(song, genre) for song, genres in rows for genre in genres]
    return pl.DataFrame(pairs, schema={"song_id": pl.String, "genre": pl.String}, orient="row")


OF_SONG = np.repeat([0, 1, 2], 40)


def test_a_label_says_what_is_commoner_than_elsewhere_and_not_what_is_common():
    songs = songs_of(OF_SONG, year=[1965] * 40 + [2015] * 80)
    lists = [["pop", "soul"]] * 40 + [["pop", "metal", "death metal"]] * 40 + [["pop", "folk"]] * 40
    found = named.labels(songs, OF_SONG, genres_of(songs, lists))
    assert found == ("soul, 1960s", "death metal, 2010s", "folk, 2010s")


def test_a_rare_genre_names_nothing():
    songs = songs_of(OF_SONG)
    lists = [["soul"]] * 37 + [["soul", "yodel"]] * 3 + [["metal"]] * 80
    assert "yodel" not in named.labels(songs, OF_SONG, genres_of(songs, lists))[0]


def test_where_no_genre_is_known_features_and_years_speak():
    songs = songs_of(
        OF_SONG,
        year=[1965] * 40 + [2015] * 80,
        acousticness=[0.9] * 40 + [0.2] * 80,
        tempo=[70.0] * 40 + [120.0] * 40 + [121.0] * 40,
    )
    first, *_ = named.labels(songs, OF_SONG, genres_of(songs, [[]] * 120))
    assert first == "acoustic, slow, 1960s"


def test_labels_never_repeat_even_where_nothing_sets_tastes_apart():
    songs = songs_of(OF_SONG)
    found = named.labels(songs, OF_SONG, genres_of(songs, [[]] * 120))
    assert found == ("mixed", "mixed 2", "mixed 3")


def test_a_label_stays_while_all_that_it_says_holds():
    songs = songs_of(OF_SONG, year=[1965] * 40 + [2015] * 80)
    lists = [["soul", "motown"]] * 40 + [["metal"]] * 40 + [["folk"]] * 40
    genres = genres_of(songs, lists)
    found = named.labels(songs, OF_SONG, genres, ["soul, 1960s", "jazz", None])
    assert found == ("soul, 1960s", "metal, 2010s", "folk, 2010s")


def test_a_taste_keeps_its_id_and_a_new_one_takes_an_unused_one():
    ids = pl.Series([f"s{n}" for n in range(6)])
    first = named.taste_ids(ids, np.array([0, 0, 0, 1, 1, 1]))
    yesterday = pl.DataFrame({"song_id": ids, "taste_id": [first[0]] * 3 + [first[1]] * 3})
    numbers, known = named.yesterday_numbers(pl.Series(["new", *ids[:5]]), yesterday)
    assert numbers[0] == -1
    assert [known[n] for n in numbers[1:]] == yesterday["taste_id"][:5].to_list()
    today = np.array([2, 1, 1, 1, 0, 0])
    before = np.array([known.index(first[1]), known.index(first[0]), -1])
    second = named.taste_ids(pl.Series(["new", *ids[:5]]), today, before, known)
    assert second[:2] == (first[1], first[0])
    assert second[2] not in first
    assert all(len(taste) == 17 and taste.startswith("t") for taste in second)


def test_the_rows_hold_to_the_contract():
    songs = songs_of(OF_SONG, tempo=[100.0] * 40 + [None] * 40 + [90.0, 110.0] * 20)
    rows = named.taste_rows(songs, OF_SONG, ("tb", "ta", "tc"), ("x", "y", "z"))
    assert TASTES.check(rows)["taste_id"].to_list() == ["ta", "tb", "tc"]
    assert rows["tempo"].to_list() == [None, 100.0, 100.0]
    assert rows["songs"].to_list() == [40, 40, 40]


def test_a_song_has_its_own_genres_and_its_artists():
    songs = pl.DataFrame({"song_id": ["a", "b"], "artist": ["X", "Y"]})
    own = pl.DataFrame({"song_id": ["a"], "genre": ["pop"]})
    artists = pl.DataFrame({"artist": ["X", "X"], "genre": ["pop", "rock"]})
    found = named.genres_of(songs, own, artists)
    assert found.rows() == [("a", "pop"), ("a", "rock")]


def test_a_genre_that_few_songs_of_a_taste_are_known_to_have_does_not_name_it():
    """In taste 0 a genre is known of three songs out of forty, in taste 1 of all."""
    songs = songs_of(OF_SONG, energy=np.where(OF_SONG == 0, 0.9, 0.4))
    lists = [["k-pop"]] * 25 + [[]] * 15 + [["metal"]] * 80
    few = [["k-pop"]] * 3 + [[]] * 37 + [["metal"]] * 80
    assert named.labels(songs, OF_SONG, genres_of(songs, lists))[0].startswith("k-pop")
    assert named.labels(songs, OF_SONG, genres_of(songs, few))[0].startswith("energetic")
