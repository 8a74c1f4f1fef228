-- Who stands in which list, in numbers: made once, for the rules that look into lists.
create temp table codes (
    song_id text primary key,
    song integer,
    family integer,
    artist integer
) without rowid;
insert into codes
select
    song_id,
    row_number() over (order by song_id),
    dense_rank() over (order by family_id),
    dense_rank() over (order by artist)
from songs
order by song_id;
create temp table lists (
    song integer,
    rank integer,
    song_id text,
    recommended_song_id text,
    own_family integer,
    family integer,
    artist integer,
    primary key (song, rank)
) without rowid;
insert into lists
select
    song.song,
    recommendations.rank,
    recommendations.song_id,
    recommendations.recommended_song_id,
    song.family,
    other.family,
    other.artist
from recommendations
join codes as song on song.song_id = recommendations.song_id
join codes as other on other.song_id = recommendations.recommended_song_id
order by recommendations.song_id, recommendations.rank;
