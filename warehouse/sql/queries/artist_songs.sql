-- One artist's best known songs, one of each family.
with
known as (
    select song_id, family_id, title, artist, year, key, popularity
    from songs
    where artist = :artist
    order by popularity desc, song_id
    limit 200
),
placed as (
    select *, row_number() over (partition by family_id order by popularity desc, song_id) as place
    from known
)
select song_id, title, artist, year, key, popularity
from placed
where place = 1
order by popularity desc, song_id
limit 24
