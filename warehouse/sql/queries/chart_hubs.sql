-- How many songs stand in how many lists.
select lists, songs
from hub_counts
order by lists
