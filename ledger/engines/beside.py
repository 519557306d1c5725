"""What an append executes beside its events, in the same transaction."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Insert


class Beside(NamedTuple):
    """A statement on another table, and the values of its parameters.

    The statement is one and the same each time: to put it into words takes longer than to execute it.
    """

    statement: Insert
    values: Mapping[str, Any]
