"""What a build promises, asked of a real one by SQL and code of its own."""

import csv
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from flows.answers.similar import similar
from flows.judging.score import judged_again
from flows.nightly import summary
from flows.nightly.plan import planned
from flows.nightly.run import directly
from flows.settings import settings
from flows.site.serve import site
from models import ranking
from models.encoder import pipeline as encoder
from transforms.families import folded
from warehouse import store
from warehouse.contracts import PLAYLIST_ENTRIES, TABLES
from warehouse.ddl import create_indexes
from warehouse.demo.files import demo_listening
from warehouse.errors import InputError
from warehouse.manifest import load_model, read_manifest, sha256
from warehouse.published import Published
from warehouse.release import Home, published

pytestmark = pytest.mark.slow

TOP = Path(__file__).parents[2]
KEYS = dict(enumerate(["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"]))
WORDS = {
    "mood": "valence",
    "length": "duration",
    "speech": "speechiness",
    "vocals": "instrumentalness",
}


def test_every_song_has_exactly_five_ranked_from_one(demo, rows):
    songs = rows(demo, "select count(*) from songs")[0][0]
    lists = rows(
        demo,
        "select song_id, group_concat(rank) from "
        "(select song_id, rank from recommendations order by song_id, rank) group by song_id",
    )
    assert len(lists) == songs > 2000
    assert {ranks for _, ranks in lists} == {"1,2,3,4,5"}


def test_no_song_is_recommended_for_itself_or_its_family(demo, rows):
    pairs = rows(
        demo,
        "select count(*) from recommendations r, songs a, songs b where a.song_id = r.song_id "
        "and b.song_id = r.recommended_song_id "
        "and (a.song_id = b.song_id or a.family_id = b.family_id)",
    )
    assert pairs == [(0,)]


def test_a_list_never_holds_two_of_a_family_or_three_of_an_artist(demo, rows):
    joined = "recommendations r join songs s on s.song_id = r.recommended_song_id"
    for column, most in (("family_id", 1), ("lower(artist)", 2)):
        worst = rows(
            demo,
            f"select max(n) from (select count(*) n from {joined} group by r.song_id, {column})",
        )
        assert worst == [(most,)]


def test_distances_are_those_of_the_published_vectors(demo, rows):
    vectors = load_model(demo, "vectors").astype(float)
    ids = [song_id for (song_id,) in rows(demo, "select song_id from songs order by song_id")]
    number = {song_id: row for row, song_id in enumerate(ids)}
    found = rows(demo, "select song_id, recommended_song_id, distance from recommendations")
    song, other = ([number[pair[side]] for pair in found] for side in (0, 1))
    expected = np.linalg.norm(vectors[song] - vectors[other], axis=1)
    np.testing.assert_allclose([pair[2] for pair in found], expected, rtol=1e-9, atol=1e-12)


def test_few_songs_are_never_recommended_and_none_in_more_lists_than_the_cap(demo, rows):
    times = np.array(
        rows(
            demo,
            "select count(recommendations.song_id) from songs left join recommendations "
            "on recommended_song_id = songs.song_id group by songs.song_id",
        )
    )
    assert (times == 0).mean() < 0.08
    assert times.max() == encoder.WITH_PLAYLISTS.hub_cap


def test_the_lists_are_what_the_rules_give_for_the_published_vectors(demo, rows):
    judged = judged_again(demo)
    assert judged.rules.bonus == encoder.WITH_PLAYLISTS.bonus
    assert judged.rules.hub_cap == encoder.WITH_PLAYLISTS.hub_cap
    lists = ranking.recommended(judged.search, judged.vectors, judged.rules, 5)
    listed = rows(demo, "select recommended_song_id from recommendations order by song_id, rank")
    ids = judged.rows["song_id"]
    assert ids.gather(lists.songs.ravel()).to_list() == [name for (name,) in listed]


@pytest.fixture(scope="module")
def shared(demo, sound, rows):
    """Return how often two songs share the planted circle, by who is compared.

    Pairs of one artist are left out, as an artist's songs share a circle anyway. Random pairs,
    recommendations by sound alone, and those of the demo: of songs that somebody has heard, and
    of those whose circle likes them though nobody has heard them yet.
    """
    planted = {
        name: (c, n)
        for name, c, n in demo_listening().select("song_id", "circle", "playlists").iter_rows()
    }
    artist = dict(rows(demo, "select song_id, lower(artist) from songs"))

    def share(pairs, cold):
        same = [
            planted[song][0] == planted[other][0]
            for song, other in pairs
            if artist[song] != artist[other]
            and planted[song][0] is not None
            and (planted[song][1] == 0) is cold
        ]
        assert len(same) > 500
        return sum(same) / len(same)

    listed = "select song_id, recommended_song_id from recommendations"
    drawn = random.Random(4)
    random_pairs = [drawn.sample(sorted(artist), 2) for _ in range(20_000)]
    cases = {"random": random_pairs, "sound": rows(sound, listed), "demo": rows(demo, listed)}
    return {
        (case, "cold" if cold else "heard"): share(pairs, cold)
        for case, pairs in cases.items()
        for cold in (False, True)
    }


def test_recommended_songs_share_the_circle_that_was_planted(shared):
    assert shared["demo", "heard"] > 0.6
    assert shared["demo", "heard"] > 4 * shared["random", "heard"]
    assert shared["demo", "heard"] > 2 * shared["sound", "heard"]


def test_so_do_songs_that_nobody_has_heard_though_less_often(shared):
    assert shared["demo", "heard"] > shared["demo", "cold"] > 2 * shared["random", "cold"]
    assert shared["demo", "cold"] > 1.3 * shared["sound", "cold"]


def test_every_row_that_was_read_is_accounted_for(demo, rows):
    counted = "songs, merged, matched_by_id, matched_by_name, unmatched, passed_over, rejected"
    files = {
        kind: (read, *counts)
        for kind, read, *counts in rows(demo, f"select kind, rows_read, {counted} from sources")
    }
    assert list(files) == ["genres", "playlists", "ratings", "tracks"]
    assert all(read == sum(counts) for read, *counts in files.values())
    _, songs, merged, *_, rejected = files["tracks"]
    assert rows(demo, "select count(*) from songs") == [(songs,)]
    assert (merged, rejected) == (1, 3)
    unmatched = rows(demo, "select sum(entries) from unmatched_tracks")
    assert unmatched == [(files["playlists"][5] + files["ratings"][5],)]
    everything = sum(counts[-1] for counts in files.values())
    assert rows(demo, "select count(*) from rejected_rows") == [(everything,)]


def test_the_golden_catalogue_gives_the_rows_that_were_reviewed_by_hand(
    build, golden, rows, tmp_path
):
    folder = build(tmp_path, golden / "tracks.csv", neighbours=3)
    expected = golden / "recommended_songs.csv"
    header = expected.read_text(encoding="utf-8").splitlines()[0]
    columns = header.replace("distance", "round(distance, 3)")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(
        rows(folder, f"select {columns} from recommended_songs order by song_id, rank")
    )
    assert text.getvalue() == expected.read_text(encoding="utf-8")


def test_the_golden_songs_are_merged_and_grouped_as_a_reader_would(build, golden, rows, tmp_path):
    folder = build(tmp_path, golden / "tracks.csv", neighbours=3)
    assert rows(folder, "select rows_read, songs, merged, rejected from sources") == [
        (13, 12, 1, 0)
    ]
    assert rows(folder, "select genre from song_genres where song_id = 'dance1'") == [
        ("dance pop",),
        ("house",),
    ]
    assert rows(folder, "select song_id, versions from families where versions > 1") == [
        ("folk1", 2)
    ]
    assert rows(folder, "select artist, artists, label from songs where song_id = 'dance1'") == [
        ("Björk Ålund", '["Björk Ålund", "Kilo"]', "Café Señor - Björk Ålund (2015)")
    ]


def test_the_golden_signals_are_matched_as_a_reader_would(build, golden, signals, rows, tmp_path):
    folder = build(tmp_path, golden / "tracks.csv", neighbours=3, **signals)
    counted = "matched_by_id, matched_by_name, unmatched, passed_over, rejected"
    assert rows(folder, f"select kind, rows_read, {counted} from sources order by kind") == [
        ("genres", 3, 0, 2, 1, 0, 0),
        ("playlists", 9, 2, 4, 2, 0, 1),
        ("tracks", 13, 0, 0, 0, 0, 0),
    ]
    assert rows(folder, "select * from artist_genres order by artist, genre") == [
        ("Ada Bell", "folk"),
        ("Ada Bell", "singer-songwriter"),
        ("Kilo", "dance pop"),
        ("Kilo", "house"),
    ]
    lacking = "select title, artist, track_id, entries, playlists from unmatched_tracks"
    assert rows(folder, lacking) == [("Tide", "ADA BELL", "", 2, 2)]
    assert rows(folder, "select source, line, reason from rejected_rows") == [
        ("playlists.csv", 10, "playlist is missing")
    ]
    with store.opened(tmp_path / "warehouse.duckdb") as warehouse:
        learnt = warehouse.frame(PLAYLIST_ENTRIES)
    assert learnt.drop("held_out").rows() == [
        (0, "folk1", "ada bell"),
        (0, "folk3", "ada bell"),
        (0, None, "ada bell"),
        (1, "dance1", "bjork alund"),
        (1, "metal1", "iron gate"),
        (1, "metal3", "norn"),
        (1, None, "ada bell"),
    ]


def test_the_summary_says_how_much_of_each_signal_was_found(build, golden, signals, tmp_path):
    folder = build(tmp_path, golden / "tracks.csv", neighbours=3, **signals)
    told = summary.text(read_manifest(folder), Home(tmp_path))
    assert "genres           2 of 3 found (by name) from artists.csv" in told
    assert "playlists        6 of 8 found (2 by id, 4 by name) from playlists.csv" in told
    plain = build(tmp_path / "plain", golden / "tracks.csv", neighbours=3)
    assert "found" not in summary.text(read_manifest(plain), Home(tmp_path / "plain"))


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (
            "playlists",
            "pid,track_id,title,artist\n1,x1,,\n1,,Tide,Cy\n",
            r"mine.csv: none of its 2 entries .* such as x1 and 'Tide' by Cy\.\nCheck",
        ),
        ("genres", "artist,genre\nCy,rock\n", r"mine.csv: none of its 1 entries .* 'Cy'\.\n"),
        ("playlists", "pid,track_id\n,folk1\n1,folk1\n", "1 of 2 rows .*cannot be used"),
        ("playlists", "track_id,name\n1,2\n", "none of its 1 entries is in the catalogue"),
    ],
)
def test_a_signal_that_cannot_be_used_leaves_what_is_published(
    build, golden, snapshot, tmp_path, kind, text, words
):
    served = build(tmp_path / "var", golden / "tracks.csv", neighbours=3)
    before = snapshot(tmp_path / "var" / "current")
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        build(
            tmp_path / "var", golden / "tracks.csv", neighbours=3, **{kind: [tmp_path / "mine.csv"]}
        )
    assert published(Home(tmp_path / "var")) == served
    assert snapshot(tmp_path / "var" / "current") == before


@pytest.mark.parametrize("change", ["playlists", "genres", "share", "none of them"])
def test_other_signals_or_another_share_make_a_new_build(build, golden, signals, tmp_path, change):
    mine = {
        kind: [Path(shutil.copy(golden / f"{name}.csv", tmp_path))]
        for kind, name in (("genres", "artists"), ("playlists", "playlists"))
    }
    chosen = {**signals, **mine, "neighbours": 3}
    first = build(tmp_path / "var", golden / "tracks.csv", **chosen)
    assert build(tmp_path / "var", golden / "tracks.csv", **chosen) == first
    if change == "share":
        chosen["held_out_share"] = 0.3
    elif change == "none of them":
        del chosen["genres"], chosen["playlists"]
    else:
        file = mine[change][0]
        file.write_text(file.read_text().replace("Nobody", "Someone").replace("Tide", "Tides"))
    second = build(tmp_path / "var", golden / "tracks.csv", **chosen)
    assert read_manifest(second).build_id != read_manifest(first).build_id


def test_the_demo_brings_its_own_signals_and_gives_way_to_others(demo, golden, rows, tmp_path):
    (tmp_path / "mine.csv").write_text("user_id,title,artist\n1,Road at Noon,Storms of Bellmere\n")

    def files(**chosen):
        plan = planned(settings(home=tmp_path / "var", **chosen))
        return sorted((source.kind, source.name) for source in plan.sources)

    kinds = ("genres", "playlists", "ratings", "tracks")
    own = ("artists.csv", "playlists.csv", "ratings.csv", "tracks.csv")
    assert files() == [*zip(kinds, own, strict=True)]
    assert rows(demo, "select kind, source from sources order by kind") == files()
    assert files(playlists=[tmp_path / "mine.csv"]) == [
        *zip(kinds, (own[0], "mine.csv", *own[2:]), strict=True)
    ]
    assert files(tracks=[golden / "tracks.csv"]) == [("tracks", "tracks.csv")]


@pytest.fixture(scope="module")
def facts(demo, rows):
    """Return what a reason may speak of: songs by id, their genres and playlists, and vectors."""
    names = "song_id, family_id, artist, artists, year, key, mode, danceability, energy, valence, "
    names += "loudness, speechiness, acousticness, instrumentalness, liveness, tempo, "
    names += "duration_ms as duration"
    columns = [name.split()[-1] for name in names.split(", ")]
    songs = {
        row[0]: dict(zip(columns, row, strict=True))
        for row in rows(demo, f"select {names} from songs order by song_id")
    }
    names = pl.Series([song["artist"] for song in songs.values()])
    for song, name in zip(
        songs.values(), pl.select(folded(pl.lit(names))).to_series(), strict=True
    ):
        song["by"] = name
    by_artist, genres = defaultdict(set), defaultdict(set)
    for artist, genre in rows(demo, "select artist, genre from artist_genres"):
        by_artist[artist].add(genre)
    for song_id, genre in rows(demo, "select song_id, genre from song_genres"):
        genres[song_id].add(genre)
    for song_id, song in songs.items():
        genres[song_id].update(*(by_artist[artist] for artist in json.loads(song["artists"])))
    pipeline, vectors = load_model(demo, "encoder"), load_model(demo, "vectors")
    return SimpleNamespace(
        songs=songs,
        genres=genres,
        playlists=learnt_playlists(demo, songs),
        row={song_id: row for row, song_id in enumerate(songs)},
        vectors=vectors,
        columns=dict(zip(encoder.columns(pipeline), vectors.T, strict=True)),
        spans=encoder.spans(pipeline),
    )


def learnt_playlists(demo, songs):
    """Return the playlists of each family and artist that something was learnt from."""
    with store.opened(demo.parents[1] / "warehouse.duckdb") as warehouse:
        entries = warehouse.frame(PLAYLIST_ENTRIES)
    assert entries["held_out"].any()
    found = defaultdict(set)
    for playlist, song_id, artist, held_out in entries.iter_rows():
        if not held_out:
            found["by", artist].add(playlist)
            if song_id is not None:
                found["family", songs[song_id]["family_id"]].add(playlist)
    return found


def share_of_pairs_as_close(facts, feature, song, other):
    """Return the share of all pairs of songs that are at most as far apart in one feature."""
    column = facts.columns[feature]
    values = np.sort(column)
    gap = abs(column[facts.row[song]] - column[facts.row[other]])
    upto = np.searchsorted(values, values + gap + 1e-12, side="right")
    return float((upto - np.searchsorted(values, values - gap - 1e-12)).sum()) / len(values) ** 2


def brought(facts, block, song, other):
    """Return how much nearer a block brings two songs than random ones are, and how much it may."""
    columns = facts.vectors[:, facts.spans[block]].astype(float)
    random_pair = 2 * columns.var(axis=0).sum()
    gap = columns[facts.row[song]] - columns[facts.row[other]]
    return random_pair - gap @ gap, random_pair


def test_what_each_block_brings_is_what_the_published_vectors_give(demo, rows, facts):
    names = ("sound", "era", "genre", "artists", "playlists")
    columns = ", ".join(f"because_{name}" for name in names)
    pairs = rows(demo, f"select song_id, recommended_song_id, {columns} from recommendations")
    for song, other, *because in random.Random(2).sample(pairs, 300):
        for name, thousandths in zip(names, because, strict=True):
            blocks = ["mood", "sound", "rhythm", "harmony"] if name == "sound" else [name]
            nearer = sum(brought(facts, block, song, other)[0] for block in blocks)
            assert thousandths == pytest.approx(1000 * nearer, abs=0.51)
    assert {block for block in facts.spans} == {"mood", "rhythm", "harmony", *names}


def test_what_the_blocks_bring_adds_up_to_one_less_the_squared_distance(demo, rows):
    whole = "because_sound + because_era + because_genre + because_artists + because_playlists"
    found = rows(
        demo, f"select max(abs({whole} - 1000 * (1 - distance * distance))) from recommendations"
    )
    assert 0 < found[0][0] < 2.6


CLAIMS = {
    r"together in (\d+) playlists": "together",
    r"together in a playlist": "together once",
    r"heard in similar playlists": "similar",
    r"by the same artist": "artist",
    r"their artists share (\d+) playlists": "artists",
    r"(close|nearest) in (.+)": "sound",
    r"both from (\d+)": "year",
    r"(\d{4}) and (\d{4})": "years",
    r"both in (\S+) (major|minor)": "key",
    r"both (.+)": "genre",
}
BLOCK_OF = {
    **dict.fromkeys(["together", "together once", "similar"], "playlists"),
    **{"artist": "artists", "artists": "artists", "year": "era", "years": "era"},
    **{"key": "harmony", "genre": "genre"},
}


def require_heard(facts, kind, words, a, b):
    """Hold a claim about the playlists of two songs, or of their artists, to the data."""
    name, column = ("by", "by") if kind == "artists" else ("family", "family_id")
    mine, theirs = facts.playlists[name, a[column]], facts.playlists[name, b[column]]
    assert a[column] != b[column]
    if words:
        assert len(mine & theirs) == int(words[0]) >= 2
    else:
        assert mine
        assert theirs
        assert len(mine & theirs) == (kind == "together once")
        nearer, most = brought(facts, "playlists", a["song_id"], b["song_id"])
        assert nearer > most / 2


def require_close(facts, words, a, b):
    """Hold a claim about what is measured to the data."""
    for word in words[1].replace(" and ", ", ").split(", "):
        feature = WORDS.get(word, word)
        assert a[feature] is not None
        assert b[feature] is not None
        share = share_of_pairs_as_close(facts, feature, a["song_id"], b["song_id"])
        assert share <= 0.22 if words[0] == "close" else share > 0.18


def require_true(facts, kind, words, a, b):
    """Hold one claim of a reason to the data."""
    if kind in ("together", "together once", "similar", "artists"):
        require_heard(facts, kind, words, a, b)
    elif kind == "sound":
        require_close(facts, words, a, b)
    elif kind == "artist":
        assert a["by"] == b["by"]
    elif kind == "genre":
        named = set(words[0].split(" and "))
        assert named <= facts.genres[a["song_id"]] & facts.genres[b["song_id"]]
    elif kind == "key":
        assert (a["key"], a["mode"]) == (b["key"], b["mode"])
        assert words == (KEYS[a["key"]], ["minor", "major"][a["mode"]])
    else:
        assert [int(word) for word in words] == sorted({a["year"], b["year"]})
        assert abs(a["year"] - b["year"]) <= 2


def test_every_claim_of_a_reason_is_true_and_the_most_telling_comes_first(demo, rows, facts):
    pairs = rows(demo, "select song_id, recommended_song_id, reason from recommendations")
    kinds = Counter()
    for song, other, reason in random.Random(1).sample(pairs, 1500):
        told = []
        for claim in reason.split("; "):
            words, kind = next(
                (found.groups(), kind)
                for pattern, kind in CLAIMS.items()
                if (found := re.fullmatch(pattern, claim))
            )
            require_true(facts, kind, words, facts.songs[song], facts.songs[other])
            kinds[kind] += 1
            if kind in BLOCK_OF:
                told.append(brought(facts, BLOCK_OF[kind], song, other)[0])
        assert len(reason.split("; ")) <= 4
        assert told == sorted(told, reverse=True)
        assert min(told, default=1) > 0
    assert min(kinds[kind] for kind in CLAIMS.values() if kind != "key") > 10, kinds
    assert kinds["key"] == 0  # harmony weighs next to nothing beside playlists


def test_no_reason_is_empty_even_where_next_to_nothing_is_known(build, rows, tmp_path):
    lines = ["song_id,title,artists,duration_ms," + ",".join(AUDIO)]
    lines += [f"s{n},Song {n},Artist {n},,,0.5" + "," * (len(AUDIO) - 2) for n in range(9)]
    (tmp_path / "tracks.csv").write_text("\n".join(lines) + "\n")
    folder = build(tmp_path / "var", tmp_path / "tracks.csv", max_variance_share=1.0, neighbours=2)
    found = rows(folder, "select distinct reason from recommendations")
    assert found == [("nearest by what is known",)]


AUDIO = (
    *("danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo"),
)


def test_two_builds_in_two_homes_are_the_same_byte_for_byte(build, small, tmp_path):
    one, two = (build(tmp_path / name, fresh=True, **small) for name in ("one", "two"))
    assert read_manifest(one).files == read_manifest(two).files
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}
    assert (one / "segue.db").read_bytes() == (two / "segue.db").read_bytes()


def test_building_again_by_force_gives_the_same_bytes_under_a_new_name(
    build, golden, signals, tmp_path
):
    chosen = {**signals, "neighbours": 3}
    first = build(tmp_path, golden / "tracks.csv", **chosen)
    second = build(tmp_path, golden / "tracks.csv", force=True, **chosen)
    assert first.name < second.name
    assert read_manifest(first).files == read_manifest(second).files


def test_neither_the_order_of_rows_nor_of_columns_nor_the_files_matter(build, demo, rows, tmp_path):
    original = demo.parents[1] / "demo" / "tracks.csv"
    with original.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    whole = [line for line in lines if len(line) == len(header)]
    random.Random(2).shuffle(whole)
    order = random.Random(3).sample(range(len(header)), len(header))
    for name, part in (("one.csv", whole[:900]), ("two.csv", whole[900:])):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([line[i] for i in order] for line in [header, *part])
    signals = {
        kind: [original.with_name(f"{name}.csv")]
        for kind, name in (("genres", "artists"), ("playlists", "playlists"))
    }
    shuffled = build(tmp_path / "var", tmp_path / "two.csv", tmp_path / "one.csv", **signals)
    everything = "select * from recommendations order by song_id, rank"
    assert rows(shuffled, everything) == rows(demo, everything)
    for table in ("families", "song_genres", "features"):
        assert rows(shuffled, f"select * from {table} order by 1, 2") == rows(
            demo, f"select * from {table} order by 1, 2"
        )


def test_nothing_new_is_recognised_and_nothing_is_done(build, golden, snapshot, tmp_path):
    chosen = settings(home=tmp_path, tracks=[golden / "tracks.csv"], neighbours=3)
    assert directly(chosen, False).published
    (tmp_path / "runs.db").unlink()
    before = snapshot(tmp_path)
    again = directly(chosen, False)
    assert again.kind == "nothing new"
    assert again.manifest == read_manifest(published(Home(tmp_path)))
    (tmp_path / "runs.db").unlink()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("change", ["neighbours", "source", "order", "bound"])
def test_another_source_or_setting_makes_a_new_build(build, golden, tmp_path, change):
    tracks = [shutil.copy(golden / "tracks.csv", tmp_path / name) for name in ("a.csv", "b.csv")]
    tracks[1].write_text(tracks[1].read_text().replace("folk1,", "folk9,"))
    first = build(tmp_path / "var", *tracks, neighbours=3)
    other: dict[str, float] = {"neighbours": 3}
    if change == "neighbours":
        other["neighbours"] = 2
    elif change == "bound":
        other["max_variance_share"] = 0.9
    elif change == "order":
        tracks.reverse()
    else:
        tracks[0].write_text(tracks[0].read_text().replace(",Wren,", ",Wrens,"))
    second = build(tmp_path / "var", *tracks, **other)
    assert read_manifest(second).build_id != read_manifest(first).build_id
    assert second != first


def test_a_renamed_but_equal_file_counts_as_another_source(build, golden, tmp_path):
    first = build(tmp_path / "var", golden / "tracks.csv", neighbours=3)
    copied = shutil.copy(golden / "tracks.csv", tmp_path / "copy.csv")
    assert build(tmp_path / "var", copied, neighbours=3) != first


def test_a_change_of_the_code_or_of_a_rule_changes_the_code_version(tmp_path):
    for room in ("flows", "transforms", "models", "warehouse"):
        shutil.copytree(TOP / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    code = "from warehouse.identity import code_version; print(code_version())"

    def version():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-P", "-c", code]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return run.stdout

    versions = [version(), version()]
    for relative in ("models/ranking.py", "warehouse/sql/merge_songs.sql"):
        with (tmp_path / relative).open("a", encoding="utf-8") as file:
            file.write("\n")
        versions.append(version())
    (tmp_path / "warehouse" / "notes.txt").write_text("not code")
    versions.append(version())
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
    assert versions[-1] == versions[-2]


def test_earlier_builds_are_listed_with_their_times_and_this_one_without(
    build, golden, rows, tmp_path
):
    first = build(tmp_path, golden / "tracks.csv", neighbours=3)
    second = build(tmp_path, golden / "tracks.csv", neighbours=2)
    listed = rows(
        second, "select build_id, published_at, songs from builds order by published_at nulls last"
    )
    manifests = [read_manifest(folder) for folder in (first, second)]
    assert listed == [
        (manifests[0].build_id, manifests[0].published_at, 12),
        (manifests[1].build_id, None, 12),
    ]


def test_the_file_has_the_declared_keys_and_every_reference_holds(demo, rows):
    assert rows(demo, "pragma foreign_key_check") == []
    assert rows(demo, "pragma integrity_check") == [("ok",)]
    for table in TABLES:
        (sql,) = rows(demo, "select sql from sqlite_master where name = ?", table.name)[0]
        assert ("without rowid" in sql) is not table.rowid
        keys = rows(demo, f'pragma foreign_key_list("{table.name}")')
        declared = {(c.name, *c.references.split(".")) for c in table.columns if c.references}
        assert {(key[3], key[2], key[4]) for key in keys} == declared
        columns = rows(demo, f'select name from pragma_table_info("{table.name}") where pk > 0')
        assert {name for (name,) in columns} == set(table.key)


def test_the_file_has_the_declared_indexes_and_the_statistics_to_choose_between_them(demo, rows):
    declared = {sql.lower() for table in TABLES for sql in create_indexes(table)}
    assert len(declared) > 5
    made = rows(demo, "select sql from sqlite_master where type = 'index' and sql is not null")
    assert declared <= {sql.lower() for (sql,) in made}
    measured = {name for (name,) in rows(demo, "select distinct tbl from sqlite_stat1")}
    assert {"songs", "recommendations", "song_genres", "artist_genres"} <= measured


def test_search_ignores_case_and_accents(build, golden, rows, tmp_path):
    folder = build(tmp_path, golden / "tracks.csv", neighbours=3)
    asked = "select title from songs_fts where songs_fts match ?"
    for words in ("cafe senor", "CAFÉ", "bjork alund", "Señor BJÖRK"):
        assert rows(folder, asked, words) == [("Café Señor",)]
    assert len(rows(folder, asked, "hello")) == 2
    assert rows(folder, asked, "nothing") == []


def test_the_parquet_twins_hold_the_rows_of_the_database(demo, rows):
    for table in TABLES:
        twin = pl.read_parquet(demo / "parquet" / f"{table.name}.parquet")
        assert dict(twin.schema) == {name: dtype() for name, dtype in table.schema.items()}
        key = ", ".join(f'"{name}"' for name in table.key)
        assert twin.rows() == rows(demo, f'select * from "{table.name}" order by {key}')


def test_the_data_package_describes_the_parquet_files_as_they_are(demo):
    package = json.loads((demo / "datapackage.json").read_text(encoding="utf-8"))
    assert {r["name"] for r in package["resources"]} == {table.name for table in TABLES}
    for resource in package["resources"]:
        path = demo / resource["path"]
        twin = pl.read_parquet(path)
        assert resource["bytes"] == path.stat().st_size
        assert resource["hash"] == f"sha256:{sha256(path)}"
        assert resource["rows"] == twin.height
        assert [field["name"] for field in resource["schema"]["fields"]] == twin.columns


def test_the_manifest_names_every_file_with_its_hash_and_the_true_counts(demo, rows):
    manifest = read_manifest(demo)
    there = {p.relative_to(demo).as_posix() for p in demo.rglob("*") if p.is_file()}
    assert there == {*manifest.files, "manifest.json"}
    for relative, facts in manifest.files.items():
        assert facts == {
            "sha256": sha256(demo / relative),
            "bytes": (demo / relative).stat().st_size,
        }
    for table in TABLES:
        assert rows(demo, f'select count(*) from "{table.name}"') == [
            (manifest.counts[table.name],)
        ]
    assert manifest.name == demo.name
    assert [*manifest.seconds][:5] == ["read", "gathered", "merged", "matched", "encoded"]
    assert all(rows(demo, "select passed from checks"))


async def _page(folder, path):
    opened = site(folder)
    await opened.invoke_startup()
    return await opened.client.get(path)


def test_a_home_that_was_moved_still_serves_and_builds(build, golden, snapshot, tmp_path):
    import asyncio

    build(tmp_path / "here", golden / "tracks.csv", neighbours=3)
    (tmp_path / "here").rename(tmp_path / "there")
    folder = published(Home(tmp_path / "there"))
    assert asyncio.run(_page(folder, "/segue/songs/folk1")).status_code == 200
    assert similar(Published(folder), "Wren").song == "Wren - Ada Bell (1973)"
    before = snapshot(tmp_path / "there")
    build(tmp_path / "there", golden / "tracks.csv", neighbours=3)
    after = snapshot(tmp_path / "there")
    assert before.pop("runs.db") != after.pop("runs.db")  # that there was nothing to do is noted
    assert after == before


def test_the_demo_gives_way_to_a_catalogue_of_another_size(build, golden, tmp_path):
    build(tmp_path)
    folder = build(tmp_path, golden / "tracks.csv", neighbours=3)
    assert read_manifest(folder).counts["songs"] == 12
