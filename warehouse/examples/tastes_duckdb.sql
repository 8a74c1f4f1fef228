-- How many recommendations lead from one taste to another, the most first.
select
    taste.label as taste,
    other_taste.label as leads_to,
    count(*) as recommended,
    round(avg(recommendations.distance), 3) as mean_distance
from 'parquet/recommendations.parquet' as recommendations
join 'parquet/songs.parquet' as songs using (song_id)
join 'parquet/songs.parquet' as other
    on other.song_id = recommendations.recommended_song_id
join 'parquet/tastes.parquet' as taste on taste.taste_id = songs.taste_id
join 'parquet/tastes.parquet' as other_taste on other_taste.taste_id = other.taste_id
where songs.taste_id <> other.taste_id
group by all
order by recommended desc, taste, leads_to
limit 10;
