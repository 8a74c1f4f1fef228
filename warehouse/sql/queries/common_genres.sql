-- The genres that most songs are filed under, or their artists.
with
by_artist as (
    select artist, count(*) as songs
    from songs
    group by artist
),
filed as (
    select genre, count(*) as songs
    from song_genres
    group by genre
    union all
    select artist_genres.genre, sum(by_artist.songs)
    from artist_genres
    join by_artist on by_artist.artist = artist_genres.artist
    group by artist_genres.genre
)
select genre
from filed
group by genre
order by sum(songs) desc, genre
limit 100
