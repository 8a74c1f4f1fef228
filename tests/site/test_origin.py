"""What addresses the site gives of itself."""

import asyncio

import pytest

from tests.site.conftest import Reader

PLACES = ["/sitemap.xml", "/robots.txt", "/sitemap-pages.xml", "/segue/songs.json?_size=2", "/"]


@pytest.fixture(scope="module")
def known_site(demo):
    return Reader(demo, base_url="https://music.example/segue/")


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("host", ["evil.example", "localhost@evil.example", "evil.example:80", ""])
def test_what_a_visitor_says_in_host_never_comes_back(demo_reader, path, host):
    got = asyncio.run(demo_reader.asked("GET", path, headers={"host": host}))
    assert got.status_code == 200
    assert "evil" not in got.text
    assert "evil" not in " ".join(got.headers.values())


def test_names_on_the_list_are_used(demo):
    reader = Reader(demo, hosts=("music.example",))
    ask = {"headers": {"host": "music.example:8001"}}
    got = asyncio.run(reader.asked("GET", "/robots.txt", **ask))
    assert "Sitemap: http://music.example:8001/sitemap.xml" in got.text


def test_own_names_are_used(demo_reader):
    assert "Sitemap: http://localhost/sitemap.xml" in demo_reader.get("/robots.txt").text


def test_the_address_that_is_set_is_used_whoever_asks(known_site):
    ask = {"headers": {"host": "evil.example"}}
    robots = asyncio.run(known_site.asked("GET", "/robots.txt", **ask)).text
    assert "Sitemap: https://music.example/segue/sitemap.xml" in robots
    rows = asyncio.run(known_site.asked("GET", "/segue/songs.json?_size=2", **ask)).json()
    assert rows["next_url"].startswith("https://music.example/segue/segue/songs.json?")


def test_links_of_pages_begin_with_the_path_that_a_proxy_puts_first(known_site):
    page = asyncio.run(known_site.asked("GET", "/"))
    assert page.status_code == 200
    links = [part.split('"')[0] for part in page.text.split('href="')[1:]]
    inner = [link for link in links if link.startswith("/")]
    assert inner
    assert all(link.startswith("/segue/") for link in inner), inner
