"""A person at a browser comes in; tokens that let this home ask Spotify in their name go out.

Spotify returns to an address on this machine, on whichever port is free: to a loopback address that
is registered without a port any may be added. No application's secret is needed (PKCE).
"""

import hmac
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from flows.connections.services import spotify_accounts, spotify_api, token_file
from flows.settings import Settings
from warehouse.connectors import spotify
from warehouse.connectors.http import Clock
from warehouse.connectors.secret_files import Tokens
from warehouse.connectors.spotify import Challenge
from warehouse.errors import InputError

PATH = "/callback"
WAIT_SECONDS = 300
DONE = "Segue has heard from Spotify. The terminal says how it went; this page can be closed."
STRANGE = "This answer belongs to no sign-in of this Segue. Begin again at the terminal."


class _Answers(HTTPServer):
    """Waits for the one answer that carries the state that was sent."""

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self.answer: dict[str, str] = {}
        self.heard = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: _Answers

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        ours = parts.path == PATH and hmac.compare_digest(
            given.get("state", "").encode(), self.server.state.encode()
        )
        fresh = ours and not self.server.heard.is_set()
        if fresh:
            self.server.answer = given
            self.server.heard.set()
        text = (DONE if fresh else STRANGE).encode()
        self.send_response(200 if fresh else 400)
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(text)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing: the address holds the code."""


def connect(
    chosen: Settings,
    show: Callable[[str], None],
    clock: Clock | None = None,
    wait: float = WAIT_SECONDS,
) -> Tokens:
    """Have a person sign in, and keep what lets this home ask in their name.

    Args:
        chosen: settings, with the client id.
        show: shows an address to the person.
        clock: by which tokens end.
        wait: seconds for the person.

    Raises:
        InputError: no client id is set, they did not agree or not in time, or may not be served.
    """
    client_id, challenge = required_client_id(chosen), Challenge.new()
    with _Answers(challenge.state) as server:
        redirect = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            show(
                spotify.sign_in_address(chosen.spotify_accounts_url, client_id, redirect, challenge)
            )
            heard = server.heard.wait(wait)
        finally:
            server.shutdown()
            thread.join()
    if not heard:
        raise InputError(f"Nobody signed in within {wait:.0f} seconds. Run it again.")
    if "code" not in server.answer:
        raise InputError(
            f"Spotify answered {server.answer.get('error', 'nothing')}: not connected."
        )
    return _kept(chosen, server.answer["code"], challenge, redirect, clock)


def _kept(
    chosen: Settings, code: str, challenge: Challenge, redirect: str, clock: Clock | None
) -> Tokens:
    """Exchange a fresh code, whatever token is kept; keep nothing before we know who it is."""
    with spotify_accounts(chosen, clock) as accounts, spotify_api(chosen, clock) as api:
        tokens = spotify.exchanged(accounts, chosen.spotify_client_id, code, challenge, redirect)
        tokens = spotify.named(api, tokens)
    token_file(chosen).keep(tokens)
    return tokens


def required_client_id(chosen: Settings) -> str:
    """Return the client id.

    Raises:
        InputError: none is set; says where to get one.
    """
    if not chosen.spotify_client_id:
        raise InputError(
            "Expected the client id of your application in SEGUE_SPOTIFY_CLIENT_ID: make one at "
            f"https://developer.spotify.com/dashboard with the redirect http://127.0.0.1{PATH}."
        )
    return chosen.spotify_client_id
