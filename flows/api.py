"""The HTTP interface: a published build comes in, an application that answers in JSON goes out.

Addresses, parameters and answers are described by its own OpenAPI file. Errors are problem
details (RFC 9457).
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Query

from flows import problems
from flows.answers import catalogue, profile, request, search, similar, songs
from flows.answers import info as about
from flows.answers.published import Published
from flows.asked import (
    Question,
    Searched,
    SearchedJson,
    Similar,
    SimilarSongs,
    Suggested,
    SuggestedJson,
)

PREFIX = "/api/v1"
SongId = Annotated[str, Path(max_length=200, description="The catalogue's own id.")]


def app(build: Published, switches: Mapping[str, bool] | None = None) -> FastAPI:
    """Return the interface to one build; every path begins with ``PREFIX``.

    Args:
        build: what is answered from.
        switches: what is switched on where it is served, to be told.
    """
    api = FastAPI(
        title="Segue",
        version=version("segue"),
        summary="Songs, what is like them, and why.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.tell(api)
    for router in (
        _about_the_build(build, switches or {}),
        _about_search(build),
        _about_likeness(build),
        _about_songs(build),
    ):
        api.include_router(router, prefix=PREFIX)
    return api


def _about_the_build(build: Published, switches: Mapping[str, bool]) -> APIRouter:
    router = APIRouter(tags=["build"])

    @router.get("/catalogue")
    def whole() -> catalogue.Catalogue:
        """Return what the build holds, at a glance."""
        return catalogue.catalogue(build)

    @router.get("/health")
    def health() -> about.Health:
        """Return whether the build answers, and its id."""
        return about.health(build)

    @router.get("/info")
    def info() -> about.Info:
        """Return what the build is, how old it is and what is switched on."""
        return about.info(build, switches)

    return router


def _about_search(build: Published) -> APIRouter:
    router = APIRouter(tags=["search"])

    @router.get("/search")
    def searched(asked: Annotated[Searched, Query()]) -> search.Results:
        """Return the songs that a text may mean by title, artist, both, or what it is about."""
        return search.search(build, asked.q, asked.limit, asked.filters())

    @router.post("/search")
    def searched_as_json(asked: SearchedJson) -> search.Results:
        """Return the same for a question in JSON."""
        return searched(asked)

    @router.get("/suggest")
    def suggested(asked: Annotated[Suggested, Query()]) -> search.Suggestions:
        """Return the songs that a text may become while it is being typed."""
        return search.suggest(build, asked.q, asked.limit)

    @router.post("/suggest")
    def suggested_as_json(asked: SuggestedJson) -> search.Suggestions:
        """Return the same for a question in JSON."""
        return suggested(asked)

    return router


def _about_likeness(build: Published) -> APIRouter:
    router = APIRouter(tags=["likeness"])

    @router.get("/similar")
    def similar_to(asked: Annotated[SimilarSongs, Query()]) -> similar.Similar:
        """Return what is recommended for a song, by its id or a title that only it has."""
        return similar.similar(build, asked.song, asked.k, asked.profile)

    @router.post("/similar")
    def similar_to_json(asked: Similar) -> similar.Similar:
        """Return the songs like one of the catalogue, or like a new one of given features."""
        if asked.song is not None:
            return similar.similar(build, asked.song, asked.k, asked.profile)
        return similar.like_features(build, asked.features or {}, asked.k or 5, asked.profile)

    @router.post("/request")
    def requested(asked: list[Question]) -> list[request.Answer]:
        """Return for each question the songs found and the songs nearest to its playlist."""
        return request.answers(build, [one.request() for one in asked])

    return router


def _about_songs(build: Published) -> APIRouter:
    router = APIRouter(tags=["songs"])

    @router.get("/songs/{song_id:path}/profile")
    def feature_profile(song_id: SongId) -> profile.Profile:
        """Return a song's audio features beside the means of its list and of the catalogue."""
        return profile.profile(build, song_id)

    @router.get("/songs/{song_id:path}")
    def song(song_id: SongId) -> songs.Song:
        """Return a song, what is recommended for it, and what leads to it."""
        return songs.song(build, song_id)

    return router
