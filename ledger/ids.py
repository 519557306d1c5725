"""Event ids: time-ordered by default, derived where a caller brings a key."""

import os
import time
from uuid import UUID, uuid5

_KEYS = UUID("4b1c5f5e-6f0e-4f3a-9a64-2f2a7c2a9d10")
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The variant's two bits are 10: of a random digit the lower two are kept."""


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds since the epoch, the rest random."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """That many UUIDv7 of one moment; one call for the randomness of all of them."""
    milliseconds = time.time_ns() // 1_000_000
    random = os.urandom(10 * count).hex()
    stamp = f"{milliseconds:012x}"
    prefix = f"{stamp[:8]}-{stamp[8:]}-7"
    digits = [random[start : start + 19] for start in range(0, 20 * count, 20)]
    return [f"{prefix}{one[:3]}-{_VARIANTS[one[3]]}{one[4:7]}-{one[7:]}" for one in digits]


def keyed_id(route: str, key: str, index: int = 0) -> str:
    """The id of the `index`th event that a caller's key at a route stands for: the same key, the same id."""
    return str(uuid5(_KEYS, f"{route}\n{key}\n{index}"))
