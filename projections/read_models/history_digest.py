"""A digest of all rows of the promotion history, kept up at the cost of the rows that a fold changes.

It is the sum of the rows' hashes: a row that changes takes its old hash out and puts its new one in, and the order
does not matter. It finds what a person or a fault has changed in the table. `rps-audit compare`, which folds every
row again, finds a change of the digest as well.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from projections.schema import promotion_history as table

DIGEST_BYTES = 32
_MODULUS = 1 << (8 * DIGEST_BYTES)
_encode = msgspec.msgpack.Encoder().encode


_ROWS = select(table)
_ROW = _ROWS.where(table.c.id == bindparam("row_id"))
EMPTY = bytes(DIGEST_BYTES)
"""The digest of no row."""


def digest_of(connection: Connection) -> bytes:
    """The digest of the rows as they are stored."""
    return changed(EMPTY, added=sum(map(_hash, connection.execute(_ROWS))))


def hash_of(connection: Connection, row_id: int) -> int:
    """The hash of a row as it is stored, which is not always as it was given: SQLite makes 0.0 of -0.0."""
    return _hash(connection.execute(_ROW, {"row_id": row_id}).one())


def changed(digest: bytes, *, removed: int = 0, added: int = 0) -> bytes:
    """The digest after rows with these hashes have gone and come."""
    total = int.from_bytes(digest, "big") - removed + added
    return (total % _MODULUS).to_bytes(DIGEST_BYTES, "big")


def _hash(row: Sequence[Any]) -> int:
    return int.from_bytes(sha256(_encode(tuple(row))).digest(), "big")
