-- The artists that one artist's songs lead to, the strongest first.
select related_artist as name, related_artist as label, songs, by_chance
from related_artists
where artist = :artist
order by rank
