-- The builds before this one, the newest first.
select
    build_id, published_at, seconds, songs, recommendations, rejected, code_version,
    sources, parameters
from builds
where build_id <> :build_id
order by published_at desc, build_id
limit 20
