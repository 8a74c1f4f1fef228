-- What the songs of each year are like on average, the newest first.
select
    year, songs, danceability, energy, valence, acousticness, instrumentalness, speechiness
from feature_years
order by year desc
