-- The best known songs of one genre.
select songs.song_id, songs.title, songs.artist, songs.year, songs.key, songs.popularity
from genre_songs
join songs using (song_id)
where genre_songs.genre = :genre
order by genre_songs.rank
