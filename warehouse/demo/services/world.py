"""The demo catalogue comes in; stand-ins for four services that hold it go out.

There are rob, who listens to one circle of the demo at ListenBrainz, and ann, who has a library of
her own and saved songs at Spotify. Whatever they play is in the catalogue.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from warehouse.connectors.http import Clock
from warehouse.demo import listening
from warehouse.demo.catalogue import SEED, demo_songs
from warehouse.demo.services.listenbrainz import ListenBrainz
from warehouse.demo.services.musicbrainz import MusicBrainz
from warehouse.demo.services.server import Fake
from warehouse.demo.services.spotify import Spotify
from warehouse.demo.services.subsonic import Subsonic

TOKEN = "token-of-the-demo"  # noqa: S105 - lets nobody in anywhere
PASSWORD = "password-of-the-demo"  # noqa: S105 - as above
CLIENT_ID = "client-of-the-demo"
PLAYED, PLAYS, APART = 60, 1500, 240
SAVED, LIBRARY = 1234, 800

Row = dict[str, Any]


def world(clock: Clock) -> list[Fake]:
    """Return the stand-ins, each with how a command reaches it in ``settings``."""
    songs = listening.with_circles(demo_songs(SEED), SEED).to_dicts()
    for song in songs:
        song["artist"] = song["artists"].split(";")[0]
    return [_listenbrainz(clock, songs), _musicbrainz(clock, songs), _subsonic(clock, songs),
            _spotify(clock, songs)]  # fmt: skip


def _mbid(kind: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{name}"))


def _genres(song: Row) -> list[str]:
    return [name for name in (song["genres"] or "").split(";") if name]


def _listenbrainz(clock: Clock, songs: list[Row]) -> ListenBrainz:
    """What rob plays: a few songs of one circle, some of them much more than others."""
    fake = ListenBrainz(clock)
    circle = next(song["circle"] for song in songs if song["circle"])
    heard = [song for song in songs if song["circle"] == circle][:PLAYED]
    order = [song for most in range(len(heard), 0, -1) for song in heard[:most]][:PLAYS]
    newest = int(clock.now()) // APART * APART
    fake.listens["rob"] = [
        {
            "listened_at": newest - APART * place,
            "artist": song["artist"],
            "title": song["title"],
            "release": song["album"],
            "msid": _mbid("msid", song["song_id"]),
        }
        for place, song in enumerate(order)
    ]
    fake.feedback["rob"] = [
        {"artist": song["artist"], "title": song["title"], "score": score}
        for song, score in zip(heard[-6:], (1, 1, 1, 1, -1, -1), strict=True)
    ]
    for song in songs:
        artist = _mbid("artist", song["artist"])
        fake.recordings[song["artist"].casefold(), song["title"].casefold()] = {
            "recording_mbid": _mbid("recording", song["song_id"]),
            "recording_name": song["title"],
            "artist_credit_name": song["artist"],
            "artist_mbids": [artist],
        }
        tags = [(name, 1, _mbid("genre", name)) for name in _genres(song)]
        fake.artists[artist] = {"name": song["artist"], "tags": tags}
    fake.tokens[TOKEN] = "rob"
    fake.settings = {"SEGUE_LISTENBRAINZ_URL": "", "SEGUE_LISTENBRAINZ_TOKEN": TOKEN}
    return fake


def _musicbrainz(clock: Clock, songs: list[Row]) -> MusicBrainz:
    fake = MusicBrainz(clock)
    for song in songs:
        genres = [(name, 1) for name in _genres(song)]
        fake.artists[_mbid("artist", song["artist"])] = {"name": song["artist"], "genres": genres}
    fake.settings = {"SEGUE_MUSICBRAINZ_URL": ""}
    return fake


def _subsonic(clock: Clock, songs: list[Row]) -> Subsonic:
    """Ann's library: the first songs of the demo, some starred, rated and played."""
    fake = Subsonic(clock)
    played = datetime.fromtimestamp(clock.now(), UTC).isoformat()
    for place, song in enumerate(songs[:LIBRARY]):
        one: Row = {
            "id": f"own-{place}",
            "title": song["title"],
            "artist": song["artist"],
            "album": song["album"],
            "albumId": f"album-{place % 90}",
            "duration": round((song["duration_ms"] or 0) / 1000),
            "year": int(song["release_date"][:4]),
            "genres": [{"name": name} for name in _genres(song)],
            "musicBrainzId": _mbid("recording", song["song_id"]),
        }
        if place % 9 == 0:
            one["starred"] = played
        if place % 7 == 0:
            one |= {"userRating": 1 + place % 5}
        if place % 3 == 0:
            one |= {"playCount": 1 + place % 40, "played": played}
        fake.songs.append(one)
    fake.people["ann"] = PASSWORD
    fake.settings = {
        "SEGUE_SUBSONIC_URL": "",
        "SEGUE_SUBSONIC_USER": "ann",
        "SEGUE_SUBSONIC_PASSWORD": PASSWORD,
    }
    return fake


def _spotify(clock: Clock, songs: list[Row]) -> Spotify:
    """What ann saved, under the ids of the demo, which look like Spotify's."""
    fake = Spotify(clock)
    for song in songs:
        artists = [{"id": "", "name": name} for name in song["artists"].split(";")]
        album = {"name": song["album"], "release_date": song["release_date"]}
        fake.tracks[song["song_id"]] = {
            "id": song["song_id"],
            "type": "track",
            "name": song["title"],
            "artists": artists,
            "album": album,
            "duration_ms": song["duration_ms"],
            "explicit": song["explicit"],
            "external_ids": {},
        }
    start = clock.now()
    fake.people["ann"] = [
        {
            "id": song["song_id"],
            "added_at": datetime.fromtimestamp(start - 3600 * place, UTC).isoformat(),
        }
        for place, song in enumerate(songs[:SAVED])
    ]
    fake.applications[CLIENT_ID] = ["http://127.0.0.1/callback"]
    fake.person, fake.registered = "ann", {"ann"}
    fake.settings = {
        "SEGUE_SPOTIFY_URL": "",
        "SEGUE_SPOTIFY_ACCOUNTS_URL": "",
        "SEGUE_SPOTIFY_CLIENT_ID": CLIENT_ID,
    }
    return fake
