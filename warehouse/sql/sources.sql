-- Where each row of each file went: into a song of its own, into another's, or to rejected_rows;
-- of a signal, to what it matches or not. A song is counted for the file and line read first.
with firsts as (
    select file, count(*) as songs
    from (
        select file, row_number() over (partition by song_id order by file, line) as place
        from readings
    )
    where place = 1
    group by file
),
usable as (
    select file, count(*) as rows
    from readings
    group by file
),
tracks as (
    select
        files.file,
        files.source,
        'tracks' as kind,
        files.format,
        files.sha256,
        files.rows_read,
        coalesce(firsts.songs, 0) as songs,
        coalesce(usable.rows, 0) - coalesce(firsts.songs, 0) as merged,
        0 as matched_by_id,
        0 as matched_by_name,
        0 as unmatched,
        files.passed_over
    from files
    left join firsts using (file)
    left join usable using (file)
),
signals as (
    select
        file,
        source,
        kind,
        format,
        sha256,
        rows_read,
        0 as songs,
        0 as merged,
        matched_by_id,
        matched_by_name,
        unmatched,
        passed_over
    from signal_files
),
rejected as (
    select source, count(*) as rows
    from rejected_rows
    group by source
)
select
    source,
    kind,
    format,
    sha256,
    rows_read,
    songs,
    merged,
    matched_by_id::bigint as matched_by_id,
    matched_by_name::bigint as matched_by_name,
    unmatched::bigint as unmatched,
    passed_over::bigint as passed_over,
    coalesce(rejected.rows, 0) as rejected,
    null::varchar as licence,
    null::varchar as url,
    null::varchar as fetched_at
from (select * from tracks union all select * from signals)
left join rejected using (source)
order by kind <> 'tracks', file
