"""Three ratios that no change may triple: `python -m bench.regression`, which the tests run.

    python -m bench.regression [NAME ...]

In CPU time of this process, so that a neighbour on the machine does not count; of the best of several short runs,
so that what it does to caches does not either; and tried again before it is called a slip. A limit is about 2.5
times what was measured when it was set: chance does not come near it, and a threefold slip is over it.
"""

import asyncio
import itertools
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.append import insert
from bench.ledgers import append_games, bootstrap, empty_ledger, play_game, predictions
from bench.passes import count_events
from gameplay.game.games import Prediction
from gameplay.game.players import Player
from gameplay.serving.play import Play, Row, Split
from gameplay.serving.room import FoldedRoom
from ledger.events import Assignment, Event
from ledger.store import Ledger
from ledger.vocabulary import MOVES, POLICIES, Family
from ledger.writer import Writer
from projections.audit.replay import Replay
from projections.read_models.all import ReadModels

GAMES = 60
"""About 3,000 events."""
GAMES_A_COMMIT = 2
ROWS_A_COMMIT = 100
PLAYERS = 8
ROUNDS_A_PLAYER = 40
ROUNDS_OF_ROWS = 5
BEST_OF = 4
ATTEMPTS_MAX = 6

Measure = Callable[[], float]


class Sides(NamedTuple):
    """CPU seconds of ours, and of what it is compared with."""

    ours: Measure
    bare: Measure


class Check(NamedTuple):
    """A ratio of two sides, and what it may not exceed."""

    sides: Callable[[Path], Sides]
    limit: float


def append(folder: Path) -> Sides:
    """Games appended by the public API, against bare inserts of the same rows."""
    games, numbers = _games(), itertools.count()
    written = empty_ledger(folder / "append.db")
    append_games(written, games)
    rows = _rows(written)

    def ours() -> float:
        return _with_ledger(folder / f"append-{next(numbers)}.db", lambda ledger: _append(ledger, games))

    return Sides(ours, partial(_inserted, folder, "append", numbers, rows))


def replay(folder: Path) -> Sides:
    """Every projection, against a bare loop that decodes and counts."""
    path = folder / "replay.db"
    ledger = empty_ledger(path)
    bootstrap(ledger)
    append_games(ledger, _games())
    head = ledger.head().position
    ledger.engine.dispose()

    def ours() -> float:
        def fold(ledger: Ledger) -> None:
            replay = Replay(ledger)
            replay.advance(head)
            assert sum(replay.read_models.counters.state.events.values()) == head

        return _with_ledger(path, fold)

    def bare() -> float:
        with closing(sqlite3.connect(path)) as connection:
            return _cpu(lambda: count_events(connection))

    return Sides(ours, bare)


def move(folder: Path) -> Sides:
    """Rounds of eight players in process, without a model, against bare inserts of as many rounds' rows."""
    games, numbers = _games(), itertools.count()
    written = empty_ledger(folder / "move.db")
    append_games(written, games)
    rows = _rows(written)[: PLAYERS * ROUNDS_A_PLAYER * ROUNDS_OF_ROWS]

    def ours() -> float:
        def play(ledger: Ledger) -> None:
            bootstrap(ledger)
            asyncio.run(_play(ledger))

        return _with_ledger(folder / f"move-{next(numbers)}.db", play)

    return Sides(ours, partial(_inserted, folder, "move", numbers, rows))


CHECKS: Mapping[str, Check] = {
    "append": Check(append, 4.5),
    "replay": Check(replay, 7.5),
    "move": Check(move, 14.0),
}


def slip(check: Check, folder: Path) -> float | None:
    """The lowest ratio of all attempts where each is above the limit; None where one is not, as it should be."""
    sides = check.sides(folder)
    ratios: list[float] = []
    for _ in range(ATTEMPTS_MAX):
        pairs = [(sides.ours(), sides.bare()) for _ in range(BEST_OF)]
        ours, bare = map(min, zip(*pairs, strict=True))
        ratios.append(ours / bare)
        sys.stdout.write(f"{ratios[-1]:.2f} of {check.limit}\n")
        if ratios[-1] <= check.limit:
            return None
    return min(ratios)


class _Guesses:
    """A predictor that costs nothing to speak of: the models are not what is measured."""

    def __init__(self) -> None:
        self._predictions = predictions(random.Random(1), Assignment(Production=1, B=2, shadow1=3, shadow2=4))

    def predict(self, family: Family, assignment: Assignment | None, row: Row) -> tuple[Prediction, ...]:  # noqa: ARG002
        return self._predictions


async def _play(ledger: Ledger) -> None:
    read_models = ReadModels(ledger)
    async with Writer(ledger) as writer:
        room = FoldedRoom(read_models)
        play = Play(ledger, writer, read_models.families, room, _Guesses(), split=Split(), rng=random.Random(1))

        async def rounds(number: int) -> None:
            game = None
            for round_no in range(ROUNDS_A_PLAYER):
                if game is None or game.finished:
                    player = Player("human", f"player-{number}")
                    game = await play.start(POLICIES[number % len(POLICIES)], player, in_metrics=True)
                game, _ = await play.play(game.started.game_id, MOVES[round_no % len(MOVES)], None)

        await asyncio.gather(*map(rounds, range(PLAYERS)))


def _append(ledger: Ledger, games: Sequence[Sequence[Event]]) -> None:
    for start in range(0, len(games), GAMES_A_COMMIT):
        append_games(ledger, games[start : start + GAMES_A_COMMIT])


def _games() -> list[list[Event]]:
    rng = random.Random(1)
    return [play_game(rng, POLICIES[number % len(POLICIES)]) for number in range(GAMES)]


def _rows(ledger: Ledger) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [tuple(entry) for page in ledger.pages() for entry in page]
    ledger.engine.dispose()
    return rows


def _with_ledger(path: Path, action: Callable[[Ledger], None]) -> float:
    ledger = empty_ledger(path)
    try:
        return _cpu(lambda: action(ledger))
    finally:
        ledger.engine.dispose()


def _inserted(
    folder: Path, name: str, numbers: "itertools.count[int]", rows: Sequence[tuple[object, ...]]
) -> float:
    engine = empty_ledger(folder / f"{name}-{next(numbers)}.db").engine
    try:
        with engine.connect() as prepared:
            connection = prepared.connection.driver_connection
            assert isinstance(connection, sqlite3.Connection)
            return _cpu(lambda: insert(connection, rows, ROWS_A_COMMIT))
    finally:
        engine.dispose()


def _cpu(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


def main(names: Sequence[str]) -> int:
    """Say how each ratio came out; the status is 1 where one is above its limit in every attempt."""
    slipped: dict[str, float] = {}
    for name in names or CHECKS:
        sys.stdout.write(f"{name}: ")
        with tempfile.TemporaryDirectory(prefix="rps-bench-") as folder:
            found = slip(CHECKS[name], Path(folder))
        if found is not None:
            slipped[name] = found
    sys.stdout.write(f"slipped: {json.dumps(slipped)}\n")
    return 1 if slipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
