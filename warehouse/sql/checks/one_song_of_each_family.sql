-- A list holds at most one song of any family, and one of those that look the same.
with suspects as (
    select song
    from lists
    group by song
    having count(distinct namesake) < count(*)
),
crowded as (
    select song_id, min(recommended_song_id) as one_of_them, count(*) as versions
    from lists
    where song in (select song from suspects)
    group by song, namesake
    having count(*) > 1
)
select crowded.song_id, songs.family_id, songs.title, crowded.versions
from crowded
join songs on songs.song_id = crowded.one_of_them
order by crowded.song_id
