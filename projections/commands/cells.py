"""What a cycle looks like in a cell of a table."""

from ledger.events import CycleDecided
from ledger.evidence import Arm
from ledger.times import show_time

REORDER = "reorder"
DECISION_WORDS = {
    "swap_production_b": "swap",
    "retain_production": "retain",
    "insufficient_data": "too few",
    "alias_reorder": REORDER,
}


def minute(recorded_us: int) -> str:
    """A time, to the minute."""
    return show_time(recorded_us)[:16].replace("T", " ")


def arm(side: Arm) -> str:
    """A side of the comparison: its version, wins and games."""
    return f"v{side.version} {side.window.wins}/{side.window.games}"


def decided(event: CycleDecided) -> str:
    """What a cycle came to; only one that retains Production reorders, unless it was reported."""
    word = DECISION_WORDS[event.decision]
    if not event.reordered or word == REORDER:
        return word
    return REORDER if event.decision == "retain_production" else f"{word} + {REORDER}"


def counted(number: int, noun: str) -> str:
    """A number with its noun, whose plural takes an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
