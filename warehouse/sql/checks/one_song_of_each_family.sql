-- A list holds one song of any family at most.
select recommendations.song_id, songs.family_id, count(*) as versions
from recommendations
join songs on songs.song_id = recommendations.recommended_song_id
group by recommendations.song_id, songs.family_id
having count(*) > 1
order by recommendations.song_id
