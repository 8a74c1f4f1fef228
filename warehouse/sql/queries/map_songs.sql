-- The best known songs and where they lie, one of each family.
select songs.song_id, songs.label, songs.taste_id, songs.map_x, songs.map_y
from songs
join families on families.family_id = songs.family_id and families.song_id = songs.song_id
order by songs.popularity desc, songs.song_id
limit :limit
