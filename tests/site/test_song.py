import re
import runpy
from pathlib import Path

import pytest

from tests.site.conftest import INVENTED

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


def test_song_page_leads_to_its_artists_genres_and_taste(reader):
    page = reader.get("/segue/songs/explicit").text
    assert 'href="/genres/rap+~26+soul"' in page
    assert 'href="/artists/MC+Frank"' in page
    assert '<a href="/tastes/t1">folk, acoustic</a>' in page


def test_song_page_says_what_leads_there(reader):
    page = reader.get("/segue/songs/4uLU6hMCjMI75M1A2tKUQC").text
    assert "5 songs lead to this one" in page
    assert "Filler 9 - Band 9 (1969)" in page


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


@pytest.mark.parametrize("path", ["/segue/songs/script", "/segue/songs/quoted", "/segue/songs",
    "/segue/recommendations", "/segue/recommended_songs", "/segue/five_like?song_id=quoted",
    "/segue/search?q=script", "/segue/search?q=%3Cscript%3E", "/segue/songs/%3Cscript%3E", "/",
    "/segue/songs/~3Cscript~3E", "/segue/rejected_rows", "/segue/most_recommended"])  # fmt: skip
def test_markup_in_the_data_is_shown_and_never_run(reader, path):
    page = reader.get(path).text
    for tag in ("<script", "<b>", "<same>", "<i>"):
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
    assert 'action="/segue/search"' in page.text
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
