from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from gameplay.game.features import FEATURE_NAMES, features
from gameplay.game.rounds import LOOK_BACK, past_round
from gameplay.models.errors import TrainingError
from gameplay.training.dataset import read_dataset
from ledger.engines.database import open_engine
from ledger.events import RoundPlayed
from ledger.store import Ledger
from ledger.streams import game_stream
from ledger.upgrade import upgrade
from ledger.vocabulary import MOVES
from tests.builders import game_abandoned
from tests.gameplay.plays import play, started, write_games


def one_game(ledger: Ledger, game_id: str = "one", **changes: Any) -> list[RoundPlayed]:
    """A game of cal's against gus, written; its rounds."""
    start = started(game_id, "cal", "gus", **changes)
    events = play(start, "cal")
    ledger.append(game_stream(game_id), [start, *events], 0)
    return [event for event in events if isinstance(event, RoundPlayed)]


def test_rows_are_what_a_model_would_have_seen_and_targets_what_came(ledger: Ledger) -> None:
    rounds = one_game(ledger)

    dataset = read_dataset(ledger)

    past = [past_round(played) for played in rounds]
    assert dataset.rows.shape == (len(rounds) - LOOK_BACK, len(FEATURE_NAMES))
    assert dataset.rows.dtype == np.float32
    for row, (number, played) in zip(dataset.rows, list(enumerate(rounds))[LOOK_BACK:], strict=True):
        assert (row == features(past[:number], played.points)).all()
    assert [MOVES[target] for target in dataset.targets] == [played.user_move for played in rounds[LOOK_BACK:]]
    assert (dataset.opponents, dataset.policies) == (("cal",), ("gus",))


def test_games_that_are_written_together_are_separated(ledger: Ledger) -> None:
    games = {
        game_id: [start, *play(start, "dan")] for game_id in "ab" for start in [started(game_id, "dan", "ace")]
    }
    for number in range(max(map(len, games.values()))):
        for game_id, events in games.items():
            if number < len(events):
                ledger.append(game_stream(game_id), [events[number]], number)

    dataset = read_dataset(ledger)

    assert dataset.games.tolist() == sorted(dataset.games.tolist())
    for index, events in enumerate(games.values()):
        moves = [event.user_move for event in events if isinstance(event, RoundPlayed)][LOOK_BACK:]
        assert [MOVES[target] for target in dataset.targets[dataset.games == index]] == moves


def test_test_games_and_other_events_are_left_out(ledger: Ledger) -> None:
    one_game(ledger, "test", in_metrics=False)

    assert len(read_dataset(ledger).rows) == 0


def test_people_are_not_distinguished(ledger: Ledger) -> None:
    one_game(ledger, "a", player_kind="human", player_id="an opaque id")
    one_game(ledger, "b", player_kind="script", player_id="another")

    assert read_dataset(ledger).opponents == ("human", "script")


def test_unfinished_and_abandoned_games_count_as_far_as_they_went(ledger: Ledger) -> None:
    start = started("unfinished", "cal", "gus")
    ledger.append(game_stream("unfinished"), [start, *play(start, "cal")[:6]], 0)
    start = started("abandoned", "cal", "gus")
    events = [start, *play(start, "cal")[:5], game_abandoned(game_id="abandoned")]
    ledger.append(game_stream("abandoned"), events, 0)

    assert read_dataset(ledger).games.tolist() == [0, 0, 0, 1, 1]


def test_bots_games_are_thinned_and_peoples_are_not(ledger: Ledger) -> None:
    write_games(ledger, ("cal", "dan"), 7)
    for number in range(4):
        one_game(ledger, f"human-{number}", player_kind="human")

    opponents = read_dataset(ledger, legacy_stride=3).opponents

    assert {who: opponents.count(who) for who in set(opponents)} == {"cal": 3, "dan": 3, "human": 4}


def test_scripts_are_thinned_together_whatever_their_names(ledger: Ledger) -> None:
    for number in range(7):
        one_game(ledger, f"script-{number}", player_kind="script", player_id=f"session-{number}")

    assert read_dataset(ledger, legacy_stride=3).opponents == ("script",) * 3


def test_a_limit_takes_the_first_games(ledger: Ledger) -> None:
    write_games(ledger, ("cal", "dan"), 4)
    everything = read_dataset(ledger)

    few = read_dataset(ledger, limit_games=3)

    assert few.opponents == ("cal", "dan", "cal")
    assert (few.rows == everything.rows[everything.games < 3]).all()


def test_games_that_began_before_the_time_or_position_are_left_out(engine: Engine) -> None:
    now = 1_000.0
    ledger = Ledger(engine, clock=lambda: now)
    one_game(ledger, "early")
    position = ledger.head().position
    now = 2_000.0
    rounds = one_game(ledger, "late")

    since, after = read_dataset(ledger, since_us=2_000_000_000), read_dataset(ledger, after=position)

    assert len(since.rows) == len(after.rows) == len(rounds) - LOOK_BACK
    assert since.source.after_position == after.source.after_position == position
    assert since.source.rows_digest == after.source.rows_digest


def test_the_same_positions_give_the_same_rows_bit_for_bit(ledger: Ledger, tmp_path: Path) -> None:
    write_games(ledger, ("cal", "dan", "edd"), 6)
    first = read_dataset(ledger, legacy_stride=2)
    write_games(ledger, ("cal", "dan", "edd"), 4, opponent="hal")

    again = read_dataset(ledger, through=first.source.through_position, legacy_stride=2)

    assert again.rows.tobytes() == first.rows.tobytes()
    assert again.targets.tobytes() == first.targets.tobytes()
    assert again.source == first.source
    assert read_dataset(ledger, legacy_stride=2).source != first.source

    engine = open_engine(f"sqlite:///{tmp_path / 'copy.db'}")
    upgrade(engine)
    write_games(Ledger(engine), ("cal", "dan", "edd"), 6)
    assert read_dataset(Ledger(engine), legacy_stride=2).source == first.source
    engine.dispose()


def test_progress_hears_of_the_positions(ledger: Ledger) -> None:
    write_games(ledger, ("cal",), 3)
    heard: list[int] = []

    read_dataset(ledger, progress=heard.append)

    assert heard[-1] == ledger.head().position


def test_the_split_is_by_games_in_time(ledger: Ledger) -> None:
    write_games(ledger, ("cal", "dan"), 10)
    dataset = read_dataset(ledger)

    parts = dataset.split()

    bounds = [int((dataset.games < games).sum()) for games in (12, 16, 20)]
    assert [len(part.rows) for part in parts] == [bounds[0], bounds[1] - bounds[0], bounds[2] - bounds[1]]
    assert np.concatenate([part.rows for part in parts]).tobytes() == dataset.rows.tobytes()
    assert parts.holdout.opponents[0] == dataset.opponents[16]


def test_each_game_is_held_out_by_one_fold_and_in_one_part_of_each(ledger: Ledger) -> None:
    write_games(ledger, ("cal", "dan"), 5)
    dataset = read_dataset(ledger)

    folds = list(dataset.folds(3))

    assert sum(len(split.holdout.rows) for split in folds) == len(dataset.rows)
    for split in folds:
        assert sum(len(part.rows) for part in split) == len(dataset.rows)
        held_out = {row.tobytes() for row in split.holdout.rows}
        assert held_out.isdisjoint(row.tobytes() for row in split.training.rows)
        assert set(split.holdout.opponents) == {"cal", "dan"}


def test_too_few_games_cannot_be_folded(ledger: Ledger) -> None:
    write_games(ledger, ("cal",), 2)

    with pytest.raises(TrainingError, match="too few"):
        list(read_dataset(ledger).folds(3))


def test_rows_after_a_position_are_of_rounds_that_came_later(ledger: Ledger) -> None:
    write_games(ledger, ("cal", "dan"), 3)
    dataset = read_dataset(ledger)
    rounds = [entry.position for entry in ledger.read() if entry.type == "game.round_played"]

    assert dataset.rows_after(0) == len(dataset.rows) == len(dataset.positions)
    assert dataset.rows_after(rounds[-1]) == 0
    assert dataset.rows_after(rounds[-2]) == 1
    assert set(dataset.positions) < set(rounds)


@pytest.mark.parametrize("games", [0, 1, 2])
def test_too_few_games_cannot_be_split(ledger: Ledger, games: int) -> None:
    write_games(ledger, ("cal",), games) if games else None

    with pytest.raises(TrainingError, match="too few"):
        read_dataset(ledger).split()
