-- The ten best known songs, what is recommended first for each, and why.
select
    songs.label as song,
    other.label as recommended,
    round(recommendations.distance, 3) as distance,
    recommendations.reason
from songs
join recommendations on recommendations.song_id = songs.song_id
join songs as other on other.song_id = recommendations.recommended_song_id
where recommendations.rank = 1
order by songs.popularity desc, songs.song_id
limit 10;
