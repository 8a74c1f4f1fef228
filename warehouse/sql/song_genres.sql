-- Every genre that any reading of a song names, once.
select distinct song_id, genre
from genre_readings
order by song_id, genre
