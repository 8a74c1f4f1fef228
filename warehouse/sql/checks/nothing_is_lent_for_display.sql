-- Nothing of a build is from what a service lends for display alone.
-- Leave such a file out of --tracks, --genres, --playlists and --ratings.
select source, kind, licence
from sources
where licence is not null
    and licence not in ('open', 'non-commercial')
order by source
