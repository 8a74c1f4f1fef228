"""The ten best known songs, what is recommended first for each, and why."""

import polars as pl

songs = pl.scan_parquet("parquet/songs.parquet")
recommendations = pl.scan_parquet("parquet/recommendations.parquet")
other = songs.select(recommended_song_id="song_id", recommended="label")
answer = (
    songs.join(recommendations.filter(rank=1), on="song_id")
    .join(other, on="recommended_song_id")
    .sort("popularity", "song_id", descending=[True, False], nulls_last=True)
    .select(
        song="label",
        recommended="recommended",
        distance=pl.col("distance").round(3),
        reason="reason",
    )
    .head(10)
    .collect()
)
answer.show()
