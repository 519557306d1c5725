import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.events import Event
from ledger.store import Ledger
from ledger.vocabulary import FAMILIES
from projections.errors import ProjectionError
from projections.read_models.all import ReadModels
from projections.read_models.families import States, StreamedFamilies
from tests.builders import aliases_assigned, aliases_planned, cycle_decided, game_finished, training_completed
from tests.histories import histories
from tests.projections.stories import append, execute, insert_raw, scratch_ledger


def shown(families: States) -> dict[str, tuple[object, ...]]:
    """What a game's start and the loading of models read of each family."""
    return {
        name: (
            family.aliases,
            family.assignment(),
            family.swap_count,
            family.runs,
            family.graphs,
            family.holdout_accuracies,
            family.plan,
            family.stream_version,
        )
        for name, family in families.items()
    }


@settings(max_examples=40)
@given(history=histories(), stops=st.sets(st.integers(0, 60)))
def test_the_families_of_the_streams_are_those_of_the_whole_fold(history: list[Event], stops: set[int]) -> None:
    with scratch_ledger() as ledger:
        streamed, folded = StreamedFamilies(ledger), ReadModels(ledger).families
        for position, happened in enumerate(history, start=1):
            append(ledger, happened)
            if position in stops or position == len(history):
                with streamed.current() as few, folded.current() as all_:
                    assert shown(few) == shown(all_)
        assert streamed.forks == 0


def test_no_game_is_read_for_the_families(ledger: Ledger) -> None:
    append(ledger, game_finished(game_id="g1"), aliases_assigned())
    insert_raw(ledger, "game.finished", b"no event")  # it would stop the fold of everything
    streamed = StreamedFamilies(ledger)
    streamed.start()
    assert streamed.position == 2
    assert streamed.known["feedforward_nn"].aliases


def test_an_event_of_a_family_that_cannot_be_read_stops_its_fold_for_good(ledger: Ledger) -> None:
    append(ledger, aliases_assigned())
    streamed = StreamedFamilies(ledger)
    streamed.start()
    execute(
        ledger.engine,
        "INSERT INTO events SELECT position + 1, 'poison', stream, version + 1, type, 99, recorded_us, payload,"
        " chain_hash FROM events",
    )
    for look in (streamed.start, streamed.check, streamed.start):
        with pytest.raises(ProjectionError, match="stopped at position 2 "):
            look()
    assert streamed.failure is not None


def lose(ledger: Ledger, after: int) -> None:
    execute(ledger.engine, "DROP TRIGGER IF EXISTS events_refuse_delete")
    execute(ledger.engine, "DELETE FROM events WHERE position > :after", after=after)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_after_a_fork_the_families_are_those_of_the_history_that_there_is(
    ledger: Ledger, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    append(ledger, aliases_assigned(), training_completed(), cycle_decided(), aliases_planned())
    streamed = StreamedFamilies(ledger)
    streamed.start()
    lose(ledger, kept)
    append(ledger, *(aliases_assigned(model_type=family) for family in FAMILIES if family != "feedforward_nn"))
    with caplog.at_level(logging.ERROR):
        streamed.start()
        streamed.start()
    assert len(caplog.records) == streamed.forks == 1
    with streamed.current() as few, ReadModels(ledger).families.current() as all_:
        assert shown(few) == shown(all_)


def test_what_a_fork_took_from_other_streams_is_no_fork_of_these(ledger: Ledger) -> None:
    append(ledger, aliases_assigned(), game_finished(game_id="g1"))
    streamed = StreamedFamilies(ledger)
    streamed.start()
    lose(ledger, 1)
    streamed.start()
    assert streamed.forks == 0
