"""What is known of the services: paths, page sizes, limits and what was closed, each with a source.

Pure data, written from documentation and from issues of those who were surprised. A stand-in
answers what stands here and nothing else, so a question that no service would take fails a test.
"""

from dataclasses import dataclass

LISTENBRAINZ = "listenbrainz"
MUSICBRAINZ = "musicbrainz"
SUBSONIC = "subsonic"
SPOTIFY = "spotify"

LB_DOCS = "https://listenbrainz.readthedocs.io/en/latest/users/api/"
LB_SOURCE = "metabrainz/listenbrainz-server 0a11984 (2026-08-21)"
MB_DOCS = "https://musicbrainz.org/doc/MusicBrainz_API"
MB_SOURCE = "metabrainz/musicbrainz-server 11cd769 (2026-07-24)"
SUBSONIC_DOCS = "https://opensubsonic.netlify.app/docs/"
SPOTIFY_SPEC = "https://developer.spotify.com/documentation/web-api (2026-05-30)"
SPOTIFY_SIGN_IN = "https://developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow"
SPOTIFY_2024 = "https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api"
SPOTIFY_2026 = (
    "https://developer.spotify.com/documentation/web-api/tutorials/february-2026-migration-guide"
)

# Requests in so many seconds, without and with a token (brainzutils; reported 2026-09-17).
LB_WINDOW, LB_REQUESTS, LB_REQUESTS_WITH_TOKEN = 10, 30, 50
# How long who does not say whom to write to is shut out (MetaBrainz, 2026-08-24).
BAN_SECONDS = 300
MB_GAP = 1.0
MB_MOST_RESOURCES = 100
LOOKUPS_A_CALL = 50
LOOKUP_CHARACTERS = 250
RECORDINGS_A_CALL = 1000
ITEMS_A_CALL = 100
ITEMS_A_PLAYLIST_READ = 100
SUBSONIC_LONGEST_GET = 8 * 1024
SUBSONIC_MOST_SONGS = 500
SPOTIFY_WINDOW, SPOTIFY_REQUESTS = 30, 90  # not published; ordinary refusals ask for 1 to 4 s
SPOTIFY_QUOTA = 1000  # in 24 hours, for a developer and all of their applications; as reported
SPOTIFY_QUOTA_WAIT = 48_925  # seconds; reported 2026-08-23
SPOTIFY_TOKEN_SECONDS = 3600
SPOTIFY_CONSENT_SECONDS = 182 * 86_400  # six months from consent, whatever is refreshed
SPOTIFY_PEOPLE = 5
AUDIO_FEATURES_CLOSED = "2024-11-27"


@dataclass(frozen=True)
class Fact:
    """One question that a service takes.

    Args:
        service: whose.
        method: of HTTP.
        path: with ``{names}`` of its places.
        source: where it is written.
        most: the largest ``limit`` or ``count``; 0 where there is none.
        default: what it is without.
        refuses_more: whether more than ``most`` is an error, or is cut silently.
        scope: what a person must have agreed to; ``token`` where any token will do.
        closed: since when it is closed to new applications, ISO 8601; empty while it is open.
        closed_status: what it answers since.
    """

    service: str
    method: str
    path: str
    source: str
    most: int = 0
    default: int = 0
    refuses_more: bool = False
    scope: str = ""
    closed: str = ""
    closed_status: int = 403


def _spotify(method: str, path: str, **others: object) -> Fact:
    return Fact(SPOTIFY, method, path, SPOTIFY_SPEC, refuses_more=True, **others)  # type: ignore[arg-type]


FACTS = (
    Fact(LISTENBRAINZ, "GET", "/1/user/{user}/listens", LB_DOCS, 1000, 25),
    Fact(LISTENBRAINZ, "GET", "/1/user/{user}/listen-count", LB_DOCS),
    Fact(LISTENBRAINZ, "GET", "/1/feedback/user/{user}/get-feedback", LB_DOCS, 1000, 25),
    Fact(LISTENBRAINZ, "GET", "/1/user/{user}/playlists", LB_DOCS, 100, 25),
    Fact(LISTENBRAINZ, "GET", "/1/playlist/{playlist}", LB_DOCS),
    Fact(LISTENBRAINZ, "GET", "/1/validate-token", LB_DOCS, scope="token"),
    Fact(LISTENBRAINZ, "POST", "/1/metadata/lookup/", LB_SOURCE, LOOKUPS_A_CALL, scope="token"),
    Fact(LISTENBRAINZ, "GET", "/1/metadata/artist/", LB_SOURCE, 50),
    Fact(LISTENBRAINZ, "POST", "/1/metadata/recording/", LB_SOURCE, RECORDINGS_A_CALL),
    Fact(LISTENBRAINZ, "POST", "/1/playlist/create", LB_DOCS, scope="token"),
    Fact(LISTENBRAINZ, "POST", "/1/playlist/edit/{playlist}", LB_DOCS, scope="token"),
    Fact(
        *(LISTENBRAINZ, "POST", "/1/playlist/{playlist}/item/add", LB_DOCS),
        most=ITEMS_A_CALL,
        scope="token",
    ),
    Fact(LISTENBRAINZ, "POST", "/1/playlist/{playlist}/item/delete", LB_DOCS, scope="token"),
    Fact(LISTENBRAINZ, "POST", "/1/playlist/{playlist}/export/{to}", LB_SOURCE, scope="token"),
    Fact(MUSICBRAINZ, "GET", "/ws/2/artist/{mbid}", MB_DOCS),
    Fact(MUSICBRAINZ, "GET", "/ws/2/artist", MB_DOCS, 100, 25),
    Fact(MUSICBRAINZ, "GET", "/ws/2/url", MB_SOURCE, MB_MOST_RESOURCES),
    Fact(SUBSONIC, "POST", "/rest/ping", SUBSONIC_DOCS),
    Fact(SUBSONIC, "POST", "/rest/getOpenSubsonicExtensions", SUBSONIC_DOCS),
    Fact(SUBSONIC, "POST", "/rest/search3", SUBSONIC_DOCS, SUBSONIC_MOST_SONGS, 20),
    Fact(SUBSONIC, "POST", "/rest/getScanStatus", SUBSONIC_DOCS),
    Fact(SUBSONIC, "POST", "/rest/getStarred2", SUBSONIC_DOCS),
    Fact(SUBSONIC, "POST", "/rest/getAlbumList2", SUBSONIC_DOCS, 500, 10),
    Fact(SUBSONIC, "POST", "/rest/getPlaylists", SUBSONIC_DOCS),
    Fact(SUBSONIC, "POST", "/rest/getPlaylist", SUBSONIC_DOCS),
    Fact(SUBSONIC, "POST", "/rest/createPlaylist", SUBSONIC_DOCS),
    Fact(SUBSONIC, "POST", "/rest/updatePlaylist", SUBSONIC_DOCS),
    Fact(SPOTIFY, "GET", "/authorize", SPOTIFY_SIGN_IN),
    Fact(SPOTIFY, "POST", "/api/token", SPOTIFY_SIGN_IN),
    _spotify("GET", "/v1/me"),
    _spotify("GET", "/v1/me/tracks", most=50, default=20, scope="user-library-read"),
    _spotify("GET", "/v1/me/playlists", most=50, default=20, scope="playlist-read-private"),
    _spotify("POST", "/v1/me/playlists", scope="playlist-modify-private"),
    _spotify(
        *("GET", "/v1/playlists/{playlist}/items"),
        most=50,
        default=20,
        scope="playlist-read-private",
    ),
    _spotify("POST", "/v1/playlists/{playlist}/items", most=100, scope="playlist-modify-private"),
    _spotify("PUT", "/v1/playlists/{playlist}/items", most=100, scope="playlist-modify-private"),
    _spotify("GET", "/v1/tracks/{track}"),
    _spotify("GET", "/v1/albums/{album}"),
    _spotify("GET", "/v1/albums/{album}/tracks", most=50, default=20),
    _spotify("GET", "/v1/artists/{artist}"),
    _spotify("GET", "/v1/artists/{artist}/albums", most=10, default=5),
    _spotify("GET", "/v1/search", most=10, default=5),
    _spotify("GET", "/v1/audio-features/{track}", closed=AUDIO_FEATURES_CLOSED),
    _spotify("GET", "/v1/audio-features", closed=AUDIO_FEATURES_CLOSED),
    _spotify("GET", "/v1/recommendations", closed=AUDIO_FEATURES_CLOSED, closed_status=404),
    _spotify("GET", "/v1/artists/{artist}/related-artists", closed=AUDIO_FEATURES_CLOSED),
    _spotify("GET", "/v1/tracks", closed="2026-03-09"),
    _spotify("GET", "/v1/albums", closed="2026-03-09"),
    _spotify("GET", "/v1/artists", closed="2026-03-09"),
    _spotify("GET", "/v1/artists/{artist}/top-tracks", closed="2026-03-09"),
    _spotify("GET", "/v1/playlists/{playlist}/tracks", closed="2026-03-09"),
    _spotify("POST", "/v1/playlists/{playlist}/tracks", closed="2026-03-09"),
    _spotify("POST", "/v1/users/{user}/playlists", closed="2026-03-09"),
)
