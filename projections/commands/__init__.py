"""The commands of `rps-audit`, by what they are for."""
