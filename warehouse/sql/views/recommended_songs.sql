-- The join that a report wants: both songs of each recommendation, side by side.
create view recommended_songs as
select
    recommendations.song_id,
    song.title,
    song.artist,
    song.year,
    recommendations.rank,
    recommendations.recommended_song_id,
    other.title as recommended_title,
    other.artist as recommended_artist,
    other.year as recommended_year,
    recommendations.distance,
    recommendations.similarity,
    recommendations.reason,
    recommendations.because_sound,
    recommendations.because_era,
    recommendations.because_genre,
    recommendations.because_artists,
    recommendations.because_playlists
from recommendations
join songs as song on song.song_id = recommendations.song_id
join songs as other on other.song_id = recommendations.recommended_song_id
