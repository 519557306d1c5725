import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import cycle
from threading import Event as Signal
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from ledger.engines.database import open_engine
from ledger.entries import Entry, Head
from ledger.errors import StorageError
from ledger.events import Event, GameFinished
from ledger.store import Ledger
from projections.audit.rebuild import STATES
from projections.errors import ProjectionError
from projections.projection import Projection, Tracked, on
from projections.projector import Projector
from projections.read_models import counters, open_games
from projections.read_models.all import ReadModels
from projections.read_models.history import History
from tests.builders import (
    aliases_assigned,
    aliases_planned,
    cycle_decided,
    game_finished,
    game_started,
    prediction_made,
    round_played,
    training_completed,
)
from tests.histories import histories
from tests.patience import PATIENCE_SECONDS
from tests.postgresql import EVERY_ENGINE, SQLITE_ONLY, Server, refusing
from tests.projections.stories import (
    append,
    caught_up,
    execute,
    forget_rows,
    insert_raw,
    restarted,
    scratch_ledger,
    states,
    table_rows,
)

pytestmark = EVERY_ENGINE

PROJECTIONS = STATES
READ_MODELS = (*PROJECTIONS, "promotion_history")
GAME: tuple[Event, ...] = (
    game_started(game_id="g1"),
    prediction_made(game_id="g1"),
    round_played(game_id="g1"),
    game_finished(game_id="g1", winner="bot"),
)
STORY: tuple[Event, ...] = (
    aliases_assigned(),
    *GAME,
    training_completed(),
    cycle_decided(),
    aliases_planned(),
    aliases_assigned(cause="promotion", plan=3, cycle=1, swapped=True),
    game_started(game_id="g2"),
)


stops = st.dictionaries(st.integers(1, 60), st.none() | st.integers(1, 9), max_size=6)
"""After which events everything is folded: at once, or in slices of so many."""
turns = st.lists(st.sets(st.integers(0, 1)), min_size=1, max_size=12)


@settings(max_examples=100)
@given(history=histories(), stops=stops, pages=st.integers(1, 7))
def test_catching_up_in_any_number_of_steps_equals_one_replay(
    history: list[Event], stops: dict[int, int | None], pages: int
) -> None:
    with scratch_ledger(pages) as ledger:
        catch_up_in_steps(ledger, history, stops)


@settings(max_examples=5)
@given(history=histories(), stops=stops, pages=st.integers(1, 7))
def test_catching_up_on_a_server_in_any_number_of_steps_equals_one_replay(
    postgresql: Server, history: list[Event], stops: dict[int, int | None], pages: int
) -> None:
    """The same, for fewer examples: each opens a connection."""
    with scratch_ledger(pages, postgresql) as ledger:
        catch_up_in_steps(ledger, history, stops)


def catch_up_in_slices(read_models: ReadModels, entries_max: int | None) -> None:
    projector = read_models.projector
    if entries_max is None:
        projector.catch_up()
        return
    projector.keep_up(entries_max)
    while True:
        before = projector.position
        has_more = projector.advance(entries_max)
        assert projector.position - before <= entries_max
        if not has_more:
            return


def catch_up_in_steps(ledger: Ledger, history: list[Event], stops: dict[int, int | None]) -> None:
    stepwise = ReadModels(ledger)
    for position, happened in enumerate(history, start=1):
        append(ledger, happened)
        if position in stops:
            catch_up_in_slices(stepwise, stops[position])
            assert stepwise.projector.position == position
    stepwise.projector.catch_up()
    rows = table_rows(ledger.engine)
    forget_rows(ledger.engine)
    replayed = caught_up(ledger)

    assert replayed.projector.position == stepwise.projector.position == len(history)
    assert states(stepwise) == states(replayed)
    assert rows == table_rows(ledger.engine)


@settings(max_examples=40)
@given(history=histories(steps_max=8), pages=st.integers(1, 4))
def test_live_equals_replay_equals_snapshot_and_tail_at_every_position(history: list[Event], pages: int) -> None:
    with scratch_ledger(pages) as ledger:
        fold_at_every_position(ledger, history)


@settings(max_examples=3)
@given(history=histories(steps_max=8), pages=st.integers(1, 4))
def test_live_equals_replay_equals_snapshot_and_tail_on_a_server(
    postgresql: Server, history: list[Event], pages: int
) -> None:
    with scratch_ledger(pages, postgresql) as ledger:
        fold_at_every_position(ledger, history)


def fold_at_every_position(ledger: Ledger, history: list[Event]) -> None:
    live = ReadModels(ledger)
    for happened in history:
        append(ledger, happened)
        live.projector.catch_up()
        live_rows = table_rows(ledger.engine)

        tail = restarted(ledger)
        assert states(tail) == states(live)
        assert tail.projector.head == live.projector.head == ledger.head()
        assert not any(tail.projector.discarded.values())
        assert tail.projector.save(every=1)

        forget_rows(ledger.engine)
        assert states(caught_up(ledger)) == states(live)
        assert table_rows(ledger.engine) == live_rows


@settings(max_examples=60)
@given(history=histories(), turns=turns)
def test_two_projectors_share_a_database(history: list[Event], turns: list[set[int]]) -> None:
    with scratch_ledger(3) as ledger:
        share(ledger, history, turns)


@settings(max_examples=5)
@given(history=histories(), turns=turns)
def test_two_projectors_share_a_database_of_a_server(
    postgresql: Server, history: list[Event], turns: list[set[int]]
) -> None:
    with scratch_ledger(3, postgresql) as ledger:
        share(ledger, history, turns)


def share(ledger: Ledger, history: list[Event], turns: list[set[int]]) -> None:
    both = ReadModels(ledger), ReadModels(ledger)
    for happened, turn in zip(history, cycle(turns)):
        append(ledger, happened)
        for one in turn:
            both[one].projector.catch_up()
    for read_models in both:
        read_models.projector.catch_up()
    rows = table_rows(ledger.engine)
    forget_rows(ledger.engine)

    replayed = caught_up(ledger)
    assert states(both[0]) == states(both[1]) == states(replayed)
    assert rows == table_rows(ledger.engine)


def test_an_empty_ledger_is_caught_up_at_zero(ledger: Ledger) -> None:
    read_models = restarted(ledger)

    with read_models.projector.current() as position:
        assert position == 0
    assert read_models.projector.head == ledger.head()
    assert not read_models.projector.save(every=1)


@pytest.mark.parametrize("events", range(1, 9))
def test_pages_that_end_with_the_ledger_are_no_obstacle(events: int) -> None:
    with scratch_ledger(4) as ledger:
        append(ledger, *(prediction_made() for _ in range(events)))

        assert caught_up(ledger).projector.position == events
        assert restarted(ledger).counters.state.events["game.prediction_made"] == events


SINCE_A_DATE = frozenset({"counters", "player_stats", "bot_win_rates"})


def test_what_counts_for_people_and_scrapers_alone_is_cut_by_a_date(ledger: Ledger) -> None:
    append(ledger, *STORY)
    cut = ReadModels(ledger, since_us=ledger.head().recorded_us + 1)
    cut.projector.start()
    whole = caught_up(ledger)

    assert cut.counters.encode() == ReadModels(ledger).counters.encode()
    assert {name for name in PROJECTIONS if states(cut)[name] != states(whole)[name]} == SINCE_A_DATE
    assert len(table_rows(ledger.engine)) == 1


def saved(ledger: Ledger) -> dict[str, bytes]:
    """Snapshots of the story so far, then one more game; the states after it."""
    append(ledger, *STORY)
    assert restarted(ledger).projector.save(every=1)
    append(ledger, round_played(game_id="g2"), game_finished(game_id="g2"), cycle_decided(cycle=2))
    return states(caught_up(ledger))


def test_snapshots_are_taken_when_enough_was_folded(ledger: Ledger) -> None:
    append(ledger, *GAME)
    read_models = restarted(ledger)

    assert not read_models.projector.save(every=len(GAME) + 1)
    assert read_models.projector.save(every=len(GAME))
    assert not read_models.projector.save(every=1)
    append(ledger, game_started(game_id="g2"))
    read_models.projector.catch_up()
    assert read_models.projector.save(every=1)


def test_a_restart_folds_only_what_came_after_the_snapshots(ledger: Ledger) -> None:
    expected = saved(ledger)
    # A state that no replay would make: it can only come from the snapshot.
    foreign = with_digest(b"\x80")
    execute(ledger.engine, "UPDATE projection_snapshots SET state = :state WHERE name = 'counters'", state=foreign)

    read_models = restarted(ledger)

    assert not any(read_models.projector.discarded.values())
    assert sum(read_models.counters.state.events.values()) == 3
    assert states(caught_up(ledger)) == expected


FIELDS = b"".join(
    bytes([0xA0 + len(name)]) + name + b"\x81\xa1\xff\x01"
    for name in (b"events", b"windows", b"families", b"games", b"players", b"outcomes")
)


def with_digest(state: bytes) -> bytes:
    return sha256(state).digest() + state


DAMAGES: dict[str, tuple[str, object]] = {
    "another version": ("version = version + :value", 1),
    "other settings": ("settings = settings || :value", ", other"),
    "a position beyond the head": ("position = :value", 1_000),
    "another position": ("position = position - :value", 1),
    "no position": ("position = :value", 0),
    "a negative position": ("position = :value", -5),
    "another chain hash": ("chain_hash = :value", bytes(32)),
    "no state": ("state = :value", b""),
    "a cut-off state": ("state = substr(state, 1, length(state) - :value)", 1),
    "a state that decodes but is not what was saved": ("state = :value", bytes(32) + b"\x80"),
    "a state that is no msgpack": ("state = :value", with_digest(b"\xc1")),
    "a state of another shape": ("state = :value", with_digest(b"\x93\x01\x02\x03")),
    "a state with invalid text": ("state = :value", with_digest(b"\x86" + FIELDS)),
    "a state nested without end": ("state = :value", with_digest(b"\x81\xa1x" + b"\x91" * 100_000)),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_snapshots_that_do_not_fit_are_discarded_and_counted(ledger: Ledger, what: str) -> None:
    expected = saved(ledger)
    damage(ledger, what, PROJECTIONS)

    assert_discarded(ledger, PROJECTIONS, expected)


@SQLITE_ONLY
@pytest.mark.parametrize("what", DAMAGES)
def test_a_snapshot_that_does_not_fit_is_discarded_and_the_others_are_not(ledger: Ledger, what: str) -> None:
    expected = saved(ledger)
    execute(ledger.engine, "CREATE TABLE whole AS SELECT * FROM projection_snapshots")
    for name in PROJECTIONS:
        damage(ledger, what, [name])

        assert_discarded(ledger, [name], expected)
        execute(ledger.engine, "REPLACE INTO projection_snapshots SELECT * FROM whole")


def damage(ledger: Ledger, what: str, names: Sequence[str]) -> None:
    change, value = DAMAGES[what]
    update = f"UPDATE projection_snapshots SET {change} WHERE name = :name"
    for name in names:
        execute(ledger.engine, update, value=value, name=name)


def assert_discarded(ledger: Ledger, names: Sequence[str], expected: dict[str, bytes]) -> None:
    read_models = restarted(ledger)
    assert read_models.projector.discarded == {name: int(name in names) for name in READ_MODELS}
    assert states(read_models) == expected
    assert read_models.projector.position == ledger.head().position


def test_a_snapshot_under_another_date_is_discarded(ledger: Ledger) -> None:
    saved(ledger)
    read_models = ReadModels(ledger, since_us=1)

    read_models.projector.start()

    assert read_models.projector.discarded == {name: int(name in SINCE_A_DATE) for name in READ_MODELS}
    assert read_models.counters.projection.settings == counters.projection(1).settings
    assert sum(read_models.counters.state.events.values()) == ledger.head().position


def test_a_missing_snapshot_is_replayed_and_not_counted(ledger: Ledger) -> None:
    expected = saved(ledger)
    execute(ledger.engine, "DELETE FROM projection_snapshots WHERE name = 'standings'")

    read_models = restarted(ledger)

    assert not any(read_models.projector.discarded.values())
    assert states(read_models) == expected


def test_snapshots_of_a_ledger_that_was_replaced_are_discarded(engine: Engine, ledger: Ledger) -> None:
    saved(ledger)
    if engine.dialect.name == "sqlite":
        execute(engine, "DROP TRIGGER events_refuse_delete")
    else:
        execute(engine, "UPDATE ledger_head SET position = 0")
    execute(engine, "DELETE FROM events")
    append(ledger, aliases_assigned(model_type="xgboost"), *STORY[5:], *GAME, *GAME[1:2])

    read_models = restarted(ledger)

    assert set(read_models.projector.discarded.values()) == {1}
    assert states(read_models) == states(caught_up(ledger))
    assert [row["id"] for row in table_rows(engine)] == [3]


POISONS: dict[str, tuple[str, bytes, int]] = {
    "game.finished": ("game.finished", b'{"type":"game.finished","winner":', 1),
    "promotion.cycle_decided": ("promotion.cycle_decided", b"{}", 1),
    "game.prediction_made": ("game.prediction_made", b"\xff\xfe", 1),
    "game.started": ("game.started", b"{}", 99),
    "game.resumed": ("game.resumed", b"{}", 1),
    "serving.models_reloaded": ("serving.models_reloaded", b"[" * 100_000, 1),
}


def fails(act: Callable[[], object], position: int) -> ProjectionError:
    with pytest.raises(ProjectionError, match=f"stopped at position {position} ") as raised:
        act()
    assert raised.value.position == position
    return raised.value


def assert_stopped(read_models: ReadModels, ledger: Ledger, position: int) -> None:
    """Every way to a state says where it went wrong, now, later and after a restart, and nothing is saved."""
    stopped = read_models.projector

    def look() -> None:
        with stopped.current():
            raise AssertionError("half a fold was shown")

    fails(stopped.catch_up, position)
    fails(look, position)
    assert stopped.failure is not None
    assert stopped.failure.position == position
    append(ledger, game_started(game_id="later"), cycle_decided(cycle=50, model_type="xgboost"))
    fails(stopped.catch_up, position)
    fails(look, position)
    assert not stopped.save(every=1)
    assert table_count(ledger.engine, "projection_snapshots") == 0
    fails(ReadModels(ledger).projector.start, position)
    fails(ReadModels(ledger).projector.catch_up, position)


def table_count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


@pytest.mark.parametrize("kind", POISONS)
def test_an_event_that_cannot_be_read_stops_everything(ledger: Ledger, kind: str) -> None:
    read_models = ReadModels(ledger)
    append(ledger, *STORY)
    event_type, payload, schema_version = POISONS[kind]
    position = insert_raw(ledger, event_type, payload, schema_version=schema_version)
    append(ledger, cycle_decided(model_type="xgboost"))

    failure = fails(read_models.projector.catch_up, position)

    assert failure.event_type == event_type
    assert_stopped(read_models, ledger, position)


@pytest.mark.parametrize(
    "unfoldable",
    [
        round_played(game_id="never"),
        game_finished(game_id="g1"),
        round_played(game_id="g2", policy="brian", model_type="xgboost"),
        aliases_planned(cycle=7, model_type="xgboost"),
        aliases_assigned(cycle=7, plan=6, model_type="xgboost"),
    ],
    ids=["round", "finish", "labels", "plan", "assignment"],
)
def test_an_event_that_cannot_be_folded_stops_everything(ledger: Ledger, unfoldable: Event) -> None:
    read_models = ReadModels(ledger)
    append(ledger, *STORY)
    position = append(ledger, unfoldable).last_position
    append(ledger, cycle_decided(model_type="multinomial_logistic"))

    failure = fails(read_models.projector.catch_up, position)

    assert failure.problem
    assert_stopped(read_models, ledger, position)


def test_a_cycle_that_was_decided_twice_stops_everything_when_it_is_settled(ledger: Ledger) -> None:
    read_models = ReadModels(ledger)
    append(ledger, cycle_decided(cycle=1), cycle_decided(cycle=1))
    read_models.projector.catch_up()
    position = append(ledger, aliases_planned(cycle=1)).last_position

    fails(read_models.projector.catch_up, position)
    assert_stopped(read_models, ledger, position)


def test_a_poison_event_after_the_snapshots_stops_a_restart(ledger: Ledger) -> None:
    append(ledger, *STORY)
    assert restarted(ledger).projector.save(every=1)
    position = insert_raw(ledger, "game.finished", b"{}")

    read_models = ReadModels(ledger)
    fails(read_models.projector.start, position)
    fails(read_models.projector.start, position)


def test_a_failure_that_is_raised_again_collects_no_tracebacks(ledger: Ledger) -> None:
    read_models = ReadModels(ledger)
    position = insert_raw(ledger, "game.finished", b"{}")
    tracebacks = [traceback.format_exception(fails(read_models.projector.catch_up, position)) for _ in range(20)]

    assert len(tracebacks[-1]) == len(tracebacks[1])


@pytest.mark.parametrize("table", ["promotion_history", "projection_checkpoints"])
def test_states_stay_when_the_database_refuses_the_historys_rows(ledger: Ledger, table: str) -> None:
    append(ledger, *GAME)
    read_models = caught_up(ledger)
    before = states(read_models)
    append(ledger, *STORY[5:], cycle_decided(model_type="xgboost"))

    with refusing(ledger.engine, table):
        for _ in range(2):
            with pytest.raises(StorageError, match="disk is full"):
                read_models.projector.catch_up()
            assert states(read_models) == before
            assert read_models.projector.position == len(GAME)
            assert read_models.projector.failure is None
            assert table_rows(ledger.engine) == []

    assert read_models.projector.catch_up() == ledger.head().position
    assert states(read_models) == states(caught_up(ledger))
    assert len(table_rows(ledger.engine)) == 2


class SlowTable:
    """A table whose database is locked by another process as soon as snapshots are taken."""

    name = "slow"
    types: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.reached, self.release = Signal(), Signal()

    def restore(self) -> str | None:
        return None

    def position(self) -> int:
        return 0

    def fold(self, batch: Sequence[tuple[Entry, Event]], through: Head) -> bool:  # noqa: ARG002
        assert not batch
        self.reached.set()
        return self.release.wait(PATIENCE_SECONDS)


def test_a_look_at_the_states_does_not_wait_for_snapshots_to_be_written(ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started(game_id="g1")], 0)
    tracked, table = Tracked(open_games.projection()), SlowTable()
    projector = Projector(ledger, [tracked], table)
    projector.start()
    saving = Thread(target=projector.save, kwargs={"every": 1})
    saving.start()
    assert table.reached.wait(PATIENCE_SECONDS)

    ledger.append("game-g2", [game_started(game_id="g2")], 0)
    with projector.current() as position:
        assert (position, set(tracked.state.games)) == (2, {"g1", "g2"})

    table.release.set()
    saving.join()
    again = Projector(ledger, [restored := Tracked(open_games.projection())], table)
    again.start()
    assert set(restored.state.games) == {"g1", "g2"}


def test_states_at_rest_are_those_of_the_last_fold_and_none_during_one(ledger: Ledger) -> None:
    tracked, table = Tracked(open_games.projection()), SlowTable()
    projector = Projector(ledger, [tracked], table)
    held, release = Signal(), Signal()

    def hold() -> None:
        with projector.current():
            held.set()
            assert release.wait(PATIENCE_SECONDS)

    ledger.append("game-g1", [game_started(game_id="g1")], 0)
    other = Thread(target=hold)
    other.start()
    assert held.wait(PATIENCE_SECONDS)
    with projector.at_rest() as is_held:
        assert not is_held

    release.set()
    other.join()
    ledger.append("game-g2", [game_started(game_id="g2")], 0)
    with projector.at_rest() as is_held:
        assert (is_held, set(tracked.state.games)) == (True, {"g1"})


GAMES: tuple[Event, ...] = (*GAME, game_started(game_id="g2"), round_played(game_id="g2"))


def test_what_this_process_has_appended_is_folded_without_the_database(ledger: Ledger) -> None:
    read_models = restarted(ledger)
    append(ledger, *GAMES)
    statements: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    read_models.projector.keep_up()

    assert not statements
    assert read_models.projector.head == ledger.head()
    assert states(read_models) == states(caught_up(ledger))


def test_what_others_have_appended_and_what_a_table_takes_is_left_to_a_catch_up(ledger: Ledger) -> None:
    read_models, other = restarted(ledger), Ledger(ledger.engine)
    append(ledger, game_started(game_id="g1"))
    append(other, game_started(game_id="g2"))
    append(ledger, game_started(game_id="g3"), cycle_decided(), game_started(game_id="g4"))

    read_models.projector.keep_up()
    assert read_models.projector.position == 0, "what follows is known from the third on"
    read_models.projector.advance(2)
    read_models.projector.keep_up()
    assert read_models.projector.position == 3, "up to the decision, for which there is a table"
    read_models.projector.catch_up()
    append(ledger, game_started(game_id="g5"))
    read_models.projector.keep_up()

    assert read_models.projector.position == ledger.head().position
    assert states(read_models) == states(caught_up(ledger))


def test_keeping_up_folds_no_more_than_it_may(ledger: Ledger) -> None:
    read_models = restarted(ledger)
    append(ledger, *GAMES)

    read_models.projector.keep_up(4)

    assert read_models.projector.position == 4


def test_keeping_up_waits_for_no_other_fold(ledger: Ledger) -> None:
    read_models = restarted(ledger)
    append(ledger, *GAMES)
    with ThreadPoolExecutor(1) as other, read_models.projector.current():
        append(ledger, game_started(game_id="g3"))

        other.submit(read_models.projector.keep_up).result(PATIENCE_SECONDS)

        assert read_models.projector.position == len(GAMES)


def test_an_event_that_stops_keeping_up_is_said_once_and_raised_by_every_look(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    tracked = Tracked(Projection("picky", 1, set[str], (on(GameFinished, refuse),)))
    projector = Projector(ledger, [tracked], None)
    projector.start()
    append(ledger, *GAMES)

    projector.keep_up()
    projector.keep_up()

    assert projector.position == 0
    assert caplog.text.count("the projections have stopped") == 1
    for look in (projector.check, projector.catch_up):
        with pytest.raises(ProjectionError, match="picky cannot take it in: ValueError: no"):
            look()


def refuse(_state: set[str], _event: GameFinished, _entry: Entry) -> None:
    raise ValueError("no")


def test_a_process_that_only_keeps_up_lays_waypoints_all_the_same(ledger: Ledger) -> None:
    read_models = ReadModels(ledger, waypoint_entries=3)
    read_models.projector.start()
    append(ledger, *GAMES)

    read_models.projector.keep_up()
    assert not read_models.projector.advance()
    read_models.projector.save()

    assert table_count(ledger.engine, "projection_waypoints") == len(PROJECTIONS)


def test_snapshots_stay_as_they_were_when_the_database_refuses_new_ones(ledger: Ledger) -> None:
    expected = saved(ledger)
    with refusing(ledger.engine, "projection_snapshots", "NEW.name = 'standings'"):
        read_models = restarted(ledger)

        with pytest.raises(StorageError, match="disk is full"):
            read_models.projector.save(every=1)
        assert table_count(ledger.engine, "projection_snapshots") == len(PROJECTIONS)
        assert states(restarted(ledger)) == expected
    assert read_models.projector.save(every=1)


def test_a_start_that_the_database_refused_can_be_made_again(ledger: Ledger) -> None:
    """The snapshots are restored by then, so a catch-up must not fold the same events on top of them."""
    expected = saved(ledger)
    forget_rows(ledger.engine)
    catching_up, starting = ReadModels(ledger), ReadModels(ledger)
    with refusing(ledger.engine, "promotion_history"):
        for read_models in (catching_up, starting):
            with pytest.raises(StorageError, match="disk is full"):
                read_models.projector.start()

    catching_up.projector.catch_up()
    starting.projector.start()

    assert states(catching_up) == states(starting) == expected
    assert len(table_rows(ledger.engine)) == 2


def test_a_second_start_changes_nothing(ledger: Ledger) -> None:
    expected = saved(ledger)
    read_models = restarted(ledger)

    read_models.projector.start()

    assert states(read_models) == expected


def test_rows_that_another_process_is_folding_again_are_not_dropped(engine: Engine, ledger: Ledger) -> None:
    """Both have found the rows untrustworthy; the slower one gets the lock when the faster one is done."""
    append(ledger, *STORY)
    caught_up(ledger)
    execute(engine, "UPDATE projection_checkpoints SET chain_hash = zeroblob(32)")
    slower = open_engine(engine.url.render_as_string(hide_password=False))
    faster: list[ReadModels] = []

    def overtaken(_connection: object, options: dict[str, object]) -> None:
        """The slower one is about to ask for the write lock."""
        if options.get("write") and not faster:
            faster.append(restarted(ledger))

    event.listen(slower, "set_connection_execution_options", overtaken)

    history = History(Ledger(slower))
    assert history.restore() is None
    assert history.position() == faster[0].history.position() == len(STORY)
    assert len(table_rows(engine)) == 1
    slower.dispose()


def test_no_reader_sees_half_a_fold_while_appends_go_on(engine: Engine) -> None:
    ledger = Ledger(engine)
    append(ledger, aliases_assigned())
    read_models = restarted(ledger)
    done = Signal()

    def play() -> None:
        try:
            for number in range(40):
                game_id = f"g{number}"
                batch: list[Event] = [game_started(game_id=game_id), prediction_made(game_id=game_id)]
                batch += [round_played(game_id=game_id), game_finished(game_id=game_id, winner="bot")]
                ledger.append(f"game-{game_id}", batch, 0)
        finally:
            done.set()

    def look() -> int:
        looks, last = 0, 0
        while not done.is_set() or looks == 0:
            with read_models.projector.current() as position:
                state = read_models.counters.state
                assert position >= last
                assert sum(state.events.values()) == position
                assert state.correct == state.predictions
                assert sum(state.game_wins.values()) == sum(state.games.values())
                window = read_models.tickers.state.windows["feedforward_nn"]
                assert window.scores["Production"].games == state.games["brian", "standard"]
                promotion = read_models.standings.state.families["feedforward_nn"]
                assert promotion.record(1).predictions == state.predictions["feedforward_nn", "Production"]
                assert read_models.open_games.state.active() == 0
                assert {one.position for one in read_models.tracked} == {position}
                looks, last = looks + 1, position
        return looks

    with ThreadPoolExecutor(4) as pool:
        lookers = [pool.submit(look) for _ in range(3)]
        pool.submit(play).result()
        assert all(looker.result() > 0 for looker in lookers)
    assert read_models.projector.catch_up() == ledger.head().position == 161
