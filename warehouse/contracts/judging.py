"""The tables of the distance's recipe and of how good the lists are."""

import polars as pl

from warehouse.contracts.columns import Column, Table

FEATURES = Table(
    name="features",
    about="The recipe of the distance: one row for each column of the vectors.",
    key=("feature",),
    source="The fitted encoder, models/encoder.joblib in the build.",
    columns=(
        Column("feature", pl.String, "Name of the column."),
        Column("block", pl.String, "Group of columns that share one weight."),
        Column("transform", pl.String, "How the measurement becomes a column."),
        Column("weight", pl.Float64, "Factor applied to the column after its transform.", low=0),
        Column("mean", pl.Float64, "Mean of the weighted column over the songs."),
        Column("spread", pl.Float64, "Standard deviation of the weighted column.", low=0),
        Column(
            "variance_share",
            pl.Float64,
            "Share of the total variance, and thus of the mean squared distance.",
            "0 to 1",
            low=0,
            high=1,
        ),
    ),
)


EVALUATION = Table(
    name="evaluation",
    about="How good the lists are, beside simple baselines on the same queries.",
    key=("metric", "model", "split"),
    source="models/judging/; the protocol is docs/evaluation.md.",
    columns=(
        Column(
            "metric",
            pl.String,
            "What is measured; AF leaves out songs that share an artist with the query. Rating "
            "error: root mean square, in stars, of ratings held out in five folds.",
        ),
        Column(
            "model",
            pl.String,
            "Whose lists: segue, or a baseline: random, popular, same genre, z-scored audio, "
            "co-occurrence. For the rating error: segue, biases of user and song, or song means.",
        ),
        Column(
            "split",
            pl.String,
            "Queries from held-out playlists: all, warm (in training playlists too) or cold; "
            "learnt: from playlists learnt from; catalogue: no playlists are needed.",
        ),
        Column("value", pl.Float64, "The measure; a mean unless its name says otherwise."),
        Column(
            "low",
            pl.Float64,
            "Lower end of the 95 % interval. Null: nothing was sampled.",
            nullable=True,
        ),
        Column(
            "high",
            pl.Float64,
            "Upper end of the 95 % interval. Null: nothing was sampled.",
            nullable=True,
        ),
        Column("n", pl.Int64, "Number of queries, songs, pairs or ratings measured.", low=1),
    ),
)
