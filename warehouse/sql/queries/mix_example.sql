-- The best-known song of each of the five largest tastes, to show how a list of songs is written.
-- A dash in an artist's name could be read as that between artist and title.
with ranked as (
    select
        songs.song_id,
        tastes.songs,
        row_number() over (
            partition by songs.taste_id order by songs.popularity desc, songs.song_id
        ) as place
    from songs
    join tastes using (taste_id)
    where songs.artist not like '% - %' and length(songs.title) + length(songs.artist) < 50
)
select song_id from ranked where place = 1 order by songs desc, song_id limit 5
