"""Search on a real catalogue: songs drawn from it are found by name, and through typing errors."""

import random
from contextlib import closing

import pytest

from flows.nightly.run import directly
from flows.settings import settings
from models.search import Searcher
from tests.benchmarks.search import BY_BOTH, BY_TITLE, Catalogue, rank
from warehouse import export
from warehouse.release import Home, published
from warehouse.search.index import SearchIndex

CATALOGUE = "spotify-songs-32k.csv.gz"


@pytest.fixture(scope="module")
def asked(shared_data, tmp_path_factory):
    """Build the smallest catalogue; return a function from a way of asking to MRR and recall."""
    home = tmp_path_factory.mktemp("search") / "var"
    directly(settings(home=home, tracks=(shared_data(CATALOGUE),)), False)
    with closing(export.opened(published(Home(home)) / export.FILE)) as database:
        searcher, catalogue = Searcher(SearchIndex(database)), Catalogue(database)
        drawn = random.Random(7).sample(catalogue.songs, 300)

        def figures(name):
            draw, found = random.Random(7), []
            for song in drawn:
                if text := {**BY_TITLE, **BY_BOTH}[name](song[2], song[3], draw):
                    ids = [hit.family_id for hit in searcher.search(text, 10)]
                    place = rank(ids, catalogue.fair(song, name in BY_TITLE))
                    found.append(1 / place if place else 0.0)
            return sum(found) / len(found), sum(f > 0 for f in found) / len(found)

        yield figures, searcher, database


@pytest.mark.parametrize(
    ("name", "reciprocal_rank", "recall"),
    [
        ("title", 0.95, 0.99),
        ("title artist", 0.95, 0.99),
        ("artist title", 0.95, 0.99),
        ("title artist, lower case, no punctuation", 0.95, 0.99),
        ("title artist, a word dropped", 0.9, 0.95),
        ("title artist, one edit", 0.95, 0.95),
        ("title artist, two edits", 0.9, 0.95),
        ("title, one edit", 0.9, 0.95),
        ("title, two edits", 0.8, 0.9),
    ],
)
def test_known_songs_are_found(asked, name, reciprocal_rank, recall):
    figures, *_ = asked
    found = figures(name)
    assert found[0] >= reciprocal_rank
    assert found[1] >= recall


def test_money_is_also_cash(asked):
    _, searcher, database = asked
    titles = "select lower(title) from songs where song_id = ?"
    hits = searcher.search("songs about money")
    found = [database.execute(titles, (hit.song_id,)).fetchone()[0] for hit in hits]
    assert any("cash" in title for title in found)
    assert any("money" in title for title in found)
