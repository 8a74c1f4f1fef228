-- Every taste with its three best known songs, those of most songs first.
select
    tastes.taste_id,
    tastes.label,
    tastes.songs,
    (
        select json_group_array(json_object(
            'song_id', song_id, 'title', title, 'artist', artist, 'year', year,
            'key', key, 'popularity', popularity
        ))
        from (
            select songs.*
            from taste_songs
            join songs using (song_id)
            where taste_songs.taste_id = tastes.taste_id and taste_songs.rank <= 3
            order by taste_songs.rank
        )
    ) as known
from tastes
order by tastes.songs desc, tastes.taste_id
