"""The hash chain: each entry's hash covers its own columns and, through the entry before, all of history."""

from functools import lru_cache
from hashlib import sha256
from struct import Struct

GENESIS = bytes(32)
"""The hash before the first entry."""


def leaf(
    position: int,
    event_id: str,
    stream: str,
    version: int,
    event_type: str,
    schema_version: int,
    recorded_us: int,
    payload: bytes,
) -> bytes:
    """SHA-256 over the entry's columns in this order, each as a 4-byte big-endian length and its bytes.

    Integers are 8 bytes big-endian, text is UTF-8. Lengths keep neighbouring columns from trading bytes.
    """
    return stored_leaf(
        position,
        event_id.encode(),
        stream.encode(),
        version,
        event_type.encode(),
        schema_version,
        recorded_us,
        payload,
    )


def stored_leaf(
    position: int,
    event_id: bytes,
    stream: bytes,
    version: int,
    event_type: bytes,
    schema_version: int,
    recorded_us: int,
    payload: bytes,
) -> bytes:
    """As `leaf`, over text columns as the bytes that are stored, be they UTF-8 or not.

    Raises struct.error or TypeError for a value that no entry can have had.
    """
    header = _header(len(event_id), len(stream), len(event_type)).pack(
        8, position,
        len(event_id), event_id,
        len(stream), stream,
        8, version,
        len(event_type), event_type,
        8, schema_version,
        8, recorded_us,
        len(payload),
    )  # fmt: skip
    return sha256(header + payload).digest()


def link(previous: bytes, leaf_hash: bytes) -> bytes:
    """The chain hash of an entry: SHA-256 of the hash before it and its own leaf."""
    return sha256(previous + leaf_hash).digest()


@lru_cache(maxsize=256)
def _header(id_length: int, stream_length: int, type_length: int) -> Struct:
    """All but the payload in one pack: field by field it would cost three times as much."""
    return Struct(f">IQ I{id_length}s I{stream_length}s IQ I{type_length}s IQ IQ I")
