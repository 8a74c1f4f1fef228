-- Songs whose title and artist hold every word of :q, exact titles and popular songs first.
-- search_terms() is the site's own function: it quotes the words, so that no operator remains,
-- and an empty phrase where there are none ("!!!" is a band), when title or artist must be :q itself.
with
matches as materialized (
    select rowid as song_row, bm25(songs_fts, 2.0, 1.0) as badness
    from songs_fts
    where songs_fts match search_terms(:q)
    order by badness
    limit 500
),
wordless as materialized (
    select rowid as song_row, 0 as badness
    from songs
    where search_terms(:q) = '""' and trim(:q) <> '' and trim(:q) in (title, artist)
    limit 500
),
found as (
    select song_row, badness from matches
    union all
    select song_row, badness from wordless
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
join songs on songs.rowid = found.song_row
order by
    lower(songs.title) = lower(trim(:q)) desc,
    songs.popularity desc,
    found.badness,
    songs.song_id
limit 50
