-- The blocks of the distance, what decides most first.
with
kinds as (
    select block, json_group_array(transform) as transforms
    from (select distinct block, transform from features order by block, transform)
    group by block
)
select
    features.block,
    count(*) as columns,
    max(features.weight) as weight,
    sum(features.variance_share) as share,
    kinds.transforms
from features
join kinds on kinds.block = features.block
group by features.block
order by share desc, features.block
