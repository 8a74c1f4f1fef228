-- The best known songs of one taste.
select songs.song_id, songs.title, songs.artist, songs.year, songs.key, songs.popularity
from taste_songs
join songs using (song_id)
where taste_songs.taste_id = :taste_id
order by taste_songs.rank
