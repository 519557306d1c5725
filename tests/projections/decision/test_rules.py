import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ledger.evidence import Evidence, Rule, Tally
from projections.decision.rules import (
    ANYTIME_SIGN,
    DEFAULT_GUARDS,
    Z_TEST,
    RuleError,
    decide,
    pooled_z_test,
    restarts_window,
)
from tests.builders import arm, evidence, rule, tally

REFERENCE = [
    ((2, 3), (1, 3), 0.8164965809, 0.2071080891),
    ((1, 3), (0, 3), 1.0954451150, 0.1366608391),
    ((3, 3), (0, 3), 2.4494897428, 0.0071529392),
    ((2, 2), (0, 3), 2.2360679775, 0.0126736593),
    ((0, 5), (4, 5), -2.5819888975, 0.9950883627),
    ((7, 12), (5, 11), 0.6176449689, 0.2684046975),
    ((12, 20), (8, 20), 1.2649110641, 0.1029516054),
    ((30, 50), (22, 48), 1.4047716898, 0.0800445900),
    ((55, 100), (50, 100), 0.7079923254, 0.2394750117),
    ((60, 100), (50, 100), 1.4213381090, 0.0776092448),
    ((540, 1000), (500, 1000), 1.7902871851, 0.0367038777),
    ((5200, 10000), (5000, 10000), 2.8289929799, 0.0023347362),
]
"""(wins, games) of B and of Production, z and p, to ten decimals; made by two libraries that agree."""

tallies = st.integers(1, 10_000).flatmap(
    lambda games: st.builds(Tally, games=st.just(games), wins=st.integers(0, games))
)


def compared(
    b: tuple[int, int],
    production: tuple[int, int],
    *,
    b_own: tuple[int, int] | None = None,
    production_own: tuple[int, int] | None = None,
) -> Evidence:
    """Evidence of (wins, games); a version's own games are by default those of its alias."""
    return evidence(
        b=arm(7, b[1], b[0], own=b_own and b_own[::-1]),
        production=arm(4, production[1], production[0], own=production_own and production_own[::-1]),
    )


@pytest.mark.parametrize(("b", "production", "z", "p"), REFERENCE)
def test_the_test_gives_the_reference_values(
    b: tuple[int, int], production: tuple[int, int], z: float, p: float
) -> None:
    test = pooled_z_test(tally(*b), tally(*production))

    assert test is not None
    assert test[0] == pytest.approx(z, abs=1e-9)
    assert test[1] == pytest.approx(p, abs=1e-9)
    assert test[1] == pytest.approx(float(stats.norm.sf(test[0])), rel=1e-12)


@pytest.mark.parametrize(
    ("b", "production"), [((3, 3), (3, 3)), ((0, 3), (0, 3)), ((5, 5), (10, 10)), ((10**6, 10**6), (3, 3))]
)
def test_there_is_no_test_when_all_games_ended_alike(b: tuple[int, int], production: tuple[int, int]) -> None:
    assert pooled_z_test(tally(*b), tally(*production)) is None

    verdict = decide(compared(b, production), rule())

    assert verdict.decision == "retain_production"
    assert verdict.reason_code == "zero_variance"
    assert verdict.z_statistic is None
    assert verdict.p_value is None


def test_p_keeps_its_digits_far_out_in_the_tail() -> None:
    test = pooled_z_test(tally(1_000, 1_000), tally(500, 1_000))

    assert test is not None
    assert test[0] > 20
    assert 0 < test[1] == pytest.approx(float(stats.norm.sf(test[0])), rel=1e-9)


@given(b=tallies, production=tallies)
def test_z_changes_its_sign_when_the_arms_are_exchanged(b: Tally, production: Tally) -> None:
    forward, backward = pooled_z_test(b, production), pooled_z_test(production, b)

    if forward is None or backward is None:
        assert forward is backward
        assert b.wins + production.wins in (0, b.games + production.games)
    else:
        assert forward[0] == -backward[0]
        assert forward[1] + backward[1] == pytest.approx(1, abs=1e-12)
        assert (forward[1] < 0.5) == (forward[0] > 0)


@given(b=tallies, production=tallies, own=tallies, alpha=st.sampled_from(["0.001", "0.05", "0.20", "0.5"]))
def test_a_verdict_follows_from_evidence_and_rule_alone(
    b: Tally, production: Tally, own: Tally, alpha: str
) -> None:
    asked = evidence(
        b=arm(2, b.games, b.wins, own=(own.games, own.wins)), production=arm(1, production.games, production.wins)
    )
    verdict = decide(asked, rule(alpha=alpha))

    assert decide(asked, rule(alpha=alpha)) == verdict
    assert (verdict.z_statistic is None) == (verdict.p_value is None)
    if verdict.p_value is not None:
        assert math.isfinite(verdict.p_value)
        assert 0 <= verdict.p_value <= 1
    swaps = verdict.p_value is not None and verdict.p_value < float(alpha) and own.games >= 3
    assert (verdict.decision == "swap_production_b") == swaps


@pytest.mark.parametrize(
    ("b", "production"), [((2, 2), (0, 3)), ((3, 3), (0, 2)), ((0, 0), (0, 0)), ((0, 0), (9, 9))]
)
def test_nothing_is_compared_when_an_alias_has_too_few_games(
    b: tuple[int, int], production: tuple[int, int]
) -> None:
    verdict = decide(compared(b, production), rule(minimum_games=3))

    assert verdict[:2] == ("insufficient_data", "too_few_games")
    assert verdict[3:] == (None, None)
    assert f"Production has {production[1]} and B {b[1]} games" in verdict.reason
    assert "needs 3" in verdict.reason


def test_games_without_number_are_never_compared() -> None:
    verdict = decide(compared((0, 0), (0, 0)), rule(minimum_games=0))

    assert verdict[:2] == ("insufficient_data", "too_few_games")


def test_the_minimum_itself_is_enough() -> None:
    assert decide(compared((3, 3), (0, 3)), rule(minimum_games=3)).decision == "swap_production_b"
    assert decide(compared((3, 3), (0, 3)), rule(minimum_games=4)).decision == "insufficient_data"


def test_production_is_swapped_for_a_better_b() -> None:
    verdict = decide(compared((12, 20), (8, 20)), rule(alpha="0.20"))

    assert verdict[:2] == ("swap_production_b", "better")
    assert verdict.z_statistic == pytest.approx(1.2649110641, abs=1e-9)
    assert verdict.p_value == pytest.approx(0.1029516054, abs=1e-9)


@pytest.mark.parametrize(("b", "production"), [((55, 100), (50, 100)), ((8, 20), (8, 20)), ((0, 5), (4, 5))])
def test_production_is_retained_when_b_is_not_better(b: tuple[int, int], production: tuple[int, int]) -> None:
    verdict = decide(compared(b, production), rule(alpha="0.20"))

    assert verdict[:2] == ("retain_production", "not_better")
    assert verdict.z_statistic is not None


def test_a_p_of_exactly_alpha_is_not_below_it() -> None:
    even = compared((5, 10), (5, 10))

    assert decide(even, rule(alpha="0.5")).p_value == 0.5
    assert decide(even, rule(alpha="0.5")).decision == "retain_production"
    assert decide(even, rule(alpha="0.5000001")).decision == "swap_production_b"


@pytest.mark.parametrize(
    ("b_own", "production_own"), [((2, 2), (8, 20)), ((0, 0), (8, 20)), ((12, 20), (0, 2)), ((2, 2), (2, 2))]
)
def test_a_version_without_games_of_its_own_is_not_promoted(
    b_own: tuple[int, int], production_own: tuple[int, int]
) -> None:
    verdict = decide(compared((12, 20), (8, 20), b_own=b_own, production_own=production_own), rule())

    assert verdict[:2] == ("insufficient_data", "version_too_new")
    assert f"version 4 has {production_own[1]}" in verdict.reason
    assert f"version 7 {b_own[1]} games" in verdict.reason


def test_the_sentence_names_the_numbers() -> None:
    better = decide(compared((12, 20), (8, 20)), rule(alpha="0.20")).reason
    retained = decide(compared((55, 100), (50, 100)), rule(alpha="0.20")).reason

    assert re.search(r"12 of 20 .* 8 of 20, z = 1\.2649, p = 0\.1030: below alpha = 0\.20", better)
    assert re.search(r"55 of 100 .* 50 of 100, z = 0\.7080, p = 0\.2395: not below alpha = 0\.20", retained)


@pytest.mark.parametrize("name", [Z_TEST, ANYTIME_SIGN])
def test_every_rule_has_the_same_gates(name: str) -> None:
    asked = rule(name=name, minimum_games=3)

    assert decide(compared((2, 2), (0, 30)), asked)[:2] == ("insufficient_data", "too_few_games")
    newcomer = decide(compared((30, 30), (0, 30), b_own=(2, 2)), asked)
    assert newcomer[:2] == ("insufficient_data", "version_too_new")
    assert decide(compared((30, 30), (0, 30)), asked)[:2] == ("swap_production_b", "better")
    assert decide(compared((0, 30), (30, 30)), asked)[:2] == ("retain_production", "not_better")


@pytest.mark.parametrize(
    ("b", "production", "p"),
    [
        ((5, 5), (0, 5), 0.109227),
        ((3, 3), (0, 3), 0.312280),
        ((60, 100), (50, 100), 0.737115),
        ((580, 1000), (500, 1000), 0.008920),
        ((5, 5), (5, 5), 1),
        ((450, 1000), (500, 1000), 1),
    ],
)
def test_the_anytime_rule_gives_the_reference_p_and_no_z(
    b: tuple[int, int], production: tuple[int, int], p: float
) -> None:
    verdict = decide(compared(b, production), rule(name=ANYTIME_SIGN))

    assert verdict.z_statistic is None
    assert verdict.p_value == pytest.approx(p, abs=1e-6)
    assert (verdict.decision == "swap_production_b") == (p <= 0.20)


@pytest.mark.parametrize(
    ("games", "least"),
    [(8, 8), (10, 10), (15, 13), (20, 16), (30, 21), (40, 27), (60, 39), (100, 61), (200, 116)],
)
def test_the_anytime_rule_swaps_from_its_bound_on(games: int, least: int) -> None:
    """A favourable game is one that B won, or that Production did not."""
    b_games = games // 2
    production_games = games - b_games

    def decision(favourable: int) -> str:
        b_wins = min(favourable, b_games)
        lost = favourable - b_wins
        evidence_of = compared((b_wins, b_games), (production_games - lost, production_games))
        return decide(evidence_of, rule(name=ANYTIME_SIGN, alpha="0.20")).decision

    assert [decision(least - 1), decision(least)] == ["retain_production", "swap_production_b"]


def test_the_anytime_rule_looks_at_tosses_and_not_at_rates() -> None:
    """The same numbers of favourable and other games give the same verdict, whichever versions played them."""
    one = decide(compared((8, 10), (4, 10)), rule(name=ANYTIME_SIGN))
    other = decide(compared((12, 14), (4, 6)), rule(name=ANYTIME_SIGN))

    assert one.p_value == other.p_value


def test_the_anytime_rule_names_its_numbers() -> None:
    better = decide(compared((5, 5), (0, 5)), rule(name=ANYTIME_SIGN)).reason
    retained = decide(compared((5, 5), (5, 5)), rule(name=ANYTIME_SIGN)).reason

    assert better == "B won 5 of 5 against Production's 0 of 5, ln E = 2.2143, p = 0.1092: within alpha = 0.20."
    assert "p = 1.0000: not within alpha = 0.20." in retained


@pytest.mark.parametrize("alpha", ["0", "1", "-0.2", "1e-400", "1/5", "NaN", "sNaN", "Infinity", "one in five"])
@pytest.mark.parametrize("name", [Z_TEST, ANYTIME_SIGN])
def test_what_is_no_alpha_is_refused(name: str, alpha: str) -> None:
    with pytest.raises(RuleError, match="a decimal between 0 and 1"):
        decide(compared((12, 20), (8, 20)), rule(name=name, alpha=alpha))


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(RuleError, match=r"'coin/1' is no name .* one of ztest/1, anytime-sign/1"):
        decide(compared((0, 0), (0, 0)), rule(name="coin/1"))


def test_an_alpha_with_an_exponent_decides_as_it_did_when_settings_took_one() -> None:
    asked = compared((12, 20), (8, 20))

    assert decide(asked, rule(alpha="2e-1")).decision == decide(asked, rule(alpha="0.2")).decision


OF_THE_TEST = {
    "name": ANYTIME_SIGN,
    "alpha": "0.05",
    "minimum_games": 7,
    "settle_seconds": 60,
    "evidence": "version_pair",
    "players": "human",
}
BESIDE_THE_TEST = {
    "guards": DEFAULT_GUARDS,
    "minimum_predictions": 99,
    "ranking_players": "human",
    "approval_seconds": 3_600,
}
"""Other values than those of `rule()`."""


def test_every_parameter_of_a_rule_is_of_its_test_or_beside_it() -> None:
    assert sorted([*OF_THE_TEST, *BESIDE_THE_TEST]) == sorted(Rule.__struct_fields__)
    assert all(getattr(rule(), name) != value for name, value in {**OF_THE_TEST, **BESIDE_THE_TEST}.items())


@pytest.mark.parametrize("name", Rule.__struct_fields__)
@pytest.mark.parametrize("others", [{}, {**OF_THE_TEST, **BESIDE_THE_TEST}])
def test_a_window_begins_again_where_the_test_is_another_one(name: str, others: dict[str, Any]) -> None:
    """Whatever the other parameters are, and in either direction."""
    changed = {**OF_THE_TEST, **BESIDE_THE_TEST}[name]
    one, other = rule(**{**others, name: changed}), rule(**{**others, name: getattr(rule(), name)})

    assert restarts_window(one, other) == restarts_window(other, one) == (name in OF_THE_TEST)


def test_a_window_goes_on_under_the_same_rule() -> None:
    assert not restarts_window(rule(), rule())
    assert not restarts_window(rule(**OF_THE_TEST), rule(**OF_THE_TEST, **BESIDE_THE_TEST))
