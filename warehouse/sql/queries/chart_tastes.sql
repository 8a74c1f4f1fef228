-- What the largest tastes are like on average.
select
    taste_id, label as taste, songs, danceability, energy, valence, acousticness,
    instrumentalness, speechiness
from tastes
order by songs desc, taste_id
limit 24
