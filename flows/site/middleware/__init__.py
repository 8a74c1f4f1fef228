"""What every request to the site goes through: an application comes in, the same one guarded.

From outside in: ``security`` refuses closed pages and sets the headers, ``bodies`` bounds what is
sent, ``caching`` lets browsers keep what they have.
"""

from functools import partial
from typing import Any

from flows.site.asgi import App
from flows.site.middleware import bodies, caching, security


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

    kept = caching.kept(caching.compressed(app), caching.edition_of(datasette))
    bounded = bodies.bounded(kept, too_large, f"{base}/api/")
    return security.guarded(bounded, refused, base.encode())


def of(datasette: Any) -> Any:
    """Return ``wrapped`` for one Datasette."""
    return partial(wrapped, datasette)
