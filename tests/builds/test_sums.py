"""The sums of a real build, counted again in SQL; and on lists so small that one sees them."""

import numpy as np
import polars as pl
import pytest

from transforms import sums as groups
from warehouse.contracts import (
    AVERAGED,
    GENRE_SONGS,
    HUB_COUNTS,
    RELATED_GENRES,
    RELATED_TASTES,
    TASTE_SONGS,
)

GENRES_OF = (
    "select song_id, genre from song_genres union "
    "select song_id, genre from songs join artist_genres using (artist)"
)
MEANS = ", ".join(f"avg({name})" for name in AVERAGED)


def same(found, expected):
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one[0] == other[0]
        assert one[1:] == pytest.approx(other[1:], rel=1e-9)


def test_artists_are_counted_as_the_songs_say(demo, rows):
    same(
        rows(demo, "select * from artists order by artist"),
        rows(
            demo,
            "select artist, count(*), count(distinct family_id), min(year), max(year), "
            f"max(popularity), {MEANS} from songs group by artist order by artist",
        ),
    )


def test_genres_are_those_of_songs_and_of_their_artists(demo, rows):
    same(
        rows(demo, "select * from genres order by genre"),
        rows(
            demo,
            f"select genre, count(*), count(distinct artist), {MEANS} from ({GENRES_OF}) "
            "join songs using (song_id) group by genre order by genre",
        ),
    )


def test_years_hubs_and_distances_are_counted_as_the_tables_say(demo, rows):
    means = MEANS.replace("avg(year), ", "")
    same(
        rows(demo, "select * from feature_years order by year"),
        rows(
            demo,
            f"select year, count(*), {means} from songs where year is not null "
            "group by year order by year",
        ),
    )
    lists = "select count(r.song_id) as lists from songs s left join recommendations r " \
        "on r.recommended_song_id = s.song_id group by s.song_id"  # fmt: skip
    same(
        rows(demo, "select * from hub_counts order by lists"),
        rows(demo, f"select lists, count(*) from ({lists}) group by lists order by lists"),
    )
    same(
        rows(demo, "select * from distance_counts order by rank, distance"),
        rows(
            demo,
            "select rank, round(cast(distance / 0.05 as int) * 0.05, 2) as step, count(*) "
            "from recommendations group by rank, step order by rank, step",
        ),
    )


@pytest.mark.parametrize(
    ("table", "group", "pairs"),
    [
        ("genre_songs", "genre", GENRES_OF),
        ("taste_songs", "taste_id", "select song_id, taste_id from songs"),
    ],
)
def test_a_group_is_shown_by_its_best_known_songs(demo, rows, table, group, pairs):
    named = f"{table} t join songs s using (song_id)"
    assert rows(demo, f"select max(n) from (select count(*) n from {named} "
        f"group by t.{group}, family_id)") == [(1,)]  # fmt: skip
    assert rows(demo, f"select max(n) from (select count(*) n from {named} "
        f"group by t.{group}, artist)") == [(2,)]  # fmt: skip
    joined = f"({pairs}) p join songs s on s.song_id = p.song_id"
    best = rows(demo, f"select p.{group}, max(popularity) from {joined} group by 1 order by 1")
    first = rows(demo, f"select t.{group}, popularity from {named} where rank = 1 order by 1")
    assert first == best


def test_related_tastes_are_counted_as_the_lists_say(demo, rows):
    tastes = dict(rows(demo, "select taste_id, songs from tastes"))
    leads = rows(
        demo,
        "select a.taste_id, b.taste_id, count(distinct a.song_id) from recommendations r "
        "join songs a on a.song_id = r.song_id join songs b on b.song_id = r.recommended_song_id "
        "group by 1, 2",
    )
    counts = {(one, other): songs for one, other, songs in leads}
    found = rows(demo, "select taste_id, related_taste_id, songs, by_chance from related_tastes")
    assert found
    for one, other, songs, by_chance in found:
        assert songs == counts[one, other] > by_chance
        from_outside = sum(n for (a, b), n in counts.items() if b == other and a != other)
        outside = sum(tastes.values()) - tastes[other]
        assert by_chance == pytest.approx(tastes[one] * from_outside / outside)


def test_an_artist_leads_to_those_that_its_lists_name(demo, rows):
    found = rows(
        demo,
        "select a.artist, a.related_artist, a.songs, (select count(distinct s.song_id) from songs "
        "s join recommendations r using (song_id) join songs o on o.song_id = "
        "r.recommended_song_id where s.artist = a.artist and o.artist = a.related_artist) "
        "from related_artists a where rank = 1",
    )
    assert len(found) > 50
    assert all(songs == counted for _, _, songs, counted in found)
    assert all(artist != other for artist, other, _, _ in found)


def small():
    songs = pl.Series("song_id", ["a", "b", "c", "d", "e", "f"])
    pairs = {"song_id": ["a", "b", "b", "c", "d", "e", "f"], "taste_id": [*"xxyyyzz"]}
    return groups.groups(songs, pl.DataFrame(pairs))


def test_related_groups_are_ranked_by_share_and_by_how_far_it_is_above_chance():
    lists = np.array([[2, 3], [3, -1], [4, 5], [4, -1], [2, 0], [-1, -1]])
    found = groups.related(RELATED_TASTES, small(), lists)
    assert RELATED_TASTES.check(found).rows() == [
        # Both songs of x lead to y. Of the songs that are not of y (a, e, f) two lead there.
        ("x", 1, "y", 2, pytest.approx(4 / 3)),
        # Two of the three songs of y lead to z; of the four outside of z, two.
        ("y", 1, "z", 2, pytest.approx(3 / 2)),
        # One of the two songs of z leads to x; of the four outside of x, one.
        ("z", 1, "x", 1, pytest.approx(1 / 2)),
    ]


def test_what_is_no_more_than_chance_is_no_neighbour():
    lists = np.array([[4], [5], [4], [5], [0], [2]])  # all lead to z, whatever they are of
    found = groups.related(RELATED_TASTES, small(), lists)
    assert found.filter(pl.col("related_taste_id") == "z").height == 0


def test_no_genres_give_no_rows():
    songs = pl.DataFrame({"song_id": ["a"], "artist": ["A"], "family_id": ["f"], "popularity": [1]})
    none = pl.DataFrame(schema={"song_id": pl.String, "genre": pl.String})
    named = groups.groups(songs["song_id"], none)
    assert RELATED_GENRES.check(groups.related(RELATED_GENRES, named, np.array([[-1]]))).is_empty()
    assert GENRE_SONGS.check(groups.best_known(GENRE_SONGS, songs, none)).is_empty()


def test_best_known_songs_skip_versions_and_third_songs_of_an_artist():
    songs = pl.DataFrame(
        {
            "song_id": [*"abcdefg"],
            "artist": ["A", "A", "A", "A", "B", "B", "C"],
            "family_id": ["1", "1", "2", "3", "4", "5", "6"],
            "popularity": [90, 80, 70, 60, 50, None, 50],
        }
    )
    pairs = songs.select("song_id", taste_id=pl.lit("t"))
    found = TASTE_SONGS.check(groups.best_known(TASTE_SONGS, songs, pairs))
    assert found["song_id"].to_list() == ["a", "c", "e", "g", "f"]
    assert found["rank"].to_list() == [1, 2, 3, 4, 5]


def test_songs_that_stand_in_no_list_are_counted_too():
    found = groups.hub_rows(np.array([[1, 2], [2, -1], [1, 0], [-1, -1]]))
    assert HUB_COUNTS.check(found).rows() == [(0, 1), (1, 1), (2, 2)]
