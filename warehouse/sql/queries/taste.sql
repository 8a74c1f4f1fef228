-- One taste and what it is like on average.
select *
from tastes
where taste_id = :taste_id
