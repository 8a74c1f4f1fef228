-- The songs that ratings say something of, with what visitors are told of them. The taste is that
-- of which one question at a time is asked.
select
    factors.*,
    songs.title,
    songs.artist,
    songs.year,
    songs.label,
    songs.family_id,
    coalesce(
        (select min(genre) from song_genres where song_genres.song_id = factors.song_id),
        factors.song_id
    ) as taste
from rating_factors as factors
join songs using (song_id)
order by song_id
