"""Settings come in; a client for each service goes out, with whom to name and how to be let in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.settings import Settings
from warehouse.connectors import listenbrainz, musicbrainz, spotify, subsonic
from warehouse.connectors.http import Client, Clock, SystemClock
from warehouse.connectors.secret_files import TokenFile
from warehouse.errors import InputError

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


def subsonic_server(chosen: Settings, clock: Clock | None = None) -> subsonic.Server:
    """Return one's own server and who asks it.

    Raises:
        InputError: none is set.
    """
    password, key = (
        secret.get_secret_value() for secret in (chosen.subsonic_password, chosen.subsonic_api_key)
    )
    if not chosen.subsonic_url or not (key or (chosen.subsonic_user and password)):
        raise InputError(
            "Expected SEGUE_SUBSONIC_URL with SEGUE_SUBSONIC_USER and SEGUE_SUBSONIC_PASSWORD, or "
            "with SEGUE_SUBSONIC_API_KEY."
        )
    service = subsonic.service(chosen.subsonic_url)
    place = hosts(chosen.home)
    secrets = (password, key)
    client = Client(service, place, chosen.contact, dict, secrets, clock or SystemClock())
    return subsonic.Server(client, subsonic.Login(chosen.subsonic_user, password, key))


def token_file(chosen: Settings) -> TokenFile:
    """Return where the tokens of Spotify are kept."""
    return TokenFile(chosen.home, "spotify")


def spotify_accounts(chosen: Settings, clock: Clock | None = None) -> Client:
    """Return a client of where people sign in."""
    service = spotify.accounts(chosen.spotify_accounts_url)
    return Client(service, hosts(chosen.home), chosen.contact, clock=clock or SystemClock())


def spotify_api(chosen: Settings, clock: Clock | None = None) -> Client:
    """Return a client of Spotify's interface."""
    service = spotify.service(chosen.spotify_url)
    return Client(service, hosts(chosen.home), chosen.contact, clock=clock or SystemClock())


@contextmanager
def spotify_session(chosen: Settings, clock: Clock | None = None) -> Iterator[spotify.Session]:
    """Ask Spotify in the name of whoever is connected."""
    budget = spotify.Budget(hosts(chosen.home) / "spotify-day.json", chosen.spotify_budget)
    with spotify_accounts(chosen, clock) as accounts, spotify_api(chosen, clock) as api:
        yield spotify.Session(api, accounts, token_file(chosen), budget, chosen.spotify_client_id)
