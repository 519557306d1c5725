"""Arrays as the server reads them: the driver would convert one element after the other, in Python."""

import struct
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Final

_SIZE: Final = struct.Struct(">i")


def numbers(values: Sequence[int]) -> bytes:
    """An array of type int8[]."""
    return _header(20, len(values)) + struct.pack(f">{'iq' * len(values)}", *_sized(values))


def texts(values: Sequence[str]) -> bytes:
    """An array of type text[]."""
    return _header(25, len(values)) + _joined([text.encode() for text in values])


def blobs(values: Sequence[bytes]) -> bytes:
    """An array of type bytea[]."""
    return _header(17, len(values)) + _joined(values)


def _header(element: int, length: int) -> bytes:
    """One dimension, no nulls, counted from 1."""
    return struct.pack(">iiIii", 1, 0, element, length, 1) if length else struct.pack(">iiI", 0, 0, element)


def _sized(values: Sequence[int]) -> Iterator[int]:
    return chain.from_iterable(zip(repeat(8), values, strict=False))


def _joined(values: Sequence[bytes]) -> bytes:
    """Each behind its size. Ids and hashes have all the same one, and an append holds the log's lock meanwhile."""
    lengths = list(map(len, values))
    if lengths and lengths.count(lengths[0]) == len(lengths):
        size = _SIZE.pack(lengths[0])
        return size + size.join(values)
    return b"".join(chain.from_iterable(zip(map(_SIZE.pack, lengths), values, strict=True)))
