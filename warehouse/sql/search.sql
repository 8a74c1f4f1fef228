-- Full-text search over title and artist that ignores case and accents.
create virtual table songs_fts using fts5(
    title,
    artist,
    content = 'songs',
    tokenize = 'unicode61 remove_diacritics 2'
);
insert into songs_fts (songs_fts) values ('rebuild');
insert into songs_fts (songs_fts) values ('optimize');
