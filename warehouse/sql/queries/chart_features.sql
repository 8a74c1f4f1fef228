-- What the songs of each decade are like on average, the newest first.
select
    year / 10 * 10 as decade,
    sum(songs) as songs,
    sum(danceability * songs) / sum(iif(danceability is null, null, songs)) as danceability,
    sum(energy * songs) / sum(iif(energy is null, null, songs)) as energy,
    sum(valence * songs) / sum(iif(valence is null, null, songs)) as valence,
    sum(acousticness * songs) / sum(iif(acousticness is null, null, songs)) as acousticness,
    sum(instrumentalness * songs) / sum(iif(instrumentalness is null, null, songs)) as instrumentalness,
    sum(speechiness * songs) / sum(iif(speechiness is null, null, songs)) as speechiness
from feature_years
group by decade
order by decade desc
