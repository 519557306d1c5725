"""Programs that play over HTTP: bots, the capture of their games, and the parity check."""
