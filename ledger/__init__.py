"""What happened: an append-only, hash-chained event log. Knows nothing of what the events mean."""
