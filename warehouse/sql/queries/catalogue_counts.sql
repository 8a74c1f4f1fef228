-- How many songs, artists and genres there are, and the first and the last year of a song.
select
    (select count(*) from songs) as songs,
    (select count(*) from artists) as artists,
    (select count(*) from genres) as genres,
    (select min(year) from songs) as first_year,
    (select max(year) from songs) as last_year
