-- How many rows of each file were rejected for each reason, the most first.
select source, reason, count(*) as rows
from rejected_rows
group by source, reason
order by rows desc, source, reason
