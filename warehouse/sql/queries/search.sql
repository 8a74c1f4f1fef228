-- Songs that :q may mean by title, artist or both, best first, one of each family of versions.
-- search_songs() is the site's own function: it forgives accents, word order and typing errors.
with
found as materialized (
    select key as place, value as song_id
    from json_each(search_songs(:q))
)
select
    songs.song_id,
    songs.label as song,
    songs.title,
    songs.artist,
    songs.year,
    songs.album,
    songs.popularity
from found
join songs on songs.song_id = found.song_id
order by found.place
