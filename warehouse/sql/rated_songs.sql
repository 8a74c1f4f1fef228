-- The songs that ratings say something of, with what visitors are told of them.
select
    factors.*,
    songs.title,
    songs.artist,
    songs.year,
    songs.label,
    songs.family_id,
    songs.taste_id
from rating_factors as factors
join songs using (song_id)
order by song_id
