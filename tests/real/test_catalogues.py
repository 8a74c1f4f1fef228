"""Real catalogues, whole: every row is accounted for with the numbers that their notes give."""

from collections import Counter

import polars as pl
import pytest

from transforms.families import with_families
from transforms.notation import judged
from transforms.tracks import cleaned
from warehouse import store
from warehouse.contracts import FILES, GENRE_READINGS, READINGS, REJECTED_ROWS, SOURCES
from warehouse.files import sources

EXPECTED = {
    "spotify-songs-32k.csv.gz": ("tidytuesday-32k", 32_833, 28_352, 5),
    "spotify-tracks-114k.csv.gz": ("kaggle-114k", 114_000, 89_740, 1),
    "spotify-tracks-600k-part.csv.gz": ("kaggle-600k", 145_065, 145_065, 0),
    "spotify-catalogue-327k.csv.gz": ("kaggle-170k", 327_166, 327_162, 4),
}
COMMAS = ("Earth, Wind & Fire", "Tyler, The Creator", "Crosby, Stills & Nash")


@pytest.fixture(scope="module", params=EXPECTED)
def ingested(request, shared_data, tmp_path_factory):
    """Read, clean and merge one catalogue."""
    (source,) = sources.opened([shared_data(request.param)])
    oddities, read = Counter(), 0
    with store.created(tmp_path_factory.mktemp("real") / "warehouse.duckdb") as warehouse:
        for batch in sources.batches(source):
            clean = cleaned(batch.rows, source.name, 0, judged(batch.rows, source.names))
            oddities.update(clean.oddities)
            read += batch.records
            warehouse.append(READINGS, clean.readings)
            warehouse.append(GENRE_READINGS, clean.genres)
            rejected = pl.concat([clean.rejected, batch.malformed])
            rejected = rejected.with_columns(source=pl.lit(source.name))
            warehouse.append(REJECTED_ROWS, rejected.select(REJECTED_ROWS.schema.keys()))
        row = [(0, source.name, source.format, source.sha256, read, 0)]
        warehouse.append(FILES, pl.DataFrame(row, schema=FILES.schema, orient="row"))
        yield {
            "expected": EXPECTED[request.param],
            "oddities": oddities,
            "songs": warehouse.query("merge_songs"),
            "genres": warehouse.query("song_genres"),
            "sources": SOURCES.check(warehouse.query("sources")),
            "rejected": warehouse.frame(REJECTED_ROWS),
        }


def test_every_row_is_accounted_for(ingested):
    name, read, songs, rejected = ingested["expected"]
    count = ingested["sources"].row(0, named=True)
    assert (count["format"], count["rows_read"]) == ("CSV", read), name
    assert (count["songs"], count["rejected"]) == (songs, rejected)
    assert count["songs"] + count["merged"] + count["rejected"] == read
    assert ingested["songs"].height == songs
    assert ingested["songs"]["song_id"].is_unique().all()


def test_what_is_rejected_are_the_rows_without_a_title(ingested):
    reasons = ingested["rejected"]["reason"].to_list()
    assert reasons == ["title is missing; artists is missing"] * len(reasons)
    lines = {
        "kaggle-114k": [65_902],
        "tidytuesday-32k": [8153, 9284, 9285, 19_570, 19_813],  # "NA" by "NA", as R writes it
    }
    name = ingested["expected"][0]
    assert name == "kaggle-170k" or ingested["rejected"]["line"].to_list() == lines.get(name, [])


def test_what_is_odd_is_met_as_often_as_it_was_measured(ingested):
    name, oddities = ingested["expected"][0], ingested["oddities"]
    measured = {
        "kaggle-114k": {
            "no_beat_found": 157,
            "louder_than_full_scale": 90,
            "popularity_zero": 16_020,
        },
        "kaggle-600k": {"no_beat_found": 124, "louder_than_full_scale": 33},
        "kaggle-170k": {"no_year": 2, "no_date": 2},
    }
    for rule, times in measured.get(name, {}).items():
        assert oddities[rule] == pytest.approx(times, abs=1), rule  # a rejected row counts too


def test_real_names_with_commas_are_whole(ingested):
    artists = ingested["songs"]["artist"]
    assert artists.is_in(COMMAS).any()
    assert not artists.is_in([name.split(", ")[1] for name in COMMAS]).any()


def test_genres_are_those_of_songs_and_only_where_the_catalogue_has_them(ingested):
    genres = ingested["genres"]
    assert genres.join(ingested["songs"], on="song_id", how="anti").is_empty()
    assert genres.is_empty() == (ingested["expected"][0] in ("kaggle-600k", "kaggle-170k"))


def test_no_family_spans_two_artists_or_swallows_a_catalogue(ingested):
    found = with_families(ingested["songs"].select("song_id", "title", "artist", "duration_ms"))
    sizes = found.group_by("family_id").agg(
        pl.len(), artists=pl.col("artist").str.to_lowercase().n_unique()
    )
    assert 0.75 < sizes.height / found.height < 0.95
    assert sizes["len"].max() < 200
    assert (sizes["artists"] > 1).mean() < 0.001  # accents and spaces alone differ
