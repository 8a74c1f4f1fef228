"""The HTTP interface: a published build comes in, an application that answers in JSON goes out.

Addresses, parameters and answers are described by its own OpenAPI file. Errors are problem
details (RFC 9457).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from importlib.metadata import version
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, FastAPI, Path, Query, Response

from flows.answers import batch as request
from flows.answers import build as published_build
from flows.answers import compare as pairs
from flows.answers import groups, overview, search, similar, tracks
from flows.answers import playlists as mix
from flows.answers import ratings as rate
from flows.answers import song as songs
from flows.answers import tables as published
from flows.answers.bounds import LONGEST_FILTER, LONGEST_GROUP, LONGEST_NAME, LONGEST_SIDE
from flows.answers.questions import (
    BatchBody,
    SearchBody,
    SearchQuestion,
    SimilarBody,
    SimilarQuestion,
    SuggestBody,
    SuggestQuestion,
)
from flows.site import problems
from flows.site.text import TextRoute
from warehouse.files.playlists import MEDIA_TYPES
from warehouse.published import Published

PREFIX = "/api/v1"
Form = Literal["csv", "m3u8", "xspf", "jspf", "uris", "json"]
FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type: {} for media_type, _ in MEDIA_TYPES.values()}}
}
SongName = Annotated[
    str, Query(max_length=LONGEST_SIDE, description="A song_id, or a title, an artist or both.")
]
GroupName = Annotated[str, Path(max_length=LONGEST_GROUP)]
SongId = Annotated[str, Path(max_length=LONGEST_NAME, description="The catalogue's own id.")]


def app(
    build: Published,
    switches: Mapping[str, bool] | None = None,
    max_age: timedelta = timedelta(hours=26),
) -> FastAPI:
    """Return the interface to one build; every path begins with ``PREFIX``.

    Args:
        build: what is answered from.
        switches: what is switched on where it is served, to be told.
        max_age: time without a run that ended well after which the build counts as stale.
    """
    api = FastAPI(
        title="Segue",
        version=version("segue"),
        summary="Songs, what goes with them, and why.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.tell(api)
    for router in (
        _about_the_build(build, switches or {}, max_age),
        _about_search(build),
        _about_likeness(build),
        _about_pairs(build),
        _about_songs(build),
        _about_groups(build),
        _about_the_whole(build),
        _about_mixes(build),
        _about_ratings(build),
    ):
        api.include_router(router, prefix=PREFIX)
    return api


def described() -> str:
    """Return the OpenAPI file of the interface, which is the same for every build."""
    nowhere = cast(Published, None)  # asked only by an answer
    return json.dumps(app(nowhere).openapi(), indent=1, ensure_ascii=False) + "\n"


def _about_the_build(
    build: Published, switches: Mapping[str, bool], max_age: timedelta
) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["build"])

    @router.get("/catalogue")
    def whole() -> overview.Overview:
        """Return what the build holds, at a glance."""
        return overview.overview(build)

    @router.get("/about")
    def how_made() -> published_build.BuildReport:
        """Return what the build was made from, how it was checked and how good it is."""
        return published_build.about(build)

    @router.get("/tables")
    def tables() -> published.PublishedTables:
        """Return every published table with its columns, and examples of joins."""
        return published.tables(build)

    @router.get("/health")
    def health() -> published_build.BuildHealth:
        """Return whether the build can be read, and its id."""
        return published_build.health(build)

    @router.get("/status", responses={503: {"model": published_build.NightlyStatus}})
    def nights(response: Response, strict: bool = False) -> published_build.NightlyStatus:
        """Return how the nightly runs go; with ``strict``, 503 where they do not go well."""
        found = published_build.nights(build, max_age)
        if strict and not found.well:
            response.status_code = 503
        return found

    @router.get("/info")
    def info() -> published_build.BuildInfo:
        """Return which build is served, how old it is and what is switched on."""
        return published_build.info(build, switches)

    return router


def _about_search(build: Published) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["search"])

    @router.get("/search")
    def searched(question: Annotated[SearchQuestion, Query()]) -> search.SearchResults:
        """Return the songs that a text may mean, by title, artist, both, or what they are about."""
        return search.search(build, question.q, question.limit, question.filters())

    @router.post("/search")
    def searched_as_json(question: SearchBody) -> search.SearchResults:
        """Return the same for a question in JSON."""
        return searched(question)

    @router.get("/suggest")
    def suggested(question: Annotated[SuggestQuestion, Query()]) -> search.Suggestions:
        """Return suggestions for a text while it is being typed."""
        return search.suggest(build, question.q, question.limit)

    @router.post("/suggest")
    def suggested_as_json(question: SuggestBody) -> search.Suggestions:
        """Return the same for a question in JSON."""
        return suggested(question)

    return router


def _about_likeness(build: Published) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["likeness"])

    @router.get("/similar")
    def similar_to(question: Annotated[SimilarQuestion, Query()]) -> similar.SimilarList:
        """Return what is recommended for a song, given its id or a title that is its alone."""
        return similar.similar(build, question.song, question.k, question.profile)

    @router.post("/similar")
    def similar_to_json(question: SimilarBody) -> similar.SimilarList:
        """Return songs similar to one in the catalogue, or to a new one with the given features."""
        if question.song is not None:
            return similar.similar(build, question.song, question.k, question.profile)
        return similar.like_features(
            build, question.features or {}, question.k or 5, question.profile
        )

    @router.get("/similar-tracks")
    def similar_tracks(
        mbid: Annotated[str, Query(max_length=LONGEST_NAME, description="Of the recording.")] = "",
        title: Annotated[str, Query(max_length=LONGEST_NAME)] = "",
        artist: Annotated[str, Query(max_length=LONGEST_NAME)] = "",
        count: Annotated[int, Query(ge=1, le=tracks.MOST)] = 50,
    ) -> tracks.SimilarTracks:
        """Return songs like a track that a music server knows by its recording, or by its names."""
        return tracks.similar_tracks(build, mbid, title, artist, count)

    @router.post("/request")
    def requested(questions: list[BatchBody]) -> list[request.BatchAnswer]:
        """Return, for each question, the songs found and the songs nearest to its playlist."""
        return request.answers(build, [one.request() for one in questions])

    return router


def _about_pairs(build: Published) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["likeness"])

    @router.get("/compare")
    def compared(a: SongName = "", b: SongName = "") -> pairs.ComparisonAnswer:
        """Return two songs side by side, what they share, and a path of songs between them."""
        return pairs.compare(build, a, b)

    return router


def _about_songs(build: Published) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["songs"])

    @router.get("/songs/{song_id:path}/profile")
    def feature_profile(song_id: SongId) -> songs.FeatureProfile:
        """Return a song's audio features beside the means of its list and of the catalogue."""
        return songs.profile(build, song_id)

    @router.get("/songs/{song_id:path}")
    def song(song_id: SongId) -> songs.SongDetails:
        """Return a song, what is recommended for it, and what recommends it."""
        return songs.song(build, song_id)

    return router


def _about_groups(build: Published) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["artists, genres, tastes"])

    @router.get("/artists/{name:path}")
    def artist(name: GroupName) -> groups.Artist:
        """Return an artist: best known songs, genres, sound, and similar artists."""
        return groups.artist(build, name)

    @router.get("/genres")
    def genres(q: Annotated[str, Query(max_length=LONGEST_FILTER)] = "") -> groups.Genres:
        """Return the genres with the most songs, or those whose name contains ``q``."""
        return groups.genres(build, q)

    @router.get("/genres/{name:path}")
    def genre(name: GroupName) -> groups.Genre:
        """Return a genre: best known songs, sound, and similar genres."""
        return groups.genre(build, name)

    @router.get("/tastes")
    def tastes() -> groups.Tastes:
        """Return every taste with its best known songs."""
        return groups.tastes(build)

    @router.get("/tastes/{taste_id:path}")
    def taste(taste_id: GroupName) -> groups.Taste:
        """Return a taste: best known songs, sound, and similar tastes."""
        return groups.taste(build, taste_id)

    return router


def _about_the_whole(build: Published) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["the whole"])

    @router.get("/explore")
    def charts() -> overview.Charts:
        """Return the charts of the build with the rows that they show."""
        return overview.explore(build)

    @router.get("/map")
    def song_map() -> overview.SongMap:
        """Return where the best known songs lie on the map of the catalogue."""
        return overview.song_map(build)

    return router


def _about_mixes(build: Published) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["mix"])

    @router.get("/mix")
    def offer() -> mix.MixOffer:
        """Return what can be mixed, with an example."""
        return mix.offer(build)

    @router.post("/mix", response_model=mix.MixedPlaylist, responses=FILES)
    def mixed(saved: mix.SavedSongs, format: Form | None = None) -> mix.MixedPlaylist | Response:
        """Return a playlist for someone who saved these songs, or a file of it."""
        made = mix.mixed(build, saved)
        if format is None:
            return made
        if format == "json":
            return _file(json.dumps(asdict(made), ensure_ascii=False), format)
        return _file(mix.written(build, made.songs, format, f"Mix of {saved.name}"), format)

    @router.post("/playlist", response_model=None, responses=FILES)
    def playlist(listed: mix.PlaylistSongs, format: Form = "m3u8") -> Response:
        """Return a file with these songs, in their order."""
        songs = mix.described(build, listed.songs)
        return _file(mix.written(build, songs, format, listed.name), format)

    return router


def _about_ratings(build: Published) -> APIRouter:
    router = APIRouter(route_class=TextRoute, tags=["rate"])

    @router.get("/ask")
    def first() -> list[rate.SongToRate]:
        """Return the first songs to ask about."""
        return rate.ask(build)

    @router.post("/ask")
    def further(question: rate.NextQuestion) -> list[rate.SongToRate]:
        """Return the songs to ask about next, or again; nothing is kept."""
        if question.again:
            return rate.again(build, question.again)
        return rate.ask(build, question.rated, question.passed, question.n)

    @router.post("/rate")
    def recommended(given: rate.VisitorRatings) -> rate.RatingsAnswer:
        """Return what a visitor would rate highest, and which rating led to each."""
        return rate.answered(build, given)

    return router


def _file(text: str, form: str) -> Response:
    media_type, ending = MEDIA_TYPES[form]
    headers = {"Content-Disposition": f'attachment; filename="segue-mix.{ending}"'}
    return Response(text, headers=headers, media_type=media_type)
