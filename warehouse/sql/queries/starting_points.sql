-- Some of the best known songs, one of each family and of each artist.
with
known as materialized (
    select song_id, family_id, title, artist, year, key, popularity
    from songs
    order by popularity desc, song_id
    limit 60
)
select song_id, title, artist, year, key, max(popularity) as popularity
from known
group by artist
order by popularity desc, song_id
limit 8
