from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.evidence import Arm, Evidence, Guards, Rule
from projections.decision.distance import WINS_MAX, measure_distance
from projections.decision.rules import KNOWN_RULES, decide
from projections.read_models.moves import Pin
from tests.builders import arm, evidence, rule, watched

COOLING_DOWN = Guards(sample_ratio=False, cooldown_cycles=3, cooldown_seconds=0, fallback_share_max=None)


def test_nothing_is_missing_when_the_next_cycle_would_swap() -> None:
    distance = measure_distance(evidence(), rule(), watched())

    assert distance.verdict.decision == "swap_production_b"
    assert (distance.b_wins_in_a_row, distance.b_games_missing, distance.held) == (0, 0, False)


def test_a_guard_that_holds_the_swap_back_is_in_the_verdict() -> None:
    distance = measure_distance(evidence(), rule(guards=COOLING_DOWN), watched(cycles=1, seconds=60))

    assert (distance.verdict.reason_code, distance.held) == ("cooling_down", True)
    assert distance.b_wins_in_a_row == 0


def test_games_are_missing_when_a_side_or_its_version_has_too_few() -> None:
    few = evidence(production=arm(1, 2, 1), b=arm(2, 9, 5, own=(1, 1)))

    distance = measure_distance(few, rule(), watched())

    assert (distance.production_games_missing, distance.b_games_missing) == (1, 2)
    assert distance.b_wins_in_a_row is None, "no win of B gives Production another game"


games = st.integers(3, 60)


@st.composite
def arms(draw: st.DrawFn, version: int) -> Arm:
    played = draw(games)
    return arm(version, played, draw(st.integers(0, played)))


@given(production=arms(1), b=arms(2), name=st.sampled_from(KNOWN_RULES))
def test_so_many_wins_swap_and_one_fewer_does_not(production: Arm, b: Arm, name: str) -> None:
    found, in_force = evidence(production=production, b=b), rule(name=name)

    wins = measure_distance(found, in_force, watched()).b_wins_in_a_row

    if wins is None:  # a Production that never loses cannot be beaten
        assert not swaps_after(found, in_force, WINS_MAX)
    else:
        assert swaps_after(found, in_force, wins)
        assert wins == 0 or not swaps_after(found, in_force, wins - 1)


def swaps_after(found: Evidence, in_force: Rule, wins: int) -> bool:
    played = found.b.window
    b = arm(found.b.version, played.games + wins, played.wins + wins)
    return decide(replace(found, b=b), in_force).decision == "swap_production_b"


def test_a_pin_holds_the_swap_back_that_the_distance_is_measured_to() -> None:
    pinned = {"Production": Pin(1, None, 0, "ada", "a campaign")}

    distance = measure_distance(evidence(), rule(), watched(), pinned)

    assert (distance.held, distance.verdict.reason_code, distance.b_wins_in_a_row) == (True, "pinned", 0)
