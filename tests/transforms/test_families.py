import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.families import base_title, families, folded, with_families
from transforms.notation import judged
from transforms.tracks import cleaned
from transforms.versions import MEASUREMENTS, MOODS
from warehouse.contracts import FAMILIES
from warehouse.demo.catalogue import demo_songs
from warehouse.files import sources

SCHEMA = {
    **{"song_id": pl.String, "title": pl.String, "artist": pl.String},
    "duration_ms": pl.Int64,
}
USUAL = ("", "Ann", 200_000)


def catalogue(*songs):
    """Make songs of titles, or of title, artist and length; ids count up."""
    given = [(song,) if isinstance(song, str) else song for song in songs]
    rows = [(f"s{n}", *song, *USUAL[len(song) :]) for n, song in enumerate(given)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def kin(*songs, **columns):
    """Say which songs are one family: the first position of each song's family.

    Columns are given as lists; credited artists as one text for each song, with commas.
    """
    frame = catalogue(*songs).with_columns(pl.Series(n, v) for n, v in columns.items())
    if "artists" in columns:
        names = [json.dumps(text.split(", ")) for text in columns["artists"]]
        first = [text.split(", ")[0] for text in columns["artists"]]
        frame = frame.with_columns(artist=pl.Series(first), artists=pl.Series(names))
    ids = with_families(frame)["family_id"].to_list()
    return [ids.index(family) for family in ids]


def same(*songs, **columns):
    return set(kin(*songs, **columns)) == {0}


def sounds(*songs):
    """Return columns of songs given by mood, tempo, key, and loudness where it is not -7 dB."""
    moods, tempos, keys = zip(*(song[:3] for song in songs), strict=True)
    return {
        **{name: list(moods) for name in MOODS},
        **{"tempo": list(tempos), "key": list(keys), "mode": [1] * len(songs)},
        "loudness": [song[3] if len(song) > 3 else -7.0 for song in songs],
    }


def base(title):
    return pl.select(base_title(pl.lit(title))).item()


VERSIONS = [
    *("Remastered", "Remastered 2009", "2009 Remaster", "2015 Remastered Version", "Live"),
    *("Live at Wembley", "Live from the BBC / 1969", "Ao Vivo", "En Vivo", "En Directo"),
    *("Acoustic", "Acoustic Version", "Radio Edit", "Single Version", "Album Version", "Edit"),
    *("Remix", "David Guetta Remix", "Extended Mix", "Club Mix", "Demo", "Instrumental"),
    *("Mono", "Stereo", "Alternate Take", "Take 3", "Bonus Track", "Deluxe", "Karaoke"),
    *("Unplugged", "Re-recorded", "Sped Up", "Slowed + Reverb", "A Cappella", "Explicit"),
    *("Original Mix", 'From "Grease" Soundtrack', "Single", "Orchestral Version", "Nightcore"),
]


@pytest.mark.parametrize("marker", VERSIONS)
def test_a_marker_after_a_dash_or_in_brackets_tells_a_version(marker):
    dashed, round_, square = f"Blue Sky - {marker}", f"Blue Sky ({marker})", f"Blue Sky [{marker}]"
    assert same("Blue Sky", dashed, round_, square)


@pytest.mark.parametrize(
    "title",
    [
        *("Blue Sky (feat. Bob)", "Blue Sky (ft. Bob)", "Blue Sky (featuring Bob & Cy)"),
        *(
            "Blue Sky feat. Bob",
            "Blue Sky ft. Bob",
            "Blue Sky featuring Bob",
            "Blue Sky (with Bob)",
        ),
        *("Blue Sky [feat. Bob]", "Blue Sky (feat. Bob) - Live", "Blue Sky (Live) [Remastered]"),
        *("Blue Sky - Live - Remastered 2009", "Blue Sky (Remix) (feat. Bob)", "BLUE SKY"),
        *("blue sky", "Blue  Sky", "Blue Sky!", "Blue-Sky", "Blüe Ský", "  Blue Sky", "“Blue Sky”"),
        *("Blue Sky – Live", "Blue Sky — Live", 'Blue Sky (From "A Film")'),
    ],
)
def test_guests_spelling_and_several_markers_do_not_tell_songs_apart(title):
    assert same("Blue Sky", title)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("Blue Sky", "Blue Skies"), ("Blue Sky", "Blue"), ("Tears (Part 1)", "Tears (Part 2)")),
        *(
            ("Nocturne - No. 1", "Nocturne - No. 2"),
            ("Alive", "A - Live"),
            ("Live", "Live and Die"),
        ),
        *(("Live Forever", "Forever"), ("Mixed Emotions", "Emotions"), ("Demons", "Demo")),
        *(("Radio", "Radio Ga Ga"), ("Rehab", "Rehab (Part 2)"), ("Sky (Blue)", "Sky (Red)")),
        *(
            ("Delivery", "Deep - Delivery"),
            ("99 Problems", "98 Problems"),
            ("夜", "朝"),
            ("?", "!"),
        ),
        *(("Feature", "Feat"), ("Gift of Life", "Gi"), ("With or Without You", "Without You")),
    ],
)
def test_titles_that_only_look_alike_are_two_songs(one, other):
    assert not same(one, other)


def test_a_title_that_is_nothing_but_a_marker_stays_a_title():
    assert base("Live") == "live"
    assert base("(Live)") == "(live)"
    assert base(" - Remix") != ""
    assert kin("Remix", "Acoustic", "Instrumental") == [0, 1, 2]


def test_one_title_by_two_artists_is_two_songs_and_artists_are_folded():
    assert not same(("Hello", "Ann"), ("Hello", "Bob"))
    assert same(("Hello", "Beyoncé"), ("Hello", "BEYONCE"))
    assert same(("Hello", "Ann & Bob"), ("Hello", "Ann and Bob"))


def test_text_is_folded_in_every_script():
    folds = {
        "ÉCOLE": "ecole",
        "Ⅳ": "iv",
        "ﬁn": "fin",
        "Ψυχή": "ψυχη",
        "夜": "夜",
        "A & B": "a  and  b",
    }
    for text, expected in folds.items():
        assert pl.select(folded(pl.lit(text))).item() == expected


# ---- titles that do not identify a song

GENERIC = [
    *("Intro", "Outro", "Interlude", "Untitled", "Skit", "Prelude", "Overture", "Track 1", "IV"),
    *(
        "Part 2",
        "Main Title",
        "End Credits",
        "Intro - Live",
        "Interlude 3",
        "1",
        "The Ending",
        "???",
    ),
    *("Part Two", "Chapter 104", "Kapitel 7", "17"),
    *("Symphony No. 5", "Piano Sonata", "Allegro in C Major", "Suite, Op. 3", "BWV 1007"),
]


@pytest.mark.parametrize("title", GENERIC)
def test_generic_titles_and_works_are_one_only_where_they_last_as_long(title):
    lengths = [60_000, 61_500, 90_000, 63_000, 150_000]
    assert kin(*((title, "Ann", ms) for ms in lengths)) == [0, 0, 2, 0, 4]


@pytest.mark.parametrize(
    "title",
    ["Blue Sky", "Hello", "Suited", "Symphonic", "Majority", "Onward", "One", "1999", "404"],
)
def test_other_titles_are_one_song_at_any_length(title):
    assert same((title, "Ann", 60_000), (title, "Ann", 600_000), (title, "Ann", None))


def test_a_title_by_nobody_in_particular_or_an_arrangement_is_one_where_it_lasts_as_long():
    for title, artist in (("Old Mill", "Traditional"), ("Old Mill (Arr. for Harp)", "Ann")):
        assert kin(*((title, artist, ms) for ms in (60_000, 90_000, 61_000))) == [0, 1, 0]


def test_a_generic_title_without_a_length_is_no_known_recording():
    songs = [("Intro", "Ann", ms) for ms in (60_000, None, None, 61_000)]
    assert kin(*songs) == [0, 1, 2, 0]
    assert kin(*songs[1:3]) == [0, 1]


def test_movements_are_songs_of_their_own():
    assert not same("Suite: I. Dawn", "Suite: II. Dusk")
    assert not same("Quartet No. 1: Allegro", "Quartet No. 2: Allegro")


def test_a_guest_called_a_quartet_makes_no_work_of_a_song():
    guest = ("Blue Sky (feat. Dovetal Quartet)", "Ann", 300_000)
    assert same(("Blue Sky", "Ann", 200_000), guest)


@pytest.mark.parametrize("titles", [("!!!", "???"), ("...", "…?"), ("+", "-"), ("🔥", "🎶")])
def test_titles_of_symbols_alone_are_told_apart(titles):
    assert not same(*titles)
    assert same(titles[0], titles[0])


# ---- credited artists


LONG = ("Blue Sky", "?", 240_000)
SHORT = ("Blue Sky", "?", 200_000)


def test_one_recording_credited_to_its_artists_in_another_order_is_one_song():
    nearly = ("Blue Sky", "?", 201_500)
    assert same(SHORT, nearly, artists=["Ann, Bob", "Bob, Ann"])
    assert same(SHORT, nearly, artists=["Ann", "Composer, Ann"])
    assert not same(SHORT, nearly, artists=["Ann, Bob", "Cy, Dee"])


def test_a_length_that_differs_asks_for_two_artists_or_key_and_tempo_in_common():
    assert not same(SHORT, LONG, artists=["Ann", "Bob, Ann"])
    assert same(SHORT, LONG, artists=["Ann, Bob", "Bob, Cy, Ann"])
    credited = {"artists": ["Ann", "Bob, Ann"]}
    assert same(SHORT, LONG, **credited, **sounds((0.5, 100.0, 3), (0.8, 102.0, 3)))
    assert not same(SHORT, LONG, **credited, **sounds((0.5, 100.0, 3), (0.8, 102.0, 4)))
    assert not same(SHORT, LONG, **credited, **sounds((0.5, 100.0, 3), (0.8, 108.0, 3)))
    assert not same(SHORT, LONG, **credited, **sounds((0.5, None, None), (0.8, None, None)))


def test_works_and_generic_titles_of_one_composer_ask_for_the_same_length():
    for title in ("Symphony No. 5", "Intro"):
        lengths = [(title, "?", ms) for ms in (200_000, 201_000, 203_500)]
        assert kin(*lengths, artists=["Cee, Ann", "Ann, Cee", "Bob, Cee, Ann"]) == [0, 0, 2]


def test_generic_titles_are_one_recording_up_to_two_seconds_apart():
    assert kin(*[("Intro", "Ann", ms) for ms in (60_000, 62_000, 64_000, 66_001)]) == [0, 0, 0, 3]


def test_a_missing_list_of_artists_or_length_is_no_evidence():
    assert not same(SHORT, ("Blue Sky", "?", None), artists=["Ann", "Bob, Ann"])
    songs = catalogue("Blue Sky", "Blue Sky (Live)").with_columns(artists=pl.lit(None, pl.String))
    assert with_families(songs)["family_id"].n_unique() == 1


# ---- titles that are nearly the same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("Trains of Morning", "Trains of Mornning"), ("Go On Walking", "Go On Walkin'")),
        *(("Till We Meet by the Sea", "Til We Meet by the Sea"), ("Grey Rocks", "Grey Rock")),
        *(("Pale Misteriozo", "Pale Mysterioso"), ("Casa de Olho Azul", "Casa do Olho Azul")),
        *(("The Old Mill", "Old Mill"), ("Song of the Mill", "Song of Mill")),
        *(("Old Mill", "Old Mill (Under the Moon)"), ("Old Mill", "(Down by the) Old Mill")),
        *(
            ("Old Mill", "Old Mill - Studio"),
            ("Old Mill", "Old Mill 2017"),
            ("Old Mill", "Old Mill VIP"),
        ),
        *(("Old Mill", "Old Mill - 2015 - Remaster"), ("Old Mill", "Old Mill Tv Size Ver.")),
        *(("Old Mill Theme", "Old Mill Theme Song"), ("Old Mill", "The Old Mill [Opening Night]")),
    ],
)
def test_a_slip_an_article_or_an_ending_does_not_tell_songs_of_an_artist_apart(one, other):
    assert same((one, "Ann", 100_000), (other, "Ann", 300_000))
    assert not same((one, "Ann"), (other, "Bob"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(
            ("Old Mill 2", "Old Mill 3"),
            ("Old Mill", "Old Mill 2"),
            ("Old Mill II", "Old Mill III"),
        ),
        *(("Old Mill", "Old Mill (Part 2)"), ("Old Mill", "Old Mill - No. 2"), ("Mill", "Hill")),
        *(
            ("Old Mill", "Old Mill - Teil Zwei"),
            ("Old Mill One", "Old Mill Two"),
            ("Mad Sky", "Bad Sky"),
        ),
        *(("Set A", "Set B"), ("Crazy Life", "Crazy Legs"), ("Old Mill", "Cold Mill")),
        *(("Old Mill (Red)", "Old Mill (Blue)"), ("Old Mill - Dawn", "Old Mill - Dusk")),
        *(
            ("Old Mill", "By the Old Mill"),
            ("Old", "Old Mill"),
            ("The Cave", "The Cove"),
            ("Sonata No. 1", "Sonatas No. 1"),
            ("Midnight Carnival", "Midnight Cornevol"),  # three letters
        ),
    ],
)
def test_numbers_short_words_and_other_endings_tell_songs_apart(one, other):
    assert not same((one, "Ann", 100_000), (other, "Ann", 300_000))


def test_a_title_that_goes_on_in_many_ways_is_a_series():
    ways = [f"Old Mill ({way})" for way in ("Dawn", "Chase", "Farewell", "Storm")]
    assert same("Old Mill", *ways[:3])
    assert kin("Old Mill", *ways) == [0, 1, 2, 3, 4]


# ---- songs that sound the same


def test_identical_measurements_are_one_recording_in_any_language():
    songs = [("Besoin de toi", "Ann", 200_000), ("I Need You", "Ann", 200_000)]
    assert same(*songs, **sounds((0.5, 100.0, 3), (0.502, 100.05, 3)))
    assert same(*songs, **sounds(*[(0.5, 100.0, 3)] * 2), artists=["Ann", "Bob, Ann"])
    assert not same(*songs, **sounds((0.5, 100.0, 3), (0.51, 100.0, 3)))
    assert not same(*songs, **sounds((0.5, 100.0, 3), (0.5, 100.5, 3)))
    assert not same(*songs, **sounds((0.5, 100.0, 3), (0.5, 100.0, 3, -9.0)))
    assert not same(*songs, **sounds(*[(0.5, 0.0, 3)] * 2))
    assert not same(*songs, **sounds(*[(0.5, 100.0, 3)] * 2), artists=["Ann", "Bob"])


def test_songs_that_last_as_long_and_sound_alike_may_differ_in_a_part_of_the_title():
    alike = sounds((0.5, 100.0, 3), (0.51, 100.5, 5))
    songs = [("Maze of the Garden", "Ann", 200_000), ("Mazes in the Gardens", "Ann", 200_800)]
    assert same(*songs, **alike)
    assert not same(*songs, **sounds((0.5, 100.0, 3), (0.6, 100.5, 3)))
    assert not same(songs[0], ("Mazes in the Gardens", "Ann", 202_000), **alike)
    assert same(songs[0], ("Maze of the Garden as Sung by the Masters", "Ann", 200_000), **alike)
    assert not same(songs[0], ("Summer Rain", "Ann", 200_000), **alike)
    assert not same(("Chapter 12: Mill", "Ann"), ("Chapter 13: Mill", "Ann"), **alike)


def test_a_spelling_apart_is_enough_where_the_length_is_the_same():
    assert same(
        ("Familiarity", "Ann", 200_000),
        ("Familiaritty", "Ann", 200_900),
        **sounds(*[(0.5, 100.0, 3), (0.9, 80.0, 5)]),
    )
    assert not same(("Familiarity", "Ann", 200_000), ("Familiaritty", "Ann", 203_000))


@pytest.mark.parametrize(("apart", "one_song"), [(0, True), (1000, True), (1001, False)])
@pytest.mark.parametrize("length", [200_000, 200_400, 200_999])
def test_two_takes_may_last_a_second_longer_wherever_a_second_begins(length, apart, one_song):
    songs = [("Besoin de toi", "Ann", length), ("I Need You", "Ann", length + apart)]
    assert same(*songs, **sounds(*[(0.5, 100.0, 3)] * 2)) is one_song


# ---- the tables


def test_families_keep_the_rows_and_depend_on_no_order():
    songs = catalogue("Blue Sky", "Intro", "Blue Sky (Live)", ("Intro", "Ann", 5_000), "Red")
    found = with_families(songs)
    assert found.drop("family_id").equals(songs)
    assert found["family_id"].str.contains("^f[0-9a-f]{16}$").all()
    other = with_families(songs.reverse()).sort("song_id")
    assert other.equals(found.sort("song_id"))


def test_a_family_keeps_its_id_when_other_songs_come_and_go():
    few = with_families(catalogue("Blue Sky", "Red"))
    many = with_families(catalogue("Blue Sky", "Red", "Blue Sky (Live)", "Intro", "Green"))
    assert many["family_id"].to_list()[:2] == few["family_id"].to_list()


def test_linked_families_depend_on_no_order_and_keep_their_id():
    titles = ["Old Mill", "The Old Mill", "Old Mill VIP", "Old Milll Road", "Old Mill Road"]
    songs = catalogue(*titles, ("Old Mill", "Bob"), "Old Mill Road (Live)")
    found = with_families(songs)
    assert found["family_id"].n_unique() == 3

    @given(st.permutations(range(songs.height)), st.integers(0, songs.height))
    def holds(order, extra):
        more = catalogue(*["Red"] * 9).select(pl.col("song_id") + "x", pl.exclude("song_id"))
        shuffled = with_families(pl.concat([songs[list(order)], more[:extra]]))
        assert shuffled[: songs.height].sort("song_id").equals(found.sort("song_id"))

    holds()


def test_no_songs_make_no_families():
    assert with_families(catalogue()).is_empty()


def test_the_most_popular_then_earliest_then_first_version_stands_for_a_family():
    songs = pl.DataFrame(
        [
            *(
                ("a", "f1", 10, 2000),
                ("b", "f1", 50, 2010),
                ("c", "f1", 50, 1999),
                ("d", "f1", 50, 1999),
            ),
            *(("e", "f2", None, 1990), ("f", "f2", 0, None), ("g", "f3", None, None)),
            *(("h", "f4", 5, None), ("i", "f4", 5, 2020)),
        ],
        schema={
            "song_id": pl.String,
            "family_id": pl.String,
            "popularity": pl.Int64,
            "year": pl.Int64,
        },
        orient="row",
    )
    found = FAMILIES.check(families(songs))
    assert found.rows() == [("f1", "c", 4), ("f2", "f", 2), ("f3", "g", 1), ("f4", "i", 2)]


# ---- whole catalogues


def test_the_demo_catalogue_gives_back_every_version_and_merges_nothing_else():
    songs = demo_songs().with_columns(artist=pl.col("artists").str.split(";").list.first())
    found = with_families(songs.with_columns(artists=_json(songs["artists"].str.split(";"))))
    family = dict(found.select("song_id", "family_id").iter_rows())
    pairs = found.filter(pl.col("version_of").is_not_null()).select(
        "song_id", "version_of", "title"
    )
    missed = [title for song, of, title in pairs.iter_rows() if family[song] != family[of]]
    assert missed == []
    assert found["family_id"].n_unique() == found["version_of"].is_null().sum()


def test_hard_pairs_labelled_by_hand_are_told_well(shared_data):
    pairs = pl.read_csv(shared_data("version-pairs.csv"))
    wanted = [*pairs["id_a"], *pairs["id_b"]]
    family = _families_of(shared_data("spotify-catalogue-327k.csv.gz"), wanted)
    merged = pl.Series(family[a] == family[b] for a, b in pairs.select("id_a", "id_b").iter_rows())
    versions = pairs["label"].is_in(["same", "version"])
    right = (merged & versions).sum()
    assert right / merged.sum() >= 0.96
    assert right / versions.sum() >= 0.90


def _json(lists):
    return pl.Series([json.dumps(names) for names in lists.to_list()])


def _families_of(path, song_ids):
    """Find the families of some songs; a song's family depends on its artists' songs alone."""
    (source,) = sources.opened([path])
    columns = [*SCHEMA, "artists", *MEASUREMENTS]
    readings = pl.concat(
        cleaned(batch.rows, source.name, 0, judged(batch.rows, source.names)).readings.select(
            columns
        )
        for batch in sources.batches(source)
    )
    named = readings.select("song_id", by=pl.col("artists").str.json_decode(pl.List(pl.String)))
    by = named.explode("by")
    wanted = by.filter(pl.col("song_id").is_in(song_ids)).select("by").unique()
    theirs = by.join(wanted, on="by", how="semi").select("song_id").unique()
    found = with_families(readings.join(theirs, on="song_id", how="semi"))
    return dict(found.select("song_id", "family_id").iter_rows())
