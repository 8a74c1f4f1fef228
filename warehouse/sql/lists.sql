-- Who stands in which list, in numbers: made once, for the rules that look into lists. The temporary
-- table codes holds, for each song_id, the numbers that lists are made by: song, namesake, artist.
create temp table lists (
    song integer,
    rank integer,
    song_id text,
    recommended_song_id text,
    own_namesake integer,
    namesake integer,
    artist integer,
    primary key (song, rank)
) without rowid;
insert into lists
select
    song.song,
    recommendations.rank,
    recommendations.song_id,
    recommendations.recommended_song_id,
    song.namesake,
    other.namesake,
    other.artist
from recommendations
join codes as song on song.song_id = recommendations.song_id
join codes as other on other.song_id = recommendations.recommended_song_id
order by recommendations.song_id, recommendations.rank;
