-- Ranks follow the distance, and the song_id where distances are equal.
select song_id, rank, distance
from (
    select
        song_id,
        rank,
        distance,
        recommended_song_id,
        lag(distance) over list as distance_before,
        lag(recommended_song_id) over list as song_before
    from recommendations
    window list as (partition by song_id order by rank)
)
where distance < distance_before
    or (distance = distance_before and recommended_song_id < song_before)
order by song_id, rank
