import re
import sqlite3
from contextlib import closing

import pytest
from datasette.utils import tilde_encode


def test_home_says_what_the_catalogue_holds(demo_reader, demo):
    found = demo_reader.get("/api/v1/catalogue").json()
    with closing(sqlite3.connect(demo / "segue.db")) as database:

        def one(sql):
            return database.execute(sql).fetchone()[0]

        assert found["songs"] == one("select count(*) from songs")
        assert found["artists"] == one("select count(distinct artist) from songs")
        assert found["first_year"] == one("select min(year) from songs")
        assert found["last_year"] == one("select max(year) from songs")
        assert sum(taste["songs"] for taste in found["tastes"]) == found["songs"]
    page = re.sub(r"<[^>]+>", "", demo_reader.get("/").text)
    assert f"{found['songs']:,}" in page
    assert f"{found['first_year']}–{found['last_year']}" in page
    assert "less than a day old" in page


def test_home_leads_to_every_taste_and_to_the_genres_of_most_songs(demo_reader):
    found, page = demo_reader.get("/api/v1/catalogue").json(), demo_reader.get("/").text
    for taste in found["tastes"]:
        assert f'href="/tastes/{tilde_encode(taste["taste_id"])}"' in page
    counts = [genre["songs"] for genre in found["common_genres"]]
    assert counts == sorted(counts, reverse=True)
    for genre in found["common_genres"]:
        assert f'href="/genres/{tilde_encode(genre["genre"])}"' in page


def test_songs_to_start_from_are_by_different_artists(demo_reader):
    artists = [song["artist"] for song in demo_reader.get("/api/v1/catalogue").json()["starts"]]
    assert len(artists) == len(set(artists)) == 8


def test_every_place_that_home_leads_to_is_there(demo_reader):
    page = demo_reader.get("/").text
    links = {link for link in re.findall(r'href="(/[^"]*)"', page) if "/static/" not in link}
    assert len(links) > 40
    assert {link: s for link in links if (s := demo_reader.get(link).status_code) != 200} == {}


def test_robots_may_read_pages_but_not_what_is_cut_from_them(reader):
    lines = reader.get("/robots.txt").text.splitlines()
    assert lines[0] == "User-agent: *"
    assert "Disallow: /api/" in lines
    assert "Disallow: /*?" in lines
    assert lines[-1] == "Sitemap: http://localhost/sitemap.xml"


def addresses(reader, path):
    answer = reader.get(path)
    assert answer.status_code == 200, path
    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    return [a.removeprefix("http://localhost") for a in re.findall("<loc>(.*)</loc>", answer.text)]


def test_sitemap_names_every_song_artist_genre_and_taste_once(demo_reader, demo):
    maps = addresses(demo_reader, "/sitemap.xml")
    named = [address for file in maps for address in addresses(demo_reader, file)]
    assert len(named) == len(set(named))
    with closing(sqlite3.connect(demo / "segue.db")) as database:
        for start, sql in {
            "/segue/songs/": "select song_id from songs",
            "/artists/": "select artist from artists",
            "/genres/": "select genre from genres",
            "/tastes/": "select taste_id from tastes",
        }.items():
            expected = {start + tilde_encode(name) for (name,) in database.execute(sql)}
            assert {name for name in named if name.startswith(start)} == expected
    assert "/" in named


@pytest.mark.parametrize("path", ["/sitemap-songs-2.xml", "/sitemap-songs-0.xml",
    "/sitemap-songs-999999.xml", "/sitemap-users-1.xml", "/sitemap-songs-1e3.xml"])  # fmt: skip
def test_part_of_the_sitemap_that_is_not_there_is_404(reader, path):
    assert reader.get(path).status_code == 404
