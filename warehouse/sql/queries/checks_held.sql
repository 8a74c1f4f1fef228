-- What the build was held to; what does not hold comes first.
select "check", about, value, bound, passed
from checks
order by passed, "check"
