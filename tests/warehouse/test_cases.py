"""Files that people really hold, and the same kinds made of a few songs that are always there."""

import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import matching
from transforms.notation import judged
from transforms.signals import cleaned_entries
from transforms.tracks import cleaned
from warehouse.demo.catalogue import demo_songs
from warehouse.errors import InputError
from warehouse.files import sources

CASES = Path(__file__).parents[3] / "shared" / "cases"
LISTS = {  # file: found, passed over
    **dict.fromkeys(("01-exportify-es.csv", "03-exportify-app-comma-artist.csv"), (6, 0)),
    **dict.fromkeys(("07-soundiiz.csv", "15-excel-semicolons-cp1252.csv"), (6, 0)),
    **dict.fromkeys(("08-shazam.csv", "09-chosic.csv", "12-lastfm-headerless.csv"), (6, 0)),
    "06-tunemymusic-youtube.csv": (6, 1),
    "14-youtube-takeout.csv": (6, 0),
    "19-StreamingHistory_podcast_0.json": (0, 20),
    "20-Streaming_History_Audio_nulls.json": (60, 10),
    "22-Playlist1.json": (40, 11),
}
CATALOGUES = {  # file: usable rows, columns that hold something
    "26-spotify-1m.csv": (379, ("year",)),
    "27-spotifyfeatures.csv": (100, ("key", "mode", "time_signature")),
    "28-exportify-features.csv": (100, ("energy", "tempo", "year", "album")),
    "32-decimal-comma.csv": (50, ("energy", "tempo", "loudness")),
    "35-na.csv": (100, ("energy",)),
    "36-na-names.csv": (370, ("energy",)),
    "42-tracks-with-uri-ids.csv": (379, ("energy",)),
}


def case(name):
    path = CASES / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path


@pytest.fixture(scope="module")
def demo_keyed():
    songs = demo_songs().select(
        "song_id", "title", pl.col("artists").str.split(";").list.first().alias("artist")
    )
    return matching.with_keys(songs.with_columns(popularity=pl.lit(1, dtype=pl.Int64)))


def entries(path):
    (source,) = sources.opened([], {"playlists": [path]})
    rows = pl.concat([batch.rows for batch in sources.batches(source)])
    return rows, cleaned_entries(rows, source.name, source.stem)


def songs_of(path):
    (source,) = sources.opened([path])
    rows = pl.concat([batch.rows for batch in sources.batches(source)])
    return source, cleaned(rows, source.name, 0, judged(rows, source.names))


@pytest.mark.parametrize(("name", "expected"), LISTS.items())
def test_lists_that_people_hold_are_found_in_mix_as_among_playlists(name, expected, demo_keyed):
    rows, clean = entries(case(name))
    found = matching.matched_among(clean.readings, demo_keyed)["song_id"].count()
    assert (found, clean.passed_over, clean.rejected.height) == (*expected, 0)
    at_hand, _ = sources.entries(case(name).read_bytes(), name)
    assert at_hand.height == rows.height


@pytest.mark.parametrize(("name", "expected"), CATALOGUES.items())
def test_catalogues_that_people_hold_are_read_with_all_they_have(name, expected):
    _, clean = songs_of(case(name))
    usable, columns = expected
    assert clean.readings.height == usable
    assert all(clean.readings[column].count() for column in columns)


def test_ids_mean_the_same_on_both_sides():
    _, clean = songs_of(case("42-tracks-with-uri-ids.csv"))
    keyed = matching.with_keys(clean.readings.select("song_id", "title", "artist", "popularity"))
    for name, number in (("42-playlists.csv", 6), ("42-ids.txt", 9)):
        found = matching.matched_among(entries(case(name))[1].readings, keyed)
        assert found["song_id"].count() == number, name


# ---- the same kinds, made of the demo's songs

FEW = demo_songs().filter(pl.col("artists").str.contains(";").not_()).head(12)
PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
NAMES = {
    "song_id": ("song_id", "Track URI", "spotify_id", "track.id"),
    "title": ("title", "Track Name", "SONG", "Titel", "Nombre de la canción", "曲名"),
    "artists": ("artists", "Artist Name(s)", "track_artist", "Interpret", "アーティスト名"),
    "year": ("year", "Release Year", "released_year"),
    "key": ("key", "Key", "Tonart"),
    "mode": ("mode", "MODE", "Modo"),
    "duration_ms": ("duration_ms", "Duration (ms)", "Track.Duration_MS"),
    "energy": ("energy", "Energy", "energy_%"),
    "tempo": ("tempo", "BPM"),
}


def truth():
    return [(s["title"], s["year"], s["key"], s["mode"], round(s["energy"], 2)) for s in plain()]


def plain():
    numbers = FEW.select(
        "song_id",
        "title",
        "artists",
        pl.col("release_date").str.slice(0, 4).cast(pl.Int64).alias("year"),
        pl.col("key", "mode", "duration_ms").cast(pl.Int64, strict=False),
        pl.col("energy", "tempo").cast(pl.Float64, strict=False),
    )
    return numbers.drop_nulls().sort("song_id").to_dicts()


def written(song, style):
    """Write the values of a song in a notation."""
    cells = {name: str(value) for name, value in song.items()}
    cells["energy"] = f"{song['energy']:.2f}"
    if style["ids"] != "bare":
        cells["song_id"] = style["ids"] + song["song_id"]
    if style["key"] == "names":
        cells |= {"key": PITCHES[song["key"]], "mode": ("Minor", "Major")[song["mode"]]}
    if style["energy"] == "percent":
        cells["energy"] = f"{100 * song['energy']:.0f}"
    if style["duration"] == "clock":
        seconds = round(song["duration_ms"] / 1000)
        cells["duration_ms"] = f"{seconds // 60}:{seconds % 60:02}"
    if style["decimal"] == ",":
        for name in ("energy", "tempo"):
            cells[name] = cells[name].replace(".", ",")
    if style["list"] == "python":
        cells["artists"] = repr([song["artists"]])
    return cells


styles = st.fixed_dictionaries(
    {
        "ids": st.sampled_from(["bare", "spotify:track:", "https://open.spotify.com/track/"]),
        "key": st.sampled_from(["numbers", "names"]),
        "energy": st.sampled_from(["share", "percent"]),
        "duration": st.sampled_from(["ms", "clock"]),
        "decimal": st.sampled_from([".", ","]),
        "list": st.sampled_from(["plain", "python"]),
        "separator": st.sampled_from([",", ";", "\t", "|"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        "end": st.sampled_from(["\n", "\r\n"]),
        "title_line": st.booleans(),
        "order": st.permutations(list(NAMES)),
        "names": st.fixed_dictionaries({n: st.sampled_from(w) for n, w in NAMES.items()}),
    }
)


@settings(max_examples=60, deadline=None)
@given(style=styles)
def test_any_order_name_dialect_and_notation_gives_the_same_songs(tmp_path_factory, style):
    rows = [written(song, style) for song in plain()]
    frame = pl.DataFrame(rows).select(style["order"]).rename(style["names"])
    text = frame.write_csv(separator=style["separator"])
    text = ("My songs\n" if style["title_line"] else "") + text
    path = tmp_path_factory.mktemp("any") / "songs.csv"
    path.write_bytes(text.replace("\n", style["end"]).encode(style["encoding"]))
    _, clean = songs_of(path)
    assert clean.rejected.is_empty()
    got = clean.readings.sort("song_id").select("title", "year", "key", "mode", "energy")
    assert [(*row[:4], round(row[4], 2)) for row in got.iter_rows()] == truth()
    assert clean.readings["song_id"].sort().to_list() == [song["song_id"] for song in plain()]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["31.12.1999", "01.02.2003"], ["1999-12-31", "2003-02-01"]),
        (["12/31/1999", "01/02/2003"], ["1999-12-31", "2003-01-02"]),
        (["31/12/1999", "01/02/2003"], ["1999-12-31", "2003-02-01"]),
        (["03/04/1999", "01/02/2003"], ["1999", "2003"]),
        (["10 Nov 2023", "November 1, 2003"], ["2023-11-10", "2003-11-01"]),
    ],
)
def test_a_column_of_dates_tells_day_and_month_or_the_year_alone(tmp_path, dates, expected):
    rows = [{"title": f"T{i}", "artist": "A", "release_date": d} for i, d in enumerate(dates)]
    path = tmp_path / "songs.csv"
    path.write_text(pl.DataFrame(rows).write_csv())
    _, clean = songs_of(path)
    assert clean.readings["release_date"].to_list() == expected


def test_ids_that_are_made_are_the_same_every_time(tmp_path):
    path = tmp_path / "songs.csv"
    path.write_text("artist,title\nAnn,One\nANN,one\nBo,One\n")
    first, again, other = songs_of(path)[1].readings["song_id"]
    assert first == again != other


def test_a_column_that_is_passed_over_is_named_with_the_reason(tmp_path):
    path = tmp_path / "songs.csv"
    path.write_text("artist,title,key,mood\nAnn,One,red,glad\nBo,Two,blue,sad\n")
    source, _ = songs_of(path)
    over = {use.column: use.why for use in source.uses if not use.used_as}
    assert over == {
        "key": "named as key, but 'red' is none",
        "mood": "not one of the columns of tracks",
    }


def test_somebody_may_say_which_column_is_meant(tmp_path):
    path = tmp_path / "songs.csv"
    path.write_text("who,what\nAnn,One\n")
    (source,) = sources.opened([path], chosen={"title": "what", "artists": "who"})
    assert source.names == {"title": "what", "artists": "who"}
    with pytest.raises(InputError, match="no file has such a column"):
        sources.opened([path], chosen={"title": "what", "artists": "who", "year": "when"})


def test_a_playlist_is_named_by_its_own_column_alone(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_text("playlist_id,position,track_id\np,1,a\np,2,b\n")
    assert entries(path)[1].readings["playlist"].to_list() == ["p", "p"]


def test_a_text_without_songs_is_not_taken_for_titles():
    text = "Dear all,\nplease find enclosed\nthe minutes of the meeting\n"
    with pytest.raises(InputError, match=r"line 1 is 'Dear all,'.*Expected ids"):
        sources.entries(text, "the list")


@pytest.mark.parametrize("ending", ["json", "jsonl", "parquet", "db", "zip", "csv.gz", "csv.zst"])
def test_every_kind_of_file_holds_the_same_songs(tmp_path, ending):
    frame = pl.DataFrame(plain()).with_columns(pl.all().cast(pl.String))
    path = tmp_path / f"songs.{ending}"
    named = _write(frame, path, ending)
    _, clean = songs_of(named)
    assert clean.readings["song_id"].sort().to_list() == frame["song_id"].to_list()
    assert clean.rejected.is_empty()


def _write(frame, path, ending):
    text = frame.write_csv()
    if ending == "json":
        path.write_text(json.dumps({"items": [{"track": row} for row in frame.to_dicts()]}))
    elif ending == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dicts()))
    elif ending == "parquet":
        frame.write_parquet(path)
    elif ending == "db":
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"create table songs ({', '.join(frame.columns)})")
            marks = ", ".join("?" * frame.width)
            database.executemany(f"insert into songs values ({marks})", frame.rows())
        return Path(f"{path}::songs")
    elif ending == "zip":
        import zipfile

        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner/songs.csv", text)
    elif ending == "csv.gz":
        import gzip

        path.write_bytes(gzip.compress(text.encode()))
    else:
        import pyarrow as pa

        with pa.CompressedOutputStream(io.FileIO(path, "w"), "zstd") as stream:
            stream.write(text.encode())
    return path


def test_a_folder_and_a_pattern_name_their_files(tmp_path):
    for name in ("a.csv", "b.csv", ".hidden"):
        (tmp_path / name).write_text(f"artist,title\nAnn,{name}\n")
    assert [one.name for one in sources.opened([tmp_path])] == ["a.csv", "b.csv"]
    assert [one.name for one in sources.opened([tmp_path / "*.csv"])] == ["a.csv", "b.csv"]
