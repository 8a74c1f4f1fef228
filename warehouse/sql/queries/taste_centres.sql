-- Where the songs of each taste lie on the map, on average.
select taste_id, avg(map_x) as x, avg(map_y) as y
from songs
group by taste_id
order by taste_id
