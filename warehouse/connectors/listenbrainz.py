"""ListenBrainz: a person's name comes in; what they play, love and list goes out as snapshots.

Reading needs no account; a token raises the limits and lets lists be written.
"""

import json
import logging
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from warehouse.connectors.http import Answer, Client, Service
from warehouse.connectors.listens import files, lines, listen, mark
from warehouse.connectors.snapshots import (
    Fetched,
    Origin,
    Snapshot,
    as_csv,
    count_rows,
    moment,
)
from warehouse.errors import InputError, ServiceError, Unanswered
from warehouse.manifest import sha256

logger = logging.getLogger(__name__)

BASE = "https://api.listenbrainz.org"
TERMS = "https://listenbrainz.org/data/ (CC0 1.0)"
PAGE = 1000
PLAYLIST_PAGE = 100
WHOLE_EVERY = 30 * 86_400  # seconds; what was deleted or came late shows in a whole reading alone
ADDED_A_CALL = 100
LONGEST_TITLE = 100
JSPF = "https://musicbrainz.org/doc/jspf#playlist"
RECORDING = "https://musicbrainz.org/recording/"
PLAYLIST_HEADER = ("playlist_id", "playlist_name", "track_name", "artist_name", "recording_mbid")


def service(base: str = BASE) -> Service:
    """Return how ListenBrainz wants to be asked: it says in each answer how much is left."""
    return Service("ListenBrainz", base.rstrip("/"))


def headers(token: str) -> Mapping[str, str]:
    """Return what lets somebody in."""
    return {"Authorization": f"Token {token}"} if token else {}


def fetch_person(client: Client, home: Path, user: str) -> list[Fetched]:
    """Fetch what somebody plays, loves and lists; the files that builds read follow from these.

    Raises:
        InputError: there is nobody of that name.
        Postponed: the limit is used up; run again, it goes on.
    """
    listens = Snapshot(home, "listenbrainz", user, "listens.jsonl")
    loved = Snapshot(home, "listenbrainz", user, "feedback.jsonl")
    done = [
        fetch_listens(client, listens, user),
        fetch_feedback(client, loved, user),
        fetch_playlists(client, Snapshot(home, "listenbrainz", user, "playlists.csv"), user),
    ]
    derive(listens, loved, home, user, client.clock.now())
    return done


def derive(listens: Snapshot, loved: Snapshot, home: Path, user: str, now: float) -> None:
    """Write sessions and ratings of a person anew, unless they are of the same snapshots."""
    known = [snapshot.origin for snapshot in (listens, loved)]
    state = {"of": [one.sha256 for one in known if one]}
    targets = [Snapshot(home, "listenbrainz", user, f"{n}.csv") for n in ("sessions", "ratings")]
    if all(target.origin and target.origin.state == state for target in targets):
        for target in targets:
            target.touch(now, 0)
        return
    url = next(one.url for one in known if one)
    with files(_kept(listens.path), _kept(loved.path)) as written:
        for target, file in zip(targets, written, strict=True):
            target.publish(file, _origin(url, now, 0, count_rows(file), state))


def import_files(home: Path, user: str, paths: Sequence[Path], now: float) -> list[Fetched]:
    """Make sessions and ratings of files in place of what the API says.

    Args:
        home: Segue's home.
        user: whose export they are, or of whom to take what a dump holds; everybody without one.
        paths: as ``read_files`` takes them.
        now: seconds since 1970.

    Raises:
        InputError: a file cannot be read or holds no listen.
    """
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file. Check the path (now in {Path.cwd()}).")
    done = []
    state = {"of": [sha256(path) for path in paths]}
    url = ", ".join(path.name for path in paths)
    with files(read_files(paths, user or None)) as written:
        for name, file in zip(("sessions.csv", "ratings.csv"), written, strict=True):
            target = Snapshot(home, "listenbrainz", user or "all", name)
            rows = count_rows(file)
            target.publish(file, _origin(url, now, 0, rows, state))
            done.append(Fetched(target.path, rows, 0, changed=True))
    return done


def _kept(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from lines(file)


def _origin(url: str, now: float, requests: int, rows: int, state: Mapping[str, Any]) -> Origin:
    return Origin(
        "ListenBrainz", url, moment(now), "open", TERMS, requests, rows, sha256="", state=state
    )


def fetch_listens(client: Client, snapshot: Snapshot, user: str) -> Fetched:
    """Fetch what is new of somebody's listens or, once a month and the first time, all of them.

    ListenBrainz gives what lies strictly before a second, newest first. So a page ends in the
    middle of a second: the next is asked for from that second on, and what comes twice is dropped.
    """
    before, now = client.sent, client.clock.now()
    known = snapshot.origin
    head = _head(known, now)
    last = snapshot.last_page()
    cursor = last["cursor"] if last else None
    while not (last and last["done"]):
        query: dict[str, str | int] = {"count": PAGE, **({"max_ts": cursor} if cursor else {})}
        answer = client.get("/1/user/{user}/listens", query, user=user)
        payload = _value(answer, user).get("payload") or {}
        last = _page(payload.get("listens") or [], payload, head, cursor, user)
        if known and head and cursor is None and last["done"] and not _news(last, known):
            snapshot.touch(now, client.sent - before)
            return Fetched(snapshot.path, known.rows, client.sent - before, changed=False)
        cursor = last["cursor"]
        snapshot.add(last)
    rows = _merged(snapshot, head is not None)
    facts = _origin(
        f"{client.service.base}/1/user/{user}/listens",
        *(now, client.sent - before, len(rows)),
        _state(rows, known if head else None, now),
    )
    snapshot.publish("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), facts)
    return Fetched(snapshot.path, len(rows), client.sent - before, changed=True)


def _head(known: Origin | None, now: float) -> int | None:
    """Return the second of the newest listen that is held, or none where all are to be read."""
    if known is None or now - float(known.state.get("whole_at", 0)) > WHOLE_EVERY:
        return None
    newest: int | None = known.state.get("newest")
    return newest


def _page(
    given: Sequence[Any],
    payload: Mapping[str, Any],
    head: int | None,
    cursor: int | None,
    user: str,
) -> dict[str, Any]:
    """Return a page as it is kept: its listens, from where to go on, and whether it is the last."""
    rows = [row for row in (listen(one, user) for one in given) if row is not None]
    times = [one.get("listened_at") for one in given if isinstance(one, dict)]
    oldest = min((t for t in times if isinstance(t, int)), default=None)
    first = payload.get("oldest_listen_ts")
    ended = oldest is None or (oldest <= first if isinstance(first, int) else len(given) < PAGE)
    reached = head is not None and oldest is not None and oldest <= head
    following = oldest + 1 if oldest is not None else cursor
    if following == cursor and oldest is not None:
        logger.warning("more than %d listens of one second: some cannot be read", PAGE)
        following = oldest
    # At the first second of all there may be more of it than this page holds.
    whole = ended and (len(given) < PAGE or following == cursor)
    done = oldest is None or reached or whole
    return {"cursor": following, "done": done, "rows": rows, "unread": len(given) - len(rows)}


def _news(page: Mapping[str, Any], known: Origin) -> bool:
    """Whether a page holds a listen that the snapshot does not, of its newest second or later."""
    newest, held = known.state["newest"], set(known.state["newest_keys"])
    return any(
        row["listened_at"] > newest or (row["listened_at"] == newest and _key(row) not in held)
        for row in page["rows"]
    )


def _key(row: Mapping[str, Any]) -> str:
    """Return what tells a listen of a person from the others."""
    return f"{row['listened_at']} {row['msid']} {row['title']} {row['artist']}"


def _merged(snapshot: Snapshot, with_known: bool) -> list[dict[str, Any]]:
    known = _kept(snapshot.path) if with_known else iter(())
    rows: dict[str, dict[str, Any]] = {}
    for row in (*known, *(row for page in snapshot.pages() for row in page["rows"])):
        rows.setdefault(_key(row), row)
    return sorted(rows.values(), key=lambda row: (-row["listened_at"], _key(row)))


def _state(rows: Sequence[Mapping[str, Any]], known: Origin | None, now: float) -> dict[str, Any]:
    newest = rows[0]["listened_at"] if rows else None
    keys = [_key(row) for row in rows if row["listened_at"] == newest]
    whole_at = known.state["whole_at"] if known else now
    return {"newest": newest, "newest_keys": keys, "whole_at": whole_at}


def fetch_feedback(client: Client, snapshot: Snapshot, user: str) -> Fetched:
    """Fetch what somebody loves and hates, unless how much it is and the newest are as before."""
    before, now = client.sent, client.clock.now()
    known, first, rows = snapshot.origin, snapshot.last_page(), list[dict[str, Any]]()
    offset = first["offset"] if first else 0
    total, head = (first["total"], first["head"]) if first else (None, None)
    while total is None or offset < total:
        query: dict[str, str | int] = {"count": PAGE, "offset": offset, "metadata": "true"}
        value = _value(client.get("/1/feedback/user/{user}/get-feedback", query, user=user), user)
        given = value.get("feedback") or []
        if total is None:
            total = int(value.get("total_count") or 0)
            head = [[one.get("recording_msid"), one.get("score"), one.get("created")]
                    for one in given[:50]]  # fmt: skip
            if known and known.state == {"total": total, "head": head}:
                snapshot.touch(now, client.sent - before)
                return Fetched(snapshot.path, known.rows, client.sent - before, changed=False)
        offset = offset + len(given) if given else total
        rows = [row for row in (mark(one, user) for one in given) if row is not None]
        snapshot.add({"offset": offset, "total": total, "head": head, "rows": rows})
    kept = [row for page in snapshot.pages() for row in page["rows"]]
    url = f"{client.service.base}/1/feedback/user/{user}/get-feedback"
    facts = _origin(url, now, client.sent - before, len(kept), {"total": total, "head": head})
    snapshot.publish("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in kept), facts)
    return Fetched(snapshot.path, len(kept), client.sent - before, changed=True)


def fetch_playlists(client: Client, snapshot: Snapshot, user: str) -> Fetched:
    """Fetch somebody's public playlists, each only where it was changed since."""
    before, now = client.sent, client.clock.now()
    listed = list(_listed(client, user))
    state = {mbid: changed for mbid, _, changed in listed}
    known = snapshot.origin
    if known and known.state == state:
        snapshot.touch(now, client.sent - before)
        return Fetched(snapshot.path, known.rows, client.sent - before, changed=False)
    there = {page["mbid"]: page["changed"] for page in snapshot.pages()}
    for mbid, name, changed in listed:
        if there.get(mbid) == changed and mbid in there:
            continue
        value = _value(client.get("/1/playlist/{playlist}", playlist=mbid), mbid)
        rows = [_entry(track, mbid, name) for track in value["playlist"].get("track") or []]
        snapshot.add({"mbid": mbid, "changed": changed, "rows": rows})
    newest = {page["mbid"]: page["rows"] for page in snapshot.pages()}
    rows = [row for mbid, _, _ in listed for row in newest.get(mbid, [])]
    url = f"{client.service.base}/1/user/{user}/playlists"
    facts = _origin(url, now, client.sent - before, len(rows), state)
    snapshot.publish(as_csv(PLAYLIST_HEADER, rows), facts)
    return Fetched(snapshot.path, len(rows), client.sent - before, changed=True)


def _listed(client: Client, user: str) -> Iterator[tuple[str, str, str]]:
    """Yield MBID, name and time of the last change of somebody's playlists."""
    offset, total = 0, 1
    while offset < total:
        query: dict[str, str | int] = {"count": PLAYLIST_PAGE, "offset": offset}
        value = _value(client.get("/1/user/{user}/playlists", query, user=user), user)
        given = value.get("playlists") or []
        total = int(value.get("playlist_count") or 0) if given else 0
        offset += len(given)
        for one in given:
            playlist = one["playlist"]
            changed = (playlist.get("extension") or {}).get(JSPF, {}).get("last_modified_at")
            mbid = str(playlist["identifier"]).rstrip("/").rpartition("/")[2]
            yield mbid, str(playlist.get("title") or mbid), str(changed or playlist.get("date"))


def _entry(track: Mapping[str, Any], mbid: str, name: str) -> dict[str, Any]:
    told = track.get("identifier")
    told = told[0] if isinstance(told, list) and told else told
    recording = str(told or "").removeprefix(RECORDING)
    return {
        "playlist_id": mbid,
        "playlist_name": name,
        "track_name": track.get("title"),
        "artist_name": track.get("creator"),
        "recording_mbid": recording or None,
    }


def _value(answer: Answer, who: str) -> dict[str, Any]:
    """Return the object that was answered.

    Raises:
        InputError: nobody is called that, or the token does not count.
        ServiceError: anything else went wrong.
    """
    if answer.status == 404:
        raise InputError(f"ListenBrainz has no user {who!r}. Check the name, including capitals.")
    if answer.status in {401, 403}:
        raise InputError(
            "ListenBrainz refuses the token. Copy it from https://listenbrainz.org/settings/ into "
            "SEGUE_LISTENBRAINZ_TOKEN."
        )
    if answer.status != 200 or not isinstance(answer.value, dict):
        raise ServiceError(f"ListenBrainz answered {answer.status}{_why(answer)}.")
    return answer.value


def _why(answer: Answer) -> str:
    value = answer.value
    said = value.get("error") if isinstance(value, dict) else None
    return f": {' '.join(str(said).split())[:200]}" if said else ""


def read_files(paths: Sequence[Path], user: str | None) -> Iterator[dict[str, Any]]:
    """Yield the listens of an account's export (.zip), of JSON lines, or of public dumps (.tar).

    Args:
        paths: files; each may be compressed by gzip or zstd.
        user: whose export it is; dumps say of each listen whose it is, and of these only the
            user's are taken where one is named.

    Raises:
        InputError: a file cannot be read or holds no listen.
    """
    for path in paths:
        unread = found = 0
        try:
            for value in _records(path):
                owner = value.get("user_name") if isinstance(value, dict) else None
                if owner and user and owner != user:
                    continue
                row = listen(value, user)
                unread += row is None
                if row is not None:
                    found += 1
                    yield row
        except (
            OSError,
            EOFError,
            zipfile.BadZipFile,
            tarfile.TarError,
            pa.ArrowException,
        ) as error:
            raise InputError(
                f"{path}: cannot be read to the end: {error}. Fetch it again."
            ) from error
        if not found:
            whose = f" of {user}" if user else ""
            raise InputError(
                f"{path}: holds no listens{whose}. Expected an export from ListenBrainz."
            )
        if unread:
            logger.warning("%s: %d of its lines are not listens", path.name, unread)


def _records(path: Path) -> Iterator[Any]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as export:
            names = [n for n in export.namelist() if n.startswith("listens/") and n.endswith("l")]
            for name in sorted(names):
                with export.open(name) as file:
                    yield from lines(file)
        return
    kinds = {".zst": "zstd", ".gz": "gzip"}
    with closing(pa.input_stream(str(path), compression=kinds.get(path.suffix))) as stream:
        if ".tar" in path.suffixes:
            with tarfile.open(fileobj=stream, mode="r|") as dump:
                yield from _of_dump(dump)
        else:
            yield from lines(_lines_of(stream))


def _of_dump(dump: tarfile.TarFile) -> Iterator[Any]:
    for member in dump:
        name = member.name
        file = dump.extractfile(member) if name.endswith((".listens", ".jsonl")) else None
        if file is not None:
            yield from lines(file)


def _lines_of(stream: Any) -> Iterator[bytes]:
    left = b""
    while block := stream.read(2**20):
        *whole, left = (left + block).split(b"\n")
        yield from whole
    yield left


def push(
    client: Client, title: str, recordings: Sequence[str], public: bool, export_to: str | None
) -> tuple[str, str | None]:
    """Write a list as a playlist, once, and have it exported where somebody has linked an account.

    A playlist of ours is known again by its title among those of the token's owner, so that a
    push that was cut short, or is made twice, fills the same one.

    Args:
        client: with a token.
        title: of the playlist.
        recordings: MBIDs in order; ListenBrainz takes songs by these alone.
        public: whether others see it.
        export_to: ``spotify``, ``apple_music`` or ``soundcloud``.

    Returns:
        The playlist's MBID, and its address at the other service.
    """
    name = " ".join(title.split())[:LONGEST_TITLE]
    owner = str(_value(client.get("/1/validate-token"), "token").get("user_name") or "")
    if not owner:
        raise InputError("ListenBrainz refuses the token: set SEGUE_LISTENBRAINZ_TOKEN again.")
    mine = [mbid for mbid, listed, _ in _listed(client, owner) if listed == name]
    mbid = mine[0] if mine else _created(client, owner, name, recordings[:ADDED_A_CALL], public)
    _fill(client, mbid, recordings)
    if export_to is None:
        return mbid, None
    place = "/1/playlist/{playlist}/export/{to}"
    value = _value(client.send("POST", place, playlist=mbid, to=export_to), mbid)
    return mbid, str(value.get("external_url") or "") or None


def as_jspf(title: str, recordings: Iterable[str], public: bool) -> dict[str, Any]:
    """Return a playlist as ListenBrainz takes it."""
    tracks = [{"identifier": [RECORDING + mbid]} for mbid in recordings]
    return {"playlist": {"title": title, "track": tracks, "extension": {JSPF: {"public": public}}}}


def _created(
    client: Client, owner: str, title: str, recordings: Sequence[str], public: bool
) -> str:
    sent = as_jspf(title, recordings, public)
    try:
        answer = client.send("POST", "/1/playlist/create", json=sent)
    except Unanswered:  # it may be there all the same
        there = [mbid for mbid, listed, _ in _listed(client, owner) if listed == title]
        if not there:
            raise
        return there[0]
    return str(_value(answer, title)["playlist_mbid"])


def _fill(client: Client, mbid: str, recordings: Sequence[str]) -> None:
    """Make a playlist hold just these, in order, by as few changes as there are."""
    value = _value(client.get("/1/playlist/{playlist}", playlist=mbid), mbid)
    there = [_entry(t, "", "")["recording_mbid"] for t in value["playlist"].get("track") or []]
    same = next(
        (n for n, (a, b) in enumerate(zip(there, recordings, strict=False)) if a != b),
        min(len(there), len(recordings)),
    )
    if len(there) > same:
        sent = {"index": same, "count": len(there) - same}
        place = "/1/playlist/{playlist}/item/delete"
        _value(client.send("POST", place, json=sent, playlist=mbid), mbid)
    for first in range(same, len(recordings), ADDED_A_CALL):
        added = as_jspf("", recordings[first : first + ADDED_A_CALL], public=False)
        place = "/1/playlist/{playlist}/item/add"
        _value(client.send("POST", place, json=added, playlist=mbid), mbid)
