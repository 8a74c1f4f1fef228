-- Every song of some families, with its genres and those of its artist; :families is a JSON array.
select
    songs.rowid as number,
    songs.song_id,
    songs.family_id,
    songs.title,
    songs.artist,
    songs.artists,
    songs.album,
    songs.year,
    songs.explicit,
    songs.popularity,
    songs.key,
    songs.mode,
    (
        select json_group_array(genre)
        from (
            select genre from song_genres where song_id = songs.song_id
            union
            select genre from artist_genres where artist = songs.artist
            order by genre
        )
    ) as genres
from json_each(:families) as wanted
join songs on songs.family_id = wanted.value
order by songs.family_id, songs.popularity desc, songs.song_id
