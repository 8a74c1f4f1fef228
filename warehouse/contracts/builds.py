"""The tables of what a build was made from and what it was held to."""

import polars as pl

from warehouse.contracts.columns import Column, Table

SOURCES = Table(
    name="sources",
    about="One row for each input file; rows_read is the sum of the columns after it.",
    key=("source",),
    source="Counted while the files were read and matched.",
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column("kind", pl.String, "What it was read for: tracks, genres, playlists or ratings."),
        Column("format", pl.String, "The format that it was recognised as."),
        Column("sha256", pl.String, "Hash of the file as it lay on disk."),
        Column("rows_read", pl.Int64, "Rows below the header, or entries in JSON.", "rows", low=0),
        Column("songs", pl.Int64, "Rows that became a song.", "rows", low=0),
        Column(
            "merged",
            pl.Int64,
            "Rows merged into a song that another row had brought.",
            "rows",
            low=0,
        ),
        Column(
            "matched_by_id",
            pl.Int64,
            "Entries of playlists, or ratings, whose id is a song's.",
            "rows",
            low=0,
        ),
        Column(
            "matched_by_name",
            pl.Int64,
            "Entries or ratings whose title and artist are a song's, or artists whose name is.",
            "rows",
            low=0,
        ),
        Column(
            "unmatched",
            pl.Int64,
            "Entries and ratings of what the catalogue lacks: see unmatched_tracks; or artists "
            "that it lacks.",
            "rows",
            low=0,
        ),
        Column(
            "passed_over",
            pl.Int64,
            "Plays of less than 30 seconds, and episodes of podcasts.",
            "rows",
            low=0,
        ),
        Column("rejected", pl.Int64, "Rows that stand in rejected_rows.", "rows", low=0),
    ),
)


REJECTED_ROWS = Table(
    name="rejected_rows",
    about="Rows that could not be used, each as it came and with the reason.",
    key=("source", "line"),
    source="Written while the files were read.",
    columns=(
        Column("source", pl.String, "Name of the file.", references="sources.source"),
        Column(
            "line",
            pl.Int64,
            "Line on which the row begins, or row number in Parquet, the header being line 1; in "
            "JSON the position of the entry.",
            low=1,
        ),
        Column("reason", pl.String, "What is wrong with it."),
        Column("row", pl.String, "The row as it came."),
    ),
)


ODDITIES = Table(
    name="oddities",
    about="What was odd in the rows but usable: each rule, why, and how many rows it met.",
    key=("oddity",),
    source="transforms/tracks.py, counted while the files were read.",
    columns=(
        Column("oddity", pl.String, "Name of the rule."),
        Column("reason", pl.String, "What the value stands for."),
        Column("emptied", pl.String, "Columns that became null; empty where the value is kept."),
        Column("rows", pl.Int64, "Usable rows that show it.", "rows", low=0),
    ),
)


CHECKS = Table(
    name="checks",
    about="The rules that this build was held to before it was published.",
    key=("check",),
    source="warehouse/gates.py, run on this file.",
    columns=(
        Column("check", pl.String, "Name of the rule."),
        Column("about", pl.String, "What it holds."),
        Column("value", pl.Float64, "What was measured; for most rules the offending rows."),
        Column("bound", pl.Float64, "The highest value that passes."),
        Column("passed", pl.Boolean, "1 where it holds."),
    ),
)


BUILDS = Table(
    name="builds",
    about="This build and the different ones before it: order them by published_at.",
    key=("build_id",),
    source="The manifests. The times of this build stand in its manifest alone.",
    columns=(
        Column("build_id", pl.String, "Hash of sources, code and settings."),
        Column(
            "published_at",
            pl.String,
            "When it was published. Null for this build: the manifest says.",
            "UTC, ISO 8601",
            nullable=True,
        ),
        Column("seconds", pl.Float64, "How long it took. Null for this build.", "s", nullable=True),
        Column("songs", pl.Int64, "Songs.", "rows", low=0),
        Column("recommendations", pl.Int64, "Recommendations.", "rows", low=0),
        Column("rejected", pl.Int64, "Rejected rows.", "rows", low=0),
        Column("code_version", pl.String, "Version of Segue and a hash of its code."),
        Column("sources", pl.String, "File names and their hashes, as a JSON object."),
        Column("parameters", pl.String, "Settings that shape the rows, as a JSON object."),
    ),
)
