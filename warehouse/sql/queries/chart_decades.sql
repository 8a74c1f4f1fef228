-- How many songs are of each decade, the newest first.
select year / 10 * 10 as decade, sum(songs) as songs
from feature_years
group by decade
order by decade desc
