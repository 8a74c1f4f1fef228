-- No song is recommended for itself.
select song_id, rank
from recommendations
where song_id = recommended_song_id
order by song_id, rank
