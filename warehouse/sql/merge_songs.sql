-- One row for each song id out of the readings of all files.
-- The fuller reading wins: the one with more values, a full date counting for more than a year.
-- Where it has no value, the next fullest gives its own; ties go to the earlier file and line.
-- Its year gives way to a full date of that year. An id that was read once needs none of this.
with repeated as (
    select song_id
    from readings
    group by song_id
    having count(*) > 1
),
preferred as (
    select
        *,
        row_number() over (
            partition by song_id
            order by
                (album is not null)::int + (year is not null)::int + (duration_ms is not null)::int
                + (explicit is not null)::int + (popularity is not null)::int
                + (danceability is not null)::int + (energy is not null)::int
                + (key is not null)::int + (loudness is not null)::int + (mode is not null)::int
                + (speechiness is not null)::int + (acousticness is not null)::int
                + (instrumentalness is not null)::int + (liveness is not null)::int
                + (valence is not null)::int + (tempo is not null)::int
                + (time_signature is not null)::int
                + coalesce(length(release_date), 0) / 10.0 desc,
                file,
                line
        ) as preference
    from readings
    semi join repeated using (song_id)
),
merged as (
    select
        song_id,
        arg_min(title, preference) as title,
        arg_min(artist, preference) as artist,
        arg_min(artists, preference) as artists,
        arg_min(album, preference) as album,
        arg_min(year, preference) as year,
        arg_min(release_date, preference) as release_date,
        arg_max(release_date, length(release_date) * 1e9 - preference) as longest_date,
        arg_min(duration_ms, preference) as duration_ms,
        arg_min(explicit, preference) as explicit,
        arg_min(popularity, preference) as popularity,
        arg_min(danceability, preference) as danceability,
        arg_min(energy, preference) as energy,
        arg_min(key, preference) as key,
        arg_min(loudness, preference) as loudness,
        arg_min(mode, preference) as mode,
        arg_min(speechiness, preference) as speechiness,
        arg_min(acousticness, preference) as acousticness,
        arg_min(instrumentalness, preference) as instrumentalness,
        arg_min(liveness, preference) as liveness,
        arg_min(valence, preference) as valence,
        arg_min(tempo, preference) as tempo,
        arg_min(time_signature, preference) as time_signature,
        string_agg(distinct source, '; ' order by source) as source
    from preferred
    group by song_id
)
select
    * exclude (longest_date) replace (
        case
            when starts_with(longest_date, release_date) then longest_date
            else release_date
        end as release_date
    )
from merged
union all by name
select * exclude (file, line)
from readings
anti join repeated using (song_id)
order by song_id
