-- Full-text search over title and artist that ignores case and accents.
create virtual table songs_fts using fts5(
    title,
    artist,
    content = 'songs',
    tokenize = 'unicode61 remove_diacritics 2'
);
insert into songs_fts (songs_fts) values ('rebuild');
insert into songs_fts (songs_fts) values ('optimize');

-- In how many songs each word stands; takes no room.
create virtual table songs_fts_words using fts5vocab(songs_fts, 'row');

-- Each spelling of a family's title and artists once, the most popular first: what is compared
-- with a misspelt query. Filled by warehouse/search/tables.py, like the tables below. Datasette
-- hides what begins with songs_fts.
create table songs_fts_spellings (
    spelling integer primary key,  -- from 0
    song integer not null,  -- rowid of its most popular song
    title text not null,  -- folded
    artists text not null,  -- folded, all who are credited, two spaces between them
    base integer not null  -- signs of the title before what tells versions apart
);

-- Where each three signs in a row stand: spellings in rising order, as gaps from one to the next.
create table songs_fts_grams (
    gram integer primary key,  -- three code points of 21 bits
    width integer not null,  -- bytes of a gap
    gaps blob not null
);

-- The consonants of titles and names in scripts that are written without most vowels.
create table songs_fts_skeletons (
    skeleton text not null,
    spelling integer not null,
    primary key (skeleton, spelling)
) without rowid;

-- Arrays that are read whole: lengths of spellings, and what base titles mean.
create table songs_fts_arrays (
    name text primary key,
    type text not null,  -- of NumPy
    columns integer not null,
    data blob not null
);
