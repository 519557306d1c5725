"""A game: a fold of its stream, and the pure decisions that move it to its next round or end.

Answers about a round come from this fold alone, so a retry, or another process after a restart, gives the same
answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gameplay.game.bots import scripted_move, view_of
from gameplay.game.openings import OPENINGS
from gameplay.game.policies import UNIFORM, choose
from gameplay.game.rounds import LOOK_BACK, PastRound, past_round
from gameplay.game.rules import judge, round_points, score, winner
from ledger.events import (
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    InferenceFellBack,
    Points,
    PredictionMade,
    RoundPlayed,
)
from ledger.facts import Probabilities
from ledger.vocabulary import BOTS, Alias, FallbackReason, Family, Move, ProbabilitySource


class Step(NamedTuple):
    """One step down the fallback chain."""

    reason: FallbackReason
    detail: str


class Prediction(NamedTuple):
    """What one alias expects the player to do; without a model, `source` is uniform and `steps` say why."""

    alias: Alias
    version: int | None
    probabilities: Probabilities
    predicted: Move
    source: ProbabilitySource
    steps: tuple[Step, ...] = ()


@dataclass
class Game:
    """A game up to some version of its stream."""

    started: GameStarted
    version: int = 1
    rounds: list[RoundPlayed] = field(default_factory=list)
    past: list[PastRound] = field(default_factory=list)
    served: dict[int, Probabilities] = field(default_factory=dict)
    fallback_affected: bool = False
    finished: GameFinished | None = None
    abandoned: GameAbandoned | None = None

    @property
    def next_round(self) -> int:
        """The round to be played next."""
        return len(self.rounds) + 1

    @property
    def scores_tenths(self) -> tuple[int, int]:
        """The player's and the bot's score."""
        return (self.past[-1].user_score_tenths, self.past[-1].bot_score_tenths) if self.past else (0, 0)

    def needs_predictions(self) -> bool:
        """Whether a model chooses the bot's next move."""
        return self.started.model_type != "scripted" and len(self.rounds) >= LOOK_BACK


def fold(events: Sequence[Event]) -> Game:
    """The game that a stream holds; its first event is the start."""
    started = events[0]
    assert isinstance(started, GameStarted)
    game = Game(started)
    for event in events[1:]:
        evolve(game, event)
    return game


def evolve(game: Game, event: Event) -> None:
    """Take in the next event of the game's stream."""
    game.version += 1
    match event:
        case RoundPlayed():
            game.rounds.append(event)
            game.past.append(past_round(event))
        case PredictionMade():
            if event.served:
                game.served[event.round] = event.probabilities
        case InferenceFellBack():
            if event.served:
                game.served[event.round] = UNIFORM
                game.fallback_affected = True
        case GameFinished():
            game.finished = event
        case GameAbandoned():
            game.abandoned = event
        case _:
            raise AssertionError(f"{type(event).__name__} is no event of a game")


def decide_round(game: Game, user_move: Move, predictions: Sequence[Prediction]) -> list[Event]:
    """The events of the next round: the round itself, what each alias predicted, and the game's end if it is.

    The bot's move is chosen without a look at `user_move`.
    """
    points = round_points(game.started.game_id, game.next_round)
    bot, source = _bot_move(game, points, predictions)
    played = _round(game, points, user_move, bot, source)
    events: list[Event] = [played]
    family = game.started.model_type
    for prediction in predictions:
        assert family != "scripted", "a scripted bot has no models"
        served = prediction.alias == game.started.alias
        events += prediction_events(game.started, family, played.round, prediction, user_move, served=served)
    if outcome := winner(played.user_score_tenths, played.bot_score_tenths):
        fell_back = any(prediction.steps for prediction in predictions if prediction.alias == game.started.alias)
        events.append(
            GameFinished(
                **_labels(game),
                winner=outcome,
                user_score_tenths=played.user_score_tenths,
                bot_score_tenths=played.bot_score_tenths,
                rounds=played.round,
                fallback_affected=game.fallback_affected or fell_back,
            )
        )
    return events


def decide_abandoned(game: Game, idle_seconds: int) -> GameAbandoned:
    """The end of a game that its player has left."""
    return GameAbandoned(**_labels(game), rounds=len(game.rounds), idle_seconds=idle_seconds)


def _bot_move(game: Game, points: Points, predictions: Sequence[Prediction]) -> tuple[Move, ProbabilitySource]:
    started = game.started
    if started.policy in BOTS:
        assert started.bot_seed is not None
        return scripted_move(started.policy, started.bot_seed, view_of(game.past, points, "bot")), "scripted"
    if not game.needs_predictions():
        assert started.opening is not None
        return OPENINGS[started.opening].moves[len(game.rounds)], "opening"
    own = next(prediction for prediction in predictions if prediction.alias == started.alias)
    return choose(own.probabilities, points, *game.scores_tenths), own.source


def _round(game: Game, points: Points, user_move: Move, bot: Move, source: ProbabilitySource) -> RoundPlayed:
    started = game.started
    result = judge(user_move, bot)
    user_delta, bot_delta = score(result, user_move, bot, points)
    user_score, bot_score = game.scores_tenths
    return RoundPlayed(
        game_id=started.game_id,
        round=game.next_round,
        user_move=user_move,
        bot_move=bot,
        result=result,
        points=points,
        user_delta_tenths=user_delta,
        bot_delta_tenths=bot_delta,
        user_score_tenths=user_score + user_delta,
        bot_score_tenths=bot_score + bot_delta,
        policy=started.policy,
        difficulty=started.difficulty,
        model_type=started.model_type,
        alias=started.alias,
        model_version=started.model_version,
        probability_source=source,
        in_metrics=started.in_metrics,
    )


def prediction_events(
    started: GameStarted, family: Family, round_no: int, prediction: Prediction, actual: Move, *, served: bool
) -> list[Event]:
    """The event of a prediction, or one event for each step down the fallback chain."""
    if not prediction.steps:
        assert prediction.version is not None
        return [
            PredictionMade(
                game_id=started.game_id,
                round=round_no,
                model_type=family,
                alias=prediction.alias,
                model_version=prediction.version,
                probabilities=prediction.probabilities,
                predicted=prediction.predicted,
                actual=actual,
                correct=prediction.predicted == actual,
                served=served,
                in_metrics=started.in_metrics,
            )
        ]
    return [
        InferenceFellBack(
            game_id=started.game_id,
            round=round_no,
            model_type=family,
            alias=prediction.alias,
            model_version=prediction.version,
            reason=step.reason,
            detail=step.detail[:500],
            served=served,
            in_metrics=started.in_metrics,
        )
        for step in prediction.steps
    ]


def _labels(game: Game) -> dict[str, Any]:
    started = game.started
    return {
        name: getattr(started, name)
        for name in (
            "game_id",
            "player_kind",
            "policy",
            "difficulty",
            "model_type",
            "alias",
            "model_version",
            "swap_count",
            "in_metrics",
        )
    }
