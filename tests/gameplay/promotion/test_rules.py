from typing import Any

import pytest
from sqlalchemy import Engine

from gameplay.config import read_settings
from gameplay.promotion import planning
from gameplay.promotion.rules import rules_of, set_rules
from gameplay.promotion.state import Promotion
from ledger.events import CycleDecided, RuleSet
from ledger.evidence import Tally
from ledger.streams import promotion_stream
from ledger.vocabulary import FAMILIES
from projections.audit.counterfactual import Change
from projections.audit.decisions import check_decisions
from projections.audit.what_if import what_if
from projections.decision.rules import ANYTIME_SIGN, DEFAULT, Z_TEST
from tests.builders import Versions
from tests.gameplay.promotion.house import FAMILY, House, cycle
from tests.projections.sabotage import Edit, database, edit, execute
from tests.projections.stories import Clock


def started(house: House, **variables: str) -> Promotion:
    """A process that has started with these settings."""
    process = house.process()
    set_rules(process, rules_of(read_settings(variables)), actor="settings")
    return process


def rules_set(house: House) -> list[RuleSet]:
    ledger = house.ledger
    events = [ledger.decode(entry) for entry in ledger.read(limit=10_000)]
    return [event for event in events if isinstance(event, RuleSet)]


def test_a_start_with_the_default_rule_appends_nothing(house: House) -> None:
    started(house)

    assert rules_set(house) == []
    assert cycle(house.process()).rule == DEFAULT


def test_a_start_with_another_rule_records_it_once(house: House) -> None:
    for _ in range(2):
        started(house, RPS_PROMOTION_RULE=ANYTIME_SIGN, RPS_PROMOTION_SETTLE_SECONDS="60")

    assert [event.model_type for event in rules_set(house)] == list(FAMILIES)
    assert {(event.rule.name, event.rule.settle_seconds, event.actor) for event in rules_set(house)} == {
        (ANYTIME_SIGN, 60, "settings")
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"RPS_PROMOTION_ALPHA": "0.05"},
        {"RPS_PROMOTION_MINIMUM_GAMES": "10"},
        {"RPS_PROMOTION_MINIMUM_PREDICTIONS": "90"},
    ],
)
def test_a_parameter_is_part_of_the_rule(house: House, changed: dict[str, str]) -> None:
    started(house, **changed)

    assert len(rules_set(house)) == len(FAMILIES)
    started(house)
    assert [event.rule for event in rules_set(house)[-3:]] == [DEFAULT] * 3


def test_cycles_obey_the_ledger_and_not_their_own_settings(house: House) -> None:
    started(house, RPS_PROMOTION_ALPHA="0.05")

    assert cycle(house.process()).rule == rules_set(house)[0].rule


def test_a_family_that_is_not_named_has_the_z_test() -> None:
    rules = rules_of(read_settings({"RPS_PROMOTION_RULE": f"xgboost={ANYTIME_SIGN}"}))

    assert {family: rule.name for family, rule in rules.items()} == {
        "xgboost": ANYTIME_SIGN,
        "feedforward_nn": Z_TEST,
        "multinomial_logistic": Z_TEST,
    }
    assert rules["xgboost"].settle_seconds == 1_800
    assert rules["feedforward_nn"].settle_seconds is None


def test_a_change_of_the_rule_leaves_the_tickers_and_begins_a_new_window(house: House) -> None:
    house.better_b()
    process = started(house, RPS_PROMOTION_RULE=ANYTIME_SIGN)

    decided = cycle(process)

    assert (decided.decision, decided.reason_code) == ("insufficient_data", "too_few_games")
    assert "since the rule was set or the last swap, if later, and assigned 1800 s ago or more" in decided.reason
    assert decided.tickers.b_games > 0
    assert decided.evidence is not None
    stream = house.ledger.read_stream(promotion_stream(FAMILY))
    rule_set = next(entry for entry in stream if entry.type == "promotion.rule_set")
    assert decided.evidence.after_position == rule_set.position


@pytest.mark.parametrize(
    ("changed", "restarts"),
    [
        ({"RPS_PROMOTION_ALPHA": "0.05"}, True),
        ({"RPS_PROMOTION_MINIMUM_GAMES": "10"}, True),
        ({"RPS_PROMOTION_SETTLE_SECONDS": "60"}, True),
        ({"RPS_PROMOTION_EVIDENCE": "version_pair"}, True),
        ({"RPS_PROMOTION_PLAYERS": "human"}, True),
        ({"RPS_PROMOTION_RULE": Z_TEST}, True),
        ({"RPS_PROMOTION_MINIMUM_PREDICTIONS": "90"}, False),
        ({"RPS_GUARD_SAMPLE_RATIO": "false"}, False),
        ({"RPS_GUARD_COOLDOWN_CYCLES": "3"}, False),
        ({"RPS_GUARD_FALLBACK_SHARE": "0.1"}, False),
        ({"RPS_GUARD_PARITY": "on"}, False),
    ],
)
def test_only_another_test_begins_a_new_window(house: House, changed: dict[str, str], restarts: bool) -> None:
    anytime = {"RPS_PROMOTION_RULE": ANYTIME_SIGN}
    started(house, **anytime)
    first = cycle(house.process())

    started(house, **anytime | changed)
    second = cycle(house.process())

    assert {event.restarts_window for event in rules_set(house)[3:]} == {restarts}
    assert first.evidence is not None
    assert second.evidence is not None
    if "RPS_PROMOTION_RULE" not in changed:
        moved_on = second.evidence.after_position > first.evidence.after_position
        assert moved_on == restarts
    assert [one.mismatches for one in check_decisions(house.ledger).decisions] == [(), ()]


def test_a_rule_of_a_release_that_always_began_a_new_window_still_does(house: House) -> None:
    """Its cycles after a change of a guard counted from there, and have to come out again."""
    started(house, RPS_PROMOTION_RULE=ANYTIME_SIGN)
    started(house, RPS_PROMOTION_RULE=ANYTIME_SIGN, RPS_GUARD_COOLDOWN_CYCLES="3")
    entries = [entry for entry in house.ledger.read(limit=10_000) if entry.type == "promotion.rule_set"]
    for entry in entries:
        edit(house.ledger, entry.position, _as_it_was)
    execute(database(house.ledger), "UPDATE events SET schema_version = 2 WHERE type = 'promotion.rule_set'")

    decided = cycle(house.process())

    assert decided.evidence is not None
    positions = [one.position for one in entries if house.ledger.decode(one).model_type == FAMILY]  # type: ignore[union-attr]
    assert decided.evidence.after_position == positions[-1]
    assert [one.mismatches for one in check_decisions(house.ledger).decisions] == [()]


def _as_it_was(payload: dict[str, Any]) -> None:
    del payload["restarts_window"]
    for name in ("evidence", "players"):
        del payload["rule"][name]


@pytest.mark.parametrize("players", ["all", "human"])
@pytest.mark.parametrize("evidence", ["since_swap", "version_pair"])
@pytest.mark.parametrize("name", [Z_TEST, ANYTIME_SIGN])
def test_whatever_a_rule_counts_is_counted_again(engine: Engine, name: str, evidence: str, players: str) -> None:
    """Trainings, a manual change and a swap between the cycles; people and scripts play."""
    clock = Clock()
    house = House(engine, clock=clock)
    house.bootstrap()
    chosen = {"RPS_PROMOTION_EVIDENCE": evidence, "RPS_PROMOTION_PLAYERS": players}
    process = started(house, RPS_PROMOTION_RULE=name, RPS_GUARD_COOLDOWN_CYCLES="2", **chosen)

    def play(versions: Versions, swap_count: int = 0, *, lost: int = 1) -> CycleDecided:
        where = {"versions": versions, "swap_count": swap_count}
        house.games("Production", 7, 7 - lost, **where)  # type: ignore[arg-type]
        house.games("B", 7, 6, **where)  # type: ignore[arg-type]
        house.games("Production", 1, 1, player_kind="bot", **where)  # type: ignore[arg-type]
        house.games("B", 1, 0, player_kind="script", **where)  # type: ignore[arg-type]
        clock.now += 1_801
        return cycle(process)

    play((1, 2, 3, 4), lost=1)
    planning.assign(process, FAMILY, {"B": 5}, cause="training")
    planning.assign(process, FAMILY, {"Production": 6}, cause="manual")
    house.games("B", 4, 0, versions=(1, 2, 3, 4))  # begun before, and recorded a moment after
    for _ in range(5):
        state = process.state(FAMILY).promotion
        play(house.aliases(), state.swap_count, lost=6)

    audit = check_decisions(house.ledger)
    assert [one.mismatches for one in audit.decisions] == [()] * 6
    assert {one.event.decision for one in audit.decisions} >= {"swap_production_b", "retain_production"}
    assert any(one.event.windows and one.event.windows.mixed for one in audit.decisions)
    (same,) = what_if(house.ledger, Change(), [FAMILY])
    assert [(one.counterfactual.evidence, one.counterfactual.reason) for one in same.cycles] == [
        (one.actual.evidence, one.actual.reason) for one in same.cycles
    ]
    assert [one.counterfactual.windows for one in same.cycles] == [one.actual.windows for one in same.cycles]


def test_the_anytime_rule_decides_by_settled_games_and_the_audit_agrees(engine: Engine) -> None:
    clock = Clock()
    house = House(engine, clock=clock)
    house.bootstrap()
    process = started(house, RPS_PROMOTION_RULE=ANYTIME_SIGN)
    house.games("Production", 9, 0)
    house.games("B", 9, 9)
    early = cycle(process)

    clock.now += 1_800
    house.games("B", 9, 0)  # assigned a moment ago
    decided = cycle(process)

    assert early.reason_code == "too_few_games"
    assert decided.evidence is not None
    assert (decided.evidence.production.window, decided.evidence.b.window) == (
        Tally(games=9, wins=0),
        Tally(games=9, wins=9),
    )
    assert decided.decision == "swap_production_b"
    audit = check_decisions(house.ledger)
    assert [one.mismatches for one in audit.decisions] == [(), ()]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda payload: payload["evidence"]["b"]["window"].update(wins=8), "evidence.b.window.wins"),
        (lambda payload: payload.update(decided_us=payload["decided_us"] - 1), "evidence.b.window.games"),
        (lambda payload: payload.update(decided_us=None), "decided_us"),
        (lambda payload: payload.update(decided_us=payload["decided_us"] + 1), "decided_us"),
        (lambda payload: payload["rule"].update(settle_seconds=60), "rule.settle_seconds"),
        (lambda payload: payload["rule"].update(settle_seconds=None), "rule.settle_seconds"),
        (lambda payload: payload["rule"].update(name=Z_TEST), "rule.name"),
        (lambda payload: payload["evidence"].update(after_position=0), "evidence.after_position"),
    ],
)
def test_a_changed_field_of_such_a_decision_is_named(engine: Engine, change: Edit, field: str) -> None:
    clock = Clock()
    house = House(engine, clock=clock)
    house.bootstrap()
    process = started(house, RPS_PROMOTION_RULE=ANYTIME_SIGN)
    house.games("Production", 9, 0)
    house.games("B", 9, 9)
    clock.now += 1_800
    cycle(process)
    position = next(e.position for e in house.ledger.read(limit=10_000) if e.type == "promotion.cycle_decided")
    edit(house.ledger, position, change)

    (one,) = check_decisions(house.ledger).decisions

    assert field in {mismatch.field for mismatch in one.mismatches}
