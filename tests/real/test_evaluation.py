"""Real playlists: each query scores what the protocol says, written out plainly."""

import numpy as np
import polars as pl
import pytest

from models.judging import baselines
from models.judging.evaluation import METRICS, accuracy
from models.judging.queries import Catalogue, Entries, drawn_queries

AUDIO = (
    *("danceability", "energy", "loudness", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo", "duration_ms"),
)
DISCOUNT = 1 / np.log2(np.arange(2, 7))


@pytest.fixture(scope="module")
def case(shared_data):
    """Read the 32k songs, which stand in playlists: two thirds to learn from, the others asked."""
    rows = pl.read_csv(shared_data("spotify-songs-32k.csv.gz"), infer_schema_length=0)
    songs = rows.unique("track_id", keep="first").sort("track_id").with_row_index("song")
    family = pl.concat_str(pl.col("track_name", "track_artist").str.to_lowercase(), separator="\t")
    songs = songs.with_columns(family=family.fill_null(pl.col("track_id")).rank("dense"))
    artists = songs["track_artist"].fill_null("").rank("dense").cast(pl.Int64).to_numpy() - 1
    number = pl.col("playlist_id").rank("dense").cast(pl.Int64)
    entries = rows.with_columns(playlist=number).join(songs, on="track_id", how="left")
    entries = entries.sort("playlist", "song").with_columns(learnt=pl.col("playlist") % 3 > 0)
    parts = entries.partition_by("learnt", as_dict=True)
    held, training = (
        Entries(*(part[c].cast(pl.Int64).to_numpy() for c in ("playlist", "song")))
        for part in (parts[(False,)], parts[(True,)])
    )
    families = songs["family"].cast(pl.Int64).to_numpy()
    catalogue = Catalogue(families, np.arange(len(songs) + 1), artists)
    return {
        "catalogue": catalogue,
        "families": families,
        "artists": artists,
        "held": held,
        "training": training,
        "queries": drawn_queries(catalogue, held, training),
        "audio": songs.select(pl.col(AUDIO).cast(pl.Float64)).to_numpy(),
    }


def ndcg_by_the_protocol(case, song, playlist, ranked, filtered):
    """Walk one list as the protocol says, with sets and a loop."""
    families, artists = case["families"], case["artists"]
    first = {}
    for row, family in enumerate(families.tolist()):
        first.setdefault(family, row)
    by = {family: artists[row] for family, row in first.items()}
    own = families[song]
    alike = {f for f in by if by[f] == by[own]} if filtered else set()
    inside = case["held"].songs[case["held"].playlists == playlist]
    relevant = set(families[inside].tolist()) - {own} - alike
    hits, seen = [], {own}
    for family in families[ranked[ranked >= 0]].tolist():
        if family in seen or family in alike:
            continue
        seen.add(family)
        hits.append(family in relevant)
    hits = np.array([*hits, *[False] * 5][:5])
    return hits @ DISCOUNT / DISCOUNT[: min(5, len(relevant))].sum()


@pytest.mark.parametrize("model", ["z-scored audio", "co-occurrence"])
def test_every_query_scores_what_the_protocol_says(case, model):
    catalogue, found = case["catalogue"], case["queries"]
    assert len(found.songs) > 500
    if model == "co-occurrence":
        lists = baselines.co_occurrence(catalogue, found, case["training"])
    else:
        lists = baselines.zscored_audio(catalogue, found, case["audio"])
    scores = accuracy(catalogue, found, lists)
    assert scores[:, 0].mean() > 0.002
    for row in range(0, len(lists), 25):
        for metric, filtered in (("NDCG@5-AF", True), ("NDCG@5", False)):
            expected = ndcg_by_the_protocol(
                case, found.songs[row], found.playlists[row], lists[row], filtered
            )
            assert scores[row, METRICS.index(metric)] == pytest.approx(expected), (row, metric)


def test_co_occurrence_names_what_most_short_playlists_share(case):
    catalogue, found = case["catalogue"], case["queries"]
    held = catalogue.matrix(case["training"]).astype(float)
    held = held[np.diff(held.indptr) > 1]
    weighted = held.toarray() / held.sum(axis=1)[:, None] ** 0.25
    lists = baselines.co_occurrence(catalogue, found, case["training"])
    for row in np.flatnonzero(found.warm)[:20]:
        family = catalogue.families[found.songs[row]]
        scores = weighted[:, family] @ weighted
        scores[family] = 0
        named = lists[row][lists[row] >= 0]
        assert len(named) == min(100, (scores > 0).sum())
        best = np.sort(scores)[::-1][: len(named)]
        np.testing.assert_allclose(scores[catalogue.families[named]], best, atol=1e-9)
