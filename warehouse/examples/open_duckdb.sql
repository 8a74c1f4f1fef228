-- The Parquet files need no database: run duckdb in the folder of the build.
select count(*) as songs
from 'parquet/songs.parquet';
