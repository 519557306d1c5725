"""One serving process: moves, jobs, reloads, and the service that holds them together."""
