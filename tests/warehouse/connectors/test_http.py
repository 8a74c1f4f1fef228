"""The one way out: pace, waits, refusals, and what is never sent twice or written down."""

import logging
import subprocess
import sys
from email.utils import formatdate

import pytest

from warehouse.connectors import http
from warehouse.connectors.http import Service
from warehouse.demo.services.server import Fake, Reply, serving
from warehouse.errors import InputError, Postponed, ServiceError, Unanswered

LISTENS = "/1/user/{user}/listens"


class Echo(Fake):
    """Answers whatever is asked."""

    service = "listenbrainz"

    def answer(self, request):
        return Reply(200, {"path": request.path})


@pytest.fixture
def echo(clock, stack):
    fake = Echo(clock)
    fake.base = stack.enter_context(serving(fake))
    return fake


@pytest.fixture
def client(echo, asking):
    return asking(Service("Echo", echo.base))


def ask(client):
    return client.get(LISTENS, {"count": 1}, user="rob")


def test_a_service_is_told_who_asks_and_whom_to_write_to(client, echo):
    assert ask(client).status == 200
    agent = echo.journal[0].headers["user-agent"]
    assert agent.startswith("Segue/")
    assert agent.endswith("( operator@example.org )")


@pytest.mark.parametrize("contact", ["", "me", "somebody at home", "a@b", "x@y.org\r\nX: 1"])
def test_without_a_contact_nothing_is_sent(contact, echo, asking):
    with pytest.raises(InputError, match="SEGUE_CONTACT"):
        asking(Service("Echo", echo.base), contact=contact)
    assert echo.journal == []


@pytest.mark.parametrize(
    "base",
    ["http://example.org", "ftp://127.0.0.1", "http://8.8.8.8", "file:///etc/passwd", "127.0.0.1"],
)
def test_an_address_that_would_carry_secrets_in_the_clear_is_refused(base, asking):
    with pytest.raises(InputError, match="https"):
        asking(Service("Far", base))


@pytest.mark.parametrize("base", ["http://192.168.1.9:4533", "http://music.local", "https://a.org"])
def test_ones_own_network_may_speak_plain_http(base, asking):
    asking(Service("Near", base))


def test_a_short_wait_is_waited_for_once(client, echo, clock):
    echo.fail("GET", LISTENS, Reply(429, {}, {"Retry-After": "2"}))
    assert ask(client).status == 200
    assert clock.naps == [2.0]


def test_a_date_says_as_well_how_long_to_wait(client, echo, clock):
    echo.fail("GET", LISTENS, Reply(503, {}, {"Retry-After": formatdate(clock.now() + 30)}))
    assert ask(client).status == 200
    assert sum(clock.naps) == pytest.approx(30, abs=1)


def test_what_is_left_of_a_limit_is_heeded_before_it_is_passed(client, echo, clock):
    limits = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-In": "7"}
    echo.fail("GET", LISTENS, Reply(200, {}, limits))
    ask(client)
    ask(client)
    assert clock.naps == [7.0]


def test_a_long_wait_ends_at_once_and_nothing_is_sent_before_its_end(client, echo, clock, asking):
    echo.fail("GET", LISTENS, Reply(429, {}, {"Retry-After": "48925"}))
    with pytest.raises(Postponed, match="2026-09-22 03:48:45 UTC"):
        ask(client)
    clock.time += 48_000
    with pytest.raises(Postponed):
        ask(asking(Service("Echo", echo.base)))  # another process, the same host
    assert clock.naps == []
    assert len(echo.journal) == 1
    clock.time += 920
    assert ask(client).status == 200
    assert clock.naps == [5.0]


def test_who_is_sent_away_again_and_again_stops(client, echo):
    for _ in range(10):
        echo.fail("GET", LISTENS, Reply(429, {}, {"Retry-After": "1"}))
    with pytest.raises(Postponed):
        ask(client)
    assert len(echo.journal) == 4


def test_a_question_is_asked_again_where_the_service_fails(client, echo, clock):
    echo.fail("GET", LISTENS, Reply(502, {}))
    echo.fail("GET", LISTENS, Reply(0, dropped=True))
    assert ask(client).status == 200
    assert clock.naps == [1.0, 4.0]


def test_a_service_that_stays_away_is_an_error_in_words(client, echo):
    for _ in range(5):
        echo.fail("GET", LISTENS, Reply(500, {}))
    with pytest.raises(ServiceError, match=r"Echo .* answered 500\. Try again later"):
        ask(client)
    assert len(echo.journal) == 3


@pytest.mark.parametrize("reply", [Reply(502, {}), Reply(0, dropped=True), Reply(504, {})])
def test_what_was_sent_is_never_sent_again(reply, client, echo):
    echo.fail("POST", "/1/playlist/create", reply)
    with pytest.raises(Unanswered, match="may have taken effect"):
        client.send("POST", "/1/playlist/create", json={})
    assert len(echo.journal) == 1


def test_what_was_sent_is_not_sent_again_after_a_refusal_either(client, echo):
    echo.fail("POST", "/1/playlist/create", Reply(429, {}, {"Retry-After": "1"}))
    with pytest.raises(Postponed):
        client.send("POST", "/1/playlist/create", json={})
    assert len(echo.journal) == 1


def test_nobody_is_followed_elsewhere(client, echo):
    echo.fail("GET", LISTENS, Reply(302, {}, {"Location": "http://169.254.169.254/"}))
    with pytest.raises(ServiceError, match=r"sends .* elsewhere"):
        ask(client)


def test_an_endless_answer_is_cut_off(client, echo, monkeypatch):
    monkeypatch.setattr(http, "MOST_BYTES", 1000)
    echo.fail("GET", LISTENS, Reply(200, text="x" * 2000))
    with pytest.raises(ServiceError, match="more than 1,000 bytes"):
        ask(client)


def test_text_where_json_was_expected_comes_back_as_text(client, echo):
    echo.fail("GET", LISTENS, Reply(403, text="Active premium subscription required"))
    answer = ask(client)
    assert (answer.status, answer.value) == (403, "Active premium subscription required")


def test_a_log_holds_no_header_query_name_or_body(client, echo, caplog):
    client.headers = lambda: {"Authorization": "Token SECRET-TOKEN"}
    with caplog.at_level(logging.DEBUG):
        client.get(LISTENS, {"count": 1, "code": "SECRET-CODE"}, user="SECRET-NAME")
        client.send("POST", "/1/playlist/create", json={"title": "SECRET-TITLE"})
    assert len(echo.journal) == 2
    said = [record.getMessage() for record in caplog.records if record.name.startswith("ware")]
    assert "GET 127.0.0.1" in said[0]
    assert "/1/user/{user}/listens: 200" in said[0]
    assert "SECRET" not in caplog.text


def test_requests_keep_their_distance(echo, asking, clock):
    client = asking(Service("Slow", echo.base, gap=1.1))
    for _ in range(20):
        ask(client)
    gaps = [b - a for a, b in zip(echo.moments, echo.moments[1:], strict=False)]
    assert min(gaps) >= 1.0


PROCESS = """
import sys
from pathlib import Path
from warehouse.connectors.http import Client, Service
with Client(Service("Slow", sys.argv[1], gap=0.2), Path(sys.argv[2]), "a@example.org") as client:
    for _ in range(4):
        client.get("/1/user/{user}/listens", user="rob")
"""


def test_processes_keep_their_distance_from_one_host_together(tmp_path, stack):
    fake = Echo(http.SystemClock())
    base = stack.enter_context(serving(fake))
    command = [sys.executable, "-c", PROCESS, base, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert len(fake.moments) == 8
    assert fake.moments[-1] - fake.moments[0] > 7 * 0.2 - 0.15  # each is noted a little late
