-- A list holds at most one song of any family.
with suspects as (
    select song
    from lists
    group by song
    having count(distinct family) < count(*)
),
crowded as (
    select song_id, min(recommended_song_id) as one_of_them, count(*) as versions
    from lists
    where song in (select song from suspects)
    group by song, family
    having count(*) > 1
)
select crowded.song_id, songs.family_id, songs.title, crowded.versions
from crowded
join songs on songs.song_id = crowded.one_of_them
order by crowded.song_id
