-- Where each row of each file went: into a song of its own, into another's, or to rejected_rows.
-- A song is counted for the file and line that were read first.
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
rejected as (
    select source, count(*) as rows
    from rejected_rows
    group by source
)
select
    files.source,
    files.format,
    files.sha256,
    files.rows_read,
    coalesce(firsts.songs, 0) as songs,
    coalesce(usable.rows, 0) - coalesce(firsts.songs, 0) as merged,
    coalesce(rejected.rows, 0) as rejected
from files
left join firsts using (file)
left join usable using (file)
left join rejected using (source)
order by files.file
