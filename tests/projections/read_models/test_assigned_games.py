from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entries import Entry
from ledger.events import AliasesAssigned, Event
from ledger.evidence import Tally
from projections.projection import Tracked, readers
from projections.read_models import assigned_games
from projections.read_models.assigned_games import AssignedGames, Settled
from tests.builders import aliases_assigned, game_abandoned, game_finished, game_started, rule, rule_set

FAMILY = "feedforward_nn"
SETTLE_SECONDS = 100
SECOND_US = 1_000_000
RULE_SET = rule_set(rule=rule(name="anytime-sign/1", settle_seconds=SETTLE_SECONDS))
SWAP: AliasesAssigned = aliases_assigned(swapped=True)


def window(*recorded: tuple[float, Event]) -> AssignedGames | None:
    """The family's window after events at these seconds."""
    tracked = Tracked(assigned_games.projection())
    taking = readers([tracked])
    for position, (seconds, event) in enumerate(recorded, start=1):
        event_type = event.__struct_config__.tag
        assert isinstance(event_type, str)
        recorded_us = int(seconds * SECOND_US)
        for reader in taking.get(event_type, ()):
            reader.take(event, Entry(position, "", "", 1, event_type, 1, recorded_us, b"", b""))
    # As a snapshot would bring it back.
    tracked.restore(tracked.encode(), len(recorded))
    return tracked.state.windows.get(FAMILY)


def settled(seconds: float, *recorded: tuple[float, Event]) -> Settled:
    found = window((0, RULE_SET), *recorded)
    assert found is not None
    return found.settled(int(seconds * SECOND_US))


def started(game_id: str = "g", **changes: object) -> Event:
    return game_started(game_id=game_id, alias="B", model_version=2, **changes)


def finished(game_id: str = "g", winner: str = "bot", **changes: object) -> Event:
    return game_finished(game_id=game_id, alias="B", model_version=2, winner=winner, **changes)


def tally(wins: int, games: int) -> Tally:
    return Tally(games=games, wins=wins)


def test_a_family_whose_rule_counts_finished_games_has_no_window() -> None:
    assert window((0, started()), (1, finished())) is None
    assert window((0, RULE_SET), (1, rule_set(rule=rule()))) is None
    assert window((0, rule_set(model_type="xgboost"))) is None


@pytest.mark.parametrize(("looked", "games"), [(109.9, 0), (110, 1), (5_000, 1)])
def test_a_game_counts_once_it_was_assigned_long_enough_ago(looked: float, games: int) -> None:
    found = settled(looked, (10, started()), (20, finished()))

    assert found.aliases.get("B", tally(0, 0)) == tally(games, games)
    assert found.versions.get(2, tally(0, 0)) == tally(games, games)


@pytest.mark.parametrize(("ended", "wins"), [(109.9, 1), (110, 0), (900, 0)])
def test_a_game_that_ends_too_late_is_one_that_the_bot_did_not_win(ended: float, wins: int) -> None:
    assert settled(1_000, (10, started()), (ended, finished())).aliases == {"B": tally(wins, 1)}


@pytest.mark.parametrize("left", [(), ((20, game_abandoned(game_id="g")),)])
def test_a_game_without_an_end_is_one_that_the_bot_did_not_win(left: tuple[tuple[float, Event], ...]) -> None:
    assert settled(110, (10, started()), *left).aliases == {"B": tally(0, 1)}


@pytest.mark.parametrize("winner", ["user", "tie"])
def test_a_tied_game_and_a_lost_one_are_not_won(winner: str) -> None:
    assert settled(110, (10, started()), (20, finished(winner=winner))).aliases == {"B": tally(0, 1)}


@pytest.mark.parametrize(
    "recorded",
    [
        [(10, started(in_metrics=False)), (20, finished(in_metrics=False))],
        [(10, started()), (20, finished(fallback_affected=True))],
        [(10, started(swap_count=1)), (20, finished(swap_count=1))],
        [(10, started(model_type="xgboost")), (20, finished(model_type="xgboost"))],
        [(20, finished())],
    ],
)
def test_what_is_no_evidence_is_left_out(recorded: list[tuple[float, Event]]) -> None:
    assert settled(1_000, *recorded) == Settled({}, {})


@pytest.mark.parametrize("beginning", [RULE_SET, SWAP])
def test_a_window_begins_with_the_rule_or_the_last_swap(beginning: Event) -> None:
    found = window((0, RULE_SET), (10, started()), (20, finished()), (300, beginning), (310, finished("late")))

    assert found is not None
    assert found.since_position == 4
    assert found.settled(10_000 * SECOND_US) == Settled({}, {})


def test_a_reorder_leaves_the_window_alone() -> None:
    assert settled(200, (10, started()), (20, finished()), (30, aliases_assigned())).aliases == {"B": tally(1, 1)}


def test_a_version_keeps_its_own_games() -> None:
    later = game_started(game_id="h", alias="B", model_version=3)
    recorded = [(10, started()), (20, finished()), (30, aliases_assigned()), (40, later)]

    found = settled(200, *recorded)

    assert found.aliases == {"B": tally(1, 2)}
    assert found.versions == {2: tally(1, 1), 3: tally(0, 1)}


class Game(NamedTuple):
    start: int
    lasts: int | None
    won: bool


@given(
    games=st.lists(st.builds(Game, st.integers(0, 500), st.none() | st.integers(0, 300), st.booleans())),
    looked=st.integers(500, 1_000),
)
def test_what_is_settled_is_counted_whenever_it_is_looked_at(games: list[Game], looked: int) -> None:
    recorded: list[tuple[float, Event]] = []
    for number, game in enumerate(games):
        recorded.append((game.start, started(f"g{number}")))
        if game.lasts is not None and game.start + game.lasts <= looked:
            recorded.append((game.start + game.lasts, finished(f"g{number}", "bot" if game.won else "user")))
    recorded.sort(key=lambda one: one[0])  # stable: a game that lasts no time starts first

    due = [game for game in games if game.start <= looked - SETTLE_SECONDS]
    won = [game for game in due if game.won and game.lasts is not None and game.lasts < SETTLE_SECONDS]
    assert settled(looked, *recorded).aliases == ({"B": tally(len(won), len(due))} if due else {})


PAIR_SET = rule_set(rule=rule(name="anytime-sign/1", settle_seconds=SETTLE_SECONDS, evidence="version_pair"))


def test_games_of_a_pair_count_from_the_swap_that_made_it_and_only_as_it_numbers_them() -> None:
    for setting in (RULE_SET, PAIR_SET):
        recorded: list[tuple[float, Event]] = [
            (0, setting),
            (1, aliases_assigned(swapped=True)),
            (2, aliases_assigned(swapped=True)),
        ]
        for number, swap_count in enumerate((0, 1, 2, 3)):
            recorded.append((10, started(f"g{number}", swap_count=swap_count)))

        found = window(*recorded)

        assert found is not None
        assert found.settled(200 * SECOND_US).aliases == {"B": tally(0, 1)}
