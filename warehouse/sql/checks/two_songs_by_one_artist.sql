-- A list holds at most two songs by one primary artist.
with suspects as (
    select song
    from lists
    group by song
    having count(*) - count(distinct artist) > 1
),
crowded as (
    select song_id, min(recommended_song_id) as one_of_them, count(*) as songs
    from lists
    where song in (select song from suspects)
    group by song, artist
    having count(*) > 2
)
select crowded.song_id, songs.artist, crowded.songs
from crowded
join songs on songs.song_id = crowded.one_of_them
order by crowded.song_id
