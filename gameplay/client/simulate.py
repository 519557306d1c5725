"""Scripted players: they play against a running service through HTTP, as any client does."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import httpx2
import msgspec

from gameplay.game.answers import MoveValues, PlayAnswer, PointsAnswer, StartAnswer
from gameplay.game.bots import scripted_move, view_of
from gameplay.game.rounds import PastRound
from ledger.decoders import json_decoder
from ledger.events import Points
from ledger.vocabulary import BotName, Opponent, Winner

TIMEOUT_SECONDS = 30.0
SEED_BITS = 53


class SimulationError(Exception):
    """The service did not answer as it should."""


class SimulatedGame(NamedTuple):
    """A game that was played to its end."""

    game_id: str
    policy: str
    alias: str | None
    rounds: int
    winner: Winner


Answer = TypeVar("Answer")
Listen = Callable[[PlayAnswer], None]

_start_answer = json_decoder(StartAnswer)
_points_answer = json_decoder(PointsAnswer)
_play_answer = json_decoder(PlayAnswer)


class ScriptedPlayer:
    """A player who moves as the script of this name does, at the client's end of a connection."""

    def __init__(self, client: httpx2.Client, name: BotName, *, seed: int | None = None) -> None:
        self._client = client
        self._name = name
        self._seeds = random.Random(seed)

    def games(
        self, policy: Opponent, count: int, *, sleep_seconds: float = 0.0, listen: Listen | None = None
    ) -> Iterator[SimulatedGame]:
        """Play `count` games, one after the other; `listen` hears each answer. Raises SimulationError."""
        for _ in range(count):
            yield self.game(policy, sleep_seconds=sleep_seconds, listen=listen)

    def game(self, policy: Opponent, *, sleep_seconds: float = 0.0, listen: Listen | None = None) -> SimulatedGame:
        """Play one game to its end. Raises SimulationError."""
        seed = self._seeds.getrandbits(SEED_BITS)
        answered = self._post("/start_game", {"policy": policy, "player_name": self._name})
        started = _read(_start_answer, answered)
        past: list[PastRound] = []
        while True:
            asked = self._call("GET", "/round_points", params={"game_id": started.game_id})
            points = _in_tenths(_read(_points_answer, asked).round_points)
            move = scripted_move(self._name, seed, view_of(past, points, "user"))
            body = {"game_id": started.game_id, "user_move": move, "round": len(past) + 1}
            played = _read(_play_answer, self._post("/play", body))
            past.append(_past_round(points, played))
            if listen is not None:
                listen(played)
            if played.winner is not None:
                return SimulatedGame(
                    started.game_id, started.policy, started.bot_model_alias, played.round, played.winner
                )
            if sleep_seconds:
                time.sleep(sleep_seconds)

    def _post(self, path: str, body: Mapping[str, object]) -> bytes:
        return self._call("POST", path, json=body)

    def _call(self, method: str, path: str, **more: object) -> bytes:
        try:
            response = self._client.request(method, path, **more)  # type: ignore[arg-type]
        except httpx2.HTTPError as error:
            raise SimulationError(
                f"no answer from {self._client.base_url}: {error}; is `rps serve` up?"
            ) from error
        if response.status_code != 200:
            raise SimulationError(f"{method} {path} was answered {response.status_code}: {response.text}")
        return response.content


def connect(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> httpx2.Client:
    """A client for the service at `url`. Raises SimulationError for what is no address."""
    try:
        return httpx2.Client(base_url=url, timeout=timeout_seconds)
    except httpx2.InvalidURL as error:
        raise SimulationError(f"{url!r} is no address such as http://127.0.0.1:8080: {error}") from error


def _read(decoder: "msgspec.json.Decoder[Answer]", content: bytes) -> "Answer":
    try:
        return decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SimulationError(f"this is no answer of a game: {error}; is it `rps serve` that answers?") from error


def _in_tenths(values: MoveValues) -> Points:
    return Points(
        rock=round(values.rock * 10), paper=round(values.paper * 10), scissors=round(values.scissors * 10)
    )


def _past_round(points: Points, played: PlayAnswer) -> PastRound:
    return PastRound(
        points,
        played.user_move,
        played.bot_move,
        played.result,
        round(played.user_score * 10),
        round(played.bot_score * 10),
    )
