"""The hash chain: each entry's hash covers its own columns and, through the entry before, all of history."""

from hashlib import sha256
from struct import Struct

GENESIS = bytes(32)
"""The hash before the first entry."""

_LENGTH = Struct(">I").pack
_INTEGER = Struct(">IQ").pack  # the length of an integer is always 8


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
    id_bytes, stream_bytes, type_bytes = event_id.encode(), stream.encode(), event_type.encode()
    return sha256(
        b"".join(
            (
                _INTEGER(8, position),
                _LENGTH(len(id_bytes)),
                id_bytes,
                _LENGTH(len(stream_bytes)),
                stream_bytes,
                _INTEGER(8, version),
                _LENGTH(len(type_bytes)),
                type_bytes,
                _INTEGER(8, schema_version),
                _INTEGER(8, recorded_us),
                _LENGTH(len(payload)),
                payload,
            )
        )
    ).digest()


def link(previous: bytes, leaf_hash: bytes) -> bytes:
    """The chain hash of an entry: SHA-256 of the hash before it and its own leaf."""
    return sha256(previous + leaf_hash).digest()
