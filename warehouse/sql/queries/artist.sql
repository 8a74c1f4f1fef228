-- What the catalogue has by one artist, and what it is like on average.
select *
from artists
where artist = :artist
