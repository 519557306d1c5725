from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event as Signal
from threading import Semaphore, current_thread, main_thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import event

from ledger.events import Event
from ledger.store import Ledger
from projections.audit.replay import Replay, plain
from projections.errors import PositionError, TooManyFoldsError
from projections.past import Past
from projections.read_models.all import ReadModels
from projections.read_models.history import Query
from projections.read_models.states import States, states_of
from tests.builders import aliases_assigned, aliases_planned, assignments, cycle_decided, game_started
from tests.histories import histories
from tests.patience import PATIENCE_SECONDS
from tests.postgresql import EVERY_ENGINE
from tests.projections.stories import append, scratch_ledger


def served(ledger: Ledger, waypoint_entries: int = 3) -> ReadModels:
    """What a service has once it has caught up and saved."""
    read_models = ReadModels(ledger, waypoint_entries=waypoint_entries)
    read_models.projector.start()
    read_models.projector.save(every=1)
    return read_models


def seen(states: States) -> dict[str, Any]:
    """All that a page may read."""
    folded = {name: plain(state) for name, state in states._asdict().items() if name != "history"}
    queries = Query(limit=None, order="asc"), Query(limit=2, decisions=("alias_reorder",))
    rows = [[structs.asdict(row) for row in states.history.rows(query)] for query in queries]
    return {**folded, "rows": rows, "totals": states.history.totals(0, 2**62)}


@settings(max_examples=12)
@given(history=histories(), pages=st.integers(1, 4))
def test_a_past_state_is_what_a_replay_to_there_shows(history: list[Event], pages: int) -> None:
    with scratch_ledger(pages) as ledger:
        append(ledger, *history)
        past, replay = Past(served(ledger)), Replay(ledger)

        for position in range(1, len(history) + 1):
            replay.advance(position)
            assert seen(past.at(position)) == seen(states_of(replay.read_models))


@EVERY_ENGINE
def test_a_row_of_the_past_has_not_heard_of_its_plan_nor_of_its_end(ledger: Ledger) -> None:
    append(ledger, aliases_assigned())
    moved = assignments((1, 2, 3, 4), (1, 3, 2, 4))
    append(ledger, cycle_decided(decision="retain_production", reordered=True))
    append(ledger, aliases_planned(assignments=moved, swapped=False, reordered=True))
    append(ledger, aliases_assigned(cause="promotion", cycle=1, plan=3, assignments=moved, reordered=True))
    past = Past(served(ledger))
    reorders = Query(decisions=("alias_reorder",))

    outcomes = {position: past.at(position).history for position in (2, 3, 4)}

    assert [row.applied for rows in outcomes.values() for row in rows.rows(Query())] == [None, 0, 1]
    assert [len(rows.rows(reorders)) for rows in outcomes.values()] == [0, 0, 1]
    totals = [rows.totals(0, 2**62)["feedforward_nn"] for rows in outcomes.values()]
    assert [total["alias_reorder"] for total in totals] == [0, 0, 1]
    assert [total["total_events"] for total in totals] == [1, 1, 1]


def test_a_reorder_that_waited_while_cycles_went_on_is_counted_from_its_end(ledger: Ledger) -> None:
    append(ledger, aliases_assigned())
    moved = assignments((1, 2, 3, 4), (1, 3, 2, 4))
    append(ledger, cycle_decided(decision="retain_production", reordered=True))
    append(ledger, aliases_planned(assignments=moved, swapped=False, reordered=True))
    append(ledger, cycle_decided(cycle=2, decision="retain_production"))
    append(ledger, aliases_assigned(cause="promotion", cycle=1, plan=3, assignments=moved, reordered=True))
    past = Past(served(ledger))

    totals = [past.at(position).history.totals(0, 2**62)["feedforward_nn"] for position in (2, 3, 4, 5)]

    assert [total["alias_reorder"] for total in totals] == [0, 0, 0, 1]
    assert [total["total_events"] for total in totals] == [1, 1, 2, 2]


def test_a_position_is_folded_once_and_the_oldest_look_is_dropped(ledger: Ledger) -> None:
    append(ledger, *story(6))
    past = Past(served(ledger), kept_max=2)

    first = past.at(1)

    assert past.at(1) is first
    past.at(2)
    assert past.at(1) is first
    past.at(3)
    assert past.at(1) is first
    past.at(4)
    past.at(5)
    assert past.at(1) is not first


def test_a_position_that_the_ledger_has_not_is_refused(ledger: Ledger) -> None:
    append(ledger, *story(2))
    past = Past(served(ledger))

    for position in (0, 3):
        with pytest.raises(PositionError, match=f"no position {position}"):
            past.at(position)


def test_two_pasts_are_folded_at_a_time_and_a_third_is_refused(ledger: Ledger) -> None:
    append(ledger, *story(6))
    past = Past(served(ledger), folds_max=2)

    with held_up(ledger) as held, ThreadPoolExecutor(3) as threads:
        folding = [threads.submit(past.at, position) for position in (2, 3)]
        held.wait_for(2)
        same = threads.submit(past.at, 3)
        with pytest.raises(TooManyFoldsError):
            past.at(4)
        held.release()
        states = [one.result() for one in folding]

        assert same.result() is states[1]
    assert past.at(4).position == 4


def story(events: int) -> list[Event]:
    return [game_started(game_id=f"g{number}") for number in range(events)]


class Hold:
    """Keeps back each thread that reads a page of events."""

    def __init__(self) -> None:
        self._waiting = Semaphore(0)
        self._go = Signal()

    def __call__(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM events" in statement and "LIMIT" in statement and current_thread() is not main_thread():
            self._waiting.release()
            assert self._go.wait(PATIENCE_SECONDS)

    def wait_for(self, threads: int) -> None:
        for _ in range(threads):
            assert self._waiting.acquire(timeout=PATIENCE_SECONDS)

    def release(self) -> None:
        self._go.set()


@contextmanager
def held_up(ledger: Ledger) -> Iterator[Hold]:
    hold = Hold()
    event.listen(ledger.engine, "before_cursor_execute", hold)
    try:
        yield hold
    finally:
        hold.release()
        event.remove(ledger.engine, "before_cursor_execute", hold)
