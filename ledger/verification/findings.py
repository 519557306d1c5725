"""Findings: what is not as it was written, by kind."""

from typing import Literal

import msgspec

Kind = Literal[
    "edited",
    "missing",
    "moved",
    "inserted",
    "swapped",
    "renumbered",
    "cut tail",
    "out of order",
    "unexpected hash",
    "rewritten",
    "bad seal",
    "missing seal",
    "unguarded",
    "damaged",
]


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was written; `position` is None where it is about no single event."""

    position: int | None
    kind: Kind
    problem: str

    def __str__(self) -> str:
        where = "" if self.position is None else f"position {self.position}: "
        return f"{where}{self.kind}: {self.problem}"
