-- The mean of each audio feature over the whole catalogue.
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
from songs
