-- The tastes that one taste's songs lead to, the strongest first.
select
    related_tastes.related_taste_id as name,
    tastes.label,
    related_tastes.songs,
    related_tastes.by_chance
from related_tastes
join tastes on tastes.taste_id = related_tastes.related_taste_id
where related_tastes.taste_id = :taste_id
order by related_tastes.rank
