-- Genres of twenty songs or more whose songs lead furthest: the mean distance of what follows.
select
    genre,
    count(distinct song_id) as songs,
    round(avg(distance), 3) as mean_distance
from 'parquet/song_genres.parquet'
join 'parquet/recommendations.parquet' using (song_id)
group by genre
having count(distinct song_id) >= 20
order by mean_distance desc, genre
limit 10;
