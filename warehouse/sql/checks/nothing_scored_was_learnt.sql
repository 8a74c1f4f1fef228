-- Nothing scored was learnt from: every held-out playlist was kept from the encoder.
select metric, model, split, value, n
from evaluation
where split = 'learnt'
    or (metric = 'held-out playlists learnt from' and value > 0)
order by split, metric, model
