"""Spotify with one's own client id: signing in, what is lent, what is closed, and one playlist."""

import csv
import stat
from urllib.parse import parse_qs, urlsplit

import pytest

from warehouse.connectors import spotify
from warehouse.connectors.http import Client
from warehouse.connectors.musicbrainz import Song
from warehouse.connectors.secret_files import TokenFile
from warehouse.connectors.snapshots import all_origins
from warehouse.connectors.spotify import Budget, Challenge, Session
from warehouse.demo.services import facts
from warehouse.demo.services.server import Reply, serving
from warehouse.demo.services.spotify import Spotify
from warehouse.errors import InputError, Postponed, ServiceError

APP = "0123456789abcdef"
REDIRECT = "http://127.0.0.1:49152/callback"
SAVED = "/v1/me/tracks"


def track_id(number):
    return f"track{number:017d}"


def track(number):
    return {
        "id": track_id(number),
        "type": "track",
        "name": f"Title {number}",
        "artists": [{"id": f"artist{number % 3:016d}", "name": f"Artist {number % 3}"}],
        "album": {"id": f"album{0:017d}", "name": "An Album", "release_date": "1999-01-01"},
        "duration_ms": 200_000,
        "explicit": False,
        "external_ids": {"isrc": f"XX{number:010d}"},
    }


@pytest.fixture
def fake(clock, stack):
    made = Spotify(clock)
    made.applications[APP] = ["http://127.0.0.1/callback"]
    made.person = "ann"
    made.registered = {"ann"}
    made.tracks = {track_id(n): track(n) for n in range(1300)}
    made.people["ann"] = [
        {"id": track_id(n), "added_at": f"2026-01-{28 - n // 60:02d}T{n % 60:02d}:00:00Z"}
        for n in range(1234)
    ]
    made.base = stack.enter_context(serving(made))
    return made


def challenged(fake, asking, **changes):
    """Go to the address of the sign-in as a browser does; return what comes back to Segue."""
    challenge = Challenge.new()
    address = urlsplit(spotify.sign_in_address(fake.base, APP, REDIRECT, challenge))
    reply = fake.handle(_request(fake, address))
    assert reply.status == 302, reply.text
    return challenge, {
        k: v[0] for k, v in parse_qs(urlsplit(reply.headers["Location"]).query).items()
    }


def _request(fake, address):
    from warehouse.demo.services.server import Request, known

    fact, places = known(fake.service, "GET", address.path)
    return Request("GET", address.path, parse_qs(address.query), {}, b"", fact, places)


@pytest.fixture
def signed_in(fake, asking, tmp_path):
    """Return a function that signs somebody in and returns their session."""

    def session(budget=1000):
        challenge, back = challenged(fake, asking)
        accounts = asking(spotify.accounts(fake.base))
        tokens = spotify.exchanged(accounts, APP, back["code"], challenge, REDIRECT)
        api = asking(spotify.service(fake.base))
        file = TokenFile(tmp_path, "spotify")
        file.keep(spotify.named(api, tokens))
        fake.journal.clear()
        budget = Budget(tmp_path / "budget.json", budget)
        return Session(api, accounts, file, budget, APP)

    return session


def read(home, name):
    with (home / "snapshots/spotify/all" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_challenge_is_that_of_the_standard():
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B
    assert Challenge(verifier, "").hashed == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    made = Challenge.new()
    assert 43 <= len(made.verifier) <= 128
    assert made != Challenge.new()


def test_every_question_is_one_that_spotify_still_takes(fake):
    used = {f.path for f in facts.FACTS if f.service == facts.SPOTIFY and not f.closed}
    asked = {"/v1/me", SAVED, "/v1/me/playlists", "/v1/playlists/{playlist}/items", "/v1/search"}
    assert asked <= used


def test_tokens_are_for_the_eyes_of_their_owner_alone(signed_in, tmp_path):
    session = signed_in()
    assert session.user_id == "ann"
    assert stat.S_IMODE(session.file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(session.file.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("wrong", ["code", "verifier", "redirect"])
def test_a_sign_in_that_is_not_ours_brings_no_token(fake, asking, wrong):
    challenge, back = challenged(fake, asking)
    accounts = asking(spotify.accounts(fake.base))
    code = "stolen" if wrong == "code" else back["code"]
    other = Challenge.new() if wrong == "verifier" else challenge
    redirect = "http://127.0.0.1:1/callback" if wrong == "redirect" else REDIRECT
    with pytest.raises(InputError, match="Begin again"):
        spotify.exchanged(accounts, APP, code, other, redirect)


def test_a_code_counts_once_and_for_ten_minutes(fake, asking, clock):
    accounts = asking(spotify.accounts(fake.base))
    challenge, back = challenged(fake, asking)
    spotify.exchanged(accounts, APP, back["code"], challenge, REDIRECT)
    with pytest.raises(InputError, match="Invalid code"):
        spotify.exchanged(accounts, APP, back["code"], challenge, REDIRECT)
    challenge, back = challenged(fake, asking)
    clock.time += 601
    with pytest.raises(InputError, match="Invalid code"):
        spotify.exchanged(accounts, APP, back["code"], challenge, REDIRECT)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"registered": set()}, "five named people"), ({"owner_has_premium": False}, "Premium")],
)
def test_who_may_not_be_served_is_told_before_anybody_is_connected(
    fake, signed_in, change, said, tmp_path
):
    for name, value in change.items():
        setattr(fake, name, value)
    with pytest.raises(InputError, match=said):
        signed_in()
    assert TokenFile(tmp_path, "spotify").read() is None


def test_saved_tracks_cost_a_request_for_fifty_and_one_where_nothing_changed(
    fake, signed_in, tmp_path
):
    session = signed_in()
    done = spotify.fetch_saved(session, tmp_path)
    assert (done.rows, fake.count("GET", SAVED), len(fake.journal)) == (1234, 25, 25)
    assert [row["track_id"] for row in read(tmp_path, "saved.csv")][:2] == [
        track_id(0),
        track_id(1),
    ]
    again = spotify.fetch_saved(session, tmp_path)
    assert (again.changed, again.requests, len(fake.journal)) == (False, 1, 26)


def test_what_was_saved_since_is_added_and_what_was_removed_shows_at_once(
    fake, signed_in, tmp_path
):
    session = signed_in()
    spotify.fetch_saved(session, tmp_path)
    mine = fake.people["ann"]
    new = [{"id": track_id(1250 + n), "added_at": f"2026-02-0{n + 1}T00:00:00Z"} for n in range(3)]
    fake.people["ann"] = [*new, *mine]
    done = spotify.fetch_saved(session, tmp_path)
    assert (done.rows, done.requests) == (1237, 1)
    assert [row["track_id"] for row in read(tmp_path, "saved.csv")][:4] == [
        *(track_id(1250 + n) for n in range(3)),
        track_id(0),
    ]
    fake.people["ann"] = [*new, *mine[:700], *mine[701:]]
    done = spotify.fetch_saved(session, tmp_path)
    assert (done.rows, done.requests) == (1236, 25)


def test_what_comes_from_spotify_is_lent_for_display(signed_in, tmp_path):
    spotify.fetch_saved(signed_in(), tmp_path)
    assert {known.licence for known in all_origins(tmp_path).values()} == {"display"}
    assert {row["licence"] for row in read(tmp_path, "saved.csv")} == {"display"}


def test_episodes_local_files_and_what_is_gone_are_left_out(fake, signed_in, tmp_path):
    fake.tracks[track_id(0)] = {**track(0), "type": "episode"}
    fake.tracks[track_id(1)] = {**track(1), "is_local": True, "id": None}
    del fake.tracks[track_id(2)]
    assert spotify.fetch_saved(signed_in(), tmp_path).rows == 1231


def test_a_used_up_quota_ends_at_once_and_is_gone_on_with(fake, signed_in, tmp_path, clock):
    session = signed_in()
    fake.quota.most = len(fake.quota.times) + 10
    with pytest.raises(Postponed, match="asks for no requests until"):
        spotify.fetch_saved(session, tmp_path)
    naps, asked = sum(clock.naps), len(fake.journal)
    with pytest.raises(Postponed):
        spotify.fetch_saved(session, tmp_path)
    assert len(fake.journal) == asked
    assert sum(clock.naps) == naps
    clock.time += facts.SPOTIFY_QUOTA_WAIT
    fake.quota.most = 1000
    done = spotify.fetch_saved(session, tmp_path)
    assert done.rows == 1234
    assert fake.count("GET", SAVED) == 26  # each page once, and the one that was refused


def test_a_budget_is_kept_by_all_runs_together(fake, signed_in, tmp_path, clock):
    session = signed_in(budget=20)
    with pytest.raises(Postponed, match="SEGUE_SPOTIFY_BUDGET"):
        spotify.fetch_saved(session, tmp_path)
    assert len(fake.journal) == 20
    clock.time += 86_401
    assert spotify.fetch_saved(session, tmp_path).rows == 1234


@pytest.mark.parametrize("renewal", [None, "empty", "new"])
def test_an_hour_later_the_token_is_renewed_whatever_comes_with_it(
    fake, signed_in, tmp_path, clock, renewal
):
    session, fake.renewal = signed_in(), renewal
    for _ in range(3):
        clock.time += 4000
        spotify.fetch_saved(session, tmp_path)
    known = session.file.read()
    assert known.refresh_token in fake.refresh
    assert fake.count("POST", "/api/token") == 3


def test_a_token_that_ended_early_is_renewed_once(fake, signed_in, tmp_path):
    session = signed_in()
    fake.access.clear()
    assert spotify.fetch_saved(session, tmp_path).rows == 1234
    assert fake.count("POST", "/api/token") == 1


def test_after_six_months_it_is_said_to_sign_in_again(fake, signed_in, tmp_path, clock):
    session = signed_in()
    clock.time += 100 * 86_400
    spotify.fetch_saved(session, tmp_path)  # which does not make the consent longer
    clock.time += 83 * 86_400
    with pytest.raises(InputError, match="segue connect spotify"):
        spotify.fetch_saved(session, tmp_path)
    assert session.file.read() is None


def playlist(name, owner, numbers, **others):
    return {
        "id": name.ljust(22, "0"),
        "name": name,
        "description": "",
        "owner": {"id": owner},
        "snapshot_id": "1",
        "uris": [f"spotify:track:{track_id(n)}" for n in numbers],
        **others,
    }


def test_playlists_of_ones_own_are_read_where_they_changed(fake, signed_in, tmp_path):
    own, shared = (
        playlist("own", "ann", range(120)),
        playlist("shared", "bob", [1], followers=["ann"]),
    )
    together = playlist("both", "bob", [2], collaborative=True, followers=["ann"])
    fake.playlists = {one["id"]: one for one in (own, shared, together)}
    session = signed_in()
    done = spotify.fetch_playlists(session, tmp_path)
    assert (done.rows, len(fake.journal)) == (121, 1 + 3 + 1)
    assert spotify.fetch_playlists(session, tmp_path).requests == 1
    own["snapshot_id"] = "2"
    assert spotify.fetch_playlists(session, tmp_path).changed


def test_a_crawl_says_what_it_takes_and_goes_on_where_it_ended(fake, signed_in, tmp_path, clock):
    wanted = spotify.references(f"spotify:track:{track_id(n)}\n" for n in range(50))
    plan = spotify.planned(tmp_path, wanted, 20)
    assert str(plan) == "50 wanted, 50 requests at least, 3 days at 20 a day"
    session = signed_in(budget=20)
    for day in range(3):
        if day < 2:
            with pytest.raises(Postponed):
                spotify.crawl(session, tmp_path, wanted)
        else:
            done = spotify.crawl(session, tmp_path, wanted)
        clock.time += 86_401
    assert done.rows == 50
    assert fake.count("GET", "/v1/tracks/{track}") == 50
    assert spotify.crawl(session, tmp_path, wanted).requests == 0
    first = read(tmp_path, "tracks.csv")[0]
    assert (first["song_id"], first["artists"], first["licence"]) == (
        track_id(0), "Artist 0", "display",
    )  # fmt: skip


def test_albums_artists_and_names_lead_to_tracks(fake, signed_in, tmp_path):
    album, artist = f"album{0:017d}", f"artist{1:016d}"
    fake.artists[artist] = {"id": artist, "name": "Artist 1", "genres": []}
    fake.albums[album] = {
        **{"id": album, "name": "An Album", "release_date": "1999", "artists": [{"id": artist}]},
        "tracks": [{k: v for k, v in track(n).items() if k != "album"} for n in range(70)],
    }
    lines = [f"https://open.spotify.com/artist/{artist}?si=x", "Artist 2 - Title 1202", "# note"]
    wanted = spotify.references(lines)
    assert wanted == [f"artist:{artist}", "search:Artist 2 - Title 1202"]
    done = spotify.crawl(signed_in(), tmp_path, wanted)
    assert done.rows == 71
    assert {row["album"] for row in read(tmp_path, "tracks.csv")} == {"An Album"}
    with pytest.raises(InputError, match="there are none"):
        spotify.references(["# nothing"])


def test_a_probe_says_what_was_closed_when(fake, signed_in):
    artist = f"artist{1:016d}"
    fake.artists[artist] = {"id": artist, "name": "Artist 1", "genres": []}
    said = dict(spotify.probe(signed_in(), track_id(0), artist))
    assert said["tracks"] == "open"
    assert said["audio features"] == "closed to this application since 2024-11-27"
    assert said["recommendations"] == "closed to this application since 2024-11-27"
    assert said["genres of artists"] == "closed: none are given"
    fake.extended = True
    assert dict(spotify.probe(signed_in(), track_id(0), artist))["audio features"] == "open"


def wanted_songs(count):
    return [Song(track_id(n), f"Title {n}", "A") for n in range(count)]


def held(fake):
    assert len(fake.playlists) == 1
    (made,) = fake.playlists.values()
    return [uri.rpartition(":")[2] for uri in made["uris"]]


def test_a_list_is_written_once_private_and_in_order(fake, signed_in):
    session = signed_in()
    for count in (250, 250, 30):
        place, missing = spotify.push(session, "Mix", [*wanted_songs(count), Song("own", "T", "A")])
        assert held(fake) == [track_id(n) for n in range(count)]
    assert [song.song_id for song in missing] == ["own"]
    assert fake.playlists[place]["public"] is False
    with pytest.raises(InputError, match="nothing to push"):
        spotify.push(session, "Mix", [Song("own", "T", "A")])


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/me/playlists"),
        ("PUT", "/v1/playlists/{playlist}/items"),
        ("POST", "/v1/playlists/{playlist}/items"),
    ],
)
def test_whatever_breaks_midway_one_playlist_is_left(fake, signed_in, method, path, after):
    session = signed_in()
    fake.fail(method, path, Reply(502, {}), after=after)
    try:
        spotify.push(session, "Mix", wanted_songs(150))
    except ServiceError:
        spotify.push(session, "Mix", wanted_songs(150))
    assert held(fake) == [track_id(n) for n in range(150)]


def test_too_long_a_page_is_refused_as_spotify_does(fake, signed_in):
    answer = signed_in().get(SAVED, {"limit": 51})
    assert (answer.status, answer.value["error"]["message"]) == (400, "Invalid limit")


def test_nothing_that_lets_in_stands_in_a_log(fake, signed_in, tmp_path, caplog):
    with caplog.at_level("DEBUG"):
        session = signed_in()
        spotify.fetch_saved(session, tmp_path)
    known = session.file.read()
    for secret in (known.access_token, known.refresh_token, "code_verifier", "Bearer"):
        assert secret not in caplog.text
    assert isinstance(session.api, Client)
