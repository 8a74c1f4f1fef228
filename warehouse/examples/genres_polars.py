"""Genres of twenty songs or more whose songs lead furthest: the mean distance of what follows."""

import polars as pl

song_genres = pl.scan_parquet("parquet/song_genres.parquet")
recommendations = pl.scan_parquet("parquet/recommendations.parquet")
answer = (
    song_genres.join(recommendations, on="song_id")
    .group_by("genre")
    .agg(songs=pl.col("song_id").n_unique(), mean_distance=pl.col("distance").mean().round(3))
    .filter(pl.col("songs") >= 20)
    .sort("mean_distance", "genre", descending=[True, False])
    .head(10)
    .collect()
)
answer.show()
