"""One way of folding: a service, a replay and the audits stop at the same event, and say the same of it."""

from collections.abc import Callable

import pytest

from ledger.codec import Codec
from ledger.entries import Entry
from ledger.events import Event, GameStarted, PredictionMade
from ledger.store import Ledger
from projections.audit.counterfactual import Change
from projections.audit.decisions import check_decisions
from projections.audit.replay import Replay
from projections.audit.what_if import what_if
from projections.errors import ProjectionError
from projections.fold import Fold, Reader, walk
from projections.read_models.all import ReadModels
from tests.builders import aliases_assigned, game_finished, game_started, round_played
from tests.projections.stories import append, entries, insert_raw

Act = Callable[[Ledger], object]

FOLDS: dict[str, Act] = {
    "a service": lambda ledger: ReadModels(ledger).projector.start(),
    "a replay": lambda ledger: Replay(ledger).advance(ledger.head().position),
}
AUDITS: dict[str, Act] = {
    "the decisions' audit": check_decisions,
    "what-if": lambda ledger: what_if(ledger, Change(alpha="0.05")),
}


def stopped(act: Act, ledger: Ledger) -> ProjectionError:
    with pytest.raises(ProjectionError) as raised:
        act(ledger)
    return raised.value


@pytest.mark.parametrize("act", [*FOLDS.values(), *AUDITS.values()], ids=[*FOLDS, *AUDITS])
@pytest.mark.parametrize("payload", [b"{}", b"\xff", b"[" * 100_000], ids=["fields", "text", "nesting"])
def test_an_event_that_cannot_be_read_is_named_with_its_position(ledger: Ledger, act: Act, payload: bytes) -> None:
    append(ledger, aliases_assigned(), game_started())
    position = insert_raw(ledger, "game.finished", payload)

    found = stopped(act, ledger)

    assert (found.position, found.event_type) == (position, "game.finished")
    assert found.problem.startswith("cannot read game.finished (schema version 1): ")


@pytest.mark.parametrize("act", FOLDS.values(), ids=FOLDS)
@pytest.mark.parametrize(
    ("misfit", "problem"),
    [
        (game_finished(game_id="none"), "open_games knows no 'none'"),
        (round_played(game_id="none"), "open_games knows no 'none'"),
        (round_played(policy="brian", model_type="xgboost"), "counters knows no 'brian/standard/xgboost'"),
        (aliases_assigned(cycle=7), "promotion_history has 0 rows of cycle 7 of feedforward_nn"),
    ],
    ids=["a game that never began", "a round of none", "labels that do not belong together", "no such cycle"],
)
def test_an_event_that_does_not_fit_says_what_is_missing_and_to_whom(
    ledger: Ledger, act: Act, misfit: Event, problem: str
) -> None:
    append(ledger, game_started())
    position = append(ledger, misfit).last_position

    found = stopped(act, ledger)

    assert found.position == position
    assert found.problem.startswith(problem)


@pytest.mark.parametrize("error", [ZeroDivisionError("no games"), AssertionError("impossible"), RecursionError()])
def test_a_bug_of_a_reader_stops_the_fold_under_its_name(error: Exception) -> None:
    def stumble(_event: Event, _entry: Entry) -> None:
        raise error

    recorded = [entry for entry, _ in entries([game_started(), game_finished()])]
    readers = {"game.finished": (Reader("first", lambda *_: None), Reader("second", stumble))}

    with pytest.raises(ProjectionError, match="position 2 ") as raised:
        Fold(Codec(), readers)(recorded)
    assert raised.value.problem == f"second cannot take it in: {type(error).__name__}: {error}"
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("classes", [(GameStarted,), (PredictionMade, GameStarted)], ids=["few", "most"])
def test_a_walk_reads_only_the_classes_that_it_is_asked_for(ledger: Ledger, classes: list[type[Event]]) -> None:
    insert_raw(ledger, "game.resumed", b"{}")
    append(ledger, game_started(game_id="g1"), game_finished(game_id="g1"), game_started(game_id="g2"))
    read: list[tuple[str, int]] = []
    heard: list[int] = []

    def take(event: GameStarted, entry: Entry) -> None:
        read.append((event.game_id, entry.position))

    walk(ledger, "a test", dict.fromkeys(classes, take), through=3, progress=heard.append)

    assert read == [("g1", 2)]
    assert sum(heard) == 3
