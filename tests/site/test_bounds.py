"""What one visitor may ask for."""

import asyncio

import pytest

from flows.answers.bounds import LONGEST_QUERY, MOST_FACETS, MOST_PARAMETERS, MOST_ROWS
from flows.site.middleware.leaving import stopping

TOO_MUCH = {
    f"/segue/songs?_size={MOST_ROWS + 1}": f"{MOST_ROWS} rows",
    "/segue/songs?_size=max": f"{MOST_ROWS} rows",
    "/segue/songs?_size=5&_size=99999999999999999999": f"{MOST_ROWS} rows",
    "/segue/songs?" + "&".join(["_facet=title"] * (MOST_FACETS + 1)): f"{MOST_FACETS} at most",
    "/segue/songs.json?" + "&".join(["_facet=year"] * 300): f"{MOST_PARAMETERS}",
    "/search?q=a&" + "&".join(f"x{n}=1" for n in range(MOST_PARAMETERS)): f"{MOST_PARAMETERS}",
    "/api/v1/search?q=" + "a" * LONGEST_QUERY: f"{LONGEST_QUERY:,} bytes",
    "/segue/songs?_facet_array=a" + "&_facet_date=b" * MOST_FACETS: f"{MOST_FACETS} at most",
}


@pytest.mark.parametrize("address", TOO_MUCH, ids=[f"{n}" for n in range(len(TOO_MUCH))])
def test_an_address_that_asks_too_much_is_refused_with_the_bound(demo_reader, address):
    got = demo_reader.get(address)
    assert got.status_code == 400
    assert TOO_MUCH[address] in got.text
    assert got.headers["cache-control"] == "no-store"
    assert len(got.content) < 20_000


@pytest.mark.parametrize(
    "address",
    [
        f"/segue/songs?_size={MOST_ROWS}",
        "/segue/songs.json?_size=max",
        "/segue/songs?_facet=year&_facet=explicit",
        "/segue/songs?title__contains=_facet",
    ],
)
def test_an_address_within_the_bounds_is_answered(demo_reader, address):
    assert demo_reader.get(address).status_code == 200


def test_work_ends_when_the_visitor_leaves():
    ended = []

    async def slow(scope, receive, send):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(scope["path"])
            raise

    async def visit():
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive():
            if messages:
                return messages.pop()
            await asyncio.sleep(0.05)
            return {"type": "http.disconnect"}

        async def send(_):
            raise AssertionError("nobody is there")

        scope = {"type": "http", "method": "GET", "path": "/dear"}
        await asyncio.wait_for(stopping(slow)(scope, receive, send), 10)

    asyncio.run(visit())
    assert ended == ["/dear"]


def test_an_error_of_the_site_is_not_hidden():
    async def failing(scope, receive, send):
        raise ValueError("no")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def visit():
        scope = {"type": "http", "method": "GET", "path": "/"}
        await stopping(failing)(scope, receive, None)

    with pytest.raises(ValueError, match="no"):
        asyncio.run(visit())
