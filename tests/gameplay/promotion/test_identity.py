"""A version is its run: a number that a registry has handed out again moves nothing, wherever it turns up."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameplay.models.errors import VersionReused
from gameplay.promotion import adoption, applying, planning
from gameplay.promotion.assignments import merged
from gameplay.promotion.reports import Reported, record
from gameplay.refusals import Conflict
from ledger.events import AliasesAssigned, AliasesPlanned
from ledger.reported import Report
from ledger.vocabulary import ALIASES
from projections.decision.cycle import versions_of
from tests.builders import Versions, assignment
from tests.gameplay.promotion.house import FAMILY, House, cycle

ANOTHER = "and the ledger knows it as run run-xgboost-1"


@pytest.fixture
def known(house: House) -> House:
    house.know_runs()
    return house


def swap_reported() -> Reported:
    return Reported(
        model_type=FAMILY,
        decision="swap_production_b",
        z_statistic=None,
        p_value=None,
        reorder_applied=False,
        reason="",
        source="airflow",
        said=Report(body_sha256="a"),
    )


def test_an_assignment_says_what_is_behind_its_versions(known: House) -> None:
    process = known.process(lambda family, version: known.registry.kept[family, version].run)

    planning.move(process, FAMILY, assignment((1, 2, 3, 5)), cause="manual")

    planned, assigned = known.events()[-2:]
    assert isinstance(planned, AliasesPlanned)
    assert isinstance(assigned, AliasesAssigned)
    runs = [(version, f"run-xgboost-{version}") for version in (1, 2, 3, 5)]
    assert [(run.version, run.run_id) for run in planned.runs] == runs
    assert [(run.version, run.run_id) for run in assigned.runs] == runs
    assert assigned.runs[-1] == known.registry.kept[FAMILY, 5].run, "the graph of what was loaded"


def test_a_version_of_an_older_ledger_is_known_from_its_next_assignment_on(house: House) -> None:
    assert house.process().known_run(FAMILY, 2) is None

    planning.move(house.process(), FAMILY, assignment((2, 1, 3, 4)), cause="manual")

    run = house.process().known_run(FAMILY, 2)
    assert run is not None
    assert run.run_id == "run-xgboost-2"
    house.recount()
    assert adoption.adopt(house.process(), FAMILY) is None
    assert house.aliases() == (2, 1, 3, 4)


@pytest.mark.parametrize("found", [(1, 2, 3, 4), (2, 1, 3, 4), (1, 2, 3, 6)])
def test_a_number_of_another_run_is_not_adopted_until_it_is_repaired(known: House, found: Versions) -> None:
    repaired = dict(known.registry.kept)
    known.recount()
    known.registry.named[FAMILY] = dict(zip(ALIASES, found, strict=True))
    process, events = known.process(), known.events()

    assert adoption.adopt(process, FAMILY) is None

    assert "version 1 of xgboost in the model registry is another one" in process.problems[FAMILY]
    assert ANOTHER in process.problems[FAMILY]
    assert known.events() == events
    known.registry.kept = repaired
    adoption.watch(process, (FAMILY,))
    assert process.problems == {}
    assert known.aliases() == found


def test_a_watch_sees_a_lost_model_and_adopts_nothing_of_its_own(known: House) -> None:
    process = known.process()
    known.registry.named[FAMILY]["shadow2"] = 6
    adoption.watch(process, (FAMILY,))
    assert process.problems == {}
    assert known.aliases() == (1, 2, 3, 4)

    known.registry.lose(FAMILY)
    adoption.watch(process, (FAMILY,))

    assert "Production, B, shadow1, shadow2 not set" in process.problems[FAMILY]


def test_a_plan_whose_number_is_another_runs_sets_no_alias_until_it_is_repaired(known: House) -> None:
    known.better_b()
    repaired = dict(known.registry.kept)
    known.recount()
    process = known.process()

    assert cycle(process).decision == "swap_production_b"

    assert known.registered() == known.aliases() == (1, 2, 3, 4)
    assert known.registry.assigned == 0
    assert known.markers() == {}
    assert ANOTHER in process.problems[FAMILY]
    with pytest.raises(VersionReused):
        applying.complete(process, FAMILY)
    known.registry.kept = repaired
    adoption.watch(process, (FAMILY,))
    assert process.problems == {}
    assert known.aliases() == (2, 1, 3, 4)
    known.assert_converged()


def test_an_alias_that_stays_is_not_set_to_another_run_either(known: House) -> None:
    known.better_b()
    other = known.registry.kept[FAMILY, 4]._replace(run_id="another")
    known.registry.kept[FAMILY, 4] = other

    cycle(known.process())

    assert known.registry.assigned == 0
    assert known.aliases() == (1, 2, 3, 4)


def test_a_report_of_a_number_that_is_another_runs_is_refused(known: House) -> None:
    known.recount()
    events = known.events()

    with pytest.raises(Conflict, match="the ledger knows it as run run-xgboost-1"):
        record(known.process(), swap_reported(), None)

    assert known.events() == events


def test_a_report_of_known_versions_needs_no_registry(known: House) -> None:
    known.registry.down = True

    record(known.process(), swap_reported(), None)

    assert known.aliases() == (2, 1, 3, 4)


ANY = st.tuples(*[st.integers(1, 6)] * 4)


@given(before=ANY, after=ANY)
def test_a_change_that_puts_two_on_one_is_known_for_what_it_is(before: Versions, after: Versions) -> None:
    pairs = [
        (one, other)
        for one, other in combinations(range(4), 2)
        if before[one] != before[other] and after[one] == after[other]
    ]

    assert (merged(assignment(before), assignment(after)) is not None) == bool(pairs)
    assert merged(None, assignment(after)) is None


@pytest.mark.parametrize("after", [(2, 2, 3, 4), (1, 2, 5, 5), (1, 2, 1, 4), (6, 6, 6, 6)])
def test_two_aliases_that_were_on_two_versions_are_never_put_on_one(house: House, after: Versions) -> None:
    process, events = house.process(), house.events()
    house.registry.named[FAMILY] = versions_of(assignment(after))

    assert adoption.adopt(process, FAMILY) is None
    assert "as in the middle of an exchange" in process.problems[FAMILY]
    with pytest.raises(Conflict, match="which were on two; nothing is moved"):
        planning.move(process, FAMILY, assignment(after), cause="manual")

    assert house.events() == events
