-- No song is recommended for another version of itself.
select recommendations.song_id, recommendations.rank, recommendations.recommended_song_id
from recommendations
join songs as song on song.song_id = recommendations.song_id
join songs as other on other.song_id = recommendations.recommended_song_id
where song.family_id = other.family_id
order by recommendations.song_id, recommendations.rank
