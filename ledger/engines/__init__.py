"""Everything that differs between one database and another."""
