-- Each input file and where its rows went, tracks first.
select
    source, kind, format, sha256,
    rows_read, songs, merged, matched_by_id, matched_by_name, unmatched, passed_over, rejected
from sources
order by kind <> 'tracks', source
