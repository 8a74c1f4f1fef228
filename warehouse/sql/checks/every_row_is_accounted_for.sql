-- In each file, rows read = songs + merged + rejected, and these are the rows of the tables.
select source, rows_read, songs, merged, rejected
from sources
where rows_read <> songs + merged + rejected
    or rejected <> (select count(*) from rejected_rows where rejected_rows.source = sources.source)
    or (select sum(songs) from sources) <> (select count(*) from songs)
order by source
