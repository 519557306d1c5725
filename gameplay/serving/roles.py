"""What the processes of a cluster share out among them: a role is a choice of parts."""

from collections.abc import Mapping
from typing import Final, Literal

from gameplay.refusals import Misdirected
from gameplay.setting_values import Role

Part = Literal["games", "views"]
"""`games` plays them; `views` folds everything, shows it, and runs the jobs that decide."""

PARTS: Final[Mapping[Role, frozenset[Part]]] = {
    "all": frozenset({"games", "views"}),
    "play": frozenset({"games"}),
    "projector": frozenset({"views"}),
}
_ROLE_OF: Final[Mapping[Part, Role]] = {"games": "play", "views": "projector"}


def misdirected(part: Part, what: str) -> Misdirected:
    """The refusal of a process that lacks a part: it names one that has it."""
    there = _ROLE_OF[part]
    here = _ROLE_OF["views" if part == "games" else "games"]
    return Misdirected(f"this process has RPS_ROLE={here}, which leaves {what} to those with RPS_ROLE={there}")
