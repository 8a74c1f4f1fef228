-- What the largest genres are like on average.
select
    genre, songs, danceability, energy, valence, acousticness, instrumentalness, speechiness
from genres
order by songs desc, genre
limit 24
