-- No song is recommended for another version of itself.
select song_id, rank, recommended_song_id
from lists
where family = own_family
order by song_id, rank
