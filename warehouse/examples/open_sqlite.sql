-- In your own database: sqlite3 report.db
attach 'file:segue.db?mode=ro&immutable=1' as segue;

select count(*) as songs
from segue.songs;
