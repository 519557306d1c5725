"""The evidence for one decision, as integers, from a family's window and promotion state."""

from ledger.events import Assignment
from ledger.evidence import Arm, Evidence, Rule
from ledger.vocabulary import PlayedAlias
from projections.read_models.assigned_games import AssignedGames
from projections.read_models.counting import NO_GAMES
from projections.read_models.standings import PromotionState
from projections.read_models.tickers import Window


def gather_for(
    rule: Rule,
    window: Window,
    promotion: PromotionState,
    assignment: Assignment,
    through_position: int,
    decided_us: int,
    assigned: AssignedGames | None,
) -> Evidence:
    """The evidence as the rule counts it; `assigned` are the games of a rule that counts them as assigned."""
    if rule.settle_seconds is None:
        return gather(window, promotion, assignment, through_position)
    assert assigned is not None, "the games of a rule with settle_seconds are kept since it was set"
    return gather_settled(assigned, assignment, through_position, decided_us)


def gather(window: Window, promotion: PromotionState, assignment: Assignment, through_position: int) -> Evidence:
    """The evidence up to `through_position`: each alias's games in the window, and its present version's own."""
    return Evidence(
        after_position=window.since_position,
        through_position=through_position,
        production=_arm(window, promotion, "Production", assignment.Production),
        b=_arm(window, promotion, "B", assignment.B),
    )


def gather_settled(
    games: AssignedGames, assignment: Assignment, through_position: int, decided_us: int
) -> Evidence:
    """What is settled at `decided_us` of the games assigned in the rule's window."""
    settled = games.settled(decided_us)

    def arm(alias: PlayedAlias, version: int) -> Arm:
        own = settled.versions.get(version, NO_GAMES)
        return Arm(version=version, window=settled.aliases.get(alias, NO_GAMES), own=own)

    return Evidence(
        after_position=games.since_position,
        through_position=through_position,
        production=arm("Production", assignment.Production),
        b=arm("B", assignment.B),
    )


def _arm(window: Window, promotion: PromotionState, alias: str, version: int) -> Arm:
    return Arm(version=version, window=window.scores[alias], own=promotion.record(version).tally)
