"""Where the site is for others: a request comes in, the whole address of a page goes out."""

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urljoin, urlsplit

from datasette.utils.asgi import Request

OWN_NAMES = ("localhost", "127.0.0.1", "::1")

Absolute = Callable[[Request, str], str]


def absolute_addresses(base_url: str, hosts: Collection[str]) -> Absolute:
    """Return what makes a whole address of a path.

    Answers are kept by caches and shown to others, so the name of the site must not be what a
    visitor says in ``Host``.

    Args:
        base_url: of the site, as others reach it; empty where it is not known.
        hosts: names that a visitor may reach the site by where ``base_url`` is empty. With any
            other, the path itself is the address.
    """
    names = {*OWN_NAMES, *(host.casefold() for host in hosts)}

    def absolute(request: Request, path: str) -> str:
        if base_url:
            # Datasette puts the prefix before the path of a request, which has it already.
            twice = prefix(base_url).rstrip("/") + str(request.path)
            once = (
                path.removeprefix(prefix(base_url).rstrip("/")) if path.startswith(twice) else path
            )
            return urljoin(base_url, once)
        host: Any = urlsplit(f"//{request.host}").hostname if _plain(request.host) else None
        return urljoin(str(request.url), path) if host in names else path

    return absolute


def prefix(base_url: str) -> str:
    """Return what the path of every page begins with: ``/`` or, behind a proxy, ``/segue/``."""
    return urlsplit(base_url).path.rstrip("/") + "/"


def _plain(host: str | None) -> bool:
    """Return whether a host is a name or a number, with or without a port."""
    return host is not None and all(sign.isalnum() or sign in ".-:[]" for sign in host)
