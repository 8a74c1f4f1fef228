"""The Parquet files need no database: run Python in the folder of the build."""

import polars as pl

songs = pl.scan_parquet("parquet/songs.parquet")
answer = songs.select(songs=pl.len()).collect()
answer.show()
