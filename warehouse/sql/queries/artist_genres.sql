-- The genres of one artist's songs: those of the artist, and those that songs are filed under.
select genre, min(own) as own
from (
    select genre, 0 as own
    from artist_genres
    where artist = :artist
    union all
    select distinct song_genres.genre, 1
    from songs
    join song_genres using (song_id)
    where songs.artist = :artist
)
group by genre
order by own, genre
limit 24
