-- Every family counts its songs correctly and is represented by one of them.
select families.family_id, families.versions, count(songs.song_id) as songs
from families
left join songs using (family_id)
group by families.family_id
having families.versions <> count(songs.song_id)
    or not max(songs.song_id = families.song_id)
order by families.family_id
