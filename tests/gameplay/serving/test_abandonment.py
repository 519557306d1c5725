"""Closing idle games, by a steady clock that the tests move."""

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Engine

from gameplay.game.games import Game, fold
from gameplay.serving import abandonment
from gameplay.serving.abandonment import Abandonment
from ledger.appends import Append, Receipt
from ledger.errors import LedgerError, StorageError, UnreadableEventError
from ledger.events import GameAbandoned
from ledger.guards import SQLITE as TRIGGERS
from ledger.store import Held, Ledger
from ledger.streams import game_stream
from projections.read_models.all import ReadModels
from tests.builders import game_finished, game_started, round_played
from tests.gameplay.clocks import SetClocks

IDLE_SECONDS = 60


def write_open_game(ledger: Ledger, game_id: str = "g1", rounds: int = 2) -> None:
    played = [round_played(game_id=game_id, round=number) for number in range(1, rounds + 1)]
    ledger.append(game_stream(game_id), [game_started(game_id=game_id), *played], 0)


def stored(ledger: Ledger, game_id: str) -> Game:
    return fold([ledger.decode(entry) for entry in ledger.read_stream(game_stream(game_id))])


def play_on(ledger: Ledger, game_id: str = "g1") -> Callable[[], None]:
    return lambda: (ledger.append(game_stream(game_id), [round_played(game_id=game_id, round=3)], 3), None)[1]


class Beginning:
    """The abandonment of a service that has just started over a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.clocks = SetClocks()
        self.read_models = ReadModels(ledger)
        self.abandonment = Abandonment(
            ledger, self.read_models, idle_seconds=IDLE_SECONDS, steady=self.clocks.clocks.steady
        )
        self.abandonment.mark()

    def after(self, seconds: float, is_ending: Callable[[], bool] = lambda: False) -> int:
        """How many games a run closes so much later."""
        self.clocks.passes(seconds)
        return self.abandonment.run(is_ending)


def test_an_idle_game_is_abandoned_once(ledger: Ledger) -> None:
    write_open_game(ledger)
    service = Beginning(ledger)

    assert [service.after(61), service.after(61)] == [1, 0]
    abandoned = stored(ledger, "g1").abandoned
    assert isinstance(abandoned, GameAbandoned)
    assert (abandoned.rounds, abandoned.idle_seconds) == (2, 61)
    with service.read_models.projector.current():
        assert service.read_models.open_games.state.games == {}


def test_a_game_that_cannot_be_read_keeps_no_other_open(ledger: Ledger) -> None:
    """It was sound when the projections folded it, and the file was damaged since."""
    for game_id in ("g1", "g2", "g3"):
        write_open_game(ledger, game_id)
    service = Beginning(ledger)
    position = damage_newest(ledger, "g2")

    with pytest.raises(UnreadableEventError, match=f"at position {position} "):
        service.after(61)

    with service.read_models.projector.current():
        assert list(service.read_models.open_games.state.games) == ["g2"]


def damage_newest(ledger: Ledger, game_id: str) -> int:
    """Change the newest event of a game as a fault of the disk would; its position."""
    position = ledger.read_stream(game_stream(game_id))[-1].position
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER events_refuse_update")
        connection.exec_driver_sql(f"UPDATE events SET payload = x'7b7d' WHERE position = {position}")
        connection.exec_driver_sql(TRIGGERS["events_refuse_update"])
    return position


def test_a_game_that_is_played_is_left_alone(ledger: Ledger) -> None:
    write_open_game(ledger)
    service = Beginning(ledger)
    assert service.after(40) == 0
    play_on(ledger)()
    service.after(10)

    assert [service.after(30), service.after(29), service.after(2)] == [0, 0, 1]


def test_idle_time_runs_from_the_start_of_the_service(ledger: Ledger) -> None:
    write_open_game(ledger)
    service = Beginning(ledger)

    assert [service.after(59), service.after(1)] == [0, 1]


@pytest.mark.parametrize("years", [-10, 10])
def test_idle_time_does_not_hang_on_the_clock_that_stamps_events(engine: Engine, years: int) -> None:
    """Far ahead for one event, the clock gives all later ones the same stamp."""
    wall = SetClocks()
    ledger = Ledger(engine, clock=lambda: wall.wall_seconds)
    write_open_game(ledger, "before")
    wall.is_set_by(years * 365 * 86_400)
    write_open_game(ledger, "then")
    wall.is_set_by(-years * 365 * 86_400)
    service = Beginning(ledger)
    service.after(30)
    write_open_game(ledger, "later")
    service.after(1)

    assert service.after(30) == 2
    assert stored(ledger, "later").abandoned is None
    assert service.after(60) == 1


def test_a_game_that_ended_after_the_look_is_left_alone(ledger: Ledger) -> None:
    write_open_game(ledger)
    service = Beginning(ledger)

    def ends() -> bool:
        ledger.append(game_stream("g1"), [game_finished(game_id="g1", rounds=2)], 3)
        return False

    assert service.after(61, ends) == 0
    assert stored(ledger, "g1").abandoned is None


class Overtaken(Ledger):
    """A ledger whose first batch comes a moment too late, or not at all."""

    def __init__(self, engine: Engine, action: Callable[[], None]) -> None:
        super().__init__(engine)
        self._action = action

    def append_all(self, appends: Sequence[Append], *, on: Held | None = None) -> list[Receipt | LedgerError]:
        self._action()
        return super().append_all(appends, on=on)


def test_a_player_who_plays_on_at_the_last_moment_plays_on(engine: Engine) -> None:
    player = Ledger(engine)
    write_open_game(player)
    write_open_game(player, "g2")

    assert Beginning(Overtaken(engine, play_on(player))).after(61) == 1
    assert stored(player, "g1").abandoned is None
    assert len(stored(player, "g1").rounds) == 3
    assert stored(player, "g2").abandoned is not None


def test_a_database_that_refuses_is_an_error(engine: Engine) -> None:
    def refuse() -> None:
        raise StorageError("disk full")

    write_open_game(Ledger(engine))

    with pytest.raises(StorageError, match="disk full"):
        Beginning(Overtaken(engine, refuse)).after(61)


def test_games_are_closed_in_batches_with_a_look_at_the_end_between(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abandonment, "BATCH_GAMES", 2)
    for number in range(5):
        write_open_game(ledger, f"g{number}", rounds=0)
    service = Beginning(ledger)
    head = ledger.head().position
    looks = iter([False, True])

    assert service.after(61, lambda: next(looks)) == 2
    assert len({entry.recorded_us for entry in ledger.read(head)}) == 1
    assert service.after(1) == 3
