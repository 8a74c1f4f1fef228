"""Say what each column of a file is read as: names and values come in, uses go out.

A name counts by the vocabulary, a value by its look: a column whose name fits but whose values
cannot be what it promises is passed over, and says so.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from warehouse.errors import InputError
from warehouse.files.vocabulary import WORDS, meanings, normal

Rows = Sequence[Sequence[str]]

MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "none", "null", "\\n", "inf", "-inf", "-", "nat"}
NUMBER = re.compile(
    r"[-+−]?\(?\d[\d.,\s'’\u00a0\u202f]*(?:e[-+]?\d+)?\s*(?:%|db|bpm|ms|s|sec|min)?", re.I
)
KEY = re.compile(
    r"-?\d{1,2}(\.0)?|\d{1,2}[abdm]|"
    r"[a-h] ?(?:#|♯|b|♭|sharp|flat|is|es|s)?(?:\s?/\s?[a-h][#♯b♭]?)?"
    r"[\s_-]*(?:maj\w*|min\w*|m|dur|moll|mayor|menor|ma(?:gg)?iore?|mineur)?",
    re.I,
)
MODE = re.compile(r"-?\d(\.0)?|maj.*|min.*|m|dur|moll|men.*|mayor", re.I)
CLOCK = re.compile(r"(?:\d+:)?\d{1,3}:\d{2}(?:[.,]\d+)?|PT.+|" + NUMBER.pattern, re.I)
DATE = re.compile(r".*\d.*")
TRUTH = re.compile(r"[01](\.0)?|[a-zà-ÿ ]{1,14}", re.I)
OTHER_THINGS = re.compile(
    r"spotify:(?:artist|album|playlist|user|show):|https?://\S*/(?:artist|album|playlist|user)/",
    re.I,
)
TRACK_ID = re.compile(
    r"(?:spotify:track:|https?://open\.spotify\.com/(?:\S*/)?track/)?[0-9A-Za-z]{22}(?:\?\S*)?"
)
TIMED = re.compile(r".*\d{1,2}:\d{2}.*")
DATED = re.compile(
    r"\d{4}-\d{2}(-\d{2})?([ T].*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}( .*)?|\d{1,2} \w{3,9} \d{4}.*",
    re.I,
)
LOOKS: dict[str, re.Pattern[str]] = {
    "key": KEY,
    "mode": MODE,
    "duration_ms": CLOCK,
    "release_date": DATE,
    "year": DATE,
    "explicit": TRUTH,
    "time_signature": re.compile(r"-?\d+(\.0)?(\s*/\s*\d+)?"),
    **dict.fromkeys(("popularity", "month", "day", "loudness", "tempo", "played_ms"), NUMBER),
    **dict.fromkeys(("danceability", "energy", "speechiness", "acousticness"), NUMBER),
    **dict.fromkeys(("instrumentalness", "liveness", "valence"), NUMBER),
}
JOINED = ("artists", "genres")  # of which a file may have several columns
SHOWN = 30


@dataclass(frozen=True, slots=True)
class Use:
    """What becomes of one column of a file.

    Args:
        position: from 0.
        column: its name; "column 3" where the file has no header.
        used_as: Segue's column, empty where it is passed over.
        why: how that was decided.
    """

    position: int
    column: str
    used_as: str
    why: str


def uses(
    header: Sequence[str], rows: Rows, kind: str, chosen: Mapping[str, str] | None = None
) -> tuple[Use, ...]:
    """Say what each column of a header is read as.

    Args:
        header: names in the order of the file.
        rows: some records below it.
        kind: what the file is read for.
        chosen: Segue's column to the header's name, where somebody has said so.
    """
    chosen = {ours: theirs for ours, theirs in (chosen or {}).items() if theirs in header}
    taken = {header.index(theirs): (ours, "by --map") for ours, theirs in chosen.items()}
    odd: dict[int, str] = {}
    pairs = sorted(
        (rank, position, ours)
        for position, name in enumerate(header)
        for rank, ours in meanings(name, kind)
    )
    for _, position, ours in pairs:
        if position in taken or ours in chosen:
            continue
        holder = _holder(taken, ours, header)
        values = [row[position].strip() for row in rows if position < len(row)]
        if wrong := _misfit(ours, values):
            odd.setdefault(position, f"named as {ours}, but {wrong}")
        elif holder is None:
            taken[position] = (ours, "by its name")
        elif ours == "genres" or (ours == "artists" and _numbered(header, holder, position)):
            taken[position] = (ours, f"by its name, beside {header[holder]!r}")
        else:
            odd.setdefault(position, f"could be {ours}, as {header[holder]!r} is more surely")
    found = [
        Use(i, name, *taken.get(i, ("", odd.get(i, _unknown(name, kind)))))
        for i, name in enumerate(header)
    ]
    if kind == "playlists":
        found = _whose(found)
    if kind == "ratings" and not {"song_id", "artists"} & {use.used_as for use in found}:
        found = [replace(u, used_as="song_id") if u.used_as == "title" else u for u in found]
    return tuple(found)


def chosen_columns(pairs: Sequence[str]) -> dict[str, str]:
    """Read what somebody has said of columns: pairs such as ``title=Song name``.

    Raises:
        InputError: a pair is none, or names no column of Segue's.
    """
    chosen = {}
    known = sorted({ours for words in WORDS.values() for ours in words})
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        ours, theirs = ours.strip(), theirs.strip().strip('"')
        if not equals or ours not in known or not theirs:
            raise InputError(
                f'Expected --map as COLUMN=NAME, such as title="Song name", got {pair!r}. '
                f"COLUMN is one of {', '.join(known)}; NAME is what the file calls it."
            )
        chosen[ours] = theirs
    return chosen


def _holder(taken: Mapping[int, tuple[str, str]], ours: str, header: Sequence[str]) -> int | None:
    return next((place for place, (name, _) in taken.items() if name == ours), None)


def _numbered(header: Sequence[str], one: int, other: int) -> bool:
    """Whether two columns are called alike but for a number at their end."""
    bare = [re.sub(r"\d+$", "", normal(header[i])) for i in (one, other)]
    return bare[0] == bare[1]


def _misfit(ours: str, values: Sequence[str]) -> str:
    """Say why values cannot be of a column of Segue's; nothing where they can."""
    filled = [value for value in values if value.lower() not in MISSING]
    if not filled:
        return ""
    if ours == "song_id":
        other = sum(bool(OTHER_THINGS.match(value)) for value in filled)
        return f"{filled[0][:40]!r} is no track" if other * 2 > len(filled) else ""
    look = LOOKS.get(ours)
    if look is None:
        return ""
    strange = [value for value in filled if not look.fullmatch(value)]
    return f"{strange[0][:40]!r} is none" if len(strange) * 2 > len(filled) else ""


def _unknown(name: str, kind: str) -> str:
    return f"not one of the columns of {kind}" if name.strip() else "has no name"


def _whose(found: list[Use]) -> list[Use]:
    """A playlist is named by its id, else by name and owner, else by its owner alone."""
    names = {use.used_as for use in found}
    if "playlist" in names:
        drop, rename = {"playlist_name", "owner"}, "playlist"
    elif "playlist_name" in names:
        drop, rename = set(), "playlist_name"
    else:
        drop, rename = set(), "owner"
    kept = []
    for use in found:
        if use.used_as in drop:
            kept.append(replace(use, used_as="", why="the playlists have ids"))
        elif rename and use.used_as == rename:  # a column that is not used has no name
            kept.append(replace(use, used_as="playlist"))
        else:
            kept.append(use)
    return kept


def lacking(found: Sequence[Use], rows: Rows, kind: str) -> str:
    """Say what a file of a kind lacks to be read; nothing where it lacks nothing."""
    names = {use.used_as for use in found}
    named = {"title", "artists"} <= names
    if kind == "tracks":
        return "" if named else " and ".join(sorted({"title", "artists"} - names))
    if kind == "genres":
        return " and ".join(sorted({"artists", "genres"} - names))
    track = "song_id" in names or named or ("title" in names and _dashed(found, rows))
    if kind == "playlists":
        return "" if track else "the track: its id, or title and artist"
    needed = [name for name in ("user", "rating") if name not in names]
    if not (track or "title" in names):
        needed.append("the song: its id, or title and artist")
    return " and ".join(needed)


def _dashed(found: Sequence[Use], rows: Rows) -> bool:
    """Whether titles are written as "artist - title"."""
    place = next(use.position for use in found if use.used_as == "title")
    titles = [row[place] for row in rows if place < len(row) and row[place].strip()]
    dashes = sum(bool(re.search(r"\s[-–—]\s", title)) for title in titles)
    return bool(titles) and dashes * 2 > len(titles)


def without_header(rows: Rows, kind: str) -> tuple[Use, ...]:
    """Say what the columns of a table without a header are, as far as values tell.

    An id looks like one. Of two columns of names that of artists repeats itself more; else, and
    of three, they stand in the order of the commonest exports.

    Returns:
        Nothing where values do not tell.
    """
    width = max(map(len, rows), default=0)
    columns = [[row[i].strip() for row in rows if len(row) == width] for i in range(width)]
    looks = [_look(values) for values in columns]
    names = [i for i, look in enumerate(looks) if look == "name"]
    ids = [i for i, look in enumerate(looks) if look == "id"]
    taken = {ids[0]: "song_id"} if ids else {}
    taken |= _in_order(names[:3], columns, "time" in looks or "date" in looks)
    if kind == "playlists" and "time" in looks:
        taken[looks.index("time")] = "ended_at"
    told = {"song_id"} & {*taken.values()} or {"title", "artists"} <= {*taken.values()}
    if kind not in ("tracks", "playlists") or not told:
        return ()
    why = "no header: by its values"
    return tuple(
        Use(i, f"column {i + 1}", taken.get(i, ""), why if i in taken else "no header names it")
        for i in range(width)
    )


def _in_order(names: list[int], columns: list[list[str]], dated: bool) -> dict[int, str]:
    """Tell artists, titles and albums apart among columns of names."""
    different = [len(set(columns[i])) for i in names]
    if len(names) < 2:
        return {}
    if len(names) == 2:
        first_is_title = different[0] > different[1]
        return dict(
            zip(
                names, ("title", "artists") if first_is_title else ("artists", "title"), strict=True
            )
        )
    order = ("artists", "album", "title") if dated else ("title", "artists", "album")
    return {place: ours for place, ours in zip(names, order, strict=True) if ours != "album"}


def _look(values: Sequence[str]) -> str:
    filled = [value for value in values if value.lower() not in MISSING]
    if not filled:
        return ""
    tests: dict[str, Callable[[str], object]] = {
        "id": TRACK_ID.fullmatch,
        "time": lambda v: DATED.fullmatch(v) and TIMED.match(v),
        "date": DATED.fullmatch,
        "clock": re.compile(r"(\d+:)?\d{1,2}:\d{2}").fullmatch,
        "number": NUMBER.fullmatch,
        "address": re.compile(r"https?://\S+|\w+:\S+").fullmatch,
    }
    for look, test in tests.items():
        if sum(bool(test(value)) for value in filled) * 5 > 4 * len(filled):
            return look
    return "name"


def refusal(name: str, kind: str, found: Sequence[Use], lacks: str) -> InputError:
    """Return what to say of a file that cannot be read: what was seen, expected, and to be done.

    Args:
        name: of the file.
        kind: what it was given as.
        found: what the columns are of what looks most like a header.
        lacks: as ``lacking`` says.
    """
    expected = {
        "tracks": "a column of titles ('title', 'track_name', ...) and one of artists "
        "('artists', 'artist_name', ...); ids, years, genres and audio features are welcome",
        "genres": "a column of artists ('artist' or 'artists') and one of genres ('genres')",
        "playlists": "a column of the track: its id ('track_id', 'track_uri'), or title and artist "
        "('track_name', 'artist_name'); and, unless the file is one playlist, one of the playlist "
        "('playlist_id', 'playlist_name') or the listener ('user_id')",
        "ratings": "a column of the user ('user_id'), of the rating, 1 to 5 ('rating'), and of the "
        "song: its id ('song_id', 'track_uri'), or title and artist",
    }[kind]
    known = [f"{use.column!r} as {use.used_as}" for use in found if use.used_as]
    understood = f" Understood: {', '.join(known[:SHOWN])}." if known else ""
    return InputError(
        f"{name}: not known as a file of {_kinds(kind)}. It lacks {lacks}. Expected {expected}. "
        f"Found: {shown([use.column for use in found])}.{understood}{_near(found, kind)} "
        f"Say which column it is with --map, such as --map {_example(found, lacks)}, "
        "or rename the columns."
    )


def _kinds(kind: str) -> str:
    return {"tracks": "tracks", "genres": "artist genres"}.get(kind, kind)


def _example(found: Sequence[Use], lacks: str) -> str:
    ours = lacks.split(" ", maxsplit=1)[0]
    ours = ours if ours.isidentifier() and ours != "the" else "title"
    free = next((use.column for use in found if not use.used_as and use.column), "Name")
    return f'{ours}="{free}"'


def _near(found: Sequence[Use], kind: str) -> str:
    """Suggest columns whose names are nearly known."""
    names = {use.used_as for use in found}
    wanted = [name for name in WORDS[kind] if name not in names]
    close = []
    for use in found:
        if not use.used_as and (near := get_close_matches(normal(use.column), wanted, 1, 0.8)):
            close.append(f"{use.column!r} to {near[0]}")
    return f" Perhaps rename {', '.join(close)}." if close else ""


def shown(header: Sequence[str], most: int = SHOWN) -> str:
    """Return a header in words, cut where it is endless."""
    names = ", ".join(repr(name[:40]) if not name else name[:40] for name in header[:most])
    return names + (f" and {len(header) - most} more" if len(header) > most else "")
