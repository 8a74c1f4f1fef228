"""Tell people and monitors what became of a run: words come in, messages go out.

Nothing here ever fails a run: what cannot be delivered is logged, without the addresses, which are
secrets, and every attempt is bounded in time.
"""

import logging
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

logger = logging.getLogger(__name__)

SECONDS = 5.0  # for a heartbeat to be taken
NOTICE_SECONDS = 30.0  # for all notices together
LONGEST_BODY = 10_000  # characters: what healthchecks.io keeps of a ping


def wrong_address(address: str) -> bool:
    """Return whether no service is known for an address of a notice."""
    import apprise  # noqa: PLC0415 - half a second that only who is notified waits for

    return apprise.Apprise.instantiate(address, suppress_exceptions=True) is None


def notify(addresses: Sequence[str], title: str, body: str, good: bool = False) -> bool:
    """Send a message to every address, all at once.

    Args:
        addresses: as Apprise writes them, such as ``mailto://user:password@example.org``.
        title: a line.
        body: what happened and what to do.
        good: whether all is well again; decides the colour where a service has colours.

    Returns:
        Whether every address took it in time.
    """
    if not addresses:
        return True
    taken: list[bool] = []
    # Apprise bounds each attempt to connect and to read; a server that dribbles could go on.
    sender = threading.Thread(
        target=lambda: taken.append(_sent(addresses, title, body, good)), daemon=True
    )
    sender.start()
    sender.join(NOTICE_SECONDS)
    if taken != [True]:
        logger.warning("a notice did not reach every address in SEGUE_NOTIFY: %s", title)
    return taken == [True]


def _sent(addresses: Sequence[str], title: str, body: str, good: bool) -> bool:
    import apprise  # noqa: PLC0415 - see above

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it names addresses, passwords too
    services = apprise.Apprise()
    known = [services.add(address) for address in addresses]
    kind = apprise.NotifyType.SUCCESS if good else apprise.NotifyType.FAILURE
    sent = services.notify(title=title, body=body, notify_type=kind, body_format="text")
    return bool(sent) and all(known)


def beat(address: str | None, signal: str, body: str = "") -> bool:
    """Tell a monitor such as healthchecks.io of a run.

    Args:
        address: of the check; none: nobody is told.
        signal: ``start``, ``success`` or ``fail``.
        body: what the monitor shows beside it.

    Returns:
        Whether it was taken in time.
    """
    if not address:
        return True
    from warehouse.connectors.http import tell  # noqa: PLC0415 - see above

    parts = urlsplit(address)
    ending = "" if signal == "success" else f"/{signal}"
    target = urlunsplit(parts._replace(path=parts.path.rstrip("/") + ending))
    problem = tell(target, body[:LONGEST_BODY], SECONDS)
    if problem:
        logger.warning("the heartbeat %s was not accepted: %s", signal, problem)
    return not problem
