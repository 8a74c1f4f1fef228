-- The mean of each audio feature over some songs; :songs is a JSON array of their ids.
select
    avg(danceability) as danceability,
    avg(energy) as energy,
    avg(loudness) as loudness,
    avg(speechiness) as speechiness,
    avg(acousticness) as acousticness,
    avg(instrumentalness) as instrumentalness,
    avg(liveness) as liveness,
    avg(valence) as valence,
    avg(tempo) as tempo
from json_each(:songs) as wanted
join songs on songs.song_id = wanted.value
