"""Stand-ins for services start on this machine; a file of settings that lead to them goes out.

They hold to what is documented of the services, limits and refusals before all, so that the whole
journey can be seen without an account anywhere.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from warehouse.connectors.http import Clock, SystemClock
from warehouse.demo.services.server import serving
from warehouse.demo.services.world import world

FILE = "connections.env"
JOURNEY = """\
In another terminal:
  set -a; . {file}; set +a
  uv run segue build                               # the demo catalogue
  uv run segue fetch listenbrainz:rob              # what rob plays and loves
  uv run segue fetch musicbrainz:mbids             # the recordings of its songs
  export SEGUE_CONNECTIONS="listenbrainz:rob musicbrainz:mbids"
  uv run segue build
  uv run segue push listenbrainz --for rob         # twenty songs for rob, as a playlist
  uv run segue fetch subsonic                      # ann's library
  uv run segue connect spotify                     # ann agrees at once
  uv run segue fetch spotify                       # 1,234 saved songs: 25 requests; again: 1"""


@contextmanager
def connected(folder: Path, clock: Clock | None = None) -> Iterator[Path]:
    """Answer as the services do while the body runs.

    Yields:
        A file of settings, for a shell.
    """
    given = {"SEGUE_CONTACT": "demo@example.org"}
    with ExitStack() as stack:
        for fake in world(clock or SystemClock()):
            address = stack.enter_context(serving(fake))
            given |= {name: value or address for name, value in fake.settings.items()}
        file = folder / FILE
        file.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        yield file
