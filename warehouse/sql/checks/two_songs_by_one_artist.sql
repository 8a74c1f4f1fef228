-- A list holds two songs by one primary artist at most.
select song_id, min(recommended_song_id) as recommended_song_id, count(*) as songs
from lists
group by song, artist
having count(*) > 2
order by song_id
