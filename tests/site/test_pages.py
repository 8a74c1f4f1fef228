import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from datasette.utils import tilde_encode

from tests.site.conftest import INVENTED, Reader, write_build
from warehouse.contracts import TABLES, VIEWS
from warehouse.site.describe import CANNED

PAGES = [
    "/",
    "/search?q=hello",
    "/compare",
    "/about",
    "/analysts",
    "/segue",
    "/segue?_show_hidden=1",
    *(f"/segue/{item.name}" for item in (*TABLES, *VIEWS)),
    *(f"/segue/{query.name}" for query in CANNED),
    "/segue/five_like?song_id=quoted",
    "/segue/search?q=hello",
    "/segue/same_years_and_genre?song_id=quoted",
    *(f"/segue/songs/{tilde_encode(song[0])}" for song in INVENTED),
    "/segue/recommendations/quoted,1",
    "/segue/checks/no~20song~20recommends~20itself",
]


class Outline(HTMLParser):
    """Collects the tags of a page, and for each field whether it has a name that is read out."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.fields, self.labels = [], [], set()
        self.in_label = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if any(name.startswith("on") or name == "style" for name in attributes):
            self.tags.append("inline")
        if tag == "script" and not attributes.get("src", "").startswith("/static/"):
            self.tags.append("inline")
        if tag == "label":
            self.labels.add(attributes.get("for"))
            self.in_label = True
        if tag in ("input", "select", "textarea") and attributes.get("type") != "hidden":
            named = self.in_label or bool(attributes.get("aria-label"))
            self.fields.append((attributes.get("id"), named))

    def handle_endtag(self, tag):
        if tag == "label":
            self.in_label = False

    def unnamed(self):
        """Return the ids of the fields that no label stands for."""
        return [field for field, named in self.fields if not named and field not in self.labels]


@pytest.fixture(scope="module", params=PAGES)
def visit(reader, request):
    """Return the address of a page and what it answers: one visit for all that is asked of it."""
    return request.param, reader.get(request.param)


def test_page_answers_with_one_heading_landmarks_and_a_language(visit):
    _, page = visit
    assert page.status_code == 200, page.text
    assert '<html lang="en">' in page.text
    tags = Outline(page.text).tags
    assert tags.count("h1") == 1
    assert tags.count("main") == tags.count("footer") == 1
    assert "<title>" in page.text


def test_page_holds_no_inline_script_and_no_inline_style(visit):
    _, page = visit
    assert not {"style", "inline"} & set(Outline(page.text).tags)


def test_page_says_what_it_is_to_bookmarks_and_to_who_shares_it(visit):
    _, page = visit
    title = re.search(r"<title>(.+?)</title>", page.text).group(1)
    assert "Segue" in title
    assert f'<meta property="og:title" content="{title}">' in page.text
    assert len(re.search(r'<meta name="description" content="(.+?)">', page.text).group(1)) > 20


def test_every_field_has_a_name(visit):
    _, page = visit
    outline = Outline(page.text)
    assert outline.fields
    assert outline.unnamed() == []


def test_page_links_itself_as_json(reader, visit):
    path, page = visit
    link = re.search(r'<a href="([^"]+)" rel="nofollow">This page as JSON', page.text)
    assert link or path == "/search?q=hello"  # whose link leads to the interface
    if link:
        answer = reader.get(unescape(link.group(1)).removeprefix("http://localhost"))
        assert answer.status_code == 200
        assert "json" in answer.headers["content-type"]


@pytest.mark.parametrize(
    ("html", "unnamed"),
    [
        ('<label for="a">A</label><input id="a">', []),
        ('<label><input type="checkbox" name="a"> A</label><input id="b">', ["b"]),
        ('<input id="a" aria-label="A"><input type="hidden" id="b"><select id="c">', ["c"]),
    ],
)
def test_a_field_without_a_name_would_be_seen(html, unnamed):
    assert Outline(html).unnamed() == unnamed


@pytest.mark.parametrize(
    ("path", "current"),
    [("/", "Segue"), ("/about", None), ("/segue", "All tables"), ("/segue/features", "All tables"),
     ("/compare", "Compare"), ("/segue/songs/quoted", None)],
)  # fmt: skip
def test_menu_says_where_one_is(reader, path, current):
    marked = re.findall(r'aria-current="\w+">([^<]+)</a>', reader.get(path).text)
    assert marked == ([current] if current else [])


@pytest.mark.parametrize("path", ["/", "/segue/songs", "/segue/songs/quoted", "/no-such-page"])
def test_footer_says_which_build_it_shows(reader, path):
    page = reader.get(path).text
    assert "abc123" in page
    assert '<time datetime="2026-11-20T03:12:00Z">20 November 2026, 03:12 UTC</time>' in page
    assert f"{len(INVENTED)} songs" in page


@pytest.mark.parametrize("manifest", [None, "not json", "{}"])
def test_pages_answer_without_a_usable_manifest(tmp_path, manifest):
    build = write_build(tmp_path / "build")
    (build / "manifest.json").unlink()
    if manifest is not None:
        (build / "manifest.json").write_text(manifest)
    assert Reader(build).get("/segue/songs/quoted").status_code == 200


def test_home_offers_a_search_and_some_songs(reader):
    page = reader.get("/").text
    assert 'action="/search"' in page
    assert 'name="q"' in page
    assert 'href="/segue/songs/quoted"' in page


def test_every_table_says_what_it_is_and_what_its_columns_are(reader):
    for item in (*TABLES, *VIEWS):
        page = reader.get(f"/segue/{item.name}").text
        assert item.about.replace("'", "&#39;") in page
        assert page.count("<dt>") >= len(item.columns)


def test_labels_tell_two_songs_of_one_name_apart(reader):
    page = reader.get("/segue/recommendations?song_id=filler-9").text
    assert '<a href="/segue/songs/4uLU6hMCjMI75M1A2tKUQC">Hello - Ada Bell (2015)</a>' in page
    assert '<a href="/segue/songs/hello-2">Hello - The Lanterns (1984)</a>' in page
    rows = reader.get("/segue/recommendations.json?_labels=on&_shape=array&song_id=filler-9").json()
    assert rows[0]["recommended_song_id"]["label"] == "Hello - Ada Bell (2015)"


def facets(reader, query=""):
    found = reader.get(f"/segue/songs.json?{query}").json()["facet_results"]
    return {
        name: {value["value"]: value for value in facet["results"]} for name, facet in found.items()
    }


def test_songs_can_be_counted_by_year_genre_and_explicit(reader):
    assert set(facets(reader)) == {"genre"}
    found = facets(reader, "_facet=year&_facet=explicit")
    assert found["explicit"][1]["count"] == 1
    assert found["genre"]["pop"]["count"] == 5
    assert found["year"][1960]["count"] == 1


def test_choosing_a_genre_keeps_its_songs_and_counts_only_them(reader):
    chosen = facets(reader)["genre"]["rap & soul"]["toggle_url"].split("localhost")[-1]
    page = reader.get(chosen)
    assert "Rude Words" in page.text
    assert "Undated" not in page.text
    found = facets(reader, chosen.partition("?")[2])["genre"]
    assert set(found) == {"rap & soul"}
    assert found["rap & soul"]["selected"]
    assert "_genre" not in found["rap & soul"]["toggle_url"]


def test_genre_and_year_can_be_chosen_together(reader):
    found = facets(reader, "_genre=pop&year=2015")
    assert {name: value["count"] for name, value in found["genre"].items()} == {"pop": 1, "soul": 1}


def test_genre_facet_can_be_asked_for_on_songs_alone(reader):
    assert reader.get("/segue/families?_facet_genre=genre").status_code == 200


def test_song_genres_are_counted_by_genre(reader):
    found = reader.get("/segue/song_genres.json").json()["facet_results"]
    assert "genre" in found


def ids(reader, q):
    rows = reader.get(f"/segue/search.json?{urlencode({'q': q, '_shape': 'array'})}").json()
    return [row["song_id"] for row in rows]


@pytest.mark.parametrize(
    ("q", "song_id"),
    [
        ("HELLO lanterns", "hello-2"),
        ("cafe senor", "accents"),
        ("Cafe\u0301 Sen\u0303or", "accents"),
        ("bjork", "accents"),
        ("undat", "timeless"),
        ("שלום", "hebrew"),
        ('"quoted" song\'s', "quoted"),
        ("<script>", "script"),
        ("!!!", "bangs"),
        ("🔥🎶", "emoji"),
        ("🐙", "emoji"),
    ],
)
def test_search_finds(reader, q, song_id):
    assert song_id in ids(reader, q)


def test_search_shows_one_version_of_a_song_and_popular_ones_first(reader):
    assert ids(reader, "hello") == ["4uLU6hMCjMI75M1A2tKUQC", "hello-2"]
    assert ids(reader, "hello live") == ["hello-live", "hello-2"]


def test_search_forgives_a_typing_error(reader):
    assert ids(reader, "teh lantrens")[0] == "hello-2"


@pytest.mark.parametrize(
    "q",
    ["", " ", '"', "'", "AND", "NOT", "a OR", "NEAR(", "title:", "*", "hello*", "^hello", "(", "-x",
     '") or 1=1 --', "{title}:x", "\x00", "%", "+" * 500, "a " * 300],
)  # fmt: skip
def test_search_forgives(reader, q):
    page = reader.get(f"/segue/search?{urlencode({'q': q})}")
    assert page.status_code == 200
    assert 'role="alert"' not in page.text


def test_table_of_a_search_lists_songs_with_a_link(reader):
    page = reader.get("/segue/search?q=lanterns").text
    assert "Hello - The Lanterns (1984)" in re.sub(r"<[^>]+>", "", page)
    assert 'href="/segue/songs/hello-2"' in page


def test_five_like_returns_the_five_in_order_with_labels(reader):
    rows = reader.get("/segue/five_like.json?song_id=quoted&_shape=array").json()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0]["song"] == "<script>alert(1)</script> - <b>Bold</b> (2001)"


def test_most_recommended_counts_the_songs_that_lead_there(reader):
    rows = reader.get("/segue/most_recommended.json?_shape=array").json()
    assert sum(row["recommended_by"] for row in rows) == len(INVENTED) * 5


def test_same_years_and_genre_leaves_out_the_song_and_its_family(reader):
    rows = reader.get("/segue/same_years_and_genre.json?song_id=filler-5&_shape=array").json()
    assert {row["song_id"] for row in rows} == {f"filler-{n}" for n in (3, 4, 6, 7)}
    other = reader.get("/segue/same_years_and_genre.json?song_id=hello-live&_shape=array").json()
    assert "4uLU6hMCjMI75M1A2tKUQC" not in {row["song_id"] for row in other}


@pytest.mark.parametrize("path", ["/no-such-page", "/segue/no_such_table", "/segue/checks/none",
    "/segue/songs/nobody", "/artists/nobody", "/genres/none", "/tastes/none", "/-/threads",
    "/a/b/c/d", "/nothing/", "/segue/sources/%00"])  # fmt: skip
def test_what_is_not_there_is_answered_with_a_search_and_a_way_back(reader, path):
    page = reader.get(path)
    if page.status_code == 302:
        page = reader.get(page.headers["location"])
    assert page.status_code == 404
    assert 'id="q" name="q"' in page.text
    assert 'href="/"' in page.text
    assert "</footer>" in page.text


@pytest.mark.parametrize("path", ["/api/v1/songs/nobody", "/api/v1/nothing", "/api/v1/"])
def test_interface_answers_what_is_not_there_with_a_problem(reader, path):
    answer = reader.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_unknown_page_prints_no_traceback(reader, capsys):
    reader.get("/no-such-page")
    assert capsys.readouterr().out == ""


def test_genres_are_counted_as_they_are_chosen(demo_reader):
    for query in ("", "year=2010", "_genre=dream+pop"):
        for genre, value in list(facets(demo_reader, query)["genre"].items())[:5]:
            asked = f"{query}&_genre={genre.replace(' ', '+')}"
            found = demo_reader.get(f"/segue/songs.json?{asked}&_nofacet=1").json()
            assert found["filtered_table_rows_count"] == value["count"], asked
