"""Match signals with the catalogue: readings and songs come in, what the learner reads goes out.

A track is a song by its id, else by title and primary artist. Titles are compared in three steps,
the strictest first: as they stand, without what only tells versions apart, and without all that
stands in brackets or after a dash. Of several songs that fit, the most popular one is taken, then
the one of the smallest id.
"""

import hashlib

import polars as pl

from transforms.families import DECORATED, artist_key, bare_title, base_title, compact, folded
from warehouse.contracts import ARTIST_GENRES, PLAYLIST_ENTRIES, RATINGS, UNMATCHED_TRACKS

TRACK = ("track_id", "title", "artist")
# What stands before the last of what may join artists.
HEAD = r"(?i)^(.+)(?:\s*[,;]|\s(?:&|feat\.?|ft\.?|featuring|x|vs\.?|with|and|/|\+)\s).*$"
MOST_JOINED = 8
A_NUMBER = r"^0*(\d+?)(?:\.0)?$"
COUNTS = ("matched_by_id", "matched_by_name", "unmatched")
STEPS = ("1 as it stands", "2 base title", "3 bare title")


def matched(readings: pl.DataFrame, songs: pl.DataFrame) -> pl.DataFrame:
    """Find the song of every entry of the playlists, or of every rating.

    Args:
        readings: as ``PLAYLIST_READINGS`` or ``RATING_READINGS``.
        songs: ``song_id``, ``title``, ``artist`` and ``popularity``.

    Returns:
        The readings in their order, with ``song_id``, null where nothing fits; ``how``, one of
        ``COUNTS``; and ``primary``, the folded primary artist, of the song where there is one.
    """
    return matched_among(readings, with_keys(songs))


def with_keys(songs: pl.DataFrame) -> pl.DataFrame:
    """Add what entries are compared by; once for all lists that are held against a catalogue.

    Args:
        songs: ``song_id``, ``title``, ``artist`` and ``popularity``.

    Returns:
        The songs with ``artist_key``; ``folded``, the same for an artist's key, the commonest
        folded name; and ``title_key``, the title in the first of ``STEPS``.
    """
    keyed = songs.join(_artists(songs), on="artist", maintain_order="left")
    return keyed.with_columns(title_key=_as_it_stands())


def matched_among(readings: pl.DataFrame, keyed: pl.DataFrame) -> pl.DataFrame:
    """Do what ``matched`` does with songs that have their keys, as ``with_keys`` returns them."""
    tracks = readings.select(TRACK).unique(maintain_order=True).with_row_index("track")
    by_id = _by_id(tracks.select("track", song_id="track_id"), keyed.select("song_id"))
    guesses = _guesses(tracks)
    theirs = keyed.join(guesses, on="artist_key", how="semi")
    named = guesses.join(theirs.select("artist_key", "folded").unique(), on="artist_key")
    by_name = _by_name(named.join(by_id, on="track", how="anti"), theirs)
    kinds = zip((by_id, by_name), COUNTS[:2], strict=True)
    songs_found = pl.concat(found.with_columns(how=pl.lit(kind)) for found, kind in kinds)
    of_songs = keyed.join(songs_found, on="song_id", how="semi")
    known = named.sort("track", "guess").unique("track", keep="first")
    judged = (
        tracks.join(songs_found, on="track", how="left")
        .join(of_songs.select("song_id", of_song="folded"), on="song_id", how="left")
        .join(known.select("track", of_entry="folded"), on="track", how="left")
        .with_columns(
            pl.col("how").fill_null("unmatched"),
            primary=pl.coalesce("of_song", "of_entry", folded(pl.col("artist"))),
        )
        .select(*TRACK, "song_id", "how", "primary")
    )
    return readings.join(judged, on=TRACK, how="left", nulls_equal=True, maintain_order="left")


def counts(matches: pl.DataFrame) -> pl.DataFrame:
    """Return, for each ``source``, how many rows came to be each of ``COUNTS``.

    Args:
        matches: ``source`` and ``how``.
    """
    each = [(pl.col("how") == name).sum().cast(pl.Int64).alias(name) for name in COUNTS]
    return matches.group_by("source").agg(each)


def playlist_entries(matches: pl.DataFrame, held_out_share: float) -> pl.DataFrame:
    """Lay out what the learner reads: each song or artist of a playlist once.

    Whether a playlist is held out depends on its own name alone, so that it stays on its side
    from night to night, whichever file brings it.

    Args:
        matches: as ``matched`` returns them.
        held_out_share: share of the playlists to hold out; those of a smaller share are among
            those of a larger one.

    Returns:
        As ``PLAYLIST_ENTRIES``, sorted by its key.
    """
    playlists = matches.select("playlist", "source").unique().sort("playlist", "source")
    numbered = playlists.with_row_index("number").with_columns(
        pl.col("number").cast(pl.Int64),
        held_out=_places(playlists["playlist"]) < held_out_share,
    )
    return (
        matches.join(numbered, on=("playlist", "source"))
        .select("song_id", "held_out", playlist="number", artist="primary")
        .filter(pl.any_horizontal(pl.col("song_id", "artist").is_not_null()))
        .select(PLAYLIST_ENTRIES.schema.keys())
        .unique()
        .sort(PLAYLIST_ENTRIES.key)
    )


def last_ratings(matches: pl.DataFrame) -> pl.DataFrame:
    """Keep the last rating of each song by each user.

    The later one replaces the earlier; one without a time counts as earlier than any that has
    one, and what has no time goes by the order of files and lines.

    Args:
        matches: as ``matched`` returns them for ratings.

    Returns:
        As ``RATINGS``, sorted by its key.
    """
    order = ("user", "song_id", "rated_at", "file", "line")
    found = matches.filter(pl.col("song_id").is_not_null()).sort(order, nulls_last=False)
    last = found.unique(RATINGS.key, keep="last", maintain_order=True)
    return last.select(RATINGS.schema.keys())


def unmatched_tracks(*matches: pl.DataFrame) -> pl.DataFrame:
    """Count the entries and playlists of every track that the catalogue lacks.

    Spellings of one title and artist are one track, named as most entries do; a track of which
    only the id is given is one by its id.

    Args:
        matches: as ``matched`` returns them; who rates counts as a playlist.

    Returns:
        As ``UNMATCHED_TRACKS``, sorted by its key.
    """
    wanted = ("source", "playlist", "how", "track_id", "title", "artist")
    listed = (one.rename({"user": "playlist"}, strict=False) for one in matches)
    entries = pl.concat(one.select(wanted) for one in listed)
    title, artist, track_id = (pl.col(name).fill_null("") for name in ("title", "artist", "id"))
    lost = entries.filter(pl.col("how") == "unmatched").rename({"track_id": "id"})
    named = (title != "") & (artist != "")
    group = pl.when(named).then(folded(title) + "\t" + folded(artist)).otherwise("\t\t" + track_id)
    spelt = lost.select(
        "source",
        "playlist",
        group=group,
        title=pl.when(named).then(title).otherwise(pl.lit("")),
        artist=pl.when(named).then(artist).otherwise(pl.lit("")),
        track_id=track_id,
    )
    names = ["title", "artist", "track_id"]
    commonest = (
        spelt.group_by("group", *names)
        .len()
        .sort("group", "len", *names, descending=[False, True, False, False, False])
        .unique("group", keep="first", maintain_order=True)
    )
    sizes = spelt.group_by("group").agg(
        entries=pl.len().cast(pl.Int64),
        playlists=pl.struct("source", "playlist").n_unique().cast(pl.Int64),
    )
    found = commonest.join(sizes, on="group").select(UNMATCHED_TRACKS.schema.keys())
    return found.sort(UNMATCHED_TRACKS.key)


def matched_artists(readings: pl.DataFrame, songs: pl.DataFrame) -> pl.DataFrame:
    """Find the credited artists that each row of the files of genres means, by the folded name.

    Args:
        readings: as ``ARTIST_READINGS``.
        songs: ``artists``, a JSON array of every credited name.

    Returns:
        The readings with ``spellings``, a list of the names that songs credit, null where there
        are none; and ``how``, one of ``COUNTS``.
    """
    credited = songs.select(pl.col("artists").unique().str.json_decode(pl.List(pl.String)))
    names = credited.explode("artists").unique().with_columns(folded=_folded_name("artists"))
    spelt = names.group_by("folded").agg(spellings=pl.col("artists").sort())
    found = readings.with_columns(folded=_folded_name("artist")).join(
        spelt, on="folded", how="left", maintain_order="left"
    )
    how = pl.when(pl.col("spellings").is_null()).then(pl.lit("unmatched"))
    return found.drop("folded").with_columns(how=how.otherwise(pl.lit("matched_by_name")))


def artist_genres(matches: pl.DataFrame) -> pl.DataFrame:
    """Lay out the genres of every credited artist, one a row, each once.

    Args:
        matches: as ``matched_artists`` returns them.

    Returns:
        As ``ARTIST_GENRES``, sorted by its key.
    """
    known = matches.filter(pl.col("spellings").is_not_null() & (pl.col("genres") != ""))
    by = known.select(artist="spellings", genre=pl.col("genres").str.split(";"))
    return by.explode("artist").explode("genre").unique().sort(ARTIST_GENRES.key)


def _folded_name(column: str) -> pl.Expr:
    return folded(pl.col(column)).str.strip_chars()


def _artists(songs: pl.DataFrame) -> pl.DataFrame:
    """Return ``artist``, its ``artist_key`` and, the same for a key, the commonest folded name."""
    names = songs.group_by("artist").len()
    keyed = names.with_columns(
        folded=folded(pl.col("artist")), artist_key=artist_key(pl.col("artist"))
    )
    ordered = keyed.sort("len", "folded", descending=[True, False])
    first = ordered.group_by("artist_key", maintain_order=True).agg(pl.col("folded").first())
    return keyed.select("artist", "artist_key").join(first, on="artist_key")


def _guesses(tracks: pl.DataFrame) -> pl.DataFrame:
    """Return the primary artists that a track may mean, the likeliest first.

    A comma or an ampersand may join artists or be part of a name: the whole is tried first, then
    what stands before the last of them, before the one ahead of it, and so on.

    Returns:
        ``track``, ``title``, ``artist``, ``guess`` (from 0) and ``artist_key``.
    """
    named = tracks.drop_nulls(["title", "artist"]).select("track", "title", "artist")
    guesses = [named.with_columns(guess=pl.lit(0))]
    for joined in range(1, MOST_JOINED):
        rest = guesses[-1].select("track", "title", artist=pl.col("artist").str.extract(HEAD))
        rest = rest.drop_nulls("artist").with_columns(guess=pl.lit(joined))
        if rest.is_empty():
            break
        guesses.append(rest)
    return pl.concat(guesses).with_columns(artist_key=artist_key(pl.col("artist")))


def _by_id(tracks: pl.DataFrame, songs: pl.DataFrame) -> pl.DataFrame:
    """Return ``track`` and ``song_id`` where ids agree, numbers also as tables rewrite them.

    A table that takes ids for numbers writes 00012 as 12 and 1 as 1.0. Where no id agrees as it
    stands, such a number is one if the catalogue has it once.
    """
    same = tracks.join(songs, on="song_id")
    number = pl.col("song_id").str.extract(A_NUMBER)
    others = tracks.join(same, on="track", how="anti").with_columns(number=number)
    others = others.drop_nulls("number").select("track", "number")
    if others.is_empty():
        return same
    numbered = songs.with_columns(number=number).drop_nulls("number")
    once = numbered.filter(pl.col("number").is_unique())
    return pl.concat([same, others.join(once, on="number").select("track", "song_id")])


def _by_name(named: pl.DataFrame, keyed: pl.DataFrame) -> pl.DataFrame:
    """Return ``track`` and ``song_id`` where artist and title agree.

    Most titles agree as they stand, and nothing comes before that: the looser steps, which take
    ten times as long, are for the tracks that are left.

    Args:
        named: as ``_guesses`` returns them, of artists of the catalogue.
        keyed: their songs, as ``with_keys`` returns them.
    """
    wanted = ("song_id", "title", "popularity", "artist_key")
    exact = named.with_columns(step=pl.lit(STEPS[0]), title_key=_as_it_stands()).join(
        keyed.select(*wanted, "title_key"), on=("artist_key", "title_key")
    )
    settled = exact.filter(pl.col("guess") == 0)
    left = named.join(settled, on="track", how="anti")
    eligible = keyed.select(wanted).join(left, on="artist_key", how="semi")
    looser = _titles(left).join(_titles(eligible), on=("artist_key", "step", "title_key"))
    order = ("track", "guess", "step", "popularity", "song_id")
    fitting = pl.concat(found.select(order) for found in (settled, looser))
    downward = [False, False, False, True, False]
    ordered = fitting.sort(order, descending=downward, nulls_last=True)
    return ordered.unique("track", keep="first", maintain_order=True).select("track", "song_id")


def _as_it_stands() -> pl.Expr:
    return compact(folded(pl.col("title")))


def _titles(frame: pl.DataFrame) -> pl.DataFrame:
    """Repeat the rows for each ``step``, with the ``title_key`` that is compared in it.

    Most titles carry nothing that could be taken away, so only the others are searched for it.
    """
    title, text = pl.col("title"), pl.col("text")
    titles = frame.select("title").unique().with_columns(text=folded(title))
    decorated = text.str.contains(DECORATED)
    once = titles.filter(~decorated).with_columns(same=compact(text))
    plain = once.select("title", "text", *(pl.col("same").alias(step) for step in STEPS))
    keys = zip(STEPS, (text, base_title(title), bare_title(title)), strict=True)
    others = titles.filter(decorated).with_columns(compact(key).alias(step) for step, key in keys)
    keyed = pl.concat([plain, others]).unpivot(
        STEPS, index="title", variable_name="step", value_name="title_key"
    )
    return frame.join(keyed, on="title")


def _places(names: pl.Series) -> pl.Series:
    """Return a place from 0 to 1 for each name: the same one for ever, and evenly spread."""
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return pl.Series([int.from_bytes(d, "big") / 2**64 for d in digests], dtype=pl.Float64)
