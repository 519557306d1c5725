"""A swap that a failed parity check of B's version holds back: decided, derived again, and asked of the past."""

from typing import Any

import pytest

from ledger.evidence import ParityFound
from projections.audit.counterfactual import Change
from projections.audit.decisions import check_decisions
from projections.audit.what_if import what_if
from projections.read_models.all import ReadModels
from projections.read_models.history import Query
from projections.read_models.history_row import render
from tests.builders import parity_checked, training_completed
from tests.gameplay.promotion.house import FAMILY, House, cycle
from tests.gameplay.promotion.test_rules import started
from tests.projections.sabotage import Edit, database, edit, execute
from tests.projections.stories import append


def checked(house: House, version: int = 2, differences: int = 3, **more: Any) -> int:
    """A parity check of a version; where it is recorded."""
    event = parity_checked(model_type=FAMILY, version=version, differences=differences, **more)
    return append(house.ledger, event).first_position


def assert_derived_again(house: House) -> None:
    audit = check_decisions(house.ledger)
    assert [one.mismatches for one in audit.decisions] == [()] * len(audit.decisions)
    (same,) = what_if(house.ledger, Change(), [FAMILY])
    assert [one.counterfactual.watched for one in same.cycles] == [one.actual.watched for one in same.cycles]
    assert [one.counterfactual.reason for one in same.cycles] == [one.actual.reason for one in same.cycles]


def test_a_failed_check_of_the_challenger_holds_a_swap_back_until_a_newer_one_finds_nothing(house: House) -> None:
    process = started(house, RPS_GUARD_PARITY="on")
    house.better_b()
    position = checked(house)

    held = cycle(process)
    newer = checked(house, differences=0)
    swapped = cycle(process)

    assert (held.decision, held.reason_code) == ("retain_production", "parity_failed")
    assert held.reason.endswith(
        f"Held back: the parity check of B's version at position {position} found 3 differences in 400 rounds."
    )
    assert held.watched is not None
    assert held.watched.b_parity == ParityFound(position=position, rounds=400, differences=3)
    assert {one.rule: one.decision for one in held.verdicts}["ztest/1"] == "swap_production_b"
    assert swapped.decision == "swap_production_b"
    assert swapped.watched is not None
    assert swapped.watched.b_parity == ParityFound(position=newer, rounds=400, differences=0)
    assert house.aliases() == (2, 1, 3, 4)
    assert_derived_again(house)


def test_a_held_swap_has_its_reason_in_the_history(house: House) -> None:
    process = started(house, RPS_GUARD_PARITY="on")
    house.better_b()
    checked(house)
    cycle(process)
    read_models = ReadModels(house.ledger)
    read_models.projector.start()

    (row,) = [render(row, detail=True) for row in read_models.history.rows(Query(limit=1))]

    assert row["reason_code"] == "parity_failed"
    assert row["decision"] == "retain_production"


@pytest.mark.parametrize("guard", ["on", "off"])
def test_what_is_no_failed_check_of_the_version_now_behind_b_holds_nothing_back(house: House, guard: str) -> None:
    """No check, one of Production's or of another version, and one of the run that the number meant before."""
    process = started(house, RPS_GUARD_PARITY=guard)
    house.better_b()
    checked(house, version=1)
    checked(house, version=5)
    if guard == "on":
        checked(house, run_id="an older run")
        house.ledger.record(training_completed(model_type=FAMILY, model_version=2))
    else:
        checked(house)

    decided = cycle(process)

    assert decided.decision == "swap_production_b"
    assert decided.watched is not None
    assert (decided.watched.b_parity is None) == (guard == "on")
    assert_derived_again(house)


def test_a_check_counts_by_the_run_that_an_assignment_names(house: House) -> None:
    process = started(house, RPS_GUARD_PARITY="on")
    house.know_runs()
    house.better_b()
    checked(house, run_id=f"run-{FAMILY}-2")

    assert cycle(process).reason_code == "parity_failed"
    assert_derived_again(house)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda payload: payload["watched"]["b_parity"].update(differences=0), "watched.b_parity.differences"),
        (lambda payload: payload["watched"]["b_parity"].update(position=1), "watched.b_parity.position"),
        (lambda payload: payload["watched"].update(b_parity=None), "watched.b_parity.rounds"),
        (lambda payload: payload["rule"]["guards"].update(parity=False), "rule.guards.parity"),
    ],
)
def test_a_changed_field_of_what_the_guard_saw_is_named(house: House, change: Edit, field: str) -> None:
    process = started(house, RPS_GUARD_PARITY="on")
    house.better_b()
    checked(house)
    cycle(process)
    edit(house.ledger, house.ledger.head().position, change)

    (one,) = check_decisions(house.ledger).decisions

    assert field in {mismatch.field for mismatch in one.mismatches}


def test_cycles_of_a_release_without_the_guard_agree(house: House) -> None:
    """They had parity checks in the ledger, and did not look at them."""
    house.better_b()
    checked(house)
    decided = cycle(house.process())
    position = next(e.position for e in house.ledger.read(limit=10_000) if e.type == "promotion.cycle_decided")

    def as_it_was(payload: dict[str, Any]) -> None:
        del payload["watched"]["b_parity"]
        del payload["rule"]["ranking_players"]
        del payload["rule"]["guards"]["parity"]

    edit(house.ledger, position, as_it_was)
    execute(database(house.ledger), "UPDATE events SET schema_version = 6 WHERE type = 'promotion.cycle_decided'")

    assert decided.decision == "swap_production_b"
    assert [one.mismatches for one in check_decisions(house.ledger).decisions] == [()]
