"""Two states of a catalogue and its lists come in; what changed goes out, a row each."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from transforms.families import folded
from warehouse.contracts import CHANGES, LIST_CHANGES

PLACES = 5  # of a list that are compared
SONG_COLUMNS = ("song_id", "title", "artist", "label", "popularity")
COUNTS = ("old", "new", "shared")
COMING = ("table", "column", "source")  # of which it matters whether they are there
LIST_COLUMNS = ("song_id", "rank", "recommended_song_id")


@dataclass(frozen=True)
class State:
    """What a build is, as far as it is compared.

    Args:
        songs: ``SONG_COLUMNS``, a row for each song.
        lists: ``LIST_COLUMNS`` of the first five places.
        facts: kind of fact, such as ``setting``, to what it is of and its value in words.
    """

    songs: pl.DataFrame
    lists: pl.DataFrame
    facts: Mapping[str, Mapping[str, str]]


def changes(before: State, after: State) -> pl.DataFrame:
    """Return the ``changes`` between two states, in the order of its key.

    A song has at most one row of those that begin with ``song``, and one for its list.
    """
    changed = _overlaps(before, after).filter(pl.col("overlap") < PLACES)
    rows = [
        *_songs(before.songs, after.songs),
        _rows("list changed", changed, overlap=pl.col("overlap")),
        *(_facts(kind, before.facts.get(kind, {}), now) for kind, now in after.facts.items()),
    ]
    return CHANGES.check(pl.concat(rows).sort(CHANGES.key))


def list_changes(before: State, after: State) -> pl.DataFrame:
    """Return the ``list_changes`` between two states, in the order of its key."""
    overlaps = _overlaps(before, after)
    every = overlaps.select("overlap", popularity=pl.lit("all"))
    counts = (
        pl.concat([overlaps.select("overlap", popularity=_band()), every])
        .group_by("popularity", "overlap")
        .agg(lists=pl.len().cast(pl.Int64))
    )
    return LIST_CHANGES.check(counts.select(LIST_CHANGES.schema.keys()).sort(LIST_CHANGES.key))


def churn(counts: pl.DataFrame) -> float:
    """Return the share of lists that changed, of ``list_changes``; 0 where none is compared."""
    every = counts.filter(pl.col("popularity") == "all")
    lists = int(every["lists"].sum())
    same = int(every.filter(pl.col("overlap") == PLACES)["lists"].sum())
    return (lists - same) / lists if lists else 0.0


def _songs(before: pl.DataFrame, after: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the rows of songs that came, went, or go by another name or id."""
    came = after.join(before, on="song_id", how="anti")
    went = _with_heir(before.join(after, on="song_id", how="anti"), after)
    moved = went["heir"].is_in(came["song_id"].implode())
    both = before.join(after, on="song_id", suffix="_after")
    other = (pl.col("title") != pl.col("title_after")) | (
        pl.col("artist") != pl.col("artist_after")
    )
    renamed = both.filter(other).with_columns(popularity=pl.col("popularity_after"))
    new = came.filter(~pl.col("song_id").is_in(went["heir"].drop_nulls().implode()))
    label, heir = pl.col("label"), pl.col("heir")
    return [
        _rows("song renamed", renamed, before=label, after=pl.col("label_after")),
        _rows("song came", new, after=label),
        _rows("song went", went.filter(heir.is_null()), before=label),
        _rows("song renumbered", went.filter(moved), before=label, after=heir),
        _rows("song merged", went.filter(~moved & heir.is_not_null()), before=label, after=heir),
    ]


def _with_heir(went: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Add ``heir``: the best known song of the same title and artist that is there now, or null."""
    name = pl.concat_str(folded(pl.col("title")), folded(pl.col("artist")), separator="\0")
    order = ["popularity", "song_id"]
    heirs = (
        after.with_columns(name=name)
        .sort(order, descending=[True, False], nulls_last=True)
        .group_by("name", maintain_order=True)
        .agg(heir=pl.col("song_id").first())
    )
    return went.with_columns(name=name).join(heirs, on="name", how="left", maintain_order="left")


def _overlaps(before: State, after: State) -> pl.DataFrame:
    """Return the songs of both states with ``overlap``, that of their lists.

    A place that neither list fills counts as shared, so that 5 always means the same songs.
    """
    pair = ["song_id", "recommended_song_id"]
    old, new = (
        state.lists.filter(pl.col("rank") <= PLACES).select(pair) for state in (before, after)
    )
    counts = [
        old.group_by("song_id").agg(old=pl.len()),
        new.group_by("song_id").agg(new=pl.len()),
        old.join(new, on=pair).group_by("song_id").agg(shared=pl.len()),
    ]
    songs = after.songs.join(before.songs.select("song_id"), on="song_id", how="semi")
    for count in counts:
        songs = songs.join(count, on="song_id", how="left")
    old_count, new_count, shared = (pl.col(c).fill_null(0).cast(pl.Int64) for c in COUNTS)
    return songs.with_columns(overlap=PLACES - pl.max_horizontal(old_count, new_count) + shared)


def _band() -> pl.Expr:
    """Name the band of popularity, by the share of songs that are as well known or better."""
    known = pl.col("popularity").count()
    share = pl.col("popularity").rank("max", descending=True) / known
    return (
        pl.when(pl.col("popularity").is_null())
        .then(pl.lit("unknown"))
        .when(share <= 0.01)
        .then(pl.lit("top 1 %"))
        .when(share <= 0.1)
        .then(pl.lit("top 10 %"))
        .otherwise(pl.lit("others"))
    )


def _rows(change: str, songs: pl.DataFrame, **values: pl.Expr) -> pl.DataFrame:
    """Lay songs out as rows of ``changes``."""
    columns = {
        "change": pl.lit(change),
        "subject": pl.col("song_id"),
        "label": pl.col("label"),
        "before": pl.lit(None, pl.String),
        "after": pl.lit(None, pl.String),
        "overlap": pl.lit(None, pl.Int64),
        "popularity": pl.col("popularity"),
    }
    return songs.select(**{**columns, **values})


def _facts(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> pl.DataFrame:
    """Return what came, went or changed of a kind; ``table`` and its like only come and go."""
    rows: list[tuple[str | int | None, ...]] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        how = "came" if old is None else "went" if new is None else "changed"
        change = f"{kind} {how}" if kind in COMING else kind
        rows.append((change, name, name, old, new, None, None))
    return pl.DataFrame(rows, schema=CHANGES.schema, orient="row")
