"""The evidence for one decision, as integers, from a family's window and promotion state."""

from ledger.events import Arm, Assignment, Evidence
from projections.read_models.standings import PromotionState
from projections.read_models.tickers import Window


def gather(window: Window, promotion: PromotionState, assignment: Assignment, through_position: int) -> Evidence:
    """The evidence up to `through_position`: each alias's games in the window, and its present version's own."""
    return Evidence(
        after_position=window.since_position,
        through_position=through_position,
        production=_arm(window, promotion, "Production", assignment.Production),
        b=_arm(window, promotion, "B", assignment.B),
    )


def _arm(window: Window, promotion: PromotionState, alias: str, version: int) -> Arm:
    return Arm(version=version, window=window.scores[alias], own=promotion.record(version).tally)
