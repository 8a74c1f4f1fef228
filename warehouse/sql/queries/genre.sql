-- How much of the catalogue is of one genre, and what it is like on average.
select *
from genres
where genre = :genre
