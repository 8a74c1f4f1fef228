-- The songs that most others lead to.
with
counted as (
    select recommended_song_id, count(*) as recommended_by
    from recommendations
    group by recommended_song_id
    order by recommended_by desc, recommended_song_id
    limit 100
)
select
    counted.recommended_song_id,
    songs.label as song,
    counted.recommended_by,
    songs.popularity
from counted
join songs on songs.song_id = counted.recommended_song_id
order by counted.recommended_by desc, counted.recommended_song_id
