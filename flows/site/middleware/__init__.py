"""What every request to the site goes through: an application comes in, the same one guarded.

From outside in: ``security`` refuses closed pages and sets the headers, ``leaving`` ends work that
nobody waits for, ``addresses`` and ``bodies`` bound what is asked and sent, ``caching`` lets
browsers keep what they have.
"""

from functools import partial
from typing import Any

from flows.site.asgi import App
from flows.site.middleware import addresses, bodies, caching, leaving, security


def wrapped(datasette: Any, app: App) -> App:
    """Return the whole of a Datasette behind all of it."""
    base = datasette.setting("base_url").rstrip("/")

    async def page(template: str, **context: Any) -> str:
        await datasette.invoke_startup()  # once; this may be the first request
        return str(await datasette.render_template(template, context))

    async def too_large() -> str:
        return await page("problem.html", answer={"status": 413, "title": bodies.TITLE})

    async def refused(status: int) -> str:
        return await page("error.html", status=status)

    async def asks_too_much(title: str) -> str:
        return await page("problem.html", answer={"status": 400, "title": title})

    kept = caching.kept(caching.compressed(app), caching.edition_of(datasette))
    brief = bodies.bounded(kept, too_large, f"{base}/api/")
    bounded = addresses.bounded(brief, asks_too_much, f"{base}/api/")
    return security.guarded(leaving.stopping(bounded), refused, base.encode())


def of(datasette: Any) -> Any:
    """Return ``wrapped`` for one Datasette."""
    return partial(wrapped, datasette)
