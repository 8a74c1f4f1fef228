"""The tables of what changed since the build before."""

import polars as pl

from warehouse.contracts.columns import Column, Table

CHANGES = Table(
    name="changes",
    about="What changed since the build that was served when this one was made: order by "
    "popularity for what most will notice.",
    key=("change", "subject"),
    source="transforms/changes.py, from this build and that one.",
    rowid=False,
    columns=(
        Column(
            "change",
            pl.String,
            "song came, song went, song renamed, song merged (its id is gone; a song of its title "
            "and artist stays), song renumbered (such a song came), list changed; table or column "
            "came or went; source came, went or changed; setting, code, evaluation; build.",
        ),
        Column(
            "subject",
            pl.String,
            "Of what: a song_id, a table, a column as table.column, a file, a setting, a measure; "
            "build_id for the row that says which two builds were compared.",
        ),
        Column("label", pl.String, "The song's label, or the subject again."),
        Column(
            "before",
            pl.String,
            "What it was: a label, a value or a hash. Null: nothing, or a list.",
            nullable=True,
        ),
        Column(
            "after",
            pl.String,
            "What it is: a label, a value or a hash; of a merged or renumbered song the song_id "
            "that is left. Null: nothing, or a list.",
            nullable=True,
        ),
        Column(
            "overlap",
            pl.Int64,
            "Songs that the first five places of both lists share, with places that neither fills. "
            "Null: no list.",
            "songs",
            nullable=True,
            low=0,
            high=5,
        ),
        Column(
            "popularity",
            pl.Int64,
            "The song's popularity, now or when it went. Null: no song, or none is known.",
            "0 to 100",
            nullable=True,
            low=0,
            high=100,
        ),
    ),
    indexes=(("popularity",),),
)


LIST_CHANGES = Table(
    name="list_changes",
    about="How many lists changed by how much since the build before, by popularity; empty in the "
    "first build.",
    key=("popularity", "overlap"),
    source="transforms/changes.py, of songs that both builds have.",
    rowid=False,
    columns=(
        Column(
            "popularity",
            pl.String,
            "top 1 %, top 10 % (without the top 1 %) and others of the songs whose popularity is "
            "known; unknown; all.",
        ),
        Column(
            "overlap",
            pl.Int64,
            "Songs that the first five places of both lists share, with places that neither fills; "
            "5: the same songs.",
            "songs",
            low=0,
            high=5,
        ),
        Column("lists", pl.Int64, "Songs whose lists overlap so.", "songs", low=1),
    ),
)
