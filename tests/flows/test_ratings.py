"""Ratings from their files to the tables of a build, and what visitors are asked and told."""

import itertools
import json
import sqlite3
from contextlib import closing

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from flows.answers import ratings as visiting
from flows.cli import app
from flows.nightly import ratings as rating
from models.lists import Sameness
from models.ratings import visitors
from models.ratings.factorisation import Factors
from models.ratings.prediction import worth_asking
from transforms import matching, signals
from warehouse.contracts import RATING_READINGS, RATINGS, UNMATCHED_TRACKS
from warehouse.demo import files as demo
from warehouse.errors import InputError
from warehouse.files import sources
from warehouse.published import Published

HEADER = "user,song_id,rating,rated_at"


def written(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path, file=0):
    """Return the readings, and line to reason of what is rejected."""
    (source,) = sources.opened([], {"ratings": [path]})
    (batch,) = [b for b in sources.batches(source) if b.records]
    clean = signals.cleaned_ratings(batch.rows, source.name, file)
    assert clean.readings.height + clean.rejected.height == batch.rows.height
    rejected = pl.concat([clean.rejected, batch.malformed]).select("line", "reason")
    return RATING_READINGS.check(clean.readings), dict(rejected.iter_rows())


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("user,song_id,rating", "ann,s1,4.5"),
        ("Rating,User ID,Track URI", "4.5,ann,spotify:track:s1"),
        ("url,stars,username", "https://open.spotify.com/track/s1?si=x,4.5,ann"),
        ("song,score,member", "s1,4.5,ann"),
    ],
)
def test_ratings_are_read_under_many_names_in_any_order(tmp_path, header, row):
    readings, rejected = read(written(tmp_path / "r.csv", header, row))
    assert readings.select("user", "rating", "track_id").rows() == [("ann", 4.5, "s1")]
    assert rejected == {}


def test_a_song_may_be_told_by_title_and_artist_and_ratings_be_numbers(tmp_path):
    frame = pl.DataFrame({"user": [7], "title": ["T"], "artist": ["A"], "rating": [3.5]})
    frame.write_parquet(tmp_path / "r.parquet")
    readings, _ = read(tmp_path / "r.parquet")
    wanted = readings.select("user", "rating", "track_id", "title", "artist")
    assert wanted.rows() == [("7", 3.5, None, "T", "A")]


@pytest.mark.parametrize(
    "header", ["user,song_id", "song_id,rating", "user,rating", "user,rating,title", "u,s,r"]
)
def test_a_header_that_lacks_user_rating_or_song_is_refused(tmp_path, header):
    path = written(tmp_path / "r.csv", header, ",".join("x" * len(header.split(","))))
    if header == "user,rating,title":  # a title alone may be an id
        assert read(path)[1] == {2: "rating 'x' is not a number"}
        return
    with pytest.raises(InputError, match=r"not known as a file of ratings.*1 to 5"):
        sources.opened([], {"ratings": [path]})


def test_less_than_one_star_counts_as_one_and_what_is_no_rating_is_rejected(tmp_path):
    given = ["0.5", "1", "5", "2.25", "0", "5.5", "10", "-1", "nan", "inf", "good", ""]
    path = written(tmp_path / "r.csv", HEADER, *(f"ann,s1,{value}," for value in given))
    readings, rejected = read(path)
    assert readings["rating"].to_list() == [1, 1, 5, 2.25]
    outside = {line: f"rating '{given[line - 2]}' is not from 1 to 5" for line in (6, 7, 8, 9, 11)}
    none = {line: f"rating '{given[line - 2]}' is not a number" for line in (10, 12)}
    assert rejected == {**outside, **none, 13: "rating is missing"}


def test_a_row_without_user_or_song_or_with_no_time_is_rejected(tmp_path):
    rows = [",s1,4,", "ann,,4,", "ann,s1,4,soon", "ann,s1"]
    assert read(written(tmp_path / "r.csv", HEADER, *rows))[1] == {
        2: "user is missing",
        3: "neither a track id nor title and artist are given",
        4: "rated_at 'soon' is not a time such as 2024-12-31 23:59",
        5: "expected 4 fields, found 2",
    }


def test_times_are_read_in_every_notation(tmp_path):
    same = ("2024-01-02T03:04:05Z", "2024-01-02 03:04:05", "1704164645", "1704164645000")
    zones = ("2024-01-02T05:04:05+02:00", "2024-01-02 03:04:05 UTC", "2024-01-02 03:04:05.000")
    path = written(tmp_path / "r.csv", HEADER, *(f"ann,s1,4,{time}" for time in (*same, *zones)))
    assert read(path)[0]["rated_at"].to_list() == [1_704_164_645_000_000] * 7
    path = written(tmp_path / "r.csv", HEADER, "ann,s1,4,2024-01-02 03:04", "ann,s1,4,2024-01-02")
    assert read(path)[0]["rated_at"].to_list() == [1_704_164_640_000_000, 1_704_153_600_000_000]


SONGS = pl.DataFrame(
    {"song_id": ["s1", "s2"], "title": ["Stay", "Go"], "artist": ["Ann", "Bo"], "popularity": 1}
)


def test_the_later_rating_stands_else_the_one_further_down(tmp_path):
    first = [
        *("ann,s1,1,2024-03-01", "ann,s1,2,2024-01-01", "ann,s1,3,"),
        *("bo,s1,1,", "bo,s1,2,", "cy,s1,5,2024-01-01"),
    ]
    one, _ = read(written(tmp_path / "z.csv", HEADER, *first), 0)
    header = "user,title,artist,rating"
    two, _ = read(written(tmp_path / "a.csv", header, "bo,STAY,ann,4", "cy,Stay,Ann,1"), 1)
    found = matching.matched(pl.concat([two, one]), SONGS)
    assert RATINGS.check(matching.last_ratings(found)).rows() == [
        ("ann", "s1", 1.0),
        ("bo", "s1", 4.0),
        ("cy", "s1", 5.0),
    ]


def test_what_the_catalogue_lacks_is_counted_with_the_people_who_rated_it(tmp_path):
    rows = ["ann,s1,4,", "ann,x9,4,", "ann,x9,2,", "bo,x9,4,"]
    readings, _ = read(written(tmp_path / "r.csv", HEADER, *rows))
    lacking = matching.unmatched_tracks(matching.matched(readings, SONGS))
    assert UNMATCHED_TRACKS.check(lacking).rows() == [("", "", "x9", 3, 2)]


def random_shelf(seed, songs=300):
    rng = np.random.default_rng(seed)
    factors = Factors(
        mean=3.4,
        spread=rng.uniform(0.1, 1, 4),
        bias=rng.normal(size=songs),
        vectors=rng.normal(size=(songs, 3)),
        noise=rng.uniform(0.2, 1, songs),
        ratings=rng.integers(0, 30, songs),
    )
    families, artists, tastes = (rng.integers(0, most, songs) for most in (200, 60, 12))
    return visitors.shelved(factors, Sameness(families, artists), tastes)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_asked_is_what_all_songs_would_give_one_version_of_each(seed):
    shelf, rng = random_shelf(seed), np.random.default_rng(seed)
    rated, passed = rng.choice(300, (2, 8), replace=False)
    asked = visitors.asked(shelf, rated, passed)
    families = shelf.sameness.namesakes
    done = np.isin(families, families[[*rated, *passed]])
    most = np.zeros(200)
    np.maximum.at(most, families, shelf.factors.ratings)
    known = np.where(done | (shelf.known < most[families]), 0, shelf.known)
    expected = worth_asking(shelf.factors, known, shelf.tastes, rated)
    assert asked.tolist() == expected.tolist()
    assert len({*shelf.tastes[asked]}) == 5
    assert not done[asked].any()


def test_a_recommendation_names_what_was_liked_before_what_was_not():
    vectors = np.array([[1.0], [-1], [2], [2]])
    factors = Factors(3, np.ones(2), np.zeros(4), vectors, np.ones(4), np.ones(4, dtype=int))
    shelf = visitors.shelved(factors, Sameness(np.arange(4), np.arange(4)), np.arange(4))
    both, stars = np.array([0, 1]), np.array([3.5, 1.0])
    assert visitors.recommended(shelf, both, stars).because.tolist() == [0, 0]
    assert visitors.recommended(shelf, both, np.array([3.0, 1])).because.tolist() == [1, 1]
    nobody = visitors.recommended(shelf, both[:0], stars[:0])
    assert nobody.because.tolist() == [-1, -1, -1]


@pytest.fixture(scope="module")
def build(demo):
    """Return the demo, of which ratings are part."""
    return Published(demo)


@pytest.fixture(scope="module")
def truth():
    return demo.demo_ratings()


def rows(build, sql, *values):
    with closing(sqlite3.connect(build.file)) as database:
        return database.execute(sql, values).fetchall()


def test_every_row_of_the_ratings_is_accounted_for(build):
    counted = "rows_read, matched_by_id, matched_by_name, unmatched, passed_over, rejected"
    ((read_, *counts),) = rows(build, f"select {counted} from sources where kind = 'ratings'")
    assert read_ == sum(counts)
    assert counts[2:] == [5, 0, 2]
    reasons = rows(build, "select reason from rejected_rows where source = 'ratings.csv'")
    assert sorted(reasons) == [
        ("rating '11' is not from 1 to 5",),
        ("rating 'loved it' is not a number",),
    ]


def test_everyone_who_rates_has_twenty_songs_and_none_that_they_know(build, truth):
    given = truth.drop_nulls("rating").select("user", "song_id")
    families = dict(rows(build, "select song_id, family_id from songs"))
    known = {(user, families[song]) for user, song in given.iter_rows()}
    artists = dict(rows(build, "select song_id, lower(artist) from songs"))
    found = rows(build, "select user, rank, song_id from user_recommendations order by 1, 2")
    people = 0
    for user, own in itertools.groupby(found, key=lambda row: row[0]):
        _, ranks, songs = zip(*own, strict=True)
        assert ranks == tuple(range(1, 21))
        listed = [families[song] for song in songs]
        assert len({*listed}) == 20
        assert not {(user, family) for family in listed} & known
        by = [artists[song] for song in songs]
        assert max(map(by.count, by)) <= 2
        people += 1
    assert people == given["user"].n_unique() == 300


def test_a_list_names_a_rating_that_was_given_and_goes_down(build, truth):
    given = {(u, s): r for u, s, r in truth.drop_nulls().select("user", "song_id", "rating").rows()}
    wanted = "user, rank, predicted_rating, because_song_id, because_rating"
    found = rows(build, f"select {wanted} from user_recommendations order by user, rank")
    assert all(given[user, song] == stars for user, _, _, song, stars in found if song)
    assert sum(song is not None for *_, song, _ in found) > 0.95 * len(found)
    for before, after in itertools.pairwise(found):
        assert before[0] != after[0] or before[2] >= after[2]


def test_the_planted_opinions_are_found_better_than_by_the_means_of_songs(build, truth):
    opinions = truth.select("user", "song_id", "expected")
    lists = rows(build, "select user, song_id from user_recommendations")
    ours = pl.DataFrame(lists, schema=["user", "song_id"], orient="row").join(
        opinions, on=["user", "song_id"]
    )
    given = truth.drop_nulls("rating")
    drawn = (pl.col("rating").sum() + 5 * given["rating"].mean()) / (pl.len() + 5)
    best = given.group_by("song_id").agg(mean=drawn).sort("mean", "song_id").tail(20)
    by_means = opinions.join(best, on="song_id", how="semi")
    assert ours["expected"].mean() > by_means["expected"].mean() + 0.4
    assert ours["expected"].mean() > opinions["expected"].mean() + 1


def test_the_evaluation_says_how_far_off_ratings_are_held_beside_simpler_models(build):
    wanted = "select model, value, n from evaluation where metric = 'rating error'"
    errors = {model: value for model, value, _ in rows(build, wanted)}
    assert list(errors) == ["biases of user and song", "segue", "song means"]
    assert errors["segue"] < 0.75 * errors["biases of user and song"] < errors["song means"]
    others = rows(build, "select count(*) from evaluation where metric <> 'rating error'")
    assert others[0][0] > 10


def test_the_published_factors_predict_what_was_rated_without_any_code(build, truth):
    mean = dict(rows(build, "select parameter, value from rating_parameters"))["mean"]
    bias = {
        song: mean + value
        for song, value in rows(build, "select song_id, bias from rating_factors")
    }
    given = truth.drop_nulls("rating")
    guess = given["song_id"].replace_strict(bias, return_dtype=pl.Float64)
    constant = (given["rating"] - mean).pow(2).mean()
    assert (given["rating"] - guess).pow(2).mean() < 0.9 * constant
    counts = dict(rows(build, "select song_id, ratings from rating_factors where ratings > 0"))
    assert counts == dict(given.group_by("song_id").len().iter_rows())


def test_many_ratings_are_judged_by_those_of_some_users(monkeypatch):
    rng = np.random.default_rng(0)
    user, song = np.divmod(rng.choice(60 * 40, 1200, replace=False), 40)
    stars = rng.integers(1, 6, 1200).astype(float)
    assert {m.n for m in rating.measures(user, song, stars)} == {1200}
    monkeypatch.setattr(rating, "JUDGED_ON", 300)
    (n,) = {m.n for m in rating.measures(user, song, stars)}
    assert 300 <= n < 300 + np.bincount(user).max()
    assert rating.measures(user[:4], song[:4], stars[:4]) == []


def test_five_songs_are_asked_that_many_know_and_another_five_are_others(build):
    first = visiting.ask(build)
    ids = [song.song_id for song in first]
    marks = ",".join("?" * 5)
    known = rows(build, f"select min(ratings) from rating_factors where song_id in ({marks})", *ids)
    assert known[0][0] >= rows(build, "select avg(ratings) from rating_factors")[0][0]
    tastes = f"select count(distinct taste_id) from songs where song_id in ({marks})"
    assert rows(build, tastes, *ids) == [(5,)]
    again = [song.song_id for song in visiting.ask(build, ids[:2], ids[2:])]
    assert len({*ids, *again}) == 10
    assert [song.song_id for song in visiting.ask(build)] == ids


def test_ratings_the_other_way_round_give_other_songs(build):
    songs = [song.song_id for song in visiting.ask(build)]
    kept = []
    for seed in range(40):
        stars = np.random.default_rng(seed).integers(1, 6, 5).astype(float)
        given = dict(zip(songs, stars.tolist(), strict=True))
        ours = visiting.rate(build, given)
        turned = visiting.rate(build, {song: 6 - star for song, star in given.items()})
        kept.append(len({s.song_id for s in ours} & {s.song_id for s in turned}))
        assert all(s.because is None or given[s.because.song_id] == s.because.rating for s in ours)
    assert max(kept) < 3
    assert np.mean(kept) < 0.5


def test_visitors_are_read_better_from_five_answers_than_from_none(build, truth):
    """People of the demo answer what they think of five songs, without having rated them."""
    opinions = {(u, s): e for u, s, e, _ in truth.iter_rows()}
    songs = [song.song_id for song in visiting.ask(build)]
    nobody = [song.song_id for song in visiting.rate(build, {})]
    gained = []
    for user in truth["user"].unique().sort()[:60]:
        given = {song: round(2 * opinions[user, song]) / 2 for song in songs}
        ours = [song.song_id for song in visiting.rate(build, given)]
        gained.append(sum(opinions[user, s] for s in ours) - sum(opinions[user, s] for s in nobody))
    assert np.mean(gained) / 3 > 0.2


def test_nothing_that_was_rated_nor_a_version_of_it_is_recommended(build):
    families = dict(rows(build, "select song_id, family_id from songs"))
    several = rows(build, "select song_id from families where versions > 1 limit 20")
    assert len(several) == 20
    for song in several:
        found = visiting.rate(build, {song[0]: 5.0}, 20)
        assert families[song[0]] not in {families[one.song_id] for one in found}


@pytest.mark.parametrize("stars", [0.0, 5.5, float("nan")])
def test_a_rating_out_of_bounds_is_refused(build, stars):
    with pytest.raises(InputError, match="Expected ratings from 1 to 5"):
        visiting.rate(build, {"a": stars})


def segue(build, *words, stdin=None):
    home = build.folder.parents[1]
    words = ["rate", "--home", home, *words]
    result = CliRunner().invoke(app, [str(w) for w in words], input=stdin, prog_name="segue")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_five_songs_are_asked_on_the_terminal_and_three_recommended(build):
    result = segue(build, stdin="5\n\n4,5\n1\n3\n\n")
    assert result.exit_code == 0
    asked = [line for line in result.stderr.split(": ") if " - " in line]
    assert len(asked) == 5
    lines = result.stdout.splitlines()
    assert lines[0] == "You might like"
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3"]
    assert "you gave " in lines[2]


def test_five_more_are_asked_and_all_that_was_answered_counts(build):
    result = segue(build, "--json", stdin="5\n1\n5\n1\n5\nm\n2\n2\nm\n" + "\n" * 6)
    answer = json.loads(result.stdout)
    assert [*answer["ratings"].values()] == [5, 1, 5, 1, 5, 2, 2]
    assert len(answer["recommended"]) == 3
    assert segue(build, stdin="5\n1\n5\n1\n5\nm\n4\n").stdout.count("You might like") == 1


@pytest.mark.parametrize("stdin", ["", "\n" * 7, "m\n" * 50, "x\n" * 900, "\0" * 5000])
def test_who_knows_no_song_is_recommended_none_and_nothing_goes_on_for_ever(build, stdin):
    result = segue(build, stdin=stdin)
    assert result.exit_code == 0
    assert result.stdout == "You rated nothing, so nothing is recommended.\n"
    assert len(result.stderr) < 60_000


def test_a_file_of_ratings_is_answered_at_once_in_every_notation(build, tmp_path):
    (one, title, artist), (other, *_) = rows(
        build,
        "select song_id, title, artist from songs join rating_factors using (song_id) "
        "where ratings > 60 limit 2",
    )
    pairs = {one: 5, other: 1}
    texts = {
        "a.csv": f"song,rating\n{one},5\n{other},1\n",
        "b.csv": f"Rating,Title,Artist\n5,{title.upper()},{artist}\n",
        "c.csv": f"stars,song_id\n5,spotify:track:{one}\n1,{other}\nx,{other}\n4,nowhere\n",
        "a.json": json.dumps(pairs | {"unknown to me": None}),
        "b.json": json.dumps([{"song": f"{artist} - {title}", "rating": 5}]),
    }
    answers = {}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        result = segue(build, "--json", tmp_path / name)
        assert result.exit_code == 0, result.stderr
        answers[name] = json.loads(result.stdout)
    assert answers["a.csv"]["recommended"] == answers["a.json"]["recommended"]
    assert answers["c.csv"]["not_found"] == ["nowhere"]
    assert answers["c.csv"]["unread"] == ["rating 3: rating 'x' is not a number"]
    assert {**answers["a.csv"], **answers["c.csv"]}["ratings"] == pairs
    assert answers["b.csv"]["ratings"] == answers["b.json"]["ratings"] == {one: 5}
    assert answers["a.json"]["not_found"] == []
    half = segue(build, "-", "--json", stdin=json.dumps({one: 5, "\ud800": 4}))
    assert json.loads(half.stdout)["not_found"] == ["?"]
    assert "you gave 5 to" in segue(build, tmp_path / "a.csv").stdout
    assert json.loads(segue(build, "-", "--json", stdin=texts["a.csv"]).stdout) == answers["a.csv"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not known as a file of ratings"),
        ("a,b\n1,2\n", "not known as a file of ratings"),
        ("song,rating\nnowhere,5\n", "rates no song in the catalogue"),
        ("song,rating\nx,nan\n", "rating 1: rating 'nan' is not a number"),
        ("[1, 2]", "an object of songs to ratings, or an array of objects"),
        ("[[[", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("{}", "not known as a file of ratings"),
        ("song,rating\n" + "x" * 10**6, "at most 1,000,000 characters"),
        ("song,rating\n" + "x,5\n" * 10_001, "at most 10,000 ratings"),
        ("song,rating\n" + "x" * 200_000 + ",5\n", "cannot be read as CSV"),
    ],
)
def test_input_that_cannot_be_used_is_one_message(build, text, words):
    result = segue(build, "-", stdin=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert result.stderr.count("Error: ") == 1


def test_a_build_without_ratings_says_so_and_has_the_tables_empty(sound):
    folder = Published(sound)
    for table in ("user_recommendations", "rating_factors", "rating_parameters"):
        assert rows(folder, f"select count(*) from {table}") == [(0,)]
    result = segue(folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "segue build --ratings FILE" in result.stderr
