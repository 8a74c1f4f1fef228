-- Every taste counts its songs correctly.
select tastes.taste_id, tastes.songs, count(songs.song_id) as found
from tastes
left join songs using (taste_id)
group by tastes.taste_id
having tastes.songs <> count(songs.song_id)
order by tastes.taste_id
