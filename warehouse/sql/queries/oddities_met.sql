-- What was odd in the rows but usable, the commonest first.
select oddity, reason, emptied, rows
from oddities
where rows > 0
order by rows desc, oddity
