import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import ranking
from models.companions import companions
from models.encoder.listening_blocks import Listening
from models.lists import ARTIST_CAP, Sameness, allowed
from models.neighbours.boxes import Boxes
from models.ranking import PAGE, Rules, listened_to

NO_CAP = 10**6


def rules(families, artists=None, listened=None, bonus=0.0, hub_cap=NO_CAP):
    """Say the rules for as many songs as there are families; each by its own artist."""
    number = len(families)
    return Rules(
        np.asarray(families),
        np.arange(number) if artists is None else np.asarray(artists),
        np.zeros(number) if listened is None else np.asarray(listened, dtype=float),
        bonus,
        hub_cap,
    )


def recommended(points, *how, **more):
    return ranking.recommended(Boxes(points), points, *how, **more)


def line(*places):
    return np.array(places, dtype=np.float32)[:, None]


def apart(points):
    return np.sqrt(np.square(points[:, None].astype(float) - points).sum(axis=2))


def fits(rules, song, held, other):
    """Say whether a list that holds some songs may hold another one too."""
    families = [rules.families[song], *(rules.families[h] for h in held)]
    by = [rules.artists[h] for h in held].count(rules.artists[other])
    return other != song and rules.families[other] not in families and by < ARTIST_CAP


def depths(stop, last, cap):
    """List how many of the nearest songs are looked through, one try after the other."""
    depth = min(max(ranking.DEPTH, ranking.DEEPER * stop), last)
    tries = [(depth, cap)]
    while depth < min(ranking.DEEPEST, last):
        depth = min(depth * ranking.DEEPER, last)
        tries.append((depth, cap))
    while depth < last or tries[-1][1] < NO_CAP:
        depth = min(depth * ranking.DEEPER, last)
        tries.append((depth, NO_CAP))
    return tries


def by_the_rules(points, rules, k):
    """Fill the lists as the documentation says, one song at a time, from every distance."""
    songs, far = len(points), apart(points)
    near = [
        sorted(set(range(songs)) - {s}, key=lambda o, s=s: (far[s, o], o)) for s in range(songs)
    ]
    chooser = sorted(range(songs), key=lambda song: -rules.listened[song])
    lists = [[] for _ in range(songs)]
    first = min(k, PAGE)
    for stop, most in (
        {first: rules.hub_cap, k: NO_CAP}.items() if k > PAGE else [(k, rules.hub_cap)]
    ):
        stands = [0] * songs
        tries = depths(stop, max(songs - 1, 0), most)
        for depth, cap in tries:
            for song in chooser:
                price = np.square(far[song]) - rules.bonus * rules.listened
                for other in sorted(near[song][:depth], key=lambda o, price=price: price[o]):
                    room = len(lists[song]) < stop and stands[other] < cap
                    if room and fits(rules, song, lists[song], other):
                        lists[song].append(other)
                        stands[other] += 1
        if stop == first:
            spent, deepest = set(), min(ranking.DEEPEST, songs - 1)
            adopt(rules, lists, stands, near, tries[0][0], chooser, stop, spent)
            depth = tries[0][0]
            while depth < deepest:
                depth = min(depth * ranking.DEEPER, deepest)
                adopt(rules, lists, stands, near, depth, chooser, stop, spent)
    return lists


def adopt(rules, lists, stands, near, depth, chooser, stop, spent):
    for song in chooser:
        heard = [rules.listened[host] >= ranking.HARDLY_HEARD for host in range(len(lists))]
        for host in sorted(near[song][:depth], key=lambda h, heard=heard: heard[h]):
            if (
                not stands[song]
                and host not in spent
                and gives_way(rules, lists, stands, host, song, stop)
            ):
                spent.add(host)
                stands[lists[host][-1]] -= 1
                stands[song] += 1
                lists[host][-1] = song


def gives_way(rules, lists, stands, host, song, stop):
    held = lists[host]
    return len(held) == stop and stands[held[-1]] > 1 and fits(rules, host, held[:-1], song)


def assert_by_the_rules(points, rules, k):
    found = recommended(points, rules, k)
    assert found.songs.shape == found.distances.shape == (len(points), k)
    far = apart(points)
    for song, (row, expected) in enumerate(
        zip(found.songs, by_the_rules(points, rules, k), strict=True)
    ):
        short = k - len(expected)
        assert row.tolist() == expected + [-1] * short
        gaps = [*far[song, expected], *[np.inf] * short]
        np.testing.assert_allclose(found.distances[song], gaps, rtol=1e-12)
    return found


@st.composite
def catalogues(draw, fewest=0, most=30):
    songs = draw(st.integers(fewest, most))

    def of(values):
        return draw(st.lists(values, min_size=songs, max_size=songs))

    points = np.array(of(st.tuples(*[st.integers(-3, 3)] * 2)), dtype=np.float32).reshape(-1, 2)
    few = draw(st.sampled_from([1, 3, 10]))
    numbers = of(st.integers(0, 9))
    families = [f % few if few < 10 else n for n, f in enumerate(numbers)]
    artists = np.array(of(st.integers(0, 9)), dtype=int) // 3
    listened = of(st.sampled_from([0.0, 0.0, 0.05, 0.5, 1.0]))
    bonus = draw(st.sampled_from([0.0, 0.7, 5.0]))
    cap = draw(st.sampled_from([1, 2, 5, 13]))
    return points, rules(np.array(families, dtype=int), artists, listened, bonus, cap)


# ---- the whole of it against the definition


@settings(max_examples=60, deadline=None)
@given(catalogue=catalogues(), k=st.integers(1, 12))
def test_lists_are_what_the_rules_give_over_every_distance(catalogue, k):
    assert_by_the_rules(*catalogue, k=k)


@settings(max_examples=30, deadline=None)
@given(catalogue=catalogues(), k=st.integers(1, 12))
def test_lists_are_what_the_rules_give_where_the_search_begins_shallow(catalogue, k):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "DEPTH", 6)
        patch.setattr(ranking, "DEEPER", 2)
        patch.setattr(ranking, "DEEPEST", 16)
        patch.setattr(ranking, "HELD", 40)
        patch.setattr(ranking, "WORKED_ON", 20)
        assert_by_the_rules(*catalogue, k=k)


@settings(max_examples=60, deadline=None)
@given(catalogue=catalogues(), k=st.integers(1, 12))
def test_no_list_breaks_a_rule_and_none_is_short_where_a_song_would_fit(catalogue, k):
    points, told = catalogue
    for song, row in enumerate(recommended(points, told, k).songs.tolist()):
        held = [other for other in row if other >= 0]
        assert row == held + [-1] * (k - len(held))
        for place, other in enumerate(held):
            assert fits(told, song, held[:place], other)
        if len(held) < k:
            assert not any(fits(told, song, held, other) for other in range(len(points)))


@settings(max_examples=40, deadline=None)
@given(catalogue=catalogues())
def test_a_long_list_begins_with_the_short_one(catalogue):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "DEPTH", 12)
        lists = {k: recommended(*catalogue, k=k) for k in (5, 10, 20)}
    np.testing.assert_array_equal(lists[10].songs[:, :5], lists[5].songs)
    np.testing.assert_array_equal(lists[20].songs[:, :5], lists[5].songs)
    np.testing.assert_array_equal(lists[20].distances[:, :5], lists[5].distances)


@settings(max_examples=60, deadline=None)
@given(catalogue=catalogues(fewest=7))
def test_a_song_stands_in_no_list_only_where_none_near_it_can_give_way(catalogue):
    points, told = catalogue
    lists = recommended(points, told, PAGE).songs.tolist()
    stands = np.bincount([s for row in lists for s in row if s >= 0], minlength=len(points))
    held = [[song for song in row if song >= 0] for row in lists]
    for song in np.flatnonzero(stands == 0):
        for host in set(range(len(points))) - {song}:
            assert not gives_way(told, held, stands, host, song, PAGE)


@settings(max_examples=40, deadline=None)
@given(catalogue=catalogues(fewest=1), k=st.integers(1, 5))
def test_without_bonus_cap_and_adoption_a_list_is_the_nearest_that_may_stand_in_it(catalogue, k):
    points, told = catalogue
    plain = Rules(told.families, told.artists, told.listened, 0.0, NO_CAP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking._Shelf, "adopt", lambda *_: None)
        found = recommended(points, plain, k).songs
    far = apart(points)
    for song, row in enumerate(found):
        held = []
        for other in np.argsort(far[song], kind="stable"):
            if len(held) < k and fits(told, song, held, other):
                held.append(int(other))
        assert row[row >= 0].tolist() == held


# ---- a larger catalogue


@pytest.fixture(scope="module")
def many():
    """Return 900 songs around a middle, so that some are near to all, under a cap of 9."""
    rng = np.random.default_rng(0)
    points = np.round(rng.normal(size=(900, 12)), 1).astype(np.float32)
    told = rules(rng.integers(0, 700, 900), rng.integers(0, 200, 900), rng.random(900) ** 4, 2.0, 9)
    return points, told, recommended(points, told, 10)


def stands(lists):
    held = lists.songs[:, :PAGE]
    return np.bincount(held.ravel(), minlength=len(lists.songs))


def test_nobody_stands_among_the_first_five_of_more_lists_than_the_cap(many):
    points, told, lists = many
    free = recommended(points, rules(told.families, told.artists, told.listened, 2.0), 5)
    assert stands(free).max() > 3 * told.hub_cap
    assert (lists.songs >= 0).all()
    assert stands(lists).max() == told.hub_cap


def test_without_a_cap_a_song_may_stand_in_any_number_of_lists_and_in_none(many):
    points, told, _ = many
    free = Rules(told.families, told.artists, told.listened, told.bonus, 0)
    found = stands(recommended(points, free, 5))
    assert found.max() > 3 * told.hub_cap
    assert found.min() == 0


def test_every_song_stands_among_the_first_five_of_somebody(many):
    _, _, lists = many
    assert stands(lists).min() == 1


def test_songs_that_are_listened_to_are_recommended_more_than_others(many):
    points, told, lists = many
    plain = recommended(points, rules(told.families, told.artists, hub_cap=9), 5)
    shares = [np.average(told.listened, weights=stands(found)) for found in (lists, plain)]
    assert shares[0] > 1.1 * shares[1]


def test_the_same_songs_are_given_the_same_bytes(many):
    points, told, lists = many
    again = recommended(points.copy(), told, 10)
    assert again.songs.tobytes() == lists.songs.tobytes()
    assert again.distances.tobytes() == lists.distances.tobytes()


# ---- one rule at a time


def test_a_song_is_never_given_itself_nor_another_of_its_family():
    found = recommended(line(0, 0, 0, 5, 6, 7), rules([0, 0, 0, 1, 2, 3]), 3)
    assert found.songs[:3].tolist() == [[3, 4, 5]] * 3


def test_one_song_of_any_other_family_is_given_the_nearest():
    found = recommended(line(0, 1, 2, 3, 4), rules([0, 1, 1, 2, 2]), 2)
    assert found.songs[0].tolist() == [1, 3]
    assert found.distances[0].tolist() == [1, 3]


def test_two_songs_by_one_artist_are_given_at_most_even_by_the_songs_own():
    found = recommended(line(*range(7)), rules(range(7), [0, 0, 0, 0, 1, 1, 1]), 4)
    assert found.songs[0].tolist() == [1, 2, 4, 5]


def test_ties_go_to_the_smaller_number():
    found = recommended(line(0, 1, -1, 1, -1), rules(range(5)), 3)
    assert found.songs[0].tolist() == [1, 2, 3]


def test_a_bonus_is_taken_off_the_squared_distance_and_the_distance_is_told_as_it_is():
    told = rules(range(4), listened=[0, 0, 0.5, 1], bonus=10)
    found = recommended(line(0, 1, 2, 4), told, 3)
    assert found.songs[0].tolist() == [2, 1, 3]  # 4 - 5, 1 - 0, 16 - 10
    assert found.distances[0].tolist() == [2, 1, 4]


def test_those_most_listened_to_choose_first():
    # Three songs of one family have the fourth nearest; the cap lets one have it.
    places = line(1, -1, 0.5, 0, 50, 51, 52, 53)
    told = rules([0, 0, 0, 1, 2, 3, 4, 5], listened=[0, 0.5, 1, 0, 0, 0, 0, 0], hub_cap=1)
    found = recommended(places, told, 1)
    assert np.flatnonzero(found.songs[:, 0] == 3).tolist() == [2]
    assert found.songs[:3, 0].tolist() == [5, 4, 3]


def test_a_hub_stands_in_more_lists_than_the_cap_only_where_nothing_else_is_left():
    # Of eight songs by one artist each list may hold two, and needs the only other one.
    told = rules(range(9), [0] * 8 + [1], hub_cap=2)
    found = recommended(line(*range(9)), told, 3)
    assert (found.songs[:8] == 8).sum(axis=1).tolist() == [1] * 8


def test_a_song_that_nobody_is_near_to_takes_a_last_place_from_one_that_can_spare_it():
    places = line(0, 1, 2, 3, 4, 5, 6, 1000)
    found = recommended(places, rules(range(8)), 5)
    (host,) = np.flatnonzero((found.songs == 7).any(axis=1))
    assert found.songs[host, 4] == 7
    assert found.distances[host, 4] == 1000 - host


def test_lists_of_songs_that_are_hardly_heard_give_way_first():
    listened = [0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0]
    found = recommended(line(0, 1, 2, 3, 4, 5, 6, 1000), rules(range(8), listened=listened), 5)
    assert np.flatnonzero((found.songs == 7).any(axis=1)).tolist() == [0]


def test_the_search_goes_as_deep_as_it_must():
    # Three hundred near songs are of one artist; what the rules want lies behind them all.
    places = line(*np.linspace(0, 1, 300), 50, 51, 52, 53)
    artists = np.concatenate([np.zeros(300), [1, 2, 3, 4]]).astype(int)
    found = recommended(places, rules(range(304), artists), 5)
    assert (np.sort(found.songs[:300], axis=1)[:, 2:] >= 300).all()


# ---- small and odd catalogues


@pytest.mark.parametrize("songs", [0, 1, 2, 3, 6])
def test_a_list_that_the_rules_leave_short_is_filled_up(songs):
    found = recommended(np.zeros((songs, 2), np.float32), rules(range(songs)), 5)
    assert found.songs.shape == found.distances.shape == (songs, 5)
    assert (found.songs >= 0).sum(axis=1).tolist() == [min(songs - 1, 5)] * songs
    assert (found.songs[:, max(songs - 1, 0) :] == -1).all()
    assert np.isinf(found.distances[found.songs < 0]).all()


def test_a_catalogue_that_is_one_family_has_empty_lists():
    found = recommended(np.zeros((30, 2), np.float32), rules([0] * 30, range(30)), 5)
    assert (found.songs == -1).all()


def test_a_catalogue_by_one_artist_gives_as_many_as_an_artist_may_have():
    found = recommended(line(*range(30)), rules(range(30), [0] * 30), 5)
    assert ((found.songs >= 0).sum(axis=1) == ARTIST_CAP).all()


def test_every_song_is_reported_as_done_once():
    done = []
    rng = np.random.default_rng(1)
    told = rules(range(200), rng.integers(0, 3, 200), hub_cap=5)
    recommended(rng.normal(size=(200, 3)).astype(np.float32), told, 5, done.append)
    assert sum(done) == 200


def test_candidates_are_picked_as_they_are_ordered():
    sameness = Sameness(np.array([0, 1, 1, 2, 3, 4]), np.array([0, 1, 1, 1, 1, 2]))
    assert allowed(np.arange(6), {0}, sameness, 4).tolist() == [1, 3, 5]
    assert allowed(np.arange(6)[::-1], {4}, sameness, 4).tolist() == [1, 2, 5]
    assert allowed(np.arange(6), {9}, sameness, 2).tolist() == [0, 1]


# ---- how much songs are listened to


def listening(*entries):
    playlists, families, artists = np.array(entries).T
    return Listening(playlists, families, artists)


def heard_with(held, families, artists=None, popularity=None):
    families = np.asarray(families)
    artists = np.arange(len(families)) if artists is None else np.asarray(artists)
    popularity = np.full(len(families), np.nan) if popularity is None else np.asarray(popularity)
    return companions(held, families, artists, popularity)


def test_without_playlists_songs_are_as_listened_to_as_they_are_popular():
    found = listened_to(np.array([10, np.nan, 90, 50.0]), None)
    assert np.argsort(found).tolist() == [0, 1, 3, 2]
    assert found[1] == found[3]  # at the median
    assert found[2] == 1
    assert found[0] == 0.25**4
    assert listened_to(np.full(3, np.nan), None).tolist() == [0, 0, 0]


def test_with_playlists_each_that_holds_the_family_counts_once():
    # Family 1 stands twice in the first of three playlists; family 2 in none.
    held = listening((0, 0, 0), (0, 1, 0), (0, 1, 0), (1, 1, 0), (1, 3, 0), (2, 1, 0), (2, 3, 0))
    popularity = np.array([99, 0, 0, 50.0, 0])
    found = listened_to(popularity, heard_with(held, [0, 1, 1, 2, 3], popularity=popularity))
    popular = ((4 / 5) ** 4) * ranking.HARDLY_HEARD
    heard = [np.log(2) / np.log(4), 1, 1, popular, np.log(3) / np.log(4)]
    np.testing.assert_allclose(found, heard)


def test_a_song_in_no_playlist_is_heard_less_than_any_in_one():
    held = listening((0, 1, 0), (0, 0, 0))
    found = listened_to(np.array([0, 0, 100.0]), heard_with(held, [0, 1, 2]))
    assert found[2] < found[:2].min()


def test_versions_share_what_is_asked_of_their_song():
    held = listening((0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0))
    families = np.array([0, 0, 1, 2])
    popularity = np.full(4, np.nan)
    found = ranking.audience(popularity, families, heard_with(held, families))
    np.testing.assert_allclose(found, [2 / np.sqrt(2), 2 / np.sqrt(2), 2, 0])
    alone = ranking.audience(np.array([0, 1, 2, 3.0]), np.arange(4), None)
    assert np.argsort(alone).tolist() == [0, 1, 2, 3]


# ---- companions in playlists


def test_companions_are_those_of_most_playlists_in_common_long_ones_counting_less():
    held = listening(
        *((0, family, family) for family in (0, 1)),
        *((1, family, family) for family in (0, 2, 3, 4)),
        *((2, family, family) for family in (0, 2)),
    )
    found = heard_with(held, range(5))
    songs, together = found.songs[found.rows[0]], found.together[found.rows[0]]
    assert songs[songs >= 0].tolist() == [2, 1, 3, 4]
    np.testing.assert_allclose(together[songs >= 0], [0.5 + 2**-0.5, 2**-0.5, 0.5, 0.5], rtol=1e-6)
    assert found.plays.tolist() == [3, 1, 2, 1, 1]


def test_a_companion_is_named_in_its_most_popular_versions():
    held = listening((0, 0, 0), (0, 1, 1))
    found = heard_with(held, [0, 1, 1, 1], popularity=[0, 5, 9, 7.0])
    songs = found.songs[found.rows[0]]
    assert songs[songs >= 0].tolist() == [2, 3]


def test_a_song_in_no_playlist_has_the_companions_of_its_artist_by_others():
    held = listening((0, 0, 7), (0, 1, 8), (0, 2, 7), (1, 3, 8))
    found = heard_with(held, [0, 1, 2, 3, 4, 5], artists=[7, 8, 7, 8, 7, 9])
    songs = found.songs[found.rows[4]]
    assert songs[songs >= 0].tolist() == [1]
    assert found.rows[5] == -1
    assert found.plays[4] == 0


def test_companions_come_first_even_from_far_away():
    held = listening(*((n, family, family) for n in range(9) for family in (0, 9)))
    families = np.arange(10)
    heard = heard_with(held, families)
    points = line(*range(9), 1000)
    told = Rules(families, families, listened_to(np.zeros(10), heard), 0.5, NO_CAP, None, heard)
    lists = recommended(points, told, 5)
    assert lists.songs[0, 0] == 9
    assert lists.distances[0, 0] == 1000
    assert lists.songs[9, 0] == 0
    asked = ranking.Candidates(np.array([0]), *Boxes(points).nearest_others(9, np.array([0])))
    deep = ranking.continued(points, told, asked, lists.songs[:1, :2], 6)
    assert deep[0, :2].tolist() == lists.songs[0, :2].tolist()


def test_distances_to_companions_are_measured_as_others_are():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(300, 20)).astype(np.float32)
    held = Listening(
        np.repeat(np.arange(30), 20), rng.integers(0, 60, 600), rng.integers(0, 300, 600)
    )
    families = np.concatenate([np.arange(60), np.arange(240)])
    heard = heard_with(held, families)
    told = Rules(families, np.arange(300), listened_to(np.zeros(300), heard), 1.5, 13, None, heard)
    found = recommended(points, told, 12)
    song, place = np.nonzero(found.songs >= 0)
    gaps = points[song].astype(float) - points[found.songs[song, place]]
    np.testing.assert_allclose(
        found.distances[song, place], np.linalg.norm(gaps, axis=1), rtol=1e-12
    )
    for row, others in enumerate(found.songs.tolist()):
        kept = [other for other in others if other >= 0]
        assert len({families[row], *families[kept]}) == 1 + len(kept)


def test_playlists_of_one_song_each_put_nothing_together():
    heard = heard_with(listening((0, 0, 0), (1, 1, 1)), [0, 1, 2])
    assert heard.plays.tolist() == [0, 0, 0]
    told = Rules(np.arange(3), np.arange(3), np.zeros(3), 1.0, 5, None, heard)
    assert recommended(line(0, 1, 3), told, 2).songs.tolist() == [[1, 2], [0, 2], [1, 0]]
