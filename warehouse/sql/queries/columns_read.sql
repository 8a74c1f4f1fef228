-- What became of every column of every input file, those that were passed over first.
select source, position, "column", used_as, how
from source_columns
order by used_as is not null, source, position
