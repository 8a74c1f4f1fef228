-- A list holds one song of any family at most.
select song_id, min(recommended_song_id) as recommended_song_id, count(*) as versions
from lists
group by song, family
having count(*) > 1
order by song_id
