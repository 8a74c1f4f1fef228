"""MusicBrainz: songs and artists of a catalogue come in; their MBIDs and genres go out.

Whole batches are asked of ListenBrainz, which answers fifty songs at once; MusicBrainz itself, at a
request a second, only for artists that are left over; the canonical dump not at all, being a file.
"""

import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from warehouse.connectors.http import Answer, Client, Service
from warehouse.connectors.snapshots import Fetched, Origin, Snapshot, as_csv, moment
from warehouse.errors import InputError, ServiceError
from warehouse.manifest import sha256

logger = logging.getLogger(__name__)

BASE = "https://musicbrainz.org"
GAP = 1.1  # seconds; more than one request a second is answered by 503, for everybody here
LOOKUPS_A_CALL = 50
LONGEST_LOOKUP = 250  # characters
ARTISTS_A_CALL = 50
SONGS_AN_ARTIST = 2
GENRES_AN_ARTIST = 5
DAY = 86_400
FRESH = 180 * DAY  # how long an answer holds
FRESH_MISS = 30 * DAY
TAG_TERMS = "https://musicbrainz.org/doc/About/Data_License (CC BY-NC-SA 3.0)"
CORE_TERMS = "https://musicbrainz.org/doc/About/Data_License (CC0)"
SURE, EDITION, NAME_ONLY = 0.95, 0.8, 0.6
NAMESAKES = 0.3
EDITION_OF = re.compile(r"\s+[-–(\[].*$")
MBIDS_HEADER = ("song_id", "recording_mbid", "artist_mbid", "confidence", "how")
Item = TypeVar("Item")


def service(base: str = BASE) -> Service:
    """Return how MusicBrainz wants to be asked."""
    return Service("MusicBrainz", base.rstrip("/"), GAP)


@dataclass(frozen=True)
class Song:
    """A song of the catalogue, by what it is looked up with."""

    song_id: str
    title: str
    artist: str


@dataclass(frozen=True)
class Known:
    """What was answered of an artist.

    Args:
        artist: as the catalogue writes it.
        mbid: of the artist; none where nobody, or more than one, goes by the name.
        genres: the commonest first.
        asked_at: seconds since 1970.
        via: who answered.
    """

    artist: str
    mbid: str | None
    genres: tuple[str, ...]
    asked_at: float
    via: str


class Cache:
    """What was answered, a line each, added as answers come; of two of a kind the last counts."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self._key = path, key
        self.rows: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                    self.rows[row[key]] = row
                except (ValueError, KeyError, TypeError):
                    continue  # the line that a kill cut short

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep answers: they are on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = not self.path.exists() or self.path.read_bytes()[-1:] in {b"", b"\n"}
        with self.path.open("a", encoding="utf-8") as file:
            file.write("" if whole else "\n")
            for row in rows:
                self.rows[row[self._key]] = dict(row)
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()

    def fresh(self, key: str, now: float) -> bool:
        """Whether an answer is there and still holds."""
        row = self.rows.get(key)
        if row is None:
            return False
        hit = bool(row.get("mbid") or row.get("recording_mbid"))
        return bool(now - row["asked_at"] < (FRESH if hit else FRESH_MISS))


def fetch_genres(
    brainz: Client, musicbrainz: Client | None, home: Path, songs: Sequence[Song]
) -> list[Fetched]:
    """Fetch the genres of every artist of a catalogue whose answer is not there or too old.

    An artist is known by two of their songs: where these are by different people of one name, or
    by somebody who is called otherwise, no genre is taken.

    Args:
        brainz: a client of ListenBrainz, with a token.
        musicbrainz: where given, asked for those that ListenBrainz does not know.
        home: Segue's home.
        songs: of the catalogue, the best known of an artist first.
    """
    before, now = brainz.sent, brainz.clock.now()
    snapshot = Snapshot(home, "musicbrainz", "genres", "genres.csv")
    cache = Cache(snapshot.path.with_name("cache.jsonl"), "artist")
    by_artist: dict[str, list[Song]] = {}
    for song in songs:
        by_artist.setdefault(song.artist, []).append(song)
    wanted = [artist for artist in by_artist if not cache.fresh(artist, now)]
    # Whole artists go into a batch, so that a kill loses no half of one.
    for batch in _batches(wanted, ARTISTS_A_CALL):
        asked = [song for artist in batch for song in by_artist[artist][:SONGS_AN_ARTIST]]
        answers = [row for p in _batches(asked, LOOKUPS_A_CALL) for row in _looked_up(brainz, p)]
        cache.add(asdict(one) for one in _with_tags(brainz, _people(batch, answers), now))
    left = _left_over(cache, by_artist) if musicbrainz is not None else []
    for artist in left:
        assert musicbrainz is not None  # noqa: S101 - there is nothing left otherwise
        cache.add([asdict(searched(musicbrainz, artist, now))])
    sent = brainz.sent - before + (musicbrainz.sent if musicbrainz is not None else 0)
    artists = sorted(by_artist)
    if not wanted and not left and snapshot.origin is not None:
        snapshot.touch(now, sent)
        return [Fetched(snapshot.path, snapshot.origin.rows, sent, changed=False)]
    return [_publish_genres(snapshot, [cache.rows[a] for a in artists], now, sent)]


def _left_over(cache: Cache, artists: Iterable[str]) -> list[str]:
    """Return the artists whom ListenBrainz does not know and MusicBrainz was not asked for."""
    rows = (cache.rows[artist] for artist in artists)
    return [r["artist"] for r in rows if not r["mbid"] and r["via"] != "MusicBrainz"]


def requests_needed(artists: int) -> int:
    """Return how many requests the genres of so many artists take, at most."""
    calls = -(-artists // ARTISTS_A_CALL)
    return calls * (1 + SONGS_AN_ARTIST * ARTISTS_A_CALL // LOOKUPS_A_CALL)


def _publish_genres(
    snapshot: Snapshot, known: Sequence[Mapping[str, Any]], now: float, sent: int
) -> Fetched:
    rows = [row for row in known if row["genres"]]
    facts = Origin(
        *("MusicBrainz", f"{BASE}/doc/Genres", moment(now), "non-commercial", TAG_TERMS),
        *(sent, len(rows), ""),
    )
    snapshot.publish(as_csv(("artist", "genres"), rows), facts)
    return Fetched(snapshot.path, len(rows), sent, changed=True)


def _looked_up(client: Client, songs: Sequence[Song]) -> Iterator[tuple[Song, dict[str, Any]]]:
    """Yield what ListenBrainz knows of each song; those with endless names are not asked for."""
    short = [song for song in songs if len(song.artist) + len(song.title) <= LONGEST_LOOKUP]
    if not short:
        return
    asked = [{"artist_name": s.artist, "recording_name": s.title} for s in short]
    answer = client.ask("/1/metadata/lookup/", json={"recordings": asked})
    for row in _list(answer, "ListenBrainz"):
        index = row.get("index")
        if isinstance(index, int) and 0 <= index < len(short) and row.get("recording_mbid"):
            yield short[index], row


def _people(
    artists: Sequence[str], answers: Iterable[tuple[Song, Mapping[str, Any]]]
) -> dict[str, str | None]:
    """Return the MBID of each artist, or none where the answers do not agree on one person."""
    told: dict[str, set[str]] = {artist: set() for artist in artists}
    for song, row in answers:
        mbids = row.get("artist_mbids") or []
        same = folded(str(row.get("artist_credit_name"))) == folded(song.artist)
        told[song.artist].add(mbids[0] if same and len(mbids) == 1 else "")
    return {a: next(iter(m)) or None if len(m) == 1 else None for a, m in told.items()}


def _with_tags(client: Client, people: Mapping[str, str | None], now: float) -> Iterator[Known]:
    mbids = sorted({mbid for mbid in people.values() if mbid})
    genres: dict[str, tuple[str, ...]] = {}
    for batch in _batches(mbids, ARTISTS_A_CALL):
        query = {"artist_mbids": ",".join(batch), "inc": "tag"}
        for row in _list(client.get("/1/metadata/artist/", query), "ListenBrainz"):
            tags = (row.get("tag") or {}).get("artist") or []
            # Only those that MusicBrainz lists as genres, not whatever somebody wrote.
            named = [tag for tag in tags if tag.get("genre_mbid")]
            genres[str(row.get("artist_mbid") or row.get("mbid"))] = _commonest(named, "tag")
    for artist, mbid in people.items():
        yield Known(artist, mbid, genres.get(mbid or "", ()), now, "ListenBrainz")


def _commonest(tags: Sequence[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    ordered = sorted(tags, key=lambda tag: (-int(tag.get("count") or 0), str(tag.get(name))))
    return tuple(str(tag[name]) for tag in ordered[:GENRES_AN_ARTIST])


def searched(client: Client, artist: str, now: float) -> Known:
    """Ask MusicBrainz itself for an artist; who shares a name with another gets no genre."""
    plain = artist.replace("\\", " ").replace('"', " ")
    query: dict[str, str | int] = {"query": f'artist:"{plain}"', "fmt": "json", "limit": 25}
    value = _object(client.get("/ws/2/artist", query))
    named = [a for a in value.get("artists") or [] if folded(str(a.get("name"))) == folded(artist)]
    if len(named) != 1:
        return Known(artist, None, (), now, "MusicBrainz")
    mbid = str(named[0]["id"])
    found = _object(client.get("/ws/2/artist/{mbid}", {"inc": "genres", "fmt": "json"}, mbid=mbid))
    return Known(artist, mbid, _commonest(found.get("genres") or [], "name"), now, "MusicBrainz")


def fetch_mbids(brainz: Client, home: Path, songs: Sequence[Song]) -> list[Fetched]:
    """Look up the recording of every song whose answer is not there or too old.

    Args:
        brainz: a client of ListenBrainz, with a token.
        home: Segue's home.
        songs: of the catalogue.
    """
    before, now = brainz.sent, brainz.clock.now()
    snapshot = Snapshot(home, "musicbrainz", "mbids", "mbids.csv")
    cache = Cache(snapshot.path.with_name("cache.jsonl"), "song_id")
    wanted = [song for song in songs if not cache.fresh(song.song_id, now)]
    for batch in _batches(wanted, LOOKUPS_A_CALL):
        rows = {song.song_id: _recording(song, row) for song, row in _looked_up(brainz, batch)}
        missing = {"recording_mbid": None, "artist_mbid": None, "confidence": None, "how": ""}
        cache.add(
            {"song_id": song.song_id, "asked_at": now, **rows.get(song.song_id, missing)}
            for song in batch
        )
    there = {song.song_id for song in songs}
    rows_now = [r for i, r in sorted(cache.rows.items()) if i in there and r["recording_mbid"]]
    if not wanted and snapshot.origin is not None:
        snapshot.touch(now, 0)
        return [Fetched(snapshot.path, len(rows_now), 0, changed=False)]
    url = f"{brainz.service.base}/1/metadata/lookup/"
    return [_publish_mbids(snapshot, rows_now, url, now, brainz.sent - before)]


def _recording(song: Song, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recording that was answered for a song, and how sure it is to be that song."""
    artists = row.get("artist_mbids") or []
    same = folded(str(row.get("artist_credit_name"))) == folded(song.artist)
    title = str(row.get("recording_name"))
    sure = SURE if folded(title) == folded(song.title) else EDITION
    if folded(EDITION_OF.sub("", title)) != folded(EDITION_OF.sub("", song.title)):
        sure = NAME_ONLY
    return {
        "recording_mbid": row["recording_mbid"],
        "artist_mbid": artists[0] if artists else None,
        "confidence": sure if same else min(sure, NAME_ONLY),
        "how": "ListenBrainz look-up",
    }


def _publish_mbids(
    snapshot: Snapshot, rows: Sequence[Mapping[str, Any]], url: str, now: float, sent: int
) -> Fetched:
    facts = Origin("MusicBrainz", url, moment(now), "open", CORE_TERMS, sent, len(rows), "")
    snapshot.publish(as_csv(MBIDS_HEADER, rows), facts)
    return Fetched(snapshot.path, len(rows), sent, changed=True)


# The dump names one recording for each artist and title; of several the one of the lowest score
# is the one that ListenBrainz takes. Two artists of one name make a match unsure.
CANONICAL = """
with dump as (
    select
        {key_artist} as artist_key, {key_title} as title_key,
        recording_mbid, artist_mbids, try_cast(score as double) as score
    from read_csv(?, all_varchar = true, header = true, null_padding = true)
), wanted as (
    select
        song_id,
        {song_artist} as artist_key,
        {song_title} as title_key,
        {song_base} as base_key
    from songs
), matched as (
    select song_id, dump.*, {sure} as confidence
    from wanted join dump using (artist_key, title_key)
    where artist_key <> '' and title_key <> ''
    union all
    select song_id, dump.*, {edition} as confidence
    from wanted join dump on dump.artist_key = wanted.artist_key and dump.title_key = base_key
    where dump.artist_key <> '' and base_key <> '' and base_key <> wanted.title_key
), counted as (
    select *, count(distinct artist_mbids) over (partition by song_id, confidence) as namesakes
    from matched
)
select
    song_id,
    recording_mbid,
    case when contains(artist_mbids, ',') then null else artist_mbids end as artist_mbid,
    case when namesakes > 1 then {namesake} else confidence end as confidence,
    'canonical dump' as how
from counted
qualify row_number() over (
    partition by song_id order by confidence desc, score nulls last, recording_mbid) = 1
order by song_id
"""


def of_dump(home: Path, songs: Sequence[Song], dump: Path, now: float) -> list[Fetched]:
    """Find the recordings of songs in the canonical dump, offline.

    Args:
        home: Segue's home.
        songs: of the catalogue.
        dump: ``canonical_musicbrainz_data.csv``, perhaps compressed by gzip or zstd.
        now: seconds since 1970.

    Raises:
        InputError: the file is no such dump.
    """
    snapshot = Snapshot(home, "musicbrainz", "mbids", "mbids.csv")
    base = "regexp_replace(title, '\\s+[-–(\\[].*$', '')"
    sql = CANONICAL.format(
        key_artist=_key("artist_credit_name"),
        key_title=_key("recording_name"),
        song_artist=_key("artist"),
        song_title=_key("title"),
        song_base=_key(base),
        sure=SURE,
        edition=EDITION,
        namesake=NAMESAKES,
    )
    try:
        with duckdb.connect() as database:
            database.execute("create table songs (song_id varchar, title varchar, artist varchar)")
            database.executemany("insert into songs values (?, ?, ?)", [_row(s) for s in songs])
            found = database.execute(sql, [str(dump)])
            names = [column[0] for column in found.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    except duckdb.Error as error:
        raise InputError(
            f"{dump}: not read as canonical_musicbrainz_data.csv: {str(error).splitlines()[0]}. "
            "Unpack it from https://metabrainz.org/datasets/derived-dumps and name that file."
        ) from error
    return [_publish_mbids(snapshot, rows, f"{dump.name} {sha256(dump)[:12]}", now, 0)]


def _row(song: Song) -> tuple[str, str, str]:
    return song.song_id, song.title, song.artist


def _key(column: str) -> str:
    """Return SQL that folds a name as ``folded`` does."""
    return (
        f"coalesce(regexp_replace(lower(strip_accents({column})), "
        "'[^\\p{L}\\p{N}]+', '', 'g'), '')"
    )


def folded(text: str) -> str:
    """Return a name without case, accents and signs."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LN")


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def _list(answer: Answer, name: str) -> list[dict[str, Any]]:
    if answer.status in {401, 403}:
        raise InputError(
            f"{name} looks up songs only for users with a token: copy yours from "
            "https://listenbrainz.org/settings/ into SEGUE_LISTENBRAINZ_TOKEN."
        )
    if answer.status != 200 or not isinstance(answer.value, list):
        raise ServiceError(f"{name} answered {answer.status}. Try again later.")
    return [row for row in answer.value if isinstance(row, dict)]


def _object(answer: Answer) -> dict[str, Any]:
    if answer.status != 200 or not isinstance(answer.value, dict):
        raise ServiceError(f"MusicBrainz answered {answer.status}. Try again later.")
    return answer.value
