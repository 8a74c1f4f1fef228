import re
import runpy
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from datasette.utils import tilde_encode

from tests.site.conftest import INVENTED, Reader
from warehouse.contracts import BECAUSE

PLUGINS = Path(__file__).parents[2] / "datasette" / "plugins"


def test_song_page_shows_the_song_and_its_five_in_order(reader):
    page = reader.get("/segue/songs/4uLU6hMCjMI75M1A2tKUQC").text
    assert "<h1><bdi>Hello</bdi></h1>" in page
    assert "Ada Bell" in page
    assert "2015" in page
    list_of_five = page.partition('<ol class="segues">')[2].partition("</ol>")[0]
    links = re.findall(r'href="(/segue/songs/[^"]+)"', list_of_five)
    assert links == [
        f"/segue/songs/{i}" for i in ("hello-2", "quoted", "script", "hebrew", "emoji")
    ]
    assert "close in energy and tempo" in list_of_five
    assert "similarity 0.67" in list_of_five
    assert "distance 0.50" in list_of_five


def test_song_page_names_versions_genres_key_tempo_and_length(reader):
    page = reader.get("/segue/songs/4uLU6hMCjMI75M1A2tKUQC").text
    for text in ("Hello (Live)", ">pop<", ">soul<", "C minor", "90 BPM", "3:20", "-7.5 dB"):
        assert text in page


def test_song_page_leads_to_its_genres_and_taste(reader):
    page = reader.get("/segue/songs/explicit").text
    assert 'href="/genres/rap+~26+soul"' in page
    assert '<a href="/tastes/t1">folk, acoustic</a>' in page


def test_every_artist_genre_and_taste_that_a_song_links_has_a_page(demo):
    reader = Reader(demo)
    song_id = reader.get("/api/v1/catalogue").json()["starts"][0]["song_id"]
    page = reader.get(f"/segue/songs/{tilde_encode(song_id)}").text
    links = re.findall(r'href="(/(?:artists|genres|tastes)/[^"]+)"', page)
    assert {link.split("/")[1] for link in links} == {"artists", "genres", "tastes"}
    assert {reader.get(link).status_code for link in links} == {200}


def test_artist_who_is_never_the_first_is_named_without_a_link(build, tmp_path):
    other = shutil.copytree(build, tmp_path / "other")
    with closing(sqlite3.connect(other / "segue.db")) as database:
        database.execute(
            "update songs set artists = ? where song_id = 'explicit'",
            ['["MC Frank", "Some Guest"]'],
        )
        database.commit()
    page = Reader(other).get("/segue/songs/explicit").text
    assert '<a href="/artists/MC+Frank"><bdi>MC Frank</bdi></a>, <bdi>Some Guest</bdi>' in page


def test_song_page_says_what_leads_there(reader):
    page = reader.get("/segue/songs/4uLU6hMCjMI75M1A2tKUQC").text
    assert "5 songs recommend this one" in page
    assert "Filler 9</bdi>" in page
    assert "Band 9 (1969)</bdi>, No. " in page


def test_spotify_is_linked_only_where_the_id_is_one_of_theirs(reader):
    href = "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
    assert href in reader.get("/segue/songs/4uLU6hMCjMI75M1A2tKUQC").text
    assert "spotify.com" not in reader.get("/segue/songs/quoted").text


def test_an_invented_id_is_not_taken_for_one_of_spotify():
    spotify_url = runpy.run_path(str(PLUGINS / "songs.py"))["spotify_url"]
    assert spotify_url("7N42dgm5tFLK9N8MT7fHC7")  # the largest number of 128 bits
    assert not spotify_url("demoslNLW2gHqPbfZnggrr")


def test_song_without_year_or_measurements_has_a_page(reader):
    page = reader.get("/segue/songs/timeless")
    assert page.status_code == 200
    assert "None" not in page.text


def test_sound_is_drawn_and_told_beside_the_mean_of_the_catalogue(reader):
    page = reader.get("/segue/songs/hello-2").text
    told = reader.get("/api/v1/songs/hello-2").json()
    row = f"Energy</th><td>{told['song']['energy']:.2f}</td><td>{told['means']['energy']:.2f}</td>"
    assert row in page
    assert page.count('class="value"') == page.count('class="mark"') == 7


def test_means_are_those_of_all_songs(reader, build):
    with closing(sqlite3.connect(build / "segue.db")) as database:
        (mean,) = database.execute("select avg(valence) from songs").fetchone()
    assert reader.get("/api/v1/songs/quoted").json()["means"]["valence"] == pytest.approx(mean)


def test_song_that_leads_back_is_marked(reader, build):
    found = reader.get("/api/v1/songs/quoted").json()
    with closing(sqlite3.connect(build / "segue.db")) as database:
        pairs = set(
            database.execute("select song_id, recommended_song_id from recommendations").fetchall()
        )
    for other in (*found["recommendations"], *found["leading"]):
        there, back = ("quoted", other["song_id"]), (other["song_id"], "quoted")
        assert other["mutual"] is (there in pairs and back in pairs)
    page = reader.get("/segue/songs/quoted").text
    assert page.count("recommends this one too") == sum(
        o["mutual"] for o in found["recommendations"]
    )


def test_blocks_of_the_likeness_are_told(reader):
    found = reader.get("/api/v1/songs/quoted").json()["recommendations"][0]["because"]
    assert found == {c.name.removeprefix("because_"): 100 for c in BECAUSE}
    page = reader.get("/segue/songs/quoted").text
    assert "<td>10</td>" in page.partition("Why these songs match")[2]


def test_player_comes_only_where_it_is_asked_for_and_the_id_is_one_of_spotify(reader):
    path = "/segue/songs/4uLU6hMCjMI75M1A2tKUQC"
    assert f'href="{path}?play=1#player"' in reader.get(path).text
    assert "<iframe" not in reader.get(path).text
    player = 'src="https://open.spotify.com/embed/track/4uLU6hMCjMI75M1A2tKUQC"'
    assert player in reader.get(f"{path}?play=1").text
    assert "<iframe" not in reader.get("/segue/songs/quoted?play=1").text


def pictures():
    return runpy.run_path(str(PLUGINS / "pictures.py"))


def test_a_groove_goes_round_with_its_value():
    arc = pictures()["arc"]
    assert arc(100, 0).endswith("0 0 1 0.0 -100.0")
    assert arc(100, 1 / 3).endswith("0 0 1 100.0 -0.0")
    assert arc(100, 1).endswith("0 1 1 -100.0 0.0")


def test_songs_around_keep_their_direction_and_their_order_from_the_middle():
    here = {"map_x": 0.5, "map_y": 0.5}
    others = [
        {"map_x": 0.5 + east, "map_y": 0.5 + south}
        for east, south in [(0.001, 0), (0, 0.01), (-0.1, 0), (0, -0.4)]
    ]
    dots = pictures()["around"](here, others)
    far = [abs(dot.left) + abs(dot.top) for dot in dots]
    assert far == sorted(far)
    assert all(26 <= distance < 149 for distance in far)
    signs = [(round(dot.left / d), round(dot.top / d)) for dot, d in zip(dots, far, strict=True)]
    assert signs == [(1, 0), (0, 1), (-1, 0), (0, -1)]


def test_songs_on_one_spot_are_drawn_apart():
    spot = {"map_x": 0.5, "map_y": 0.5}
    dots = pictures()["around"](spot, [spot] * 5)
    assert len({(dot.left, dot.top) for dot in dots}) == 5


@pytest.mark.parametrize("path", ["/segue/songs/script", "/segue/songs/quoted", "/segue/songs",
    "/segue/recommendations", "/segue/recommended_songs", "/segue/five_like?song_id=quoted",
    "/segue/search?q=script", "/segue/search?q=%3Cscript%3E", "/segue/songs/%3Cscript%3E", "/",
    "/segue/songs/~3Cscript~3E", "/segue/rejected_rows", "/segue/most_recommended"])  # fmt: skip
def test_markup_in_the_data_is_shown_and_never_run(reader, path):
    page = reader.get(path).text
    for tag in ("<script>", "<b>", "<same>", "<i>"):
        assert tag not in page


def test_odd_ids_have_a_page_at_their_encoded_address(reader):
    page = reader.get("/segue/songs/dots~2Eand~2Fslash")
    assert page.status_code == 200
    assert "Odd Address" in page.text


def test_percent_encoded_id_is_led_to_the_address_of_its_page(reader):
    response = reader.get("/segue/songs/no%20such")
    assert response.status_code == 302
    assert response.headers["location"] == "/segue/songs/no~20such"


def test_unknown_song_is_answered_404_with_a_search_box(reader):
    page = reader.get("/segue/songs/nobody")
    assert page.status_code == 404
    assert 'action="/search"' in page.text
    assert "nobody" in page.text


def test_row_as_json_stays_what_datasette_makes_of_it(reader):
    row = reader.get("/segue/songs/quoted.json?_shape=objects").json()
    assert row["rows"][0]["label"] == "The \"Quoted\" Song's - O'Dowd & Sons (1999)"


@pytest.mark.parametrize("song_id", [song[0] for song in INVENTED if "/" not in song[0]])
def test_object_of_a_song_holds_it_and_its_five_in_order(reader, song_id):
    response = reader.get(f"/segue/songs/{song_id}/recommendations.json")
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    song = response.json()
    assert list(song) == ["song_id", "title", "artist", "year", "recommendations"]
    assert song["song_id"] == song_id
    assert [other["rank"] for other in song["recommendations"]] == [1, 2, 3, 4, 5]
    assert list(song["recommendations"][0]) == ["rank", "song_id", "title", "artist", "year",
        "distance", "similarity", "reason"]  # fmt: skip


def test_object_of_an_unknown_song_is_404(reader):
    response = reader.get("/segue/songs/nobody/recommendations.json")
    assert response.status_code == 404
    assert response.json() == {"ok": False, "error": "No song has this song_id", "status": 404}
