-- The name of one taste.
select taste_id, label, songs
from tastes
where taste_id = :taste_id
