import re
from urllib.parse import quote

import pytest
from datasette.utils import tilde_encode

from tests.site.conftest import INVENTED, page_of

ARTISTS = sorted({artists[0] for _, _, artists, *_ in INVENTED})
GENRES = sorted({genre for song in INVENTED for genre in song[4]})


def asked(reader, address):
    answer = reader.get(address)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("artist", ARTISTS)
def test_every_artist_has_a_page_and_an_answer(reader, artist):
    page = reader.get(f"/artists/{tilde_encode(artist)}")
    assert page.status_code == 200
    assert page.text.count("<h1") == 1
    assert "None" not in page.text
    assert asked(reader, f"/api/v1/artists/{quote(artist, safe='')}")["artist"] == artist


@pytest.mark.parametrize("genre", GENRES)
def test_every_genre_has_a_page_and_an_answer(reader, genre):
    page = reader.get(f"/genres/{tilde_encode(genre)}")
    assert page.status_code == 200
    assert f"<bdi>{genre.replace('&', '&amp;')}</bdi>" in page.text
    answer = asked(reader, f"/api/v1/genres/{quote(genre, safe='')}")
    assert answer["songs"] == sum(genre in song[4] for song in INVENTED)


def test_an_artist_is_told_with_songs_years_genres_sound_and_tastes(reader):
    answer = asked(reader, "/api/v1/artists/Ada%20Bell")
    assert (answer["songs"], answer["families"]) == (2, 1)
    assert (answer["first_year"], answer["last_year"]) == (2015, 2017)
    assert [song["song_id"] for song in answer["known"]] == ["4uLU6hMCjMI75M1A2tKUQC"]
    assert answer["genres"] == ["pop", "soul"]
    assert sum(taste["songs"] for taste in answer["tastes"]) == 2
    assert answer["features"].keys() == answer["means"].keys() | {"year", "duration_ms"} | {
        "popularity"
    }
    page = reader.get("/artists/Ada+Bell").text
    assert "2 songs, 1 without other versions, 2015–2017" in page
    assert 'href="/genres/soul"' in page


def test_all_songs_are_one_link_away_where_not_all_are_shown(demo_reader):
    for kind, name in (("artists", "Storms of Bellmere"), ("genres", "ambient")):
        answer = asked(demo_reader, f"/api/v1/{kind}/{quote(name)}")
        page = demo_reader.get(f"/{kind}/{tilde_encode(name)}").text
        link = re.search(r'href="(/segue/songs\?[^"]+)">All ([\d,]+) songs', page)
        assert int(link[2].replace(",", "")) == answer["songs"] > len(answer["known"]) == 24
        assert f"{answer['songs']:,} rows" in demo_reader.get(link[1]).text


def test_a_taste_names_its_best_known_songs_and_links_its_neighbours(demo_reader):
    tastes = asked(demo_reader, "/api/v1/tastes")["tastes"]
    assert len({taste["label"] for taste in tastes}) == len(tastes) > 5
    answers = [asked(demo_reader, f"/api/v1/tastes/{t['taste_id']}") for t in tastes]
    assert [a["known"][:3] for a in answers] == [t["known"] for t in tastes]
    linked = next(a for a in answers if a["related"])
    page = demo_reader.get(f"/tastes/{linked['taste_id']}").text
    for other in linked["related"]:
        assert f'href="/tastes/{other["name"]}"' in page
        assert other["songs"] > other["by_chance"]


def test_genres_can_be_narrowed_by_a_part_of_their_name(reader):
    assert asked(reader, "/api/v1/genres?q=%20PO")["largest"] == [
        {"genre": "pop", "songs": 5, "artists": 4}
    ]
    assert "0 of 7 genres have" in reader.get("/genres?q=zydeco").text
    assert 'href="/genres/rap+~26+soul"' in reader.get("/genres?q=%26").text


def test_markup_and_quotes_in_names_stay_text(reader):
    page = reader.get("/artists/~3Cb~3EBold~3C~2Fb~3E").text
    assert "<h1><bdi>&lt;b&gt;Bold&lt;/b&gt;</bdi></h1>" in page
    assert "<b>" not in page
    assert "<i>" not in reader.get("/genres?q=%3Ci%3E%22'").text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("artists", "No artist is called"),
        ("genres", "No genre is called"),
        ("tastes", "No taste has the id"),
    ],
)
@pytest.mark.parametrize("name", ["nobody", "<script>", "' or 1=1 --", "%", "x" * 400])
def test_what_is_not_there_is_said_with_a_search(reader, kind, said, name):
    page = reader.get(f"/{kind}/{tilde_encode(name)}")
    assert page.status_code == 404
    assert said in page.text
    assert "<script>" not in page.text
    assert 'name="q"' in page.text
    assert reader.get(f"/api/v1/{kind}/{quote(name, safe='')}").status_code == 404


def test_a_name_that_no_catalogue_could_hold_is_refused(reader):
    assert reader.get(f"/artists/{'x' * 2000}").status_code == 422


def test_long_names_fit_a_narrow_screen(browser, demo_address):
    addresses = ["/genres/west+african+guitar", "/genres", "/tastes", "/explore"]
    name = "Rafael Marchetto & the Stolen Badgers"
    with page_of(browser, 320) as page:
        for address in [*addresses, f"/artists/{tilde_encode(name)}"]:
            page.goto(demo_address + address)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.complaints == []


def test_from_an_artist_one_comes_to_another_by_keyboard(browser, demo_address):
    with page_of(browser, 1000, script=False) as page:
        page.goto(f"{demo_address}/artists/Storms+of+Bellmere")
        page.locator(".leads a").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "Storms" not in url)
        assert page.locator(".kind").inner_text().lower() == "artist"
