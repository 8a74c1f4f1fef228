-- The genres of most songs, most first.
select genre, songs
from genres
order by songs desc, genre
limit 36
