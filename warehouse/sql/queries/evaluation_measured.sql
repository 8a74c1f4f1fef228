-- What was measured of the lists, the models of one metric and split beside each other.
select metric, split, model, value, low, high, n
from evaluation
order by metric, split, model
