"""What a cycle looks like in a cell of a table."""

from ledger.events import Arm, CycleDecided
from projections.moments import show_time

DECISION_WORDS = {
    "swap_production_b": "swap",
    "retain_production": "retain",
    "insufficient_data": "too few",
    "alias_reorder": "re-rank",
}


def minute(recorded_us: int) -> str:
    """A time, to the minute."""
    return show_time(recorded_us)[:16].replace("T", " ")


def arm(side: Arm) -> str:
    """A side of the comparison: its version, wins and games."""
    return f"v{side.version} {side.window.wins}/{side.window.games}"


def decided(event: CycleDecided) -> str:
    """What a cycle came to."""
    return DECISION_WORDS[event.decision] + (" + re-rank" if event.reordered else "")
