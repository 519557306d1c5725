"""How far a family is from its next swap, by the rule in force and the games so far. Pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import structs

from ledger.evidence import Arm, Evidence, Rule, Tally, Watched
from projections.decision.guards import guarded
from projections.decision.pins import held_back
from projections.decision.rules import Verdict, decide
from projections.read_models.moves import Pin

WINS_MAX: Final = 4_096
"""No plan is made by a larger number."""


class Distance(NamedTuple):
    """What a cycle would decide now, and what a swap still lacks.

    `b_wins_in_a_row` is how many games B would have to win one after the other until the rule swaps: 0 when it
    would now, None when Production lacks games, wins them all, or it were more than WINS_MAX. `held`: a guard
    or a pin holds the swap back, which the verdict names.
    """

    verdict: Verdict
    held: bool
    production_games_missing: int
    b_games_missing: int
    b_wins_in_a_row: int | None


def measure_distance(
    evidence: Evidence, rule: Rule, watched: Watched, pinned: Mapping[str, Pin] = MappingProxyType({})
) -> Distance:
    """The distance with this evidence, and these pins. Raises RuleError."""
    own = decide(evidence, rule)
    verdict = guarded(held_back(own, pinned), rule, watched)
    minimum = max(rule.minimum_games, 1)
    return Distance(
        verdict=verdict,
        held=verdict is not own,
        production_games_missing=_missing(evidence.production, minimum),
        b_games_missing=_missing(evidence.b, minimum),
        b_wins_in_a_row=_fewest(lambda wins: _swaps(evidence, rule, wins)),
    )


def _missing(arm: Arm, minimum: int) -> int:
    """A swap needs the minimum of the alias's window, and of the version itself."""
    return max(minimum - min(arm.window.games, arm.own.games), 0)


def _swaps(evidence: Evidence, rule: Rule, wins: int) -> bool:
    b = structs.replace(
        evidence.b, window=_with_wins(evidence.b.window, wins), own=_with_wins(evidence.b.own, wins)
    )
    return decide(structs.replace(evidence, b=b), rule).decision == "swap_production_b"


def _with_wins(tally: Tally, wins: int) -> Tally:
    return Tally(games=tally.games + wins, wins=tally.wins + wins)


def _fewest(swaps: Callable[[int], bool]) -> int | None:
    """The smallest number of wins that swaps; another win never speaks against B."""
    if swaps(0):
        return 0
    high = 1
    while not swaps(high):
        high *= 2
        if high > WINS_MAX:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if swaps(middle) else (middle, high)
    return high
