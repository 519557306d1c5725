"""What an engine and its connections carry of ours, as options of SQLAlchemy's."""

from typing import Final

DATABASE: Final = "database"
"""The engine's option: its database."""
WRITE: Final = "write"
"""The connection's option: the names of the tables to which its next transaction writes; none: the schema."""
SINGLE: Final = "single"
"""The connection's option: whether its next statement is a transaction by itself."""
