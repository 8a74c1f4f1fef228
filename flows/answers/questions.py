"""What the HTTP interface can be asked: values of an address or JSON come in, checked ones go on.

A field of a form that is left empty counts as not given. JSON may hold no other fields than these.
"""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from flows.answers import batch as request
from flows.answers import search
from flows.answers.bounds import (
    LONGEST_NAME,
    LONGEST_SEARCH,
    LONGEST_SONG,
    MOST_NEIGHBOURS,
    MOST_SHOWN,
    require_short,
)
from warehouse.errors import InputError

MOST_TOLD = 20  # breaches
LONGEST = 500  # signs of a sentence that may hold what was sent


def _given(value: object) -> object:
    return None if value == "" else value


Text = Annotated[str, Field(max_length=LONGEST_SEARCH)]
Year = Annotated[int | None, Field(ge=0, le=9999), BeforeValidator(_given)]
Number = Annotated[int | None, Field(ge=1, le=100), BeforeValidator(_given)]


class Question(BaseModel):
    """A question."""

    model_config = ConfigDict(allow_inf_nan=False)


class SearchQuestion(Question):
    """A search."""

    q: Text = Field("", description="Title, artist, both, or what it is about.")
    limit: int = Field(search.SHOWN, ge=1, le=MOST_SHOWN, description="Songs to return.")
    year_from: Year = Field(None, description="Only songs from this year on.")
    year_to: Year = Field(None, description="Only songs up to this year.")
    genre: Annotated[str | None, Field(max_length=LONGEST_NAME), BeforeValidator(_given)] = Field(
        None, description="Only this genre, of the song or its artist."
    )
    explicit: Annotated[bool | None, BeforeValidator(_given)] = Field(
        None, description="Only songs marked explicit, or not explicit."
    )

    def filters(self) -> search.Filters:
        """Return what songs must be to be found."""
        return search.Filters(self.year_from, self.year_to, self.genre, self.explicit)


class SuggestQuestion(Question):
    """The beginning of a search."""

    q: Text = Field("", description="What has been typed so far.")
    limit: int = Field(search.SUGGESTED, ge=1, le=search.SUGGESTED, description="Songs to return.")


class SearchBody(SearchQuestion):
    """A search in JSON."""

    model_config = ConfigDict(extra="forbid")


class SuggestBody(SuggestQuestion):
    """The beginning of a search in JSON."""

    model_config = ConfigDict(extra="forbid")


class SimilarQuestion(Question):
    """A song of the catalogue, to find others like it."""

    song: str = Field(min_length=1, max_length=LONGEST_SONG, description="A song_id, or a title.")
    k: Number = Field(None, description="Songs to return; by default all in the list.")
    profile: bool = Field(False, description="Add the mean audio features of the list.")


class SimilarBody(Question):
    """A song of the catalogue or a new one by its features, to find others like it."""

    model_config = ConfigDict(extra="forbid")

    song: str | None = Field(None, min_length=1, max_length=LONGEST_SONG)
    features: dict[str, Any] | None = Field(
        None,
        description="Audio features in the units of the table songs; title, artist and genres.",
        examples=[{"energy": 0.8, "tempo": 120, "genres": ["rock"]}],
    )
    k: Number = None
    profile: bool = False

    @model_validator(mode="after")
    def _one_of_two(self) -> "SimilarBody":
        if (self.song is None) == (self.features is None):
            raise ValueError("expected either song or features")
        return self


class BatchBody(Question):
    """A search and a playlist."""

    model_config = ConfigDict(extra="forbid")

    search: Text = ""
    playlist: list[Annotated[str, Field(max_length=LONGEST_NAME)]] = []
    recommender_neighbors: int = Field(request.ASKED, ge=0, le=MOST_NEIGHBOURS)
    search_neighbors: int = Field(20, ge=0, le=MOST_NEIGHBOURS)

    def request(self) -> request.BatchRequest:
        """Return it as it is answered."""
        return request.BatchRequest(
            self.search, self.playlist, self.recommender_neighbors, self.search_neighbors
        )


def questions(text: str) -> list[request.BatchRequest]:
    """Return the questions of a JSON array.

    Raises:
        TooMuch: the text is longer than anybody's questions.
        InputError: it is not such an array; says all that is wrong.
    """
    require_short(len(text.encode("utf-8", "ignore")), "The request")
    try:
        return [one.request() for one in TypeAdapter(list[BatchBody]).validate_json(text)]
    except ValidationError as error:
        raise InputError(f"Expected an array of requests: {in_words(error.errors())}.") from error


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong with one value.

    Args:
        place: where it stands: ``body``, ``query`` or ``path``, and the names that lead to it.
        expected: what should have come.
        got: the beginning of what came.
    """

    place: str
    expected: str
    got: str


def breach(error: Mapping[str, Any]) -> Breach:
    """Return what pydantic found wrong with one value."""
    place = ".".join(cut(str(part), 80) for part in error["loc"])
    if error["type"] == "missing":
        return Breach(place, "a value", "none")
    if error["type"] == "extra_forbidden":
        return Breach(place, "no field of this name", reprlib.repr(error["input"]))
    if error["loc"] == ("body",) and isinstance(error["input"], bytes):
        return Breach(place, "JSON, sent as application/json", reprlib.repr(error["input"]))
    message = str(error["msg"])
    for start in ("Input should be ", "Value error, expected ", "String should have "):
        message = message.removeprefix(start)
    return Breach(place, cut(message[:1].lower() + message[1:]), reprlib.repr(error["input"]))


def in_words(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return all that pydantic found wrong, in one sentence."""
    breaches = [breach(one) for one in errors[:MOST_TOLD]]
    more = f"; and {len(errors) - MOST_TOLD:,} more" if len(errors) > MOST_TOLD else ""
    words = (f"{one.place}: expected {one.expected}, got {one.got}" for one in breaches)
    return "; ".join(words) + more


def cut(text: str, most: int = LONGEST) -> str:
    """Return text that can be written, its beginning where it is long."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    return plain if len(plain) <= most else f"{plain[:most]}..."
