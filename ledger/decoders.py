"""Decoders of a type, made one at a time.

msgspec describes a class when a decoder first needs it, and lets other threads see that description before it is
whole (0.22.0): two threads that each make the first decoder of a type end the process by a segmentation fault. So
these functions alone make decoders of a type, and convert to one.
"""

import threading
from typing import Any, Final, TypeVar, overload

import msgspec

Decoded = TypeVar("Decoded")

_MAKING: Final = threading.Lock()


def json_decoder(kind: type[Decoded]) -> msgspec.json.Decoder[Decoded]:
    """What decodes JSON as `kind`; threads may share it."""
    with _MAKING:
        return msgspec.json.Decoder(kind)


def msgpack_decoder(kind: type[Decoded]) -> msgspec.msgpack.Decoder[Decoded]:
    """What decodes msgpack as `kind`; threads may share it."""
    with _MAKING:
        return msgspec.msgpack.Decoder(kind)


@overload
def convert(value: Any, kind: type[Decoded]) -> Decoded: ...
@overload
def convert(value: Any, kind: Any) -> Any: ...


def convert(value: Any, kind: Any) -> Any:
    """Lists, dicts and plain values as `kind`. Raises msgspec.ValidationError."""
    with _MAKING:
        return msgspec.convert(value, kind)
