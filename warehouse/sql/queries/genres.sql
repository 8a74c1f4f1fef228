-- The genres that hold :q, those of most songs first.
select genre, songs, artists
from genres
where instr(genre, :q) > 0
order by songs desc, genre
limit :limit
