import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from ledger.codec import Codec
from ledger.evidence import Tally
from projections.decision.exact_test import boschloo_p
from projections.decision.look import measure, verdicts
from projections.decision.rules import KNOWN_RULES, RuleError, decide
from tests.builders import arm, cycle_decided, evidence, rule

tallies = st.integers(0, 2_000).flatmap(
    lambda games: st.builds(Tally, games=st.just(games), wins=st.integers(0, games))
)


def no_exact_p(_b: Tally, _production: Tally) -> None:
    return None


def test_a_look_has_every_statistic() -> None:
    """B won 15 of 20, Production 8 of 20."""
    statistics = measure(evidence(), rule(alpha="0.20"), boschloo_p, 0.0)

    assert statistics.interval is not None
    assert statistics.sequence is not None
    assert statistics.difference == pytest.approx(0.35)
    assert structs.astuple(statistics.interval) == pytest.approx((0.0928629602, 0.5496949796), abs=1e-9)
    assert structs.astuple(statistics.sequence) == pytest.approx((-0.0760881527, 0.6947784659), abs=1e-9)
    assert statistics.exact_p == pytest.approx(0.0147903, abs=1e-6)
    assert statistics.small_sample
    assert (statistics.favourable, statistics.tosses) == (27, 40)
    assert statistics.log_e == statistics.log_e_max == pytest.approx(1.7780066444, abs=1e-9)
    assert (statistics.lead_missing, statistics.games_needed) == (0, 140)


def test_the_lead_and_the_games_are_those_of_the_rule_s_alpha() -> None:
    statistics = measure(evidence(), rule(alpha="0.05"), no_exact_p, 0.0)

    assert (statistics.lead_missing, statistics.games_needed) == (6, 305)


@pytest.mark.parametrize(("before", "largest"), [(0.0, 1.778), (2.5, 2.5)])
def test_the_largest_e_is_kept_from_look_to_look(before: float, largest: float) -> None:
    assert measure(evidence(), rule(), no_exact_p, before).log_e_max == pytest.approx(largest, abs=1e-4)


def test_a_look_without_games_has_nothing_to_say_and_says_so() -> None:
    empty = evidence(production=arm(1, 0, 0), b=arm(2, 0, 0))

    statistics = measure(empty, rule(), boschloo_p, 0.0)

    absent = (statistics.difference, statistics.interval, statistics.sequence, statistics.exact_p)
    assert absent == (None,) * 4
    assert statistics.games_needed is None
    assert (statistics.log_e, statistics.log_e_max, statistics.tosses, statistics.lead_missing) == (0, 0, 0, 8)


@settings(max_examples=60)
@given(b=tallies, production=tallies, alpha=st.sampled_from(["0.20", "1e-300", "0.999"]))
def test_every_look_is_stored_as_it_is_and_holds_no_nan(b: Tally, production: Tally, alpha: str) -> None:
    by = rule(alpha=alpha)
    asked = evidence(b=arm(2, b.games, b.wins), production=arm(1, production.games, production.wins))
    event = cycle_decided(
        statistics=measure(asked, by, no_exact_p, 0.0),
        verdicts=verdicts(asked, by, decide(asked, by)),
        rule=by,
        evidence=asked,
    )

    event_type, version, payload = Codec().encode(event)

    assert Codec().decode(event_type, version, payload) == event
    assert event.statistics is not None
    assert math.isfinite(event.statistics.log_e)


@settings(max_examples=60)
@given(b=tallies, production=tallies, alpha=st.sampled_from(["0.20", "0.01"]))
def test_every_rule_s_verdict_is_what_it_would_decide_alone(b: Tally, production: Tally, alpha: str) -> None:
    asked = evidence(b=arm(2, b.games, b.wins), production=arm(1, production.games, production.wins))

    by = rule(alpha=alpha)
    found = verdicts(asked, by, decide(asked, by))

    assert [verdict.rule for verdict in found] == list(KNOWN_RULES)
    for verdict in found:
        alone = decide(asked, rule(name=verdict.rule, alpha=alpha))
        assert (verdict.decision, verdict.reason_code) == (alone.decision, alone.reason_code)
        assert (verdict.z_statistic, verdict.p_value) == (alone.z_statistic, alone.p_value)


def test_an_alpha_that_is_none_is_refused() -> None:
    with pytest.raises(RuleError):
        measure(evidence(), rule(alpha="0"), no_exact_p, 0.0)
