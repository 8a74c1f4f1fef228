-- A list holds at most two songs by one primary artist, however the name is spelt.
with suspects as (
    select song
    from lists
    group by song
    having count(*) - count(distinct artist) >= :artist_cap
),
crowded as (
    select song_id, min(recommended_song_id) as one_of_them, count(*) as songs
    from lists
    where song in (select song from suspects)
    group by song, artist
    having count(*) > :artist_cap
)
select crowded.song_id, songs.artist, crowded.songs
from crowded
join songs on songs.song_id = crowded.one_of_them
order by crowded.song_id
