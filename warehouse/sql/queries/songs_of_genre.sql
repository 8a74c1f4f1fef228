-- The rowids of the songs that are filed under one genre, or whose artist is.
select songs.rowid as number
from song_genres
join songs on songs.song_id = song_genres.song_id
where song_genres.genre = :genre
union
select songs.rowid
from artist_genres
join songs on songs.artist = artist_genres.artist
where artist_genres.genre = :genre
