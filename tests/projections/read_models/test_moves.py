"""What the promotion state keeps of moves: pins, the open plan and the last swap."""

from typing import Any

import pytest

from ledger.events import AliasesAssigned, Event
from projections.read_models import standings
from projections.read_models.moves import LastSwap, Pin
from projections.read_models.standings import PromotionState
from tests.builders import (
    Versions,
    alias_pinned,
    alias_unpinned,
    aliases_assigned,
    aliases_planned,
    assignments,
)
from tests.projections.stories import BEGIN_US, SECOND_US, folded

FAMILY = "feedforward_nn"


def promotion(*events: Event) -> PromotionState:
    return folded(standings.projection(), *events).families[FAMILY]


def moved(after: Versions, **changes: Any) -> AliasesAssigned:
    return aliases_assigned(assignments=assignments((1, 2, 3, 4), after), **changes)


def test_a_pin_lasts_until_it_is_unpinned_and_a_later_one_takes_its_place() -> None:
    first, later = alias_pinned(expires_us=BEGIN_US + 5), alias_pinned(actor="bob", alias="B")

    assert promotion(first).pins == {"B": Pin(2, BEGIN_US + 5, BEGIN_US, "ada", "a campaign runs until Monday")}
    assert promotion(first, later).pins["B"].expires_us is None
    assert promotion(first, alias_pinned(model_type="xgboost"), alias_unpinned()).pins == {}
    assert promotion(alias_unpinned()).pins == {}
    assert promotion(first, later).stream_version == 2


def test_a_pin_holds_up_to_the_microsecond_of_its_expiry() -> None:
    pins = promotion(alias_pinned(expires_us=100), alias_pinned(alias="shadow1", version=3)).pins

    assert [pins["B"].holds(now_us) for now_us in (0, 99, 100, 101)] == [True, True, False, False]
    assert pins["shadow1"].holds(2**60)


def test_a_pin_is_broken_while_another_version_is_there() -> None:
    given = (aliases_assigned(), alias_pinned())

    assert not promotion(*given).is_pin_broken("B")
    assert promotion(*given, moved((1, 5, 3, 4))).is_pin_broken("B")
    assert not promotion(*given, moved((1, 5, 3, 4))).is_pin_broken("Production")
    assert not promotion(*given, moved((1, 5, 3, 4)), moved((1, 2, 3, 4))).is_pin_broken("B")
    assert not promotion(*given, moved((1, 5, 3, 4)), alias_unpinned()).is_pin_broken("B")


SWAPPED = moved((2, 1, 3, 4), cause="promotion", cycle=1, swapped=True)
FROM_SHADOW = moved((3, 2, 1, 4), cause="manual", actor="ada")
UNDONE = moved((1, 2, 3, 4), cause="manual", undoes=2)


@pytest.mark.parametrize(
    "swap", [SWAPPED, FROM_SHADOW, UNDONE, moved((2, 1, 3, 4), cause="registry", swapped=True)]
)
def test_the_last_swap_is_what_an_undo_takes_back(swap: AliasesAssigned) -> None:
    found = promotion(aliases_assigned(), swap, moved((1, 2, 4, 3), reordered=True), aliases_planned()).last_swap

    before = {"Production": 1, "B": 2, "shadow1": 3, "shadow2": 4}
    assert found == LastSwap(2, BEGIN_US + SECOND_US, swap.cause, swap.actor, swap.swapped, swap.undoes, before)


@pytest.mark.parametrize(
    "other",
    [
        moved((5, 2, 3, 4), cause="training"),
        moved((1, 3, 2, 4), cause="promotion", reordered=True),
        moved((5, 2, 3, 4), cause="registry"),
        moved((1, 2, 3, 4), cause="manual", plan=1),
        moved((1, 2, 3, 6), cause="manual"),
    ],
)
def test_other_moves_are_no_swaps(other: AliasesAssigned) -> None:
    assert promotion(aliases_assigned(), other).last_swap is None
    assert (
        promotion(aliases_assigned(), SWAPPED, other).last_swap == promotion(aliases_assigned(), SWAPPED).last_swap
    )


def test_a_swap_before_which_an_alias_had_no_version_cannot_be_brought_back() -> None:
    found = promotion(aliases_assigned(swapped=True)).last_swap

    assert found is not None
    assert found.assignment() is None


def test_a_plan_keeps_who_ordered_it() -> None:
    plan = promotion(aliases_planned(cause="manual", actor="ada", reason="a test", key="k", undoes=7)).plan

    assert plan is not None
    assert (plan.actor, plan.reason, plan.key, plan.undoes) == ("ada", "a test", "k", 7)
    assert plan.planned_us == BEGIN_US
