-- How many genres hold :q, and how many there are.
select count(*) as genres, coalesce(sum(instr(genre, :q) > 0), 0) as found
from genres
