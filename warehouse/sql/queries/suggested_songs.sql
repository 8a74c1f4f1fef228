-- What tells songs apart while one is being looked for; :songs is a JSON array, its order is kept.
select songs.song_id, songs.title, songs.artist, songs.year, songs.key, songs.mode
from json_each(:songs) as wanted
join songs on songs.song_id = wanted.value
order by wanted.key
