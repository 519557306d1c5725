"""Programs that play over HTTP: bots and their games."""
