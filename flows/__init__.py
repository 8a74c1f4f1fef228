"""Order, retries, schedule, settings and the command line."""
