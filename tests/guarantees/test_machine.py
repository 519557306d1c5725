from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.guarantees.machine import Callers
from tests.guarantees.planted import BUGS, Bug
from tests.guarantees.tour import WALKS, Walk, walk
from tests.guarantees.world import opened_world


@pytest.mark.parametrize("acts", WALKS.values(), ids=WALKS)
def test_a_walk_meets_nothing_unexpected(acts: Walk, prepared: Path) -> None:
    with opened_world(prepared) as world:
        walk(world, acts)


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_found(bug: Bug, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    with pytest.raises(AssertionError), opened_world(prepared) as world:
        walk(world, WALKS[bug.walk])


def test_whatever_callers_do_the_service_shows_what_they_did(prepared: Path) -> None:
    machine = type("OverThis", (Callers,), {"prepared": prepared})
    run_state_machine_as_test(machine, settings=settings(max_examples=4, stateful_step_count=15))


@pytest.mark.stats
def test_whatever_callers_do_for_long_the_service_shows_what_they_did(prepared: Path) -> None:
    machine = type("OverThis", (Callers,), {"prepared": prepared})
    run_state_machine_as_test(machine, settings=settings(max_examples=100, stateful_step_count=50))
