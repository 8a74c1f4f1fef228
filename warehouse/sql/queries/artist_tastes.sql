-- The tastes that one artist's songs are of, those of most songs first.
select tastes.taste_id, tastes.label, count(*) as songs
from songs
join tastes using (taste_id)
where songs.artist = :artist
group by tastes.taste_id
order by songs desc, tastes.taste_id
