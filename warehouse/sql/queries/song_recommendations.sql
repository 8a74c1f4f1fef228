-- The songs that are recommended for one song, by rank, and whether each leads back.
select
    recommendations.rank,
    recommendations.recommended_song_id as song_id,
    other.title,
    other.artist,
    other.year,
    other.key,
    other.mode,
    other.map_x,
    other.map_y,
    recommendations.distance,
    recommendations.similarity,
    recommendations.reason,
    exists (
        select 1
        from recommendations as back
        where back.song_id = recommendations.recommended_song_id
            and back.recommended_song_id = recommendations.song_id
    ) as mutual,
    recommendations.because_sound,
    recommendations.because_era,
    recommendations.because_genre,
    recommendations.because_artists,
    recommendations.because_playlists
from recommendations
join songs as other on other.song_id = recommendations.recommended_song_id
where recommendations.song_id = :song_id
order by recommendations.rank
