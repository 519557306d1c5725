"""Folded states kept beside the log, so that a restart need not replay it. A cache: anything odd is discarded."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from ledger.codec import DECODE_ERRORS
from ledger.engines.database import transaction
from ledger.entries import Head
from ledger.store import Ledger
from projections.projection import Tracked
from projections.schema import projection_snapshots as table

DIGEST_BYTES = 32


def take(tracked: Tracked[object], head: Head, *, pack: Callable[[bytes], bytes] | None = None) -> dict[str, Any]:
    """The row of the projection's present state, which is folded up to `head`; `pack` makes it smaller."""
    state = tracked.encode()
    projection = tracked.projection
    return {
        "name": projection.name,
        "version": projection.version,
        "settings": projection.settings,
        "position": head.position,
        "chain_hash": head.chain_hash,
        "state": _guarded(pack(state) if pack else state),
    }


def save(connection: Connection, taken: Sequence[Mapping[str, Any]]) -> None:
    """Replace the snapshots of these projections. In two statements: appends wait for the transaction."""
    connection.execute(delete(table).where(table.c.name.in_([one["name"] for one in taken])))
    if taken:  # without a row it would insert one of defaults
        connection.execute(insert(table), taken)


def load(ledger: Ledger, tracked: Tracked[object]) -> bool | None:
    """Restore the projection's snapshot: True when done, None when there is none, False when it was discarded.

    It is discarded when it is of another version or other settings, is not the bytes that were saved, does not
    decode, or names a position whose chain hash is not the ledger's: then it belongs to another history.
    """
    projection = tracked.projection
    with transaction(ledger.engine) as connection:
        row = connection.execute(select(table).where(table.c.name == projection.name)).first()
    if row is None:
        return None
    if (row.version, row.settings) != (projection.version, projection.settings):
        return False
    entries = ledger.read(row.position - 1, limit=1)
    if not entries or entries[0].chain_hash != row.chain_hash:
        return False
    state = unguarded(row.state)
    if state is None:
        return False
    try:
        tracked.restore(state, row.position)
    except DECODE_ERRORS:
        return False
    return True


def unguarded(stored: bytes) -> bytes | None:
    """The encoded state in a stored one; None when these are not the bytes that were saved."""
    state = stored[DIGEST_BYTES:]
    return state if stored == _guarded(state) else None


def _guarded(state: bytes) -> bytes:
    """The state behind its SHA-256: one flipped bit still decodes, into counters that are wrong for ever."""
    return sha256(state).digest() + state
