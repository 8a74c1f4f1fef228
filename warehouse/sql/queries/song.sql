-- One song, its genres in alphabetical order and how often it is recommended.
select
    songs.*,
    (
        select json_group_array(genre)
        from (select genre from song_genres where song_id = :song_id order by genre)
    ) as genres,
    (
        select count(*)
        from recommendations
        where recommended_song_id = :song_id
    ) as recommended_by
from songs
where songs.song_id = :song_id
