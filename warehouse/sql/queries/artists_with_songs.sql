-- Which of some artists, a JSON array of names, are the first who is credited for any song.
select artist
from artists
where artist in (select value from json_each(:names))
