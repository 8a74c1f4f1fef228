-- The ten best known songs, what is recommended first for each, and why.
select
    songs.label as song,
    other.label as recommended,
    round(recommendations.distance, 3) as distance,
    recommendations.reason
from 'parquet/songs.parquet' as songs
join 'parquet/recommendations.parquet' as recommendations using (song_id)
join 'parquet/songs.parquet' as other
    on other.song_id = recommendations.recommended_song_id
where recommendations.rank = 1
order by songs.popularity desc nulls last, song_id
limit 10;
