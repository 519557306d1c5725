"""A database that comes back with another history, under projectors that run on."""

import itertools
import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from sqlalchemy import event

from ledger.entries import Entry
from ledger.errors import StorageError
from ledger.events import Event
from ledger.store import Ledger
from ledger.streams import stream_of
from projections import projector
from projections.audit.replay import Replay, read_rows
from projections.metrics.exposition import Exposition
from projections.past import Past
from projections.read_models.all import ReadModels
from tests.builders import aliases_assigned, cycle_decided, game_finished, game_started
from tests.histories import histories
from tests.projections.stories import (
    append,
    caught_up,
    execute,
    restarted,
    scratch_ledger,
    states,
    table_rows,
)

STORY: tuple[Event, ...] = (
    aliases_assigned(),
    game_started(game_id="g1"),
    game_finished(game_id="g1", winner="bot"),
    cycle_decided(),
)
OTHER: tuple[Event, ...] = (
    game_started(game_id="h1"),
    game_finished(game_id="h1", winner="user"),
    cycle_decided(decision="retain_production"),
)


def lose(ledger: Ledger, after: int) -> None:
    """Take away what was appended after a position, as a failover without a synchronous standby does."""
    execute(ledger.engine, "DROP TRIGGER IF EXISTS events_refuse_delete")
    execute(ledger.engine, "DELETE FROM events WHERE position > :after", after=after)


@settings(max_examples=25)
@given(
    history=histories(),
    others=histories(steps_max=8),
    kept=st.integers(0, 30),
    saves=st.booleans(),
    pages=st.integers(1, 7),
)
def test_after_a_fork_every_state_is_that_of_the_history_that_there_is(
    history: list[Event], others: list[Event], kept: int, saves: bool, pages: int
) -> None:
    with scratch_ledger(pages) as ledger:
        both = ReadModels(ledger), ReadModels(ledger)
        append_all(ledger, history)
        for read_models in both:
            read_models.projector.start()
        if saves:
            both[0].projector.save(every=1)
        folded = ledger.head()
        lose(ledger, min(kept, len(history) // 2))
        # A decision of a history of its own would not fit what was kept of this one.
        append_all(ledger, [event for event in others if not stream_of(event).startswith("promotion-")])
        for read_models in both:
            read_models.projector.catch_up()
        assert both[0].projector.head == both[1].projector.head == ledger.head()
        rows, forked = table_rows(ledger.engine), ledger.head() != folded
        assert [one.projector.forks for one in both] == [int(forked)] * 2
        assert states(both[0]) == states(both[1]) == states(caught_up(ledger))
        assert rows == table_rows(ledger.engine)


def append_all(ledger: Ledger, events: Sequence[Event]) -> None:
    for happened in events:
        append(ledger, happened)


@pytest.mark.parametrize("lost", [1, 2, 4])
@pytest.mark.parametrize("added", [0, 1, 2, 3])
def test_a_fork_is_said_once_and_loudly(
    ledger: Ledger, lost: int, added: int, caplog: pytest.LogCaptureFixture
) -> None:
    append(ledger, *STORY)
    read_models = restarted(ledger)
    lose(ledger, len(STORY) - lost)
    append_all(ledger, OTHER[:added])
    with caplog.at_level(logging.ERROR):
        read_models.projector.catch_up()
        read_models.projector.catch_up()
    (record,) = caplog.records
    assert f"does not hold position {len(STORY)} " in record.getMessage()
    assert read_models.projector.forks == 1
    assert states(read_models) == states(caught_up(ledger))


def test_no_body_of_the_history_before_is_shown_after_a_fork(ledger: Ledger) -> None:
    append(ledger, *STORY)
    read_models = restarted(ledger)
    exposition = Exposition(read_models, CollectorRegistry())
    before = exposition.render(scope="ledger")
    lose(ledger, 1)
    append(ledger, *OTHER)
    assert ledger.head().position == len(STORY)
    assert exposition.render(scope="ledger") != before
    assert exposition.render(scope="ledger") == Exposition(restarted(ledger), CollectorRegistry()).render(
        scope="ledger"
    )


def test_a_look_at_the_past_is_at_the_history_that_there_is_after_a_fork(ledger: Ledger) -> None:
    append(ledger, *STORY)
    read_models = ReadModels(ledger, waypoint_entries=1)
    read_models.projector.start()
    read_models.projector.save(every=1)
    past = Past(read_models)
    assert past.at(2).open_games.games.keys() == {"g1"}

    lose(ledger, 1)
    append(ledger, *OTHER)
    read_models.projector.catch_up()

    assert past.at(2).open_games.games.keys() == {"h1"}


def test_every_fork_of_a_process_s_life_is_counted(ledger: Ledger) -> None:
    append(ledger, *STORY)
    read_models = restarted(ledger)
    for number in (1, 2):
        lose(ledger, ledger.head().position - 1)
        read_models.projector.catch_up()

        assert read_models.projector.forks == number


@pytest.mark.parametrize("keeps_up", [True, False])
@pytest.mark.parametrize("lost", [1, 3, 4])
@pytest.mark.parametrize("added", [0, 2, 3])
def test_what_this_process_has_appended_and_the_ledger_has_lost_is_not_folded_on(
    ledger: Ledger, lost: int, added: int, keeps_up: bool
) -> None:
    append(ledger, *STORY[:1])
    read_models = restarted(ledger)
    append(ledger, *STORY[1:], game_started(game_id="g2"))
    if keeps_up:
        read_models.projector.keep_up()
    lose(ledger, len(STORY) + 1 - lost)
    append_all(ledger, OTHER[:added])

    read_models.projector.catch_up()
    read_models.projector.keep_up()

    assert read_models.projector.head == ledger.head()
    assert states(read_models) == states(caught_up(ledger))
    assert read_models.projector.forks == (1 if keeps_up and lost > 2 else 0)


def test_what_the_ledger_has_lost_is_not_remembered(ledger: Ledger) -> None:
    append(ledger, game_started(game_id="g0"))
    read_models = restarted(ledger)
    append(ledger, game_started(game_id="g1"), game_started(game_id="g2"))
    read_models.projector.keep_up()
    assert read_models.projector.position == 3
    lose(ledger, 1)

    for _ in range(3):
        read_models.projector.catch_up()
        read_models.projector.keep_up()
        assert read_models.projector.head == ledger.head()

    assert read_models.projector.forks == 1
    assert set(read_models.open_games.state.games) == {"g0"}


@pytest.mark.parametrize("added", [2, 3])
@pytest.mark.parametrize("saved", [0, 4])
def test_a_start_over_that_the_database_stops_is_finished_by_the_next_look(saved: int, added: int) -> None:
    """Stopped at each third of its statements: after a failover, connections may be lost again."""
    for stopped_at in itertools.count(1, 3):
        with scratch_ledger() as ledger:
            append(ledger, *STORY)
            read_models = restarted(ledger)
            if saved:
                read_models.projector.save(every=1)
            append(ledger, game_started(game_id="g2"))
            read_models.projector.catch_up()
            lose(ledger, 1)
            append(ledger, *OTHER[:added])
            with stopping(ledger, stopped_at) as stopped:
                read_models.projector.catch_up()

            read_models.projector.catch_up()

            assert read_models.projector.head == ledger.head()
            assert read_rows(read_models.history) == rows_of(ledger)
            assert states(read_models) == states(caught_up(ledger))
            assert read_models.projector.forks == 1
            if not stopped:
                break
    assert stopped_at > 20


def test_until_everything_is_restored_nothing_is_saved(ledger: Ledger) -> None:
    read_models = ReadModels(ledger, waypoint_entries=1)
    read_models.projector.start()
    append(ledger, *STORY)
    read_models.projector.catch_up()
    lose(ledger, 0)
    append(ledger, *OTHER[:2])
    with stopping(ledger, 2) as stopped:
        read_models.projector.catch_up()
    assert stopped

    assert not read_models.projector.save(every=1)

    read_models.projector.catch_up()
    assert read_rows(read_models.history) == rows_of(ledger) == []
    assert states(read_models) == states(caught_up(ledger))
    assert read_models.projector.save(every=1)


@contextmanager
def stopping(ledger: Ledger, at: int) -> Iterator[list[str]]:
    """Refuse the statement of this number, and every later one: yields those that were refused."""
    numbers, refused = itertools.count(1), list[str]()

    def refuse(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if next(numbers) >= at:
            refused.append(statement)
            raise StorageError("the server has gone away")

    event.listen(ledger.engine, "before_cursor_execute", refuse)
    with suppress(StorageError):
        yield refused
    event.remove(ledger.engine, "before_cursor_execute", refuse)


def rows_of(ledger: Ledger) -> list[dict[str, Any]]:
    """The history's rows as the ledger's events make them."""
    replay = Replay(ledger)
    replay.advance(ledger.head().position)
    return replay.history_rows()


def test_rows_of_a_lost_history_are_dropped_by_a_process_that_never_saw_it(ledger: Ledger) -> None:
    append(ledger, STORY[0])
    behind = restarted(ledger)
    append(ledger, *STORY[1:])
    restarted(ledger)
    lose(ledger, 1)
    append(ledger, *OTHER)

    behind.projector.catch_up()

    assert behind.projector.forks == 0
    assert read_rows(behind.history) == rows_of(ledger)
    assert behind.projector.discarded["promotion_history"] == 1


@pytest.mark.parametrize("kept", [1, 3, 4, 6])
def test_a_checkpoint_at_what_the_ledger_has_lost_keeps_no_row_away(ledger: Ledger, kept: int) -> None:
    append(ledger, *STORY, *(game_started(game_id=f"g{number}") for number in range(5)))
    unaware, aware = restarted(ledger), restarted(ledger)
    lose(ledger, kept)
    append(ledger, game_started(game_id="h1"))
    aware.projector.catch_up()

    unaware.projector.save(every=1)
    append(ledger, cycle_decided(decision="retain_production", cycle=2))
    aware.projector.catch_up()

    assert read_rows(aware.history) == rows_of(ledger)


@pytest.mark.parametrize("pages_before", [0, 1, 2])
@pytest.mark.parametrize("kept", [0, 1, 3, 5])
def test_a_page_of_another_history_is_not_folded_on(ledger: Ledger, kept: int, pages_before: int) -> None:
    """The database comes back with another history while a long catch-up reads pages of it."""

    class Lost(Ledger):
        def pages(self, *where: int, limit: int = 2) -> Generator[list[Entry], None, None]:  # type: ignore[override]
            found = super().pages(*where, limit=limit)
            if self.lost or where[1:]:
                yield from found
                return
            self.lost = True
            yield from itertools.islice(found, pages_before)
            lose(ledger, kept)
            append_all(ledger, [game_started(game_id=f"h{number}") for number in range(12)])
            yield from found

        lost = False

    append(ledger, *(game_started(game_id=f"g{number}") for number in range(9)))
    read_models = ReadModels(Lost(ledger.engine))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projector, "PAGE_ENTRIES", 2)
        read_models.projector.catch_up()

    assert read_models.projector.head == ledger.head()
    assert states(read_models) == states(caught_up(ledger))
    assert read_models.projector.forks == int(kept < 2 * (1 + pages_before))
