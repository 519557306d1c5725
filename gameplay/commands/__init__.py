"""The commands of `rps` that have a noun of their own; `gameplay.cli` puts them together."""
