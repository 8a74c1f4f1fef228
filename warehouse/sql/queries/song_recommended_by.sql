-- The songs that lead to one song, those that place it highest first.
with
leading as materialized (
    select song_id, rank
    from recommendations
    where recommended_song_id = :song_id
    order by rank, song_id
    limit 10
)
select
    leading.song_id,
    leading.rank,
    songs.label,
    songs.key,
    songs.map_x,
    songs.map_y,
    exists (
        select 1
        from recommendations as back
        where back.song_id = :song_id and back.recommended_song_id = leading.song_id
    ) as mutual
from leading
join songs on songs.song_id = leading.song_id
order by leading.rank, leading.song_id
