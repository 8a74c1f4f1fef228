-- The full-text index holds every song.
select songs, found
from (
    select
        (select count(*) from songs) as songs,
        (select count(*) from songs_fts_docsize) as found
)
where songs <> found
