from hypothesis import given
from hypothesis import strategies as st

from gameplay.web.console.formulas import steps_of
from projections.decision.rules import KNOWN_RULES, decide
from tests.builders import arm, evidence, rule


def test_the_numbers_are_in_the_formula() -> None:
    assert steps_of(rule(), evidence()) == (
        "q = (15 + 8) / (20 + 20) = 0.5750",
        "s = √(q (1 − q) (1/20 + 1/20)) = 0.1563",
        "z = (15/20 − 8/20) / s = 2.2389",
        "p = erfc(z / √2) / 2 = 0.0126",
        "0.0126 < alpha = 0.20",
    )


def test_games_that_ended_alike_have_no_z() -> None:
    alike = evidence(production=arm(1, 5, 5), b=arm(2, 5, 5))

    assert "nothing" not in steps_of(rule(), alike)[0]
    assert "ended alike" in steps_of(rule(), alike)[-1]


def test_without_games_or_with_an_unknown_rule_there_are_no_steps() -> None:
    assert steps_of(rule(), evidence(b=arm(2, 0, 0))) == ()
    assert steps_of(rule(name="of-tomorrow/9"), evidence()) == ()


@given(st.data(), st.sampled_from(KNOWN_RULES))
def test_the_last_step_says_what_the_rule_decides(data: st.DataObject, name: str) -> None:
    arms = []
    for version in (1, 2):
        games = data.draw(st.integers(3, 40))
        arms.append(arm(version, games, data.draw(st.integers(0, games))))
    found, in_force = evidence(production=arms[0], b=arms[1]), rule(name=name)

    swaps = decide(found, in_force).decision == "swap_production_b"

    last = steps_of(in_force, found)[-1]
    assert swaps == (" < alpha" in last or " ≥ 1" in last)
