from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.evidence import (
    Guards,
    ParityFound,
    Split,
    Tally,
    Watched,
)
from projections.decision.cycle import decide_cycle
from projections.decision.guards import guarded, watch
from projections.decision.rules import DEFAULT, DEFAULT_GUARDS, Verdict
from projections.decision.sample_ratio import sample_ratio
from projections.read_models.standings import PromotionState, Record
from projections.read_models.tickers import Window
from projections.read_models.version_pairs import PairWindow
from tests.builders import rule, watched

SWAP = Verdict("swap_production_b", "better", "B is better.", 2.0, 0.02)
OFF = Guards(sample_ratio=False, cooldown_cycles=0, cooldown_seconds=0, fallback_share_max=None)
SECOND_US = 1_000_000


def held(seen: Watched, **guards: Any) -> Verdict:
    return guarded(SWAP, rule(guards=replace(OFF, **guards)), seen)


def split(b: int, production: int, b_share: float = 0.5) -> Split:
    return Split(b_share=b_share, production=production, b=b)


MISMATCH = watched(splits=(split(560, 440),))
FRESH = watched(cycles=2, seconds=3_600)
FALLING = watched(b_finished=100, b_fallbacks=6)
UNLIKE = watched(b_parity=ParityFound(position=7, rounds=400, differences=1))
ALIKE = watched(b_parity=ParityFound(position=7, rounds=400, differences=0))


@pytest.mark.parametrize(
    ("seen", "guards", "reason_code", "reason"),
    [
        (
            MISMATCH,
            {"sample_ratio": True},
            "sample_ratio_mismatch",
            "B had 560 of 1000 games assigned, where 500.0 were meant (p = 1.5e-04)",
        ),
        (
            watched(b_finished=440, production_finished=560),
            {"sample_ratio": True},
            "sample_ratio_mismatch",
            "B had 440 of 1000 games finished, where 500.0 were meant (p = 1.5e-04)",
        ),
        (FRESH, {"cooldown_cycles": 3}, "cooling_down", "2 cycles since the last swap, of 3"),
        (FRESH, {"cooldown_seconds": 3_601}, "cooling_down", "3600 s since the last swap, of 3601"),
        (
            FALLING,
            {"fallback_share_max": 0.05},
            "too_many_fallbacks",
            "a fallback chose a move in 6 of 100 games of B, a share above 0.05",
        ),
        (
            watched(production_finished=9, production_fallbacks=1),
            {"fallback_share_max": 0.0},
            "too_many_fallbacks",
            "a fallback chose a move in 1 of 9 games of Production, a share above 0",
        ),
        (
            UNLIKE,
            {"parity": True},
            "parity_failed",
            "the parity check of B's version at position 7 found 1 difference in 400 rounds",
        ),
    ],
)
def test_a_guard_holds_a_swap_back_and_says_why(
    seen: Watched, guards: dict[str, Any], reason_code: str, reason: str
) -> None:
    verdict = held(seen, **guards)

    assert (verdict.decision, verdict.reason_code) == ("retain_production", reason_code)
    assert verdict.reason == f"B is better. Held back: {reason}."
    assert (verdict.z_statistic, verdict.p_value) == (SWAP.z_statistic, SWAP.p_value)


@pytest.mark.parametrize(
    ("seen", "guards"),
    [
        (MISMATCH, {}),
        (FRESH, {"cooldown_cycles": 2}),
        (FRESH, {"cooldown_seconds": 3_600}),
        (FALLING, {"fallback_share_max": 0.06}),
        (UNLIKE, {}),
        (ALIKE, {"parity": True}),
        (watched(), {"parity": True}),
        (
            watched(),
            {"sample_ratio": True, "cooldown_cycles": 9, "cooldown_seconds": 9, "fallback_share_max": 0.0},
        ),
        (watched(splits=(), b_finished=0, production_finished=0), {"sample_ratio": True}),
        (watched(splits=(split(0, 400, 0.0),), b_finished=0, production_finished=400), {"sample_ratio": True}),
        (watched(splits=(split(300, 700, 0.3),), b_finished=30, production_finished=70), {"sample_ratio": True}),
    ],
)
def test_a_swap_goes_on_where_no_guard_objects(seen: Watched, guards: dict[str, Any]) -> None:
    assert held(seen, **guards) is SWAP


def test_no_guards_at_all_hold_nothing_back() -> None:
    assert guarded(SWAP, rule(guards=None), MISMATCH) is SWAP


def test_a_split_that_was_changed_between_is_no_mismatch() -> None:
    """Half the games under one split and half under another: the sum fits neither."""
    changed = (split(100, 900, 0.1), split(500, 500))

    assert held(watched(splits=changed), sample_ratio=True) is SWAP
    assert held(watched(splits=(split(200, 800, 0.1), split(500, 500))), sample_ratio=True) is not SWAP


@settings(max_examples=60)
@given(b=st.integers(0, 900), production=st.integers(0, 900), share=st.sampled_from([0.2, 0.5]))
def test_games_under_one_split_are_judged_as_the_reference_does(b: int, production: int, share: float) -> None:
    seen = watched(splits=(split(b, production, share),), b_finished=0, production_finished=0)

    assert (held(seen, sample_ratio=True) is not SWAP) == sample_ratio(b, production, share).mismatch


@pytest.mark.parametrize("decision", ["retain_production", "insufficient_data"])
def test_a_guard_never_makes_a_swap_nor_another_verdict(decision: Any) -> None:
    verdict = SWAP._replace(decision=decision, reason_code="not_better")
    everything = replace(
        DEFAULT_GUARDS, cooldown_cycles=99, cooldown_seconds=99, fallback_share_max=0.0, parity=True
    )

    for seen in (MISMATCH, FRESH, FALLING, UNLIKE):
        assert guarded(verdict, rule(guards=everything), seen) is verdict


def test_the_mismatch_alone_is_on_by_default() -> None:
    assert DEFAULT.guards == DEFAULT_GUARDS == replace(OFF, sample_ratio=True)


def test_what_is_watched_is_counted_since_the_last_swap() -> None:
    window = Window(
        last_swap_us=10 * SECOND_US,
        cycles=4,
        scores={"Production": Tally(games=20, wins=8), "B": Tally(games=18, wins=15)},
        fallbacks={"Production": 1, "B": 3},
        splits={0.5: {"Production": 30, "B": 25}, 0.1: {"Production": 9, "B": 1}},
    )

    parity = ParityFound(position=7, rounds=400, differences=0)

    assert watch(window, 75_900_000, parity) == Watched(
        splits=(split(1, 9, 0.1), split(25, 30)),
        production_finished=21,
        production_fallbacks=1,
        b_finished=21,
        b_fallbacks=3,
        cycles=4,
        seconds=65,
        b_parity=parity,
    )
    assert watch(Window(), 75_900_000, None).seconds is None


def test_a_held_cycle_moves_nothing_and_says_what_its_rule_said() -> None:
    """Not even the challengers: their order would move a version that is waiting to be promoted."""
    promotion = PromotionState(
        aliases={"Production": 1, "B": 2, "shadow1": 3, "shadow2": 4},
        records={
            1: Record(games=20, wins=8),
            2: Record(predictions=60, correct=10, games=20, wins=15),
            3: Record(predictions=60, correct=50),
            4: Record(predictions=60, correct=20),
        },
    )
    window = Window(
        cycles=5,
        scores={"Production": Tally(games=20, wins=8), "B": Tally(games=20, wins=15)},
        splits={0.5: {"Production": 20, "B": 90}},
    )

    decided, planned = decide_cycle(
        "xgboost",
        promotion,
        window,
        PairWindow(),
        DEFAULT,
        trigger="schedule",
        source="scheduler",
        position=9,
        decided_us=9,
    )

    assert planned is None
    assert (decided.decision, decided.reason_code, decided.reordered) == (
        "retain_production",
        "sample_ratio_mismatch",
        False,
    )
    assert decided.ranking == ()
    assert {one.rule: one.decision for one in decided.verdicts}["ztest/1"] == "swap_production_b"
    assert (decided.tickers.production_games, decided.tickers.b_games, decided.tickers.cycles) == (20, 20, 6)
