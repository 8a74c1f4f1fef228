"""Real playlists and artist genres, whole, against the real catalogue that they are scored on."""

import json
import re
import unicodedata

import polars as pl
import pytest

from transforms import matching, signals
from transforms.notation import judged
from transforms.tracks import cleaned
from warehouse.files import sources

CATALOGUE = "spotify-catalogue-327k.csv.gz"


@pytest.fixture(scope="module")
def songs(shared_data):
    """Return every song of the catalogue, cleaned."""
    (source,) = sources.opened([shared_data(CATALOGUE)])
    wanted = ("song_id", "title", "artist", "artists", "popularity")
    return pl.concat(
        cleaned(batch.rows, source.name, 0, judged(batch.rows, source.names)).readings.select(
            wanted
        )
        for batch in sources.batches(source)
    )


@pytest.fixture(scope="module")
def entries(shared_data):
    (source,) = sources.opened([], {"playlists": [shared_data("playlists-train.csv.gz")]})
    return pl.concat(
        signals.cleaned_entries(batch.rows, source.name, "").readings
        for batch in sources.batches(source)
    )


def folded(text):
    text = unicodedata.normalize("NFKD", text or "").casefold()
    return "".join(c for c in text if not unicodedata.combining(c))


def title_key(title):
    """Say what of a title counts, as the protocol of the notes has it."""
    text = re.sub(r"\(.*?\)|\[.*?\]", "", folded(title))
    text = re.sub(r"\s[-–]\s.*$", "", text)
    return re.sub(r"[^\w]+", " ", text).strip() or folded(title)


def keys(frame, ids):
    """Return an id to its title and artist as the protocol compares them."""
    return {i: (title_key(t), folded(a).strip()) for i, t, a in frame.select(ids).iter_rows()}


def test_as_many_entries_are_found_as_by_the_protocol_and_hardly_another_song(songs, entries):
    found = matching.matched(entries, songs)
    of_song = keys(songs, ("song_id", "title", "artist"))
    known = set(of_song.values())
    protocol = ours = other = lost = 0
    for track_id, title, artist, song in found.select(
        "track_id", "title", "artist", "song_id"
    ).iter_rows():
        key = of_song.get(track_id) or (title_key(title), folded(artist).strip())
        protocol += key in known
        ours += song is not None
        lost += key in known and song is None
        other += key in known and song is not None and of_song[song] != key
    assert found.height == 496_148
    assert ours >= protocol > 290_000
    assert lost <= 5
    assert other <= 100  # the strict steps prefer a title spelt a little otherwise


def test_real_playlists_keep_their_numbers(songs, entries):
    found = matching.matched(entries, songs)
    learnt = matching.playlist_entries(found, 0.1)
    assert learnt["playlist"].n_unique() == 5_000
    assert 0.08 < learnt.unique("playlist")["held_out"].mean() < 0.12
    lacking = matching.unmatched_tracks(found)
    assert lacking["entries"].sum() == found["song_id"].null_count()


def test_real_genres_reach_most_songs(songs, shared_data):
    (source,) = sources.opened([], {"genres": [shared_data("artists-with-genres.csv.gz")]})
    clean = [signals.cleaned_genres(b.rows, source.name) for b in sources.batches(source)]
    assert sum(c.rejected.height for c in clean) == 0
    readings = pl.concat(c.readings for c in clean)
    assert readings.height == 28_680
    genres = matching.artist_genres(matching.matched_artists(readings, songs))
    known = set(genres["artist"])
    credited = [json.loads(artists) for artists in songs["artists"]]
    assert sum(bool(known & set(names)) for names in credited) / len(credited) > 0.5
