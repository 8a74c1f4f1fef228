-- No song is recommended for another version of itself, or one that looks the same.
select song_id, rank, recommended_song_id
from lists
where namesake = own_namesake
order by song_id, rank
