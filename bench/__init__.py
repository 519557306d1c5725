"""How fast it is: ratios of two things measured side by side in one run. `make bench` runs all of them."""
