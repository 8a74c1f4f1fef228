-- The genres that one genre's songs lead to, the strongest first.
select related_genre as name, related_genre as label, songs, by_chance
from related_genres
where genre = :genre
order by rank
