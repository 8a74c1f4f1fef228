"""A list of the served build comes in; it is written as a playlist at another service, once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flows.answers import playlists as mixes
from flows.answers.catalogue import keyed_songs
from flows.connections.services import listenbrainz_client, spotify_session, subsonic_server
from flows.settings import Settings
from transforms import matching, signals
from warehouse import export
from warehouse.connectors import listenbrainz, spotify, subsonic
from warehouse.connectors.http import Clock
from warehouse.connectors.musicbrainz import Song
from warehouse.contracts import USER_RECOMMENDATIONS
from warehouse.errors import InputError
from warehouse.files.sources import entries
from warehouse.published import Published

EXPORTS = ("spotify", "apple_music", "soundcloud")


@dataclass(frozen=True)
class Playlist:
    """Songs in order and what they are called together."""

    title: str
    songs: tuple[Song, ...]

    def called(self, title: str | None) -> "Playlist":
        """Return the same songs under another title, where there is one."""
        return replace(self, title=title) if title else self


@dataclass(frozen=True)
class Pushed:
    """What became of a list.

    Args:
        place: of the playlist at the service.
        songs: how many it holds.
        missing: songs that could not be named there.
        elsewhere: the address at a third service that it was carried on to.
    """

    place: str
    songs: int
    missing: tuple[Song, ...]
    elsewhere: str | None = None


def recommended(build: Published, user: str) -> Playlist:
    """Return what is recommended to somebody whose ratings or listens the build has read.

    Raises:
        InputError: there is nothing for them.
    """
    rows = export.rows(build.file, USER_RECOMMENDATIONS, ("user", "rank", "song_id"))
    ids = [song_id for name, _, song_id in sorted(rows) if name == user]
    if not ids:
        people = sorted({name for name, *_ in rows})
        shown = ", ".join(people[:5]) + (", ..." if len(people) > 5 else "")
        raise InputError(
            f"There are no recommendations for {user!r}; there are some for: {shown or 'nobody'}."
        )
    return Playlist(f"Segue for {user}", _songs(mixes.described(build, ids)))


def mixed(build: Published, text: str, name: str) -> Playlist:
    """Return a mix of what somebody saved.

    Raises:
        InputError: nothing of it is in the catalogue.
    """
    made = mixes.mixed(build, mixes.SavedSongs(text, name=name))
    if not made.saved:
        raise InputError(f"Nothing of {name} is in the catalogue.")
    return Playlist(f"Mix of {name}", _songs(made.songs))


def as_it_is(build: Published, text: str, name: str) -> Playlist:
    """Return the songs of a list, in its order.

    Raises:
        InputError: nothing of it is in the catalogue.
    """
    rows, _ = entries(text, name)
    readings = signals.cleaned_entries(rows, name, name).readings.sort("line")
    found = matching.matched_among(readings, keyed_songs(build))
    ids = found["song_id"].drop_nulls().unique(maintain_order=True).to_list()
    if not ids:
        raise InputError(f"Nothing of {name} is in the catalogue.")
    return Playlist(name, _songs(mixes.described(build, ids)))


def _songs(shown: Sequence[Any]) -> tuple[Song, ...]:
    return tuple(Song(song.song_id, song.title, song.artist) for song in shown)


def push(
    chosen: Settings, build: Published, service: str, playlist: Playlist, export_to: str | None
) -> Pushed:
    """Write a list at a service; ``export_to`` says where ListenBrainz carries it on to.

    Raises:
        InputError: a setting is missing, or the service has none of the songs.
        Postponed: the service wants to be asked later.
        ServiceError: it fails.
    """
    if service == "listenbrainz":
        return to_listenbrainz(chosen, build, playlist, export_to)
    return PUSHES[service](chosen, build, playlist, None)


def to_listenbrainz(
    chosen: Settings,
    build: Published,
    playlist: Playlist,
    export_to: str | None = None,
    clock: Clock | None = None,
) -> Pushed:
    """Write a list at ListenBrainz, by the recordings of its songs.

    Raises:
        InputError: no token is set, or of no song the recording is known.
    """
    if not chosen.listenbrainz_token.get_secret_value():
        raise InputError(
            "Expected the token of your account, from https://listenbrainz.org/settings/, in "
            "SEGUE_LISTENBRAINZ_TOKEN."
        )
    known = mixes.recordings(build)
    mbids = list(dict.fromkeys(known[s.song_id] for s in playlist.songs if s.song_id in known))
    missing = tuple(song for song in playlist.songs if song.song_id not in known)
    if not mbids:
        raise InputError(
            "ListenBrainz takes songs by their recordings, but none of these has a known one. Run "
            "segue fetch musicbrainz:mbids, then build with SEGUE_CONNECTIONS=musicbrainz:mbids."
        )
    with listenbrainz_client(chosen, clock) as client:
        place, elsewhere = listenbrainz.push(client, playlist.title, mbids, False, export_to)
    return Pushed(f"https://listenbrainz.org/playlist/{place}", len(mbids), missing, elsewhere)


def to_subsonic(
    chosen: Settings, build: Published, playlist: Playlist, clock: Clock | None = None
) -> Pushed:
    """Write a list at one's own server.

    Raises:
        InputError: no server is set, its library was not fetched, or it has none of the songs.
    """
    server = subsonic_server(chosen, clock)
    with server.client:
        done = subsonic.push(
            server, chosen.home, playlist.title, playlist.songs, mixes.recordings(build)
        )
    return Pushed(done.playlist, done.songs, done.missing)


def to_spotify(
    chosen: Settings, _: Published, playlist: Playlist, clock: Clock | None = None
) -> Pushed:
    """Write a list in the name of whoever is connected.

    Raises:
        InputError: nobody is, or none of the songs has an id of Spotify's.
    """
    with spotify_session(chosen, clock) as session:
        place, missing = spotify.push(session, playlist.title, playlist.songs)
    held = len({song.song_id for song in playlist.songs}) - len({s.song_id for s in missing})
    return Pushed(f"https://open.spotify.com/playlist/{place}", held, tuple(missing))


def _to_listenbrainz(
    chosen: Settings, build: Published, playlist: Playlist, clock: Clock | None
) -> Pushed:
    return to_listenbrainz(chosen, build, playlist, clock=clock)


PUSHES: dict[str, Callable[[Settings, Published, Playlist, Clock | None], Pushed]] = {
    "listenbrainz": _to_listenbrainz,
    "subsonic": to_subsonic,
    "spotify": to_spotify,
}
