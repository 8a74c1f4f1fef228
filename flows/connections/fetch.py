"""A connection comes in; what its service holds is fetched into the home, where builds read it."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flows.connections.files import Connection, connection, origins
from flows.connections.services import (
    listenbrainz_client,
    musicbrainz_client,
    spotify_session,
    subsonic_server,
)
from flows.settings import Settings
from warehouse import export
from warehouse.connectors import listenbrainz, musicbrainz, spotify, subsonic
from warehouse.connectors.http import Clock
from warehouse.connectors.musicbrainz import Song
from warehouse.connectors.snapshots import Fetched, Origin, held
from warehouse.contracts import SONGS
from warehouse.errors import InputError, SegueError
from warehouse.release import Home, published

logger = logging.getLogger(__name__)

Fetch = Callable[[Settings, Connection, Clock | None], list[Fetched]]


def fetch(chosen: Settings, one: Connection, clock: Clock | None = None) -> list[Fetched]:
    """Fetch one connection; what was fetched before a failure is kept, and gone on with.

    Raises:
        InputError: a name or a token does not count, or a setting is missing.
        Busy: another process fetches the same.
        Postponed: the service wants to be asked later.
        ServiceError: it fails.
    """
    with held(one.folder(chosen.home)):
        return FETCHES[one.service](chosen, one, clock)


def import_files(chosen: Settings, one: Connection, paths: list[Path]) -> list[Fetched]:
    """Read exports or dumps of ListenBrainz, or the dump of MusicBrainz, in place of asking.

    Raises:
        InputError: they are of another service, or cannot be read.
    """
    with held(one.folder(chosen.home)):
        if str(one) == "musicbrainz:mbids" and len(paths) == 1:
            return musicbrainz.of_dump(chosen.home, catalogue(chosen), paths[0], time.time())
        if str(one) == "spotify:metadata":
            return _metadata(chosen, paths)
        if one.service != "listenbrainz":
            raise InputError(
                "--from takes files of listenbrainz, the canonical dump for musicbrainz:mbids, or "
                f"what to look up for spotify:metadata; not for {one}."
            )
        return listenbrainz.import_files(chosen.home, one.who, paths, time.time())


def fetch_all(chosen: Settings, clock: Clock | None = None) -> list[str]:
    """Fetch every connection of the settings; what fails is logged and fails nothing else.

    Returns:
        The connections that failed.
    """
    failed = []
    for name in chosen.connections:
        try:
            for done in fetch(chosen, connection(name), clock):
                logger.info("fetched %s: %s", name, in_words(done))
        except (SegueError, OSError) as error:
            failed.append(name)
            logger.warning(
                "could not fetch %s, so what was fetched before is used: %s", name, error
            )
    return failed


def in_words(done: Fetched) -> str:
    """Return what became of one snapshot."""
    plural = "" if done.requests == 1 else "s"
    what = f"{done.rows:,} rows" if done.changed else f"nothing new ({done.rows:,} rows)"
    return f"{what} in {done.path.name}, {done.requests:,} request{plural}"


def ages(chosen: Settings, now: datetime) -> list[tuple[str, str, str, str]]:
    """Return name, rows, licence and age of every snapshot, for ``segue status``."""
    return [
        (name, f"{known.rows:,}", known.licence, _age(known, now))
        for name, known in origins(chosen.home).items()
    ]


def _age(known: Origin, now: datetime) -> str:
    checked = datetime.fromisoformat(known.checked_at or known.fetched_at).astimezone(UTC)
    hours = (now - checked).total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours"


def _listenbrainz(chosen: Settings, one: Connection, clock: Clock | None) -> list[Fetched]:
    if not one.who:
        raise InputError("ListenBrainz needs a user name: listenbrainz:NAME.")
    with listenbrainz_client(chosen, clock) as client:
        return listenbrainz.fetch_person(client, chosen.home, one.who)


def _musicbrainz(chosen: Settings, one: Connection, clock: Clock | None) -> list[Fetched]:
    songs = catalogue(chosen)
    with listenbrainz_client(chosen, clock) as brainz:
        if one.who == "mbids":
            return musicbrainz.fetch_mbids(brainz, chosen.home, songs)
        if one.who == "genres":
            return musicbrainz.fetch_genres(brainz, None, chosen.home, songs)
        if one.who == "genres-slowly":
            with musicbrainz_client(chosen, clock) as itself:
                return musicbrainz.fetch_genres(brainz, itself, chosen.home, songs)
    raise InputError(
        "Say what to fetch: musicbrainz:mbids (recordings of songs), musicbrainz:genres "
        "(genres of artists), or musicbrainz:genres-slowly (which also asks MusicBrainz itself, "
        f"one artist every two seconds); got {str(one)!r}."
    )


def catalogue(chosen: Settings) -> list[Song]:
    """Return the songs of the build that is served, the best known first.

    Raises:
        NothingPublished: there is none yet.
    """
    file = published(Home(chosen.home)) / export.FILE
    columns = ("popularity", "song_id", "title", "artist")
    rows = export.rows(file, SONGS, columns)
    ordered = sorted(rows, key=lambda row: (-(row[0] or 0), row[1]))
    return [Song(song_id, title, artist) for _, song_id, title, artist in ordered]


def _subsonic(chosen: Settings, _: Connection, clock: Clock | None) -> list[Fetched]:
    server = subsonic_server(chosen, clock)
    with server.client:
        return subsonic.fetch_library(server, chosen.home)


def _spotify(chosen: Settings, one: Connection, clock: Clock | None) -> list[Fetched]:
    if one.who:
        raise InputError(
            "Say what to look up: segue fetch spotify:metadata --from FILE, with an id, an address "
            f"or artist - title on each line; or segue fetch spotify for a library. Got {one}."
        )
    with spotify_session(chosen, clock) as session:
        return [
            spotify.fetch_saved(session, chosen.home),
            spotify.fetch_playlists(session, chosen.home),
        ]


def _metadata(chosen: Settings, paths: list[Path]) -> list[Fetched]:
    """Crawl the metadata of what files name, saying first what it takes."""
    lines = [line for path in paths for line in _text(path).splitlines()]
    wanted = spotify.references(lines)
    plan = spotify.planned(chosen.home, wanted, chosen.spotify_budget)
    logger.warning("Spotify gives one at a time: %s", plan)
    with spotify_session(chosen) as session:
        return [spotify.crawl(session, chosen.home, wanted)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}. Expected UTF-8 text.") from error


FETCHES: dict[str, Fetch] = {
    "listenbrainz": _listenbrainz,
    "musicbrainz": _musicbrainz,
    "subsonic": _subsonic,
    "spotify": _spotify,
}
