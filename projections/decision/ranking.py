"""The order of the challengers, by the action accuracy of the versions behind them since the last swap."""

from collections.abc import Collection

from msgspec import structs

from ledger.events import Assignment
from ledger.evidence import RankedChallenger
from ledger.vocabulary import CHALLENGERS
from projections.read_models.standings import PromotionState


def rank(
    promotion: PromotionState, assignment: Assignment, minimum_predictions: int
) -> tuple[RankedChallenger, ...]:
    """The three challengers, best first.

    The present order stays on a tie, and altogether while any of them has fewer than `minimum_predictions`.
    """
    records = {alias: promotion.record(getattr(assignment, alias)) for alias in CHALLENGERS}
    order = list(CHALLENGERS)
    if all(record.predictions >= max(minimum_predictions, 1) for record in records.values()):
        order.sort(key=lambda alias: -records[alias].correct / records[alias].predictions)
    return tuple(
        RankedChallenger(
            alias=alias,
            version=getattr(assignment, alias),
            rank=place,
            correct=records[alias].correct,
            predictions=records[alias].predictions,
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
