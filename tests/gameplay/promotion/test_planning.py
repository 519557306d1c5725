from functools import partial

import pytest
from msgspec import structs
from sqlalchemy import Engine

from gameplay.promotion import planning
from gameplay.promotion.rules import set_rules
from gameplay.refusals import Conflict
from ledger.events import AliasesAssigned, AliasesPlanned
from ledger.evidence import RankedChallenger, Tickers
from projections.decision.rules import DEFAULT
from tests.builders import assignment
from tests.gameplay.promotion.house import FAMILY, House, applied, cycle, gauges


@pytest.mark.parametrize(("production", "b"), [(0, 0), (2, 9), (9, 2)])
def test_a_cycle_without_enough_games_decides_nothing(house: House, production: int, b: int) -> None:
    house.games("Production", production, 0)
    house.games("B", b, b)
    house.predictions(v2=1, v3=39, v4=20)

    decided = cycle(house.process())

    assert (decided.decision, decided.reason_code) == ("insufficient_data", "too_few_games")
    assert (decided.z_statistic, decided.p_value, decided.ranking) == (None, None, ())
    assert decided.tickers == Tickers(production_games=production, b_games=b, cycles=1)
    assert house.aliases() == house.registered() == (1, 2, 3, 4)
    assert applied(house) == [None]


def test_a_cycle_retains_a_production_that_is_as_good(house: House) -> None:
    house.games("Production", 6, 3)
    house.games("B", 6, 3)

    decided = cycle(house.process())

    assert (decided.decision, decided.reason_code, decided.reordered) == ("retain_production", "not_better", False)
    assert decided.evidence is not None
    assert (decided.evidence.production.window.games, decided.evidence.b.window.wins) == (6, 3)
    assert [ranked.alias for ranked in decided.ranking] == ["B", "shadow1", "shadow2"]
    assert gauges(house)["cycles"] == 1
    assert applied(house) == [None]


def test_a_better_b_is_swapped_with_production(house: House) -> None:
    house.better_b()

    decided = cycle(house.process())

    assert (decided.decision, decided.reason_code) == ("swap_production_b", "better")
    assert decided.tickers == Tickers(production_games=0, b_games=0, cycles=0)
    assert house.aliases() == (2, 1, 3, 4)
    house.assert_converged()
    assert gauges(house) == {
        "pending": False,
        "cycles": 0,
        "production_games": 0,
        "b_games": 0,
        "swaps": 1,
        "swap_decisions": 1,
        "reorders": 0,
    }
    assert applied(house) == [True]


def test_challengers_are_ranked_by_the_accuracy_of_their_versions(house: House) -> None:
    house.games("Production", 6, 3)
    house.games("B", 6, 3)
    house.predictions(v2=10, v3=30, v4=20)

    decided = cycle(house.process())

    assert (decided.decision, decided.reordered) == ("retain_production", True)
    assert decided.ranking == (
        RankedChallenger(alias="shadow1", version=3, rank=1, correct=30, predictions=40),
        RankedChallenger(alias="shadow2", version=4, rank=2, correct=20, predictions=40),
        RankedChallenger(alias="B", version=2, rank=3, correct=10, predictions=40),
    )
    assert house.aliases() == (1, 3, 4, 2)
    house.assert_converged()
    after = gauges(house)
    assert (after["swaps"], after["reorders"], after["cycles"], after["b_games"]) == (0, 1, 1, 6)
    assert applied(house) == [True]


def test_a_challenger_ranked_into_b_plays_its_own_games_first(house: House) -> None:
    house.games("Production", 8, 2)
    house.games("B", 8, 3)
    house.predictions(v2=10, v3=30, v4=20)
    process = house.process()
    assert cycle(process).reordered
    house.games("B", 2, 2, version=3)
    house.games("Production", 2, 0)
    house.games("B", 10, 10)  # of games that the former B finishes

    too_new = cycle(process)
    assert (too_new.decision, too_new.reason_code) == ("insufficient_data", "version_too_new")
    assert too_new.p_value is not None
    assert too_new.p_value < 0.2
    assert house.aliases() == (1, 3, 4, 2)

    house.games("B", 1, 1, version=3)
    assert cycle(process).decision == "swap_production_b"
    assert house.aliases() == (3, 1, 4, 2)
    house.assert_converged()


def test_a_family_without_aliases_has_no_cycle(engine: Engine) -> None:
    house = House(engine)

    for wanted in (lambda: cycle(house.process()), lambda: planning.preview(house.process(), FAMILY)):
        with pytest.raises(Conflict, match="rps setup"):
            wanted()
    assert house.events() == []


@pytest.mark.parametrize("unknown", [{"name": "of-tomorrow/1"}, {"alpha": "2"}], ids=["name", "alpha"])
def test_a_rule_of_another_release_is_a_refusal_of_that_family_alone(
    house: House, unknown: dict[str, str]
) -> None:
    house.better_b()
    process = house.process()
    set_rules(process, {FAMILY: structs.replace(DEFAULT, **unknown)}, actor="another release")

    for attempt in (planning.preview, partial(planning.cycle, trigger="schedule", source="test")):
        with pytest.raises(Conflict, match=r"xgboost: .* to decide by: .* of another release has set this rule"):
            attempt(process, FAMILY)

    assert gauges(house)["cycles"] == 0
    set_rules(process, {FAMILY: DEFAULT}, actor="settings")
    assert cycle(process).decision == "swap_production_b"


def test_a_dry_run_says_what_a_cycle_would_do_and_writes_nothing(house: House) -> None:
    house.better_b()
    head, calls = house.ledger.head(), house.registry.calls
    process = house.process()

    decided, planned = planning.preview(process, FAMILY)

    assert planned is not None
    assert (decided.decision, planned.swapped) == ("swap_production_b", True)
    assert (house.ledger.head(), house.registry.calls, house.registered()) == (head, calls, (1, 2, 3, 4))
    really = cycle(process)
    assert (really.decision, really.z_statistic, really.p_value) == (
        decided.decision,
        decided.z_statistic,
        decided.p_value,
    )


def test_a_training_moves_aliases_without_swap_or_reorder(house: House) -> None:
    house.games("Production", 4, 2)
    process = house.process()

    assert planning.move(process, FAMILY, assignment((1, 2, 3, 5)), cause="training")

    assert house.aliases() == (1, 2, 3, 5)
    house.assert_converged()
    after = gauges(house)
    assert (after["swaps"], after["reorders"], after["cycles"], after["production_games"]) == (0, 0, 0, 4)
    planned, assigned = house.events()[1:]
    assert isinstance(planned, AliasesPlanned)
    assert isinstance(assigned, AliasesAssigned)
    assert (planned.cause, assigned.cause, assigned.plan) == ("training", "training", 2)


def test_a_move_to_where_the_aliases_are_writes_nothing(house: House) -> None:
    assert planning.move(house.process(), FAMILY, assignment((1, 2, 3, 4)), cause="manual")
    assert len(house.events()) == 1


def test_an_exchange_by_hand_is_a_swap(house: House) -> None:
    house.games("Production", 4, 2)

    assert planning.move(house.process(), FAMILY, assignment((2, 1, 3, 4)), cause="manual")

    assert (gauges(house)["swaps"], gauges(house)["production_games"]) == (1, 0)
    assert gauges(house)["swap_decisions"] == 0
