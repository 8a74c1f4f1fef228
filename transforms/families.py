"""Find the versions of each song: songs come in, their family ids and the families come out.

A family is all versions of one song by one artist. Its key is the base title (the title without
"remaster", "live", "feat." and their like) and the primary artist, both folded; ``versions`` links
what has two keys. A false merge hides a song, a miss shows a twin, so where a title does not
identify a song (``Intro``, movements of a work) only recordings of the same length are one.
"""

import hashlib

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from transforms import versions

MARKERS = (
    r"remaster[a-z]*|live|ao vivo|en vivo|en directo|dal vivo|in concert|unplugged|"
    r"acoustic[a-z]*|acustic[oa]|akustik|remix[a-z]*|rmx|mix|mixed|edit|edited|version[a-z]*|versao|"
    r"versione|ver|demo|instrumental[a-z]*|karaoke|a ?cappella|mono|stereo|radio|extended|"
    r"bonus|deluxe|alternat[a-z]+|take [0-9]+|outtake|rehearsal|session[a-z]*|reprise|"
    r"re-?record[a-z]*|"
    r"remake|sped up|slowed|nightcore|reverb|original|soundtrack|motion picture|ost|tv size|"
    r"dub|edition|explicit|clean|stripped|single version|orchestral|medley version|loopable"
)
GUESTS = r"feat|ft|featuring|with|con|duet with|part\. esp|participacao"
BRACKET = (
    rf"[(\[]\s*(?:(?:{GUESTS}){versions.EDGE}[^()\[\]]*|from\s*[\"“'][^()\[\]]*|from the [^()\[\]]*"
    rf"|[^()\[\]]*{versions.EDGE}(?:{MARKERS}){versions.EDGE}[^()\[\]]*|single)[)\]]"
)
DASH = rf"\s[-–—]\s(?:from\s*[\"“'].*|[^-–—]*{versions.EDGE}(?:{MARKERS}){versions.EDGE}.*|single)$"
BRACKETS = r"\(.*?\)|\[.*?\]"
AFTER_DASH = r"\s[-–]\s.*$"
DECORATED = r"[(\[]|\s[-–—]\s|\s(?:feat|ft)"  # where none of these is found, nothing goes
TRAILING_GUEST = rf"\s(?:feat|ft|featuring){versions.EDGE}\.?\s.*$"

GENERIC = (
    r"^(?:the )?(?:intro|introduction|outro|interlude|untitled|skit|prelude|prologue|epilogue|"
    r"overture|opening|ending|finale|theme|main titles?|main theme|end credits|end titles?|"
    r"track|intermission|hidden track|bonus track|silence|instrumental|white noise|part|pt|"
    r"chapter|kapitel|teil|interludio|introduccion|intermezzo|jam|medley|improvisation)"
    r"?(?: ?[0-9]{1,2}| ?[ivx]+)?$|^(?:track|part|pt|chapter|kapitel|teil) ?"
    r"(?:[0-9]+|one|two|three)$"
)
WORK = (
    rf"{versions.EDGE}(?:op|bwv|hwv|kv?|rv|hob|woo|kk|sz|twv|wwv|d|s|l)\.? ?[0-9]|"
    rf"{versions.EDGE}(?:major|minor|dur|moll){versions.EDGE}|: ?(?:no\. ?[0-9]|[ivxl]+\.? )|"
    rf"{versions.EDGE}(?:symphony|concerto|sonata|quartet|suite|variations?|fugue){versions.EDGE}|"
    rf"{versions.EDGE}(?:arr|transcr)(?:\.|anged|ibed)"
)
NOBODY = ("traditional", "trad", "anonymous", "unknown", "unknownartist", "variousartists")


def with_families(songs: pl.DataFrame) -> pl.DataFrame:
    """Add ``family_id``, a stable hash of what the versions of one song have in common.

    Songs of one key are a family; families between which ``versions`` finds a link are one, and
    take the first of their keys.

    Args:
        songs: ``song_id``, ``title``, ``artist`` and ``duration_ms``; ``song_id`` unique. Where
            they are there, ``artists`` (a JSON array) and the measurements find more.

    Returns:
        The same rows in the same order, ``family_id`` last.
    """
    keyed = _keyed(songs)
    first = _first_groups(keyed["group"], versions.links(keyed, _credits(keyed)))
    keys = keyed.select("group", "group_key").unique("group")
    named = keys.select(first="group", family_id=_hashed(keys["group_key"]))
    found = keyed.select("song_id", first=first).join(named, on="first").drop("first")
    return songs.join(found, on="song_id", how="left", maintain_order="left")


def _keyed(songs: pl.DataFrame) -> pl.DataFrame:
    """Return the songs by ``song_id``, so that no order matters, with their keys and ``group``."""
    wanted = {"artists": pl.String, **dict.fromkeys(versions.MEASUREMENTS, pl.Float64)}
    given = {
        name: (pl.col(name) if name in songs.columns else pl.lit(None)).cast(dtype)
        for name, dtype in wanted.items()
    }
    keyed = (
        songs.select(
            *("song_id", "artist", "duration_ms"),
            **given,
            base=base_title(pl.col("title")),
            artist_key=artist_key(pl.col("artist")),
        )
        .sort("song_id")
        .with_row_index("row")
        .with_columns(title_key=compact(pl.col("base")), words=versions.words(pl.col("base")))
        .with_columns(ambiguous=_ambiguous())
    )
    told_apart = keyed.filter("ambiguous").pipe(_recordings)
    recording = pl.col("recording").fill_null("")
    return (
        keyed.join(told_apart, on="song_id", how="left", maintain_order="left")
        .with_columns(group_key=pl.concat_str("artist_key", "title_key", recording, separator="\t"))
        .with_columns(group=pl.col("group_key").rank("dense").cast(pl.Int64) - 1)
    )


def _credits(keyed: pl.DataFrame) -> pl.DataFrame:
    """Return ``row`` and ``credit`` for each artist that a song credits, once."""
    named = pl.col("artists").str.json_decode(pl.List(pl.String))
    alone = pl.concat_list("artist")
    by = keyed.select("row", credit=pl.coalesce(named, alone)).explode("credit")
    return by.select("row", credit=artist_key(pl.col("credit"))).unique(maintain_order=True)


def _first_groups(group: pl.Series, links: pl.DataFrame) -> pl.Series:
    """Return for each row the first group that its own is linked with, directly or through others.

    Args:
        group: number of each row's group, from 0 in the order of their keys.
        links: pairs of rows, ``row`` and ``other``.
    """
    ends = [group.gather(links[end]).to_numpy() for end in ("row", "other")]
    size = group.n_unique()
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), tuple(ends)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    first = np.full(size, size)
    np.minimum.at(first, component, np.arange(size))
    return pl.Series("first", first[component])[group]


def families(songs: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each family, its representative being the most popular version.

    Ties go to the earliest year, then to the smallest id.

    Args:
        songs: ``song_id``, ``family_id``, ``popularity`` and ``year``.

    Returns:
        ``family_id``, ``song_id`` and ``versions``, sorted by ``family_id``.
    """
    order = [pl.col("popularity").fill_null(-1), pl.col("year").fill_null(9999), "song_id"]
    return (
        songs.sort(order, descending=[True, False, False])
        .group_by("family_id", maintain_order=True)
        .agg(pl.col("song_id").first(), versions=pl.len().cast(pl.Int64))
        .sort("family_id")
    )


def folded(text: pl.Expr) -> pl.Expr:
    """Return text in lower case without accents, so that spelling habits do not matter."""
    plain = text.str.normalize("NFKD").str.replace_all("[\u0300-\u036f]", "")
    return plain.str.to_lowercase().str.replace_all("&", " and ", literal=True)


def base_title(title: pl.Expr) -> pl.Expr:
    """Return the folded title without what only tells versions apart.

    Text in brackets or after a dash goes only where it holds a marker such as "live", so that
    "Tears (Part 2)" and "Nocturne - No. 2" keep what makes them other songs.
    """
    text = folded(title)
    bare = text
    for pattern in (BRACKET, BRACKET, DASH, BRACKET, TRAILING_GUEST):
        bare = bare.str.replace_all(pattern, "")
    base = pl.when(text.str.contains(DECORATED)).then(bare).otherwise(text).str.strip_chars()
    return pl.when(compact(base) != "").then(base).otherwise(text)


def bare_title(title: pl.Expr) -> pl.Expr:
    """Return the folded title without all that stands in brackets or after a dash."""
    text = folded(title)
    bare = text.str.replace_all(BRACKETS, "").str.replace(AFTER_DASH, "").str.strip_chars()
    return pl.when(bare != "").then(bare).otherwise(text)


def compact(text: pl.Expr) -> pl.Expr:
    """Keep letters and digits, or everything where there are none."""
    bare = text.str.replace_all(r"[^\p{L}\p{N}]", "")
    return pl.when(bare != "").then(bare).otherwise(text)


def artist_key(artist: pl.Expr) -> pl.Expr:
    """Return what all spellings of an artist's name have in common."""
    return compact(folded(artist))


def _ambiguous() -> pl.Expr:
    generic, work = pl.col("words").str.contains(GENERIC), pl.col("base").str.contains(WORK)
    return generic | work | pl.col("artist_key").is_in(NOBODY)


def _recordings(ambiguous: pl.DataFrame) -> pl.DataFrame:
    """Number the recordings that share a key: lengths in a chain of close ones are the same.

    A song without a length is a recording of its own.
    """
    key = ["artist_key", "title_key"]
    ordered = ambiguous.sort(*key, "duration_ms", "song_id", nulls_last=True)
    gap = pl.col("duration_ms").diff().over(key).fill_null(versions.SAME_RECORDING_MS + 1)
    start = pl.when(gap > versions.SAME_RECORDING_MS).then("duration_ms").forward_fill().over(key)
    known = pl.when(pl.col("duration_ms").is_not_null()).then(start.cast(pl.String))
    return ordered.select("song_id", recording=known.fill_null(pl.col("song_id")))


def _hashed(keys: pl.Series) -> pl.Series:
    known = {key: _digest(key) for key in keys.unique()}
    return pl.Series([known[key] for key in keys], dtype=pl.String)


def _digest(key: str) -> str:
    return "f" + hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
