"""Real playlists: a mix keeps the shares, finds what a mean loses, and keeps tastes overnight."""

import numpy as np
import polars as pl
import pytest

from models.lists import Sameness
from models.mix import Shelves, mix
from models.tastes import tastes

AUDIO = (
    *("danceability", "energy", "loudness", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo"),
)


@pytest.fixture(scope="module")
def case(shared_data):
    """Read the 32k songs; those of a playlist are near one another by subgenre and sound."""
    rows = pl.read_csv(shared_data("spotify-songs-32k.csv.gz"), infer_schema_length=0)
    songs = rows.unique("track_id", keep="first").sort("track_id").with_row_index("song")
    audio = songs.select(pl.col(AUDIO).cast(pl.Float64)).to_numpy()
    scaled = (audio - audio.mean(axis=0)) / audio.std(axis=0)
    styles = songs["playlist_subgenre"].to_dummies().to_numpy() * 3.0
    points = np.hstack([scaled, styles]).astype(np.float32)
    name = pl.concat_str(pl.col("track_name", "track_artist").str.to_lowercase(), separator="\t")
    number = {"families": name.fill_null(pl.col("track_id")), "artists": pl.col("track_artist")}
    numbers = songs.select(**{k: v.rank("dense").fill_null(0) for k, v in number.items()})
    families, artists = (numbers[k].cast(pl.Int64).to_numpy() for k in number)
    entries = rows.join(songs.select("track_id", "song"), on="track_id")
    lists = entries.group_by("playlist_id", maintain_order=True).agg(pl.col("song").unique())
    of_song = tastes(points).of_song
    playlists = [np.sort(np.array(songs)) for songs in lists["song"].to_list() if len(songs) >= 20]
    apart = len(playlists) // 3  # the file is sorted by genre: join what lies apart in it
    libraries = [np.unique(np.concatenate(playlists[n::apart][:3])) for n in range(0, 120, 3)]
    return points, Shelves(points, of_song, Sameness(families, artists)), libraries


def test_the_shares_of_a_library_are_kept(case):
    _, shelves, libraries = case
    apart = []
    for library in libraries:
        saved = library[::2]
        made = mix(shelves, saved)
        assert len(made.songs) == 50
        shares = [
            np.bincount(shelves.tastes[songs], minlength=shelves.number) / len(songs)
            for songs in (saved, made.songs)
        ]
        apart.append(np.abs(shares[0] - shares[1]).sum() / 2)
        rounding = 0.005 * np.count_nonzero(shares[0])
        strays = np.maximum(0, 1 / 50 - shares[0][shares[0] > 0]).sum()
        assert apart[-1] <= rounding + strays
    assert np.median(apart) < 0.05


def test_more_hidden_songs_are_found_than_by_one_mean(case):
    points, shelves, libraries = case
    ours, mean = 0, 0
    for library in libraries:
        saved, hidden = library[::2], library[1::2]
        ours += np.isin(mix(shelves, saved).songs, hidden).sum()
        middle = points[saved].mean(axis=0)
        nearest = np.argsort(((points - middle) ** 2).sum(axis=1), kind="stable")
        mean += np.isin(nearest[~np.isin(nearest, saved)][:50], hidden).sum()
    assert ours > 1.5 * mean
    assert ours > 20


def test_nine_of_ten_songs_keep_their_taste_when_a_twentieth_comes_and_goes(case):
    points, _, _ = case
    rng = np.random.default_rng(0)
    there, here = (np.sort(rng.permutation(len(points))[: int(0.95 * len(points))]) for _ in "ab")
    before = np.full(len(points), -1)
    before[there] = tastes(points[there]).of_song
    today = tastes(points[here], before[here])
    known = before[here] >= 0
    assert (today.before[today.of_song[known]] == before[here][known]).mean() >= 0.9
