-- How many recommendations lie how far away, at all ranks together.
select distance as "from", sum(recommendations) as recommendations
from distance_counts
group by distance
order by distance
