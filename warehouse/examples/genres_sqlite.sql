-- Genres of twenty songs or more whose songs lead furthest: the mean distance of what follows.
select
    song_genres.genre,
    count(distinct song_genres.song_id) as songs,
    round(avg(recommendations.distance), 3) as mean_distance
from song_genres
join recommendations on recommendations.song_id = song_genres.song_id
group by song_genres.genre
having count(distinct song_genres.song_id) >= 20
order by mean_distance desc, song_genres.genre
limit 10;
