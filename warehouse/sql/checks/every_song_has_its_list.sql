-- Every song has exactly :neighbours recommendations, ranked from 1 without gaps.
-- In a small catalogue the rules can leave a list short: lower SEGUE_NEIGHBOURS or add songs.
select songs.song_id, songs.title, count(recommendations.rank) as recommendations
from songs
left join recommendations using (song_id)
group by songs.song_id
having count(recommendations.rank) <> :neighbours
    or min(recommendations.rank) <> 1
    or max(recommendations.rank) <> :neighbours
order by songs.song_id
