"""What events are made of: the base of every part of one, and the ranges of its numbers and texts."""

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0, le=2**53)]
Version = Annotated[int, Meta(ge=1, le=2**53)]
Round = Annotated[int, Meta(ge=1, le=10_000)]
Tenths = Annotated[int, Meta(ge=0, le=100_000)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Difference = Annotated[float, Meta(ge=-1.0, le=1.0)]
Seconds = Annotated[float, Meta(ge=0.0)]
Identifier = Annotated[str, Meta(min_length=1, max_length=200)]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""32 bytes in hexadecimal."""
Text = Annotated[str, Meta(max_length=4_000)]
Probabilities = tuple[Share, Share, Share]
"""Of rock, paper and scissors, in this order."""


class Fact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A part of an event: immutable, and strict about unknown fields when decoded."""
