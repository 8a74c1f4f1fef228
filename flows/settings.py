"""Environment variables that begin with SEGUE_ come in; one checked, frozen ``Settings`` goes out.

Everything below the flows takes plain arguments and reads no environment.
"""

import difflib
import json
import logging
import os
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from flows.connections.files import connection
from warehouse.errors import InputError
from warehouse.files.columns import chosen_columns

logger = logging.getLogger(__name__)

PREFIX = "SEGUE_"
FILES = ("tracks", "genres", "playlists", "ratings")
SEPARATORS = dict.fromkeys(FILES, os.pathsep) | {"map": ";"}  # other lists are separated by blanks
CRON_FIELD = re.compile(r"[\w*/,#?-]+")
SECRETS = ("notify", "heartbeat")
DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?")


class Settings(BaseSettings):
    """All that can be set; a field ``keep`` is set by the variable ``SEGUE_KEEP``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    home: Path = Field(Path("var"), description="Folder of the warehouse and the builds.")
    tracks: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description=f"Track files, separated by {os.pathsep!r} or as a JSON array. "
        "None: the built-in demo catalogue.",
    )
    genres: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Files of artist genres, as SEGUE_TRACKS. None: those of the demo, or none."
    )
    playlists: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Files of playlists, as SEGUE_TRACKS. None: those of the demo, or none."
    )
    ratings: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Files of ratings, as SEGUE_TRACKS. None: those of the demo, or none."
    )
    map: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Which column of the files is meant, as title=Song name; several separated "
        "by ';' or as a JSON array.",
    )
    held_out_share: float = Field(
        0.1, ge=0, le=0.5, description="Share of the playlists held out for the evaluation."
    )
    neighbours: int = Field(5, ge=1, le=100, description="Recommendations for each song.")
    hub_cap: int | None = Field(
        None,
        ge=0,
        description="How many lists may have a song among their first five; 0 for any number, and "
        "then some songs stand in no list. None: 15 with playlists, else 13.",
    )
    engine: Literal["exact", "ivf"] = Field(
        "exact",
        description="Search for neighbours: exact, or the nearly exact inverted file of faiss for "
        "tens of millions of songs.",
    )
    min_recall: float = Field(
        0.98,
        ge=0,
        le=1,
        description="Share of the nearest songs below which the lists of a search that is not "
        "exact are not published.",
    )
    dask: str = Field(
        "",
        pattern=r"^(local|\w+://\S+)?$",
        description="Address of a Dask scheduler whose workers search, such as tcp://host:8786, or "
        "local for a process on each processor here. None: threads.",
    )
    max_rejected_share: float = Field(
        0.05, ge=0, le=1, description="Share of rejected rows above which a build stops."
    )
    max_variance_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the variance that one column of the vectors may carry.",
    )
    evaluation_tolerance: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share by which the evaluation's headline may fall below the last build's.",
    )
    row_count_tolerance: float = Field(
        0.2,
        ge=0,
        allow_inf_nan=False,
        description="Share by which row counts may differ from those of the last build.",
    )
    max_churn: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of lists that may change on the same sources; beyond it the build waits "
        "for `segue publish`. 1: any.",
    )
    max_age: timedelta = Field(
        timedelta(hours=26),
        gt=timedelta(0),
        description="Time without a successful run after which the build counts as stale, "
        "such as 26h, 90m or 1d12h.",
    )
    notify: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        exclude=True,
        description="Who is told of failures and recoveries: Apprise addresses separated by "
        "blanks, or a JSON array.",
    )
    heartbeat: SecretStr | None = Field(
        None,
        exclude=True,
        description="Address of a check that is told of every run, such as healthchecks.io's.",
    )
    keep: int = Field(7, ge=1, description="Builds to keep besides the one that is served.")
    cron: str = Field("0 3 * * *", description="When to refresh: five cron fields.")
    time_zone: str = Field("UTC", description="Time zone of SEGUE_CRON, such as Europe/Berlin.")
    host: str = Field("127.0.0.1", min_length=1, description="Address that the site listens on.")
    port: int = Field(8001, ge=0, le=65535, description="Port of the site; 0 takes a free one.")
    base_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$",
        description="Address of the site as others reach it, with any path that a proxy adds.",
    )
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names by which visitors may reach the site if SEGUE_BASE_URL is not set: "
        "separated by blanks, or a JSON array.",
    )
    workers: int = Field(1, ge=1, le=64, description="Processes that answer for the site.")
    allow_sql: bool = Field(False, description="Let visitors of the site run their own SQL.")
    allow_download: bool = Field(False, description="Let visitors download the database file.")
    exports: bool = Field(
        True, description="Let visitors fetch whole tables, except those with private data."
    )
    suggest_facets: bool = Field(
        False, description="Let the site suggest facets on table pages, which is slow."
    )

    connections: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="What builds read from other services, separated by blanks, such as "
        "'listenbrainz:NAME subsonic'; fetched by segue fetch.",
    )
    fetch_first: bool = Field(
        False, description="Fetch the connections before each scheduled build."
    )
    contact: str = Field(
        "", description="Your e-mail address or page, given to other services as a contact."
    )
    noncommercial: bool = Field(
        False, description="Use data that is licensed for non-commercial use only."
    )
    listenbrainz_token: SecretStr = Field(
        SecretStr(""), exclude=True, description="Token of your ListenBrainz account."
    )
    listenbrainz_url: str = Field(
        "https://api.listenbrainz.org", description="Address of ListenBrainz."
    )
    musicbrainz_url: str = Field("https://musicbrainz.org", description="Address of MusicBrainz.")
    subsonic_url: str = Field("", description="Address of your OpenSubsonic server.")
    subsonic_user: str = Field("", description="Your name there.")
    subsonic_password: SecretStr = Field(
        SecretStr(""), exclude=True, description="Your password there."
    )
    subsonic_api_key: SecretStr = Field(
        SecretStr(""), exclude=True, description="A key in place of name and password."
    )
    spotify_client_id: str = Field("", description="Client id of your application at Spotify.")
    spotify_budget: int = Field(
        1000, ge=1, description="Requests to Spotify within 24 hours, of all your applications."
    )
    spotify_url: str = Field("https://api.spotify.com", description="Address of Spotify's API.")
    spotify_accounts_url: str = Field(
        "https://accounts.spotify.com", description="Address of Spotify's accounts."
    )

    @field_validator("connections", mode="before")
    @classmethod
    def _split_connections(cls, value: object) -> object:
        return value.split() if isinstance(value, str) else value

    @field_validator("connections", mode="after")
    @classmethod
    def _known_connections(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(connection(one)) for one in value)
        except InputError as error:
            raise ValueError(f"is not right: {error}") from error

    @field_validator("home", mode="after")
    @classmethod
    def _home_of_user(cls, home: Path) -> Path:
        return home.expanduser()

    @field_validator(*FILES, "notify", "hosts", "map", mode="before")
    @classmethod
    def _split(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        if not value.lstrip().startswith("["):
            return [part for part in value.split(SEPARATORS.get(info.field_name or "")) if part]
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"should be a JSON array: {error}") from error

    @field_validator("max_age", mode="before")
    @classmethod
    def _in_units(cls, value: object) -> object:
        if not isinstance(value, str) or value.startswith("P"):  # ISO 8601, as JSON has it
            return value
        match = DURATION.fullmatch(value.strip())
        if match is None or not any(match.groups()):
            raise ValueError("should be a time such as 26h, 90m or 1d12h")
        days, hours, minutes = (int(count or 0) for count in match.groups())
        return timedelta(days=days, hours=hours, minutes=minutes)

    @field_validator("heartbeat", mode="after")
    @classmethod
    def _web_address(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret and not secret.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("should be an address that begins with https:// or http://")
        return secret

    @field_validator(*FILES, mode="after")
    @classmethod
    def _files_of_user(cls, files: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.expanduser() for path in files)

    @field_validator("map", mode="after")
    @classmethod
    def _pairs(cls, pairs: tuple[str, ...]) -> tuple[str, ...]:
        chosen_columns(pairs)
        return pairs

    @field_validator("cron", mode="after")
    @classmethod
    def _five_fields(cls, cron: str) -> str:
        parts = cron.split()
        if len(parts) != 5 or not all(CRON_FIELD.fullmatch(part) for part in parts):
            raise ValueError("should be five cron fields such as '0 3 * * *'")
        return cron


def settings(**overrides: Any) -> Settings:
    """Return the settings: an override first, else the environment, else the default.

    Args:
        overrides: by field name; those that are None count as not given.

    Raises:
        InputError: names every bad value, what was expected and what came.
    """
    _warn_of_misspelt(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        breaches = [_breach(e["loc"], e["msg"], e["input"]) for e in error.errors()]
        raise InputError("\n".join(breaches)) from error


def _breach(location: tuple[int | str, ...], message: str, value: object) -> str:
    """Return one line such as ``SEGUE_KEEP should be ..., got 0 (Builds to keep.)``."""
    name = str(location[0])
    shown = "what is kept secret" if name in SECRETS else repr(value)
    expected = message.removeprefix("Value error, ").removeprefix("Input ")
    field = Settings.model_fields.get(name)
    about = f" ({field.description})" if field else ""
    return f"{PREFIX}{name.upper()} {expected}, got {shown}.{about}"


def _warn_of_misspelt(names: Iterable[str]) -> None:
    """Warn of a variable that is nearly, but not quite, the name of a setting."""
    known = [f"{PREFIX}{field}".upper() for field in Settings.model_fields]
    for name in sorted(n.upper() for n in names):
        if name.startswith(PREFIX) and name not in known:
            for near in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
                logger.warning("%s is not a setting and was ignored; did you mean %s?", name, near)


def keep_prefect_private(home: Path, quiet: bool = False) -> None:
    """Tell Prefect, before it is imported, to keep its files in the home and send nothing out.

    What the environment already says stays, so that a server of one's own can be used.

    Args:
        home: Segue's home.
        quiet: leave Prefect's own log lines out, as where progress bars are shown.
    """
    folder = (home / "prefect").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    private = {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_LEVEL": "CRITICAL" if quiet else "INFO",
        # Its own 20 seconds are too few for a busy machine, and the night would be lost.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    }
    for name, value in private.items():
        os.environ.setdefault(name, value)
