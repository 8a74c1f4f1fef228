-- One song beside each song that is recommended for it; a lone row of nulls where there is none.
select
    song.song_id,
    song.title,
    song.artist,
    song.year,
    recommendations.rank,
    recommendations.recommended_song_id,
    other.title as recommended_title,
    other.artist as recommended_artist,
    other.year as recommended_year,
    other.key as recommended_key,
    other.mode as recommended_mode,
    recommendations.distance,
    recommendations.similarity,
    recommendations.reason
from songs as song
left join recommendations on recommendations.song_id = song.song_id
left join songs as other on other.song_id = recommendations.recommended_song_id
where song.song_id = :song_id
order by recommendations.rank
