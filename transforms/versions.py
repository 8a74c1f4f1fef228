"""Link versions that a key of title and artist misses: keyed songs come in, pairs of rows go out.

Every rule takes songs as ``transforms.families`` keys them and returns ``row`` and ``other``, two
rows of different groups that are one song. A false pair hides a song, so each rule asks for
evidence: length, sound, or a title that the artist also has. The given shares of correct pairs were
found by reading samples, see docs/decisions/0004.
"""

from typing import Any

import polars as pl
from rapidfuzz.distance import OSA
from rapidfuzz.fuzz import ratio
from rapidfuzz.process import cpdist

SAME_RECORDING_MS = 2_000
SAME_RECORDING_SHARE = 0.015  # a transfer at another speed
SAME_TAKE_MS = 1_000
SAME_TEMPO = 0.03  # relative, between performances
MOODS = ("danceability", "energy", "valence")  # each 0 to 1, compared by their sum of differences
MEASUREMENTS = (*MOODS, "tempo", "loudness", "key", "mode")

EDGE = r"(?-u:\b)"  # of ASCII words: the Unicode one is a hundred times slower
NUMBERS = r"[0-9]+|[ivx]+|one|two|three|four|five|six|first|second|third|zwei|drei|dos|tres"
PARTS = rf"{EDGE}(?:{NUMBERS}|part|parte|pt|teil|folge|act|act[eo]|vol|volume|no|nr){EDGE}"
YEAR = r"(?:^| )(?:19[0-9]|20[0-3])[0-9]$"
ENDING = (
    r" (?:tv size|(?:en|ao)? ?vivo|(?:en )?directo|live|remix|rmx|vip|extended|acoustic|"
    r"instrumental|vocal|dub|lofi|duet|reprise|version|ver)(?: (?:ver|version|mix|edit))?$"
)
AFTER_DASH = r"\s[-–—]\s.*$"
IN_BRACKETS = r"[(\[][^()\[\]]*[)\]]"
ARTICLES = rf"{EDGE}(?:the|an?|el|las?|los|os?|as|les?|der|die|das|il|lo){EDGE}"
SERIES = 4  # a title that continues in this many ways is not one song


def words(text: pl.Expr) -> pl.Expr:
    """Return folded text as words separated by single spaces, without apostrophes."""
    whole = text.str.replace_all(r"[’'`´]", "")
    return whole.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()


def links(songs: pl.DataFrame, credits: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of rows that any rule considers versions of one song.

    Args:
        songs: ``row``, ``group`` (the same for rows already known to be one song), ``artist_key``,
            ``title_key``, ``base``, ``words``, ``ambiguous``, ``duration_ms`` and ``MEASUREMENTS``.
        credits: ``row`` and ``credit``, one row for each artist that a song credits.

    Returns:
        ``row`` and ``other``; a pair may occur more than once.
    """
    titles = _titles(songs)
    rules = (
        shared_titles(songs, credits),
        misspelt(titles),
        continued(titles),
        same_takes(songs, credits),
    )
    return pl.concat(pairs.select("row", "other") for pairs in rules)


def shared_titles(songs: pl.DataFrame, credits: pl.DataFrame) -> pl.DataFrame:
    """Link songs of one title that credit the same artist, who is not the primary one of both.

    Covers that have the first artist as a guest look the same. They are told apart by a second
    artist in common, by the length, or by key and tempo, which a performer keeps. About 93 % are
    correct.
    """
    named = credits.join(songs.select("row", "group", "title_key"), on="row")
    several = named.filter(pl.col("group").n_unique().over("credit", "title_key") > 1)
    by_pair = _pairs(several, "credit", "title_key").group_by("row", "other").agg(shared=pl.len())
    pairs = _compared(by_pair, songs, "duration_ms", "ambiguous", *MEASUREMENTS)
    apart = _apart("duration_ms")
    shorter = pl.min_horizontal("duration_ms", "duration_ms_other")
    in_tune = pl.col("key").eq(pl.col("key_other")) & pl.col("mode").eq(pl.col("mode_other"))
    performed = in_tune & (_tempo_apart() < SAME_TEMPO)
    song = (pl.col("shared") > 1) | (apart <= SAME_RECORDING_SHARE * shorter) | performed
    return pairs.filter((apart <= SAME_RECORDING_MS) | (song & ~pl.col("ambiguous")))


def misspelt(titles: pl.DataFrame) -> pl.DataFrame:
    """Link titles of an artist that differ in the spelling of one word.

    Different numbers mean different songs, and short words need more words around them. About 97 %
    are correct.
    """
    split = titles.with_columns(word=pl.col("words").str.split(" "))
    split = split.with_columns(length=pl.col("word").list.len()).filter(pl.col("length") > 1)
    place = pl.col("place")
    around = [pl.col("word").list.slice(0, place), pl.col("word").list.slice(place + 1)]
    each = (
        split.with_columns(place=pl.int_ranges(0, "length"))
        .explode("place")
        .select(
            *("row", "group", "artist_key", "length", "place"),
            pl.concat_list(around).list.join(" ").alias("around"),
            word=pl.col("word").list.get(place),
        )
        .filter(
            ~pl.col("word").str.contains(rf"[0-9]|^(?:{NUMBERS})$"),
            pl.col("word").str.len_chars() > 1,
        )
    )
    pairs = _pairs(each, "artist_key", "around", "place")
    edits = _scored(pairs, "word", OSA.distance)
    letters = pl.min_horizontal(*(pl.col(c).str.len_chars() for c in ("word", "word_other")))
    begins = pl.col("word").str.head(1) == pl.col("word_other").str.head(1)
    begins &= pl.col("around").str.len_chars() > 3
    close = pl.when(letters >= 7).then(edits <= 2).when(letters >= 6).then(edits == 1)
    close = close.when(letters >= 4).then((edits == 1) & (begins | (pl.col("length") > 3)))
    return pairs.filter(close.otherwise((edits == 1) & (pl.col("length") > 3)))


def continued(titles: pl.DataFrame) -> pl.DataFrame:
    """Link a title to the part before its ending, if the artist has that title too.

    An ending is text in brackets or after a dash, a year, or a word such as "live"; articles do not
    count. Parts and numbers mean different songs, and so do the titles of a series, which continue
    in ``SERIES`` ways or more. About 95 % are correct.
    """
    stem = pl.col("stem")
    parts = [_numbers(text.str.replace(YEAR, ""), PARTS) for text in (pl.col("words"), stem)]
    longer = (
        titles.with_columns(stem=_stem())
        .filter(stem != "")
        .with_columns(bare=_bare(stem))
        .filter((stem != pl.col("words")) | (pl.col("bare") != stem))
        .filter(parts[0] == parts[1])
        .filter(pl.len().over("artist_key", "bare") < SERIES)
    )
    whole = titles.select("artist_key", "group", other="row", bare=_bare(pl.col("words")))
    pairs = longer.join(whole, on=["artist_key", "bare"], suffix="_other")
    return pairs.filter(pl.col("group") != pl.col("group_other"))


def same_takes(songs: pl.DataFrame, credits: pl.DataFrame) -> pl.DataFrame:
    """Link songs of the same length by an artist that sound the same or have similar titles.

    The more similar they sound, the less similar the titles need to be: songs with the same
    measurements are one recording in any language. Noise without a beat is not compared. About 98 %
    are correct.
    """
    measured = songs.filter(pl.col("tempo") > 0, pl.col("danceability") > 0)
    credited = credits.join(measured.select("row", "group", "duration_ms"), on="row")
    second = pl.col("duration_ms") // SAME_TAKE_MS
    close = credited.with_columns(second=pl.concat_list(second, second + 1)).explode("second")
    pairs = _pairs(close, "credit", "second").filter(_apart("duration_ms") <= SAME_TAKE_MS)
    pairs = pairs.select("row", "other").unique(maintain_order=True)
    pairs = _compared(pairs, songs, "words", "ambiguous", "duration_ms", *MEASUREMENTS)
    alike = _scored(pairs, "words", ratio)
    moods = sum((_apart(mood) for mood in MOODS), start=pl.lit(0.0))
    sound = (moods < 0.06) & (_tempo_apart() < 0.01)
    identical = (moods < 0.01) & (_tempo_apart() < 0.001) & (_apart("loudness") < 0.3)
    numbers = _numbers(pl.col("words")) == _numbers(pl.col("words_other"))
    spelling = (alike >= 90) & ~pl.col("ambiguous")
    titles_agree = (alike >= 60) | _begins("words", "words_other") | _begins("words_other", "words")
    return pairs.filter(identical | (numbers & (spelling | (titles_agree & sound))))


def _titles(songs: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each title of an artist, except titles that identify no song."""
    telling = songs.filter(~pl.col("ambiguous"), pl.col("words") != "")
    return telling.select("row", "group", "artist_key", "words", "base").unique(
        ["artist_key", "words"], keep="first", maintain_order=True
    )


def _pairs(rows: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Return every pair of rows of different groups with the same keys, once."""
    several = rows.filter(pl.len().over(keys) > 1)
    both = several.join(several.rename({"row": "other"}), on=keys, suffix="_other")
    return both.filter(pl.col("row") < pl.col("other"), pl.col("group") != pl.col("group_other"))


def _compared(pairs: pl.DataFrame, songs: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Add the columns of both songs of each pair, those of the second ending in ``_other``."""
    second = songs.select(other="row", **{f"{name}_other": name for name in columns})
    return pairs.join(songs.select("row", *columns), on="row").join(second, on="other")


def _scored(pairs: pl.DataFrame, column: str, scorer: Any) -> pl.Series:
    first, second = pairs[column].to_list(), pairs[f"{column}_other"].to_list()
    return pl.Series(cpdist(first, second, scorer=scorer), dtype=pl.Float64)


def _begins(shorter: str, longer: str) -> pl.Expr:
    """Return whether a title of two words or more is the beginning of another."""
    whole = pl.col(longer).str.starts_with(pl.col(shorter) + " ")
    return whole & pl.col(shorter).str.contains(" ", literal=True)


def _apart(column: str) -> pl.Expr:
    return (pl.col(column) - pl.col(f"{column}_other")).abs()


def _tempo_apart() -> pl.Expr:
    return _apart("tempo") / pl.min_horizontal("tempo", "tempo_other")


def _numbers(text: pl.Expr, pattern: str = rf"{EDGE}(?:{NUMBERS}){EDGE}") -> pl.Expr:
    return text.str.extract_all(pattern).list.join(" ")


def _stem() -> pl.Expr:
    """Return the words of a title without its ending."""
    plain = pl.col("base").str.replace_all(IN_BRACKETS, " ").str.replace(AFTER_DASH, "")
    ends = pl.col("base").str.contains(r"[(\[]|\s[-–—]\s")
    stem = pl.when(ends).then(words(plain)).otherwise("words")
    return stem.str.replace(ENDING, "").str.replace(YEAR, "").str.replace(" theme song$", " theme")


def _bare(text: pl.Expr) -> pl.Expr:
    bare = words(text.str.replace_all(ARTICLES, " "))
    return pl.when(bare != "").then(bare).otherwise(text)
