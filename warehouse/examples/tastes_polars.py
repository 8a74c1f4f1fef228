"""How many recommendations lead from one taste to another, the most first."""

import polars as pl

recommendations = pl.scan_parquet("parquet/recommendations.parquet")
tastes = pl.scan_parquet("parquet/tastes.parquet").select("taste_id", "label")
songs = pl.scan_parquet("parquet/songs.parquet").join(tastes, on="taste_id")
here = songs.select("song_id", taste="label_right")
there = songs.select(recommended_song_id="song_id", leads_to="label_right")
answer = (
    recommendations.join(here, on="song_id")
    .join(there, on="recommended_song_id")
    .filter(pl.col("taste") != pl.col("leads_to"))
    .group_by("taste", "leads_to")
    .agg(recommended=pl.len(), mean_distance=pl.col("distance").mean().round(3))
    .sort("recommended", "taste", "leads_to", descending=[True, False, False])
    .head(10)
    .collect()
)
answer.show()
