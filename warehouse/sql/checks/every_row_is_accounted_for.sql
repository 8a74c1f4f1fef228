-- In each file, rows read = songs + merged + matched + unmatched + skipped + rejected.
with counted as (
    select source, count(*) as rejected
    from rejected_rows
    group by source
)
select
    sources.source,
    rows_read,
    songs,
    merged,
    matched_by_id,
    matched_by_name,
    unmatched,
    passed_over,
    sources.rejected
from sources
left join counted on counted.source = sources.source
where rows_read <> songs + merged + matched_by_id + matched_by_name + unmatched + passed_over
        + sources.rejected
    or sources.rejected <> coalesce(counted.rejected, 0)
    or (select sum(songs) from sources) <> (select count(*) from songs)
    or (
        kind in ('playlists', 'ratings')
        and (select sum(unmatched) from sources where kind in ('playlists', 'ratings'))
            <> (select coalesce(sum(entries), 0) from unmatched_tracks)
    )
order by sources.source
