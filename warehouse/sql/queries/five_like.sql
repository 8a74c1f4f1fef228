-- The songs recommended for one song, nearest first.
select
    recommendations.rank,
    recommendations.recommended_song_id,
    other.label as song,
    other.album,
    recommendations.distance,
    recommendations.similarity,
    recommendations.reason
from recommendations
join songs as other on other.song_id = recommendations.recommended_song_id
where recommendations.song_id = :song_id
order by recommendations.rank
