import pytest

from gameplay.game.players import Player
from gameplay.refusals import TooMany, Unavailable
from gameplay.serving import room
from gameplay.serving.room import FoldedRoom, OwnRoom
from ledger.store import Ledger
from ledger.streams import game_stream
from projections.read_models.all import ReadModels
from tests.builders import game_abandoned, game_finished, game_started

ADA, BOB = Player("human", "ada"), Player("human", "bob")
IDLE_SECONDS = 100.0


class Steady:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def own(ledger: Ledger, steady: Steady) -> OwnRoom:
    return OwnRoom(ledger, games_max=3, idle_seconds=IDLE_SECONDS, steady=steady)


def begin(own: OwnRoom, ledger: Ledger, player: Player, *game_ids: str) -> None:
    for game_id in game_ids:
        own.require(player)
        started = game_started(game_id=game_id, player_id=player.player_id)
        own.began(game_id, player, ledger.append(game_stream(game_id), [started], 0).last_position)


def test_so_many_games_begin_here_and_no_more(own: OwnRoom, ledger: Ledger) -> None:
    begin(own, ledger, ADA, "g1", "g2")
    assert own.has_place(BOB)
    begin(own, ledger, ADA, "g3")
    assert not own.has_place(BOB)
    with pytest.raises(Unavailable, match="RPS_OPEN_GAMES_MAX"):
        own.require(BOB)
    own.ended("g2")
    own.ended("g2")
    own.ended("begun elsewhere")
    begin(own, ledger, BOB, "g4")
    with pytest.raises(Unavailable):
        own.require(BOB)


def test_a_game_that_ended_in_another_process_makes_room(own: OwnRoom, ledger: Ledger) -> None:
    begin(own, ledger, ADA, "g1", "g2", "g3")
    ledger.append(game_stream("g1"), [game_finished(game_id="g1")], 1)
    ledger.append(game_stream("g3"), [game_abandoned(game_id="g3")], 1)
    begin(own, ledger, BOB, "g4", "g5")
    with pytest.raises(Unavailable):
        own.require(BOB)


def test_a_game_that_is_idle_makes_room(own: OwnRoom, ledger: Ledger, steady: Steady) -> None:
    begin(own, ledger, ADA, "g1")
    steady.now = IDLE_SECONDS / 2
    begin(own, ledger, ADA, "g2", "g3")
    steady.now = IDLE_SECONDS
    begin(own, ledger, BOB, "g4")
    with pytest.raises(Unavailable):
        own.require(BOB)


def test_a_player_has_so_many_games_of_those_that_have_not_ended(
    own: OwnRoom, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "OPEN_GAMES_A_PLAYER_MAX", 2)
    begin(own, ledger, ADA, "g1", "g2")
    assert (own.has_place(ADA), own.has_place(BOB)) == (False, True)
    with pytest.raises(TooMany, match="2 open games"):
        own.require(ADA)
    own.require(BOB)
    ledger.append(game_stream("g2"), [game_finished(game_id="g2")], 1)
    begin(own, ledger, ADA, "g3")


def test_a_room_that_folds_counts_what_began_here_before_the_fold_comes_to_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "OPEN_GAMES_A_PLAYER_MAX", 2)
    read_models = ReadModels(ledger)
    folded = FoldedRoom(read_models, games_max=3)
    for game_id in ("g1", "g2"):
        started = game_started(game_id=game_id, player_id=ADA.player_id)
        folded.began(game_id, ADA, ledger.append(game_stream(game_id), [started], 0).last_position)
    assert (folded.has_place(ADA), folded.has_place(BOB)) == (False, True)
    read_models.projector.catch_up()
    assert (folded.has_place(ADA), folded.has_place(BOB)) == (False, True)
    ledger.append(game_stream("g1"), [game_finished(game_id="g1")], 1)
    read_models.projector.catch_up()
    assert folded.has_place(ADA)
