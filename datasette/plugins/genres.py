"""Count the songs of a page's selection by genre, though genres lie in a table of their own.

A facet comes out for ``facets: [{genre: genre}]`` in the metadata, or for ``?_facet_genre=genre``;
``?_genre=jazz`` keeps the songs of one.
"""

# mypy: disable-error-code="untyped-decorator, misc"

from typing import Any

from datasette.database import QueryInterrupted
from datasette.facets import Facet
from datasette.filters import FilterArguments
from datasette.hookspecs import hookimpl
from datasette.utils import path_with_added_args, path_with_removed_args
from datasette.utils.asgi import Request

TABLE = "songs"
ARGUMENT = "_genre"

# A song bears its own genres and those of its primary artist, as in the table ``genres``.
ALL_COUNTS = "select genre as value, songs as count from genres"
COUNTS = """
with selected as materialized (select song_id, artist from ({selected}))
select value, sum(songs) as count
from (
    select artist_genres.genre as value, sum(by_artist.songs) as songs
    from (select artist, count(*) as songs from selected group by artist) as by_artist
    join artist_genres on artist_genres.artist = by_artist.artist
    group by artist_genres.genre
    union all
    select song_genres.genre, count(*)
    from song_genres
    join selected on selected.song_id = song_genres.song_id
    left join artist_genres
        on artist_genres.artist = selected.artist and artist_genres.genre = song_genres.genre
    where artist_genres.genre is null
    group by song_genres.genre
)
group by value
"""


class GenreFacet(Facet):
    """The facet ``genre`` of the songs; choosing a value filters by ``?_genre=``."""

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
        counts = COUNTS.format(selected=self.sql) if " where " in self.sql else ALL_COUNTS
        return f"{counts} order by count desc, value limit {limit}"

    def choice(self, genre: str, count: int) -> dict[str, Any]:
        """Return one value with the address that selects it, or takes it back."""
        selected = genre in self.request.args.getlist(ARGUMENT)
        change = path_with_removed_args if selected else path_with_added_args
        path = change(self.request, {ARGUMENT: genre})
        return {
            "value": genre,
            "label": genre,
            "count": count,
            "toggle_url": self.ds.absolute_url(self.request, self.ds.urls.path(path)),
            "selected": selected,
        }


@hookimpl
def register_facet_classes() -> list[type[Facet]]:
    """Offer the facet."""
    return [GenreFacet]


@hookimpl
def filters_from_request(request: Request, table: str) -> FilterArguments | None:
    """Keep the songs of every genre in ``?_genre=``: their own, or their primary artist's.

    Datasette's ``_through`` would do, but numbers its parameters anew, so that beside a filter
    on a column one takes the value of the other.
    """
    genres = request.args.getlist(ARGUMENT)
    if table != TABLE or not genres:
        return None
    names = [f"genre_{place}" for place in range(len(genres))]
    having = (
        "(song_id in (select song_id from song_genres where genre = :{0}) "
        "or artist in (select artist from artist_genres where genre = :{0}))"
    )
    return FilterArguments(
        [having.format(name) for name in names],
        params=dict(zip(names, genres, strict=True)),
        human_descriptions=[f'genre is "{genre}"' for genre in genres],
    )
