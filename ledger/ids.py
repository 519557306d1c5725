"""Event ids: time-ordered by default, derived where a caller brings a key."""

import os
import time
from uuid import UUID, uuid5

_KEYS = UUID("4b1c5f5e-6f0e-4f3a-9a64-2f2a7c2a9d10")


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds since the epoch, the rest random."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    bits = bits & ~(0xF << 76) | (0x7 << 76)
    bits = bits & ~(0x3 << 62) | (0x2 << 62)
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def keyed_id(route: str, key: str, index: int = 0) -> str:
    """The id of the `index`th event that a caller's key at a route stands for: the same key, the same id."""
    return str(uuid5(_KEYS, f"{route}\n{key}\n{index}"))
