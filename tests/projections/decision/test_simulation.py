import math
from typing import NamedTuple

import pytest

from ledger.evidence import Rule
from projections.decision.estimates import share_by
from projections.decision.rules import ANYTIME_SIGN, Z_TEST, RuleError, decide
from projections.decision.simulation import Course, Setting, play, simulate
from tests.builders import arm, evidence, rule

RULES = [rule(name=name, alpha=alpha) for name in (Z_TEST, ANYTIME_SIGN) for alpha in ("0.20", "0.05")]
EQUAL = Setting(production_rate=0.5, b_rate=0.5, games=5, cycles=100, runs=2_000, seed=7)


class Walked(NamedTuple):
    """A course as `decide` itself makes it, game counts in plain integers."""

    first_false: list[int]
    first_right: list[int]
    swaps: int
    best_cycles: int


def walk(setting: Setting, by: Rule) -> Walked:
    walked = Walked([0] * setting.runs, [0] * setting.runs, 0, 0)
    swaps = best = 0
    played = [tuple(counts.tolist() for counts in cycle) for cycle in play(setting)]
    for run in range(setting.runs):
        production, b = (0, 0), (0, 0)
        rates = [setting.production_rate, setting.b_rate]
        challenger_leads = False
        for cycle, (c_games, c_wins, i_games, i_wins) in enumerate(played, start=1):
            challenger, incumbent = (c_games[run], c_wins[run]), (i_games[run], i_wins[run])
            more = (challenger, incumbent) if challenger_leads else (incumbent, challenger)
            production = (production[0] + more[0][0], production[1] + more[0][1])
            b = (b[0] + more[1][0], b[1] + more[1][1])
            asked = evidence(production=arm(1, *production), b=arm(2, *b))
            if decide(asked, by).decision == "swap_production_b":
                swaps += 1
                first = walked.first_right if rates[1] > rates[0] else walked.first_false
                first[run] = first[run] or cycle
                production = b = (0, 0)
                rates.reverse()
                challenger_leads = not challenger_leads
            best += rates[0] >= rates[1]
    return walked._replace(swaps=swaps, best_cycles=best)


def seen(course: Course) -> Walked:
    return Walked(course.first_false, course.first_right, course.swaps, course.best_cycles)


@pytest.mark.parametrize("by", RULES, ids=lambda one: f"{one.name} {one.alpha}")
@pytest.mark.parametrize("b_rate", [0.3, 0.5, 0.8])
def test_every_run_swaps_where_the_rule_itself_decides_so(by: Rule, b_rate: float) -> None:
    setting = Setting(production_rate=0.5, b_rate=b_rate, games=6, cycles=40, runs=25, seed=3)

    (course,) = simulate(setting, [by]).courses

    assert seen(course) == walk(setting, by)
    assert course.swaps > 0 or by.alpha == "0.05" or b_rate == 0.3


@pytest.mark.parametrize(("rate", "games"), [(0.0, 5), (1.0, 5), (0.5, 1)])
def test_a_rule_without_anything_to_compare_swaps_nothing(rate: float, games: int) -> None:
    setting = Setting(production_rate=rate, b_rate=rate, games=games, cycles=5, runs=20, seed=1)

    (course,) = simulate(setting, [rule(name=Z_TEST)]).courses

    assert course.swaps == course.false_swaps == 0
    assert course.best_cycles == setting.cycles * setting.runs


def test_all_rules_see_the_same_games_and_a_seed_gives_them_again() -> None:
    setting = EQUAL._replace(runs=50, cycles=30)
    together = simulate(setting, RULES)

    assert [simulate(setting, [by]).courses[0] for by in RULES] == together.courses
    assert simulate(setting._replace(seed=8), RULES) != together


def test_progress_hears_of_every_cycle() -> None:
    heard: list[int] = []

    simulate(EQUAL._replace(runs=10, cycles=12), RULES, heard.append)

    assert sum(heard) == 12


def test_an_alpha_that_is_none_is_refused() -> None:
    with pytest.raises(RuleError, match="no alpha"):
        simulate(EQUAL._replace(cycles=1), [rule(alpha="1.5")])


def test_equal_models_are_swapped_as_often_as_the_reference_says() -> None:
    """The tolerance is what 2,000 runs leave, four times over."""
    z_test, _, sign, _ = simulate(EQUAL, RULES).courses

    for course, expected in ((z_test, 0.675), (sign, 0.117)):
        tolerance = 4 * math.sqrt(expected * (1 - expected) / EQUAL.runs)
        assert share_by(course.first_false, 100).value == pytest.approx(expected, abs=tolerance)


@pytest.mark.stats
@pytest.mark.parametrize("games", [5, 20])
def test_ten_thousand_runs_of_a_thousand_cycles_give_the_reference_tables(games: int) -> None:
    setting = EQUAL._replace(games=games, cycles=1_000, runs=10_000)

    courses = simulate(setting, RULES).courses

    for course, (early, late) in zip(courses, REFERENCE[games], strict=True):
        for look, expected in ((100, early), (1_000, late)):
            tolerance = 4 * math.sqrt(expected * (1 - expected) * (1 / 10_000 + 1 / 2_000))
            assert share_by(course.first_false, look).value == pytest.approx(expected, abs=tolerance)


# Games a cycle -> for each of RULES, the share of runs with a false swap by cycle 100 and 1,000: of 2,000 runs.
REFERENCE = {
    5: [(0.686, 0.815), (0.313, 0.438), (0.117, 0.149), (0.023, 0.033)],
    20: [(0.691, 0.820), (0.312, 0.433), (0.106, 0.120), (0.025, 0.031)],
}
