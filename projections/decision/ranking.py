"""The order of the challengers, by the action accuracy of the versions behind them since the last swap."""

from collections.abc import Collection

from msgspec import structs

from ledger.events import Assignment
from ledger.evidence import RankedChallenger, Rule
from ledger.vocabulary import CHALLENGERS
from projections.read_models.standings import PromotionState


def rank(promotion: PromotionState, assignment: Assignment, rule: Rule) -> tuple[RankedChallenger, ...]:
    """The three challengers, best first, by their predictions of the moves of the rule's `ranking_players`.

    The present order stays on a tie, and altogether while any of them has fewer than `minimum_predictions`.
    """
    hits = {
        alias: promotion.record(getattr(assignment, alias)).hits(rule.ranking_players) for alias in CHALLENGERS
    }
    order = list(CHALLENGERS)
    if all(one.rows >= max(rule.minimum_predictions, 1) for one in hits.values()):
        order.sort(key=lambda alias: -hits[alias].correct / hits[alias].rows)
    return tuple(
        RankedChallenger(
            alias=alias,
            version=getattr(assignment, alias),
            rank=place,
            correct=hits[alias].correct,
            predictions=hits[alias].rows,
        )
        for place, alias in enumerate(order, start=1)
    )


def reorder(
    assignment: Assignment, ranking: tuple[RankedChallenger, ...], pinned: Collection[str] = ()
) -> Assignment:
    """The assignment with the best challenger behind B and the others behind the shadows, in their order.

    What is pinned stays where it is, and the others take the remaining places.
    """
    places = [alias for alias in CHALLENGERS if alias not in pinned]
    versions = [ranked.version for ranked in ranking if ranked.alias not in pinned]
    return structs.replace(assignment, **dict(zip(places, versions, strict=True)))
