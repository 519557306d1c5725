"""Rounds as they were served: features, probabilities and version, from live answers or from the ledger."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from gameplay.game.answers import PlayAnswer
from gameplay.game.features import features
from gameplay.game.games import Game, fold
from gameplay.game.policies import UNIFORM
from ledger.decoders import json_decoder
from ledger.events import GameFinished, PredictionMade, wire_name
from ledger.facts import Probabilities
from ledger.files import new_file
from ledger.store import PAGE_ENTRIES, Ledger
from ledger.streams import game_stream
from ledger.vocabulary import MOVES, BotName, Move, Policy, ProbabilitySource


class CapturedRound(msgspec.Struct, frozen=True, kw_only=True):
    """One round in which a model was asked, or would have been.

    `features` are the 50 of FEATURE_NAMES; `probabilities` are of the player's rock, paper and scissors;
    `predicted` is the likeliest, `actual` what the player did. `probability_source` is `model`, or `uniform`
    where a fallback chose.
    """

    game_id: str
    round: int
    player: str
    policy: str
    model_type: str
    alias: str | None
    model_version: int | None
    probability_source: ProbabilitySource
    features: tuple[float, ...]
    probabilities: Probabilities
    predicted: Move
    actual: Move
    bot_move: Move


_decode = json_decoder(CapturedRound).decode


def from_answer(player: BotName, answer: PlayAnswer) -> CapturedRound | None:
    """The round that an answer is about; None in the opening, where no model is asked."""
    values = answer.debug.probabilities
    if values is None:
        return None
    probabilities = (values.rock, values.paper, values.scissors)
    return CapturedRound(
        game_id=answer.game_id,
        round=answer.round,
        player=player,
        policy=answer.policy,
        model_type=answer.model_info.model_type,
        alias=answer.model_info.model_alias,
        model_version=answer.model_info.model_version,
        probability_source="model" if answer.debug.probability_source == "model" else "uniform",
        features=tuple(answer.debug.features),
        probabilities=probabilities,
        predicted=MOVES[probabilities.index(max(probabilities))],
        actual=answer.user_move,
        bot_move=answer.bot_move,
    )


def from_ledger(ledger: Ledger, player: BotName, policy: Policy, games: int) -> Iterator[list[CapturedRound]]:
    """The rounds of the player's last games against a policy, the newest game first."""
    for game_id in islice(_finished_games(ledger, player, policy), games):
        yield _captured(fold([ledger.decode(entry) for entry in ledger.read_stream(game_stream(game_id))]))


def write(path: Path, rounds: Iterable[CapturedRound]) -> int:
    """Write JSON Lines, one a round, as a whole or not at all; returns how many. Raises OSError."""
    lines = [msgspec.json.encode(captured) for captured in rounds]
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path, replace=True) as file:
        file.writelines(line + b"\n" for line in lines)
    return len(lines)


def read(path: Path) -> list[CapturedRound]:
    """The rounds in a file that `write` made."""
    return [_decode(line) for line in path.read_bytes().splitlines()]


def _finished_games(ledger: Ledger, player: BotName, policy: Policy) -> Iterator[str]:
    through = ledger.head().position
    finished = wire_name(GameFinished)
    while page := ledger.read(through=through, limit=PAGE_ENTRIES, descending=True):
        for entry in page:
            if entry.type == finished:
                event = ledger.decode(entry)
                assert isinstance(event, GameFinished)
                if event.policy == policy and _player_of(ledger, event.game_id) == player:
                    yield event.game_id
        through = page[-1].position - 1


def _player_of(ledger: Ledger, game_id: str) -> str:
    return fold([ledger.decode(ledger.read_stream(game_stream(game_id))[0])]).started.player_id


def _captured(game: Game) -> list[CapturedRound]:
    started = game.started
    captured = []
    for index, played in enumerate(game.rounds):
        if played.probability_source not in ("model", "uniform"):
            continue
        probabilities = game.served.get(played.round, UNIFORM)
        captured.append(
            CapturedRound(
                game_id=started.game_id,
                round=played.round,
                player=started.player_id,
                policy=started.policy,
                model_type=started.model_type,
                alias=started.alias,
                model_version=started.model_version,
                probability_source=played.probability_source,
                features=tuple(features(game.past[:index], played.points).tolist()),
                probabilities=probabilities,
                predicted=MOVES[probabilities.index(max(probabilities))],
                actual=played.user_move,
                bot_move=played.bot_move,
            )
        )
    return captured


def predictions_of(ledger: Ledger, game_id: str) -> tuple[Game | None, Sequence[PredictionMade]]:
    """A game and what every alias predicted in it; (None, ()) for a game that the ledger does not have."""
    events = [ledger.decode(entry) for entry in ledger.read_stream(game_stream(game_id))]
    if not events:
        return None, ()
    return fold(events), [event for event in events if isinstance(event, PredictionMade)]
