-- Every artist has a row, and its counts are right.
with
counted as (
    select artist, count(*) as songs
    from songs
    group by artist
)
select counted.artist, artists.songs, counted.songs as found
from counted
left join artists using (artist)
where artists.songs is not counted.songs
union all
select artist, songs, 0
from artists
where artist not in (select artist from counted)
order by 1
