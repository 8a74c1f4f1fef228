-- The tastes, those of most songs first.
select taste_id, label, songs
from tastes
order by songs desc, taste_id
