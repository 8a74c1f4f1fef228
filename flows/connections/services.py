"""Settings come in; a client for each service goes out, with whom to name and how to be let in."""

from pathlib import Path

from flows.settings import Settings
from warehouse.connectors import listenbrainz, musicbrainz
from warehouse.connectors.http import Client, Clock, SystemClock

HOSTS = "hosts"  # folder in the home: what processes share of each host


def hosts(home: Path) -> Path:
    """Return where processes keep what they share of each host."""
    return home / HOSTS


def listenbrainz_client(chosen: Settings, clock: Clock | None = None) -> Client:
    """Return a client of ListenBrainz; a token raises its limits and lets lists be written."""
    token = chosen.listenbrainz_token.get_secret_value()
    return Client(
        listenbrainz.service(chosen.listenbrainz_url),
        hosts(chosen.home),
        chosen.contact,
        lambda: listenbrainz.headers(token),
        (token,),
        clock or SystemClock(),
    )


def musicbrainz_client(chosen: Settings, clock: Clock | None = None) -> Client:
    """Return a client of MusicBrainz, which nobody need sign in to."""
    service = musicbrainz.service(chosen.musicbrainz_url)
    return Client(service, hosts(chosen.home), chosen.contact, clock=clock or SystemClock())
