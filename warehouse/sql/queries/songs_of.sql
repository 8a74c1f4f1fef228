-- Songs by a list of ids, in its order.
select
    songs.song_id,
    songs.title,
    songs.artist,
    songs.album,
    songs.year,
    songs.duration_ms,
    songs.key,
    songs.mode,
    tastes.label as taste,
    songs.label
from json_each(:song_ids) as wanted
join songs on songs.song_id = wanted.value
left join tastes using (taste_id)
order by wanted.key
