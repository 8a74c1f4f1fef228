-- A list holds two songs by one primary artist at most.
select recommendations.song_id, songs.artist, count(*) as songs
from recommendations
join songs on songs.song_id = recommendations.recommended_song_id
group by recommendations.song_id, songs.artist
having count(*) > 2
order by recommendations.song_id
