"""The tables of what a build was made from and which checks it passed."""

import polars as pl

from warehouse.contracts.columns import Column, Table

SOURCES = Table(
    name="sources",
    about="One row for each input file; rows_read is the sum of the columns after it.",
    key=("source",),
    source="Counted while the files were read and matched.",
    columns=(
        Column("source", pl.String, "Name of the file."),
        Column(
            "kind", pl.String, "What it was read for: tracks, genres, playlists, ratings or mbids."
        ),
        Column("format", pl.String, "How the file is written."),
        Column("sha256", pl.String, "Hash of the file as it was on disk."),
        Column("rows_read", pl.Int64, "Rows below the header, or entries in JSON.", "rows", low=0),
        Column("songs", pl.Int64, "Rows that became a song.", "rows", low=0),
        Column(
            "merged",
            pl.Int64,
            "Rows merged into a song that another row had already given.",
            "rows",
            low=0,
        ),
        Column(
            "matched_by_id",
            pl.Int64,
            "Playlist entries, or ratings, whose id is that of a song.",
            "rows",
            low=0,
        ),
        Column(
            "matched_by_name",
            pl.Int64,
            "Entries or ratings matched to a song by title and artist, or artists by name.",
            "rows",
            low=0,
        ),
        Column(
            "unmatched",
            pl.Int64,
            "Entries, ratings or artists that the catalogue does not have; for entries and ratings "
            "see unmatched_tracks.",
            "rows",
            low=0,
        ),
        Column(
            "passed_over",
            pl.Int64,
            "What is not a song: podcasts, audiobooks, local files, entries without a name; and "
            "plays shorter than 30 seconds.",
            "rows",
            low=0,
        ),
        Column("rejected", pl.Int64, "Rows listed in rejected_rows.", "rows", low=0),
        Column(
            "licence",
            pl.String,
            "How what was fetched may be used: open or non-commercial. Null: a file of one's own.",
            nullable=True,
        ),
        Column("url", pl.String, "Where it was fetched from.", nullable=True),
        Column("fetched_at", pl.String, "When it was fetched.", "UTC, ISO 8601", nullable=True),
    ),
)


SOURCE_COLUMNS = Table(
    name="source_columns",
    about="Every column of every input file: what it was read as, or why it was passed over.",
    key=("source", "position"),
    source="Decided when the files were recognised; see docs/files.md.",
    columns=(
        Column("source", pl.String, "Name of the file.", references="sources.source"),
        Column("position", pl.Int64, "Position in the file, from 1.", low=1),
        Column("column", pl.String, "Name in the file; empty where it has none."),
        Column(
            "used_as",
            pl.String,
            "The column of Segue's that it was read as. Null: it was passed over.",
            nullable=True,
        ),
        Column("how", pl.String, "How that was decided, and how its values were read."),
    ),
)


REJECTED_ROWS = Table(
    name="rejected_rows",
    about="Rows that could not be used, each as it came, with the reason.",
    key=("source", "line"),
    source="Written while the files were read.",
    columns=(
        Column("source", pl.String, "Name of the file.", references="sources.source"),
        Column(
            "line",
            pl.Int64,
            "Line on which the row begins, the header being line 1; in Parquet the row number "
            "counted likewise, in JSON the position of the entry.",
            low=1,
        ),
        Column("reason", pl.String, "What is wrong with it."),
        Column("row", pl.String, "The row as it came."),
    ),
)


ODDITIES = Table(
    name="oddities",
    about="What was odd but usable: each rule, its reason and how many rows it applied to.",
    key=("oddity",),
    source="transforms/tracks.py, counted while the files were read.",
    columns=(
        Column("oddity", pl.String, "Name of the rule."),
        Column("reason", pl.String, "What the value means."),
        Column("emptied", pl.String, "Columns that became null; empty where the value was kept."),
        Column("rows", pl.Int64, "Usable rows to which it applies.", "rows", low=0),
    ),
)


CHECKS = Table(
    name="checks",
    about="The checks that this build passed before it was published.",
    key=("check",),
    source="warehouse/gates.py, run on this file.",
    columns=(
        Column("check", pl.String, "Name of the rule."),
        Column("about", pl.String, "What the rule says."),
        Column(
            "value", pl.Float64, "The measured value; for most rules the number of offending rows."
        ),
        Column("bound", pl.Float64, "The highest value that passes."),
        Column("passed", pl.Boolean, "1 if the rule holds."),
    ),
)


BUILDS = Table(
    name="builds",
    about="This build and the earlier ones; order them by published_at.",
    key=("build_id",),
    source="The manifests. The times of this build are only in its own manifest.",
    columns=(
        Column("build_id", pl.String, "Hash of sources, code and settings."),
        Column(
            "published_at",
            pl.String,
            "When it was published. Null for this build: see its manifest.",
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
