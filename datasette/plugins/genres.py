"""Count the songs of a page's selection by genre, though genres lie in a table of their own.

A facet comes out for ``facets: [{genre: genre}]`` in the metadata, or for ``?_facet_genre=genre``.
"""

# mypy: disable-error-code="untyped-decorator, misc"

import json
from typing import Any

from datasette.database import QueryInterrupted
from datasette.facets import Facet
from datasette.hookspecs import hookimpl
from datasette.utils import path_with_added_args, path_with_removed_args

TABLE = "songs"


class GenreFacet(Facet):
    """The facet ``genre`` of the songs; choosing a value filters with Datasette's ``_through``."""

    type = "genre"

    async def facet_results(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the facet with its counted values, or its name among those out of time."""
        configs = self.get_configs()
        if self.table != TABLE or not configs:
            return [], []
        size = self.get_facet_size()
        try:
            counted = await self.ds.execute(
                self.database,
                self.counts_sql(size + 1),
                self.params,
                custom_time_limit=self.ds.setting("facet_time_limit_ms"),
            )
        except QueryInterrupted:
            return [], ["genre"]
        facet = {
            "name": "genre",
            "type": self.type,
            "hideable": configs[0]["source"] != "metadata",
            "toggle_url": path_with_removed_args(self.request, {"_facet_genre": "genre"}),
            "results": [self.choice(row["value"], row["count"]) for row in counted.rows[:size]],
            "truncated": len(counted.rows) > size,
        }
        return [facet], []

    def counts_sql(self, limit: int) -> str:
        """Return SQL for each genre and how many of the selected songs bear it."""
        selected = "" if " where " not in self.sql else f"where song_id in ({self.song_ids()})"
        return (
            f"select genre as value, count(*) as count from song_genres {selected} "
            f"group by genre order by count desc, value limit {limit}"
        )

    def song_ids(self) -> str:
        """Return SQL for the ids of the selected songs."""
        return f"select song_id from ({self.sql})"

    def choice(self, genre: str, count: int) -> dict[str, Any]:
        """Return one value with the address that selects it, or takes it back."""
        through = {"table": "song_genres", "column": "genre", "value": genre}
        given = self.request.args.getlist("_through")
        selected = [text for text in given if json.loads(text) == through]
        if selected:
            path = path_with_removed_args(self.request, {"_through": selected[0]})
        else:
            path = path_with_added_args(self.request, {"_through": json.dumps(through)})
        return {
            "value": genre,
            "label": genre,
            "count": count,
            "toggle_url": self.ds.absolute_url(self.request, self.ds.urls.path(path)),
            "selected": bool(selected),
        }


@hookimpl
def register_facet_classes() -> list[type[Facet]]:
    """Offer the facet."""
    return [GenreFacet]
