-- The other versions of one song, the oldest first.
select versions.song_id, versions.title, versions.album, versions.year
from songs as song
join songs as versions on versions.family_id = song.family_id
where song.song_id = :song_id
    and versions.song_id <> song.song_id
order by versions.year is null, versions.year, versions.song_id
limit 20
