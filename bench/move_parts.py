"""The CPU of a round that a model plays, over HTTP, against the sum of its parts, each timed alone."""

import asyncio
import random
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import msgspec

from bench import bare
from bench.append import commit_cpu_seconds
from bench.connection import Connection
from bench.folders import small_folder
from bench.ledgers import ASSIGNMENT, play_game
from bench.process import Served
from bench.scenario import Outcome, compare, cpu_seconds
from bench.servers import CLIENTS, HOST, play, service
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.game.features import features
from gameplay.game.games import Game, fold
from gameplay.game.rules import round_points
from gameplay.models.graph import Graph
from gameplay.web.answers import play_answer
from gameplay.web.games import PlayRound
from ledger.codec import Codec
from ledger.events import PredictionMade, RoundPlayed
from ledger.vocabulary import FAMILIES, MOVES, POLICIES

GAMES_A_CLIENT = 24
ROUNDS_WITHOUT_MODEL = 3
ROUNDS_WITH_MODEL = 4
BARE_ROUNDS = 500
CALLS = 400


def cpu(folder: Path) -> Outcome:
    """With eight clients; the database's part is five rows in a commit of eight rounds."""
    data = small_folder(folder)
    parts = _Parts(folder, data)
    with service(data) as small, bare.served() as floor:
        return compare(
            "CPU of a model round, 8 clients",
            lambda: asyncio.run(_round_cpu_seconds(small)),
            lambda: parts.cpu_seconds() + _bare_cpu_seconds(floor),
            wanted="at most",
            target=1.6,
            unit="us",
            scale=1e6,
        )


SCENARIOS = {"play-cpu": cpu}


async def _round_cpu_seconds(served: Served) -> float:
    """What the process uses for a round from the fourth on, without starts and openings."""
    port = int(served.url.rpartition(":")[2])
    connections = [Connection(HOST, port) for _ in range(CLIENTS)]
    games = await asyncio.gather(*(_begin(one, number) for number, one in enumerate(connections)))
    before = served.cpu_seconds()
    rounds = await asyncio.gather(*map(_play_on, connections, games))
    spent = served.cpu_seconds() - before
    for connection in connections:
        connection.close()
    assert sum(rounds) > CLIENTS * GAMES_A_CLIENT
    return spent / sum(rounds)


async def _begin(connection: Connection, number: int) -> list[str]:
    """Games at the round from which on models play, against each policy in turn."""
    games = []
    for game in range(GAMES_A_CLIENT):
        _, started = await connection.post("/start_game", {"policy": POLICIES[(number + game) % len(POLICIES)]})
        games.append(str(started["game_id"]))
        for round_no in range(ROUNDS_WITHOUT_MODEL):
            body = {"game_id": games[-1], "user_move": MOVES[round_no % len(MOVES)]}
            status, _ = await connection.post("/play", body)
            assert status == 200
    return games


async def _play_on(connection: Connection, games: Sequence[str]) -> int:
    rounds = 0
    for game_id in games:
        for move in islice((*MOVES, *MOVES), ROUNDS_WITH_MODEL):
            status, played = await connection.post("/play", {"game_id": game_id, "user_move": move})
            assert status == 200
            assert played["debug"]["probability_source"] == "model"
            rounds += 1
            if played["finished"]:
                break
    return rounds


def _bare_cpu_seconds(floor: Served) -> float:
    before = floor.cpu_seconds()
    load = play(floor, BARE_ROUNDS)
    return (floor.cpu_seconds() - before) / load.rounds


class _Parts:
    """What every model round needs but its request: each made ready here, and timed by itself."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self._game, self._round = _game_in_the_middle()
        self._body = msgspec.json.encode({"game_id": self._game.started.game_id, "user_move": MOVES[0]})
        self._graphs = _graphs(data)

    def cpu_seconds(self) -> float:
        """The sum."""
        game, played, parse = self._game, self._round[0], msgspec.json.Decoder(PlayRound).decode
        past, points = game.past[: played.round - 1], round_points(game.started.game_id, played.round)
        row = features(past, points).reshape(1, -1)
        encode, answer = Codec().encode, msgspec.json.Encoder().encode

        def encode_round() -> None:
            for event in self._round:
                encode(event)

        def ask(graphs: Sequence[Graph]) -> None:
            for graph in graphs:
                graph.probabilities(row)

        return (
            _cpu_of(lambda: parse(self._body))
            + _cpu_of(lambda: features(past, points))
            + statistics.mean(_cpu_of(partial(ask, graphs)) for graphs in self._graphs)
            + _cpu_of(encode_round)
            + commit_cpu_seconds(self._folder, rounds=CLIENTS) / CLIENTS
            + _cpu_of(lambda: answer(play_answer(game, played.round)))
        )


def _cpu_of(action: Callable[[], object]) -> float:
    """CPU of one call, the median of five times CALLS of them."""
    return statistics.median(cpu_seconds(action, calls=CALLS) for _ in range(5))


def _game_in_the_middle() -> tuple[Game, Sequence[RoundPlayed | PredictionMade]]:
    """A game, and the events of its fifth round: what was played, and what four aliases predicted."""
    events = play_game(random.Random(1), POLICIES[0])
    starts = [index for index, event in enumerate(events) if isinstance(event, RoundPlayed)] + [len(events)]
    first, after = list(pairwise(starts))[4]
    return fold(events), [one for one in events[first:after] if isinstance(one, RoundPlayed | PredictionMade)]


def _graphs(data: Path) -> list[list[Graph]]:
    """The four graphs of each family."""
    core = open_core(Settings(data_dir=data))
    try:
        versions = (ASSIGNMENT.Production, ASSIGNMENT.B, ASSIGNMENT.shadow1, ASSIGNMENT.shadow2)
        return [
            [Graph(core.registry.download(family, version).onnx) for version in versions] for family in FAMILIES
        ]
    finally:
        core.close()
