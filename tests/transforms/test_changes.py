"""What changed between two states, against the definition."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from transforms.changes import PLACES, State, changes, churn, list_changes
from warehouse.contracts import CHANGES


def songs(*rows):
    """Return songs from ids, or from ids with a title, an artist and how well known they are."""
    full = [row if isinstance(row, tuple) else (row, row, "artist", 50) for row in rows]
    frame = pl.DataFrame(
        full,
        schema={"song_id": pl.String, "title": pl.String, "artist": pl.String, "p": pl.Int64},
        orient="row",
    )
    return frame.select(
        "song_id", "title", "artist", label=pl.format("{} - {}", "title", "artist"), popularity="p"
    )


def lists(**of):
    rows = [(song, rank, to) for song, tos in of.items() for rank, to in enumerate(tos, 1)]
    schema = {"song_id": pl.String, "rank": pl.Int64, "recommended_song_id": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def state(some_songs, some_lists=None, **facts):
    return State(some_songs, lists() if some_lists is None else some_lists, facts)


def kinds(before, after):
    return {
        (change, subject): (old, new)
        for change, subject, old, new in changes(before, after)
        .select("change", "subject", "before", "after")
        .iter_rows()
    }


def test_songs_come_go_and_are_renamed():
    before = state(songs(("a", "A", "x", 1), ("b", "B", "x", 1)))
    after = state(songs(("b", "B (remaster)", "x", 9), ("c", "C", "x", None)))
    assert kinds(before, after) == {
        ("song came", "c"): (None, "C - x"),
        ("song renamed", "b"): ("B - x", "B (remaster) - x"),
        ("song went", "a"): ("A - x", None),
    }
    assert dict(changes(before, after).select("subject", "popularity").iter_rows()) == {
        "a": 1,
        "b": 9,
        "c": None,
    }


def test_a_song_whose_id_is_gone_is_merged_into_one_of_its_name_or_renumbered():
    before = state(songs(("a", "Élan", "X", 5), ("b", "elan", "x", 1), ("c", "Other", "y", 3)))
    after = state(songs(("a", "Élan", "X", 5), ("d", "OTHER", "Y", 4)))
    assert kinds(before, after) == {
        ("song merged", "b"): ("elan - x", "a"),
        ("song renumbered", "c"): ("Other - y", "d"),
    }


def test_lists_that_hold_the_same_songs_in_another_order_have_not_changed():
    before = state(songs(*"abcdefgh"), lists(a="bcdef", b="acdef", c="ab"))
    after = state(songs(*"abcdefgh"), lists(a="fedcb", b="acdgh", c="ad"))
    changed = changes(before, after).select("change", "subject", "overlap").rows()
    assert changed == [("list changed", "b", 3), ("list changed", "c", 4)]


def test_facts_are_told_by_kind():
    before = state(songs(), setting={"k": "5"}, table={"songs": ""}, source={"a.csv": "1"})
    after = state(songs(), setting={"k": "6"}, table={"genres": ""}, source={"a.csv": "2"})
    assert kinds(before, after) == {
        ("setting", "k"): ("5", "6"),
        ("source changed", "a.csv"): ("1", "2"),
        ("table came", "genres"): (None, ""),
        ("table went", "songs"): ("", None),
    }


def test_nothing_changed_between_a_state_and_itself():
    one = state(songs(*"abc"), lists(a="bc", b="ac", c="ab"), setting={"k": "5"})
    assert changes(one, one).height == 0
    assert churn(list_changes(one, one)) == 0.0
    assert churn(list_changes(state(songs()), state(songs()))) == 0.0


def test_lists_are_counted_by_how_well_known_their_songs_are():
    ids = [f"{number:03}" for number in range(200)]
    known = [(one, one, "x", 100 - int(one) if int(one) < 100 else None) for one in ids]
    before = state(songs(*known), lists(**{one: ["000"] for one in ids}))
    after = state(songs(*known), lists(**{one: ["001" if one < "005" else "000"] for one in ids}))
    assert list_changes(before, after).rows() == [
        *[("all", 4, 5), ("all", 5, 195)],
        *[("others", 5, 90)],
        *[("top 1 %", 4, 1), ("top 10 %", 4, 4), ("top 10 %", 5, 5), ("unknown", 5, 100)],
    ]
    assert churn(list_changes(before, after)) == 5 / 200


ID = st.sampled_from("abcdefgh")
CATALOGUE = st.dictionaries(ID, st.lists(ID, max_size=7, unique=True), max_size=8)


@given(CATALOGUE, CATALOGUE)
def test_overlaps_are_those_of_the_definition(old, new):
    before = state(songs(*old), lists(**old))
    after = state(songs(*new), lists(**new))
    both = old.keys() & new.keys()
    overlaps = {}
    for song in both:
        first, second = set(old[song][:PLACES]), set(new[song][:PLACES])
        overlaps[song] = PLACES - max(len(first), len(second)) + len(first & second)
    found = CHANGES.check(changes(before, after)).filter(pl.col("change") == "list changed")
    assert dict(found.select("subject", "overlap").iter_rows()) == {
        song: overlap for song, overlap in overlaps.items() if overlap < PLACES
    }
    assert len(found.columns) == len(CHANGES.columns)
    went = {s for c, s in kinds(before, after) if c == "song went"}
    assert went == old.keys() - new.keys()
    expected = sum(o < PLACES for o in overlaps.values()) / len(both) if both else 0.0
    assert churn(list_changes(before, after)) == expected
