-- Songs of a shared genre, released within two years of one song, the most popular first.
with
asked as (
    select song_id, family_id, year
    from songs
    where song_id = :song_id
)
select
    songs.song_id,
    songs.label as song,
    group_concat(theirs.genre, ', ') as shared_genres,
    songs.year,
    songs.popularity
from asked
join song_genres as mine on mine.song_id = asked.song_id
join song_genres as theirs on theirs.genre = mine.genre
join songs on songs.song_id = theirs.song_id
where songs.year between asked.year - 2 and asked.year + 2
    and songs.family_id <> asked.family_id
group by songs.song_id
order by songs.popularity desc, songs.song_id
limit 100
