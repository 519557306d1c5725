"""A cluster on one machine, in which everything that can die is killed while games go on: `make failover`."""
