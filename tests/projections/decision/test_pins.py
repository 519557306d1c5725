import pytest

from ledger.vocabulary import Decision
from projections.decision.pins import held_back, holding
from projections.decision.rules import Verdict
from projections.read_models.moves import Pin
from projections.read_models.standings import PromotionState
from tests.projections.stories import BEGIN_US

SWAP = Verdict("swap_production_b", "better", "B is better.", 2.0, 0.02)


def pinned(expires_us: int | None = None) -> Pin:
    return Pin(2, expires_us, 0, "ada", "a campaign")


@pytest.mark.parametrize("alias", ["Production", "B"])
def test_a_pin_of_either_side_holds_a_swap_back_and_says_by_whom(alias: str) -> None:
    verdict = held_back(SWAP, {alias: pinned(BEGIN_US)})

    assert (verdict.decision, verdict.reason_code) == ("retain_production", "pinned")
    assert verdict.reason == (
        f"B is better. Held back: {alias} is pinned to version 2 until 2025-10-10T08:00:00.000000Z, by ada."
    )
    assert (verdict.z_statistic, verdict.p_value) == (SWAP.z_statistic, SWAP.p_value)


def test_a_pin_of_a_shadow_holds_no_swap_back() -> None:
    assert held_back(SWAP, {"shadow1": pinned(), "shadow2": pinned()}) is SWAP


@pytest.mark.parametrize("decision", ["retain_production", "insufficient_data"])
def test_a_pin_changes_no_other_verdict(decision: Decision) -> None:
    verdict = SWAP._replace(decision=decision)

    assert held_back(verdict, {"Production": pinned()}) is verdict


def test_a_pin_that_has_expired_holds_nothing() -> None:
    promotion = PromotionState(pins={"B": pinned(10), "Production": pinned(11), "shadow1": pinned()})

    assert holding(promotion, 10).keys() == {"Production", "shadow1"}
