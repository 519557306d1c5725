"""Databases: `database` is what they have in common, the other rooms are what differs between them."""
