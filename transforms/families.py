"""Find the versions of each song: songs come in, their family ids and the families come out.

A family is all versions of one song by one artist. Its key is the base title (the title without
"remaster", "live", "feat." and their like) and the primary artist, both folded. A false merge
hides a song, a miss shows a twin, so where a title does not identify a song (``Intro``, movements
of a work) only recordings of the same length are one.
"""

import hashlib

import polars as pl

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
EDGE = r"(?-u:\b)"  # of ASCII words: the Unicode one is a hundred times slower
BRACKET = (
    rf"[(\[]\s*(?:(?:{GUESTS}){EDGE}[^()\[\]]*|from\s*[\"“'][^()\[\]]*|from the [^()\[\]]*"
    rf"|[^()\[\]]*{EDGE}(?:{MARKERS}){EDGE}[^()\[\]]*|single)[)\]]"
)
DASH = rf"\s[-–—]\s(?:from\s*[\"“'].*|[^-–—]*{EDGE}(?:{MARKERS}){EDGE}.*|single)$"
TRAILING_GUEST = rf"\s(?:feat|ft|featuring){EDGE}\.?\s.*$"

GENERIC = (
    r"^(?:the )?(?:intro|introduction|outro|interlude|untitled|skit|prelude|prologue|epilogue|"
    r"overture|opening|ending|finale|theme|main titles?|main theme|end credits|end titles?|"
    r"track|intermission|hidden track|bonus track|silence|instrumental|white noise|part|pt|"
    r"chapter|kapitel|teil|interludio|introduccion|intermezzo|jam|medley|improvisation)?"
    r" ?(?:[0-9]+|[ivx]+|one|two|three)?$"
)
WORK = (
    rf"{EDGE}(?:op|bwv|hwv|kv?|rv|hob|woo|kk|sz|twv|wwv|d|s|l)\.? ?[0-9]|"
    rf"{EDGE}(?:major|minor|dur|moll){EDGE}|: ?(?:no\. ?[0-9]|[ivxl]+\.? )|"
    rf"{EDGE}(?:symphony|concerto|sonata|quartet|suite|variations?|fugue){EDGE}"
)
SAME_RECORDING_MS = 2_000


def with_families(songs: pl.DataFrame) -> pl.DataFrame:
    """Add ``family_id``, a stable hash of what the versions of one song have in common.

    Args:
        songs: ``song_id``, ``title``, ``artist`` and ``duration_ms``; ``song_id`` unique.

    Returns:
        The same rows in the same order, ``family_id`` last.
    """
    keyed = songs.select(
        "song_id",
        "duration_ms",
        base_title(pl.col("title")).alias("base"),
        _compact(folded(pl.col("artist"))).alias("artist_key"),
    ).with_columns(title_key=_compact(pl.col("base")), ambiguous=_ambiguous())
    told_apart = keyed.filter("ambiguous").pipe(_recordings)
    keys = keyed.join(told_apart, on="song_id", how="left", maintain_order="left").select(
        pl.concat_str("artist_key", "title_key", pl.col("recording").fill_null(""), separator="\t")
    )
    return songs.with_columns(family_id=_hashed(keys.to_series()))


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
    decorated = text.str.contains(r"[(\[]|\s[-–—]\s|\s(?:feat|ft)")
    base = pl.when(decorated).then(bare).otherwise(text).str.strip_chars()
    return pl.when(_compact(base) != "").then(base).otherwise(text)


def _compact(text: pl.Expr) -> pl.Expr:
    """Keep letters and digits, or everything where there are none."""
    bare = text.str.replace_all(r"[^\p{L}\p{N}]", "")
    return pl.when(bare != "").then(bare).otherwise(text)


def _ambiguous() -> pl.Expr:
    words = pl.col("base").str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return words.str.contains(GENERIC) | pl.col("base").str.contains(WORK)


def _recordings(ambiguous: pl.DataFrame) -> pl.DataFrame:
    """Number the recordings that share a key: lengths in a chain of close ones are the same.

    A song without a length is a recording of its own.
    """
    key = ["artist_key", "title_key"]
    ordered = ambiguous.sort(*key, "duration_ms", "song_id", nulls_last=True)
    gap = pl.col("duration_ms").diff().over(key).fill_null(SAME_RECORDING_MS + 1)
    start = pl.when(gap > SAME_RECORDING_MS).then("duration_ms").forward_fill().over(key)
    known = pl.when(pl.col("duration_ms").is_not_null()).then(start.cast(pl.String))
    return ordered.select("song_id", recording=known.fill_null(pl.col("song_id")))


def _hashed(keys: pl.Series) -> pl.Series:
    known = {key: _digest(key) for key in keys.unique()}
    return pl.Series([known[key] for key in keys], dtype=pl.String)


def _digest(key: str) -> str:
    return "f" + hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
