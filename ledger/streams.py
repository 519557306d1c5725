"""The names of streams: a game's, what comes late beside it, and each family's."""

from typing import assert_never

from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    ClockAccepted,
    CrossFamilySet,
    CycleDecided,
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    InferenceFellBack,
    LedgerAccepted,
    ModelsReloaded,
    ParityChecked,
    PlanApproved,
    PlanRejected,
    PredictionMade,
    RoundPlayed,
    RuleSet,
    TrainingCompleted,
)
from ledger.vocabulary import Family

_GAME = "game-"
_SHADOW = "shadow-"
_PROMOTION = "promotion-"
_TRAINING = "training-"
_SERVING = "serving-"

LEDGER_STREAM = "ledger"
"""What an operator has said of the ledger itself."""

CROSS_FAMILY_STREAM = "cross-family"
"""Which games the other families predict, too."""

GAME_PREFIXES = (_GAME, _SHADOW)
FAMILY_PREFIXES = (_PROMOTION, _TRAINING, _SERVING)


def game_stream(game_id: str) -> str:
    """The moves of one game: its version is the lock between two requests for one round."""
    return f"{_GAME}{game_id}"


def shadow_stream(game_id: str) -> str:
    """The predictions beside a game that come late and decide nothing: its own stream does not wait for them."""
    return f"{_SHADOW}{game_id}"


def is_shadow(stream: str) -> bool:
    """Whether a stream holds predictions beside a game."""
    return stream.startswith(_SHADOW)


def promotion_stream(family: Family) -> str:
    """A family's decisions and aliases."""
    return f"{_PROMOTION}{family}"


def training_stream(family: Family) -> str:
    """A family's training runs."""
    return f"{_TRAINING}{family}"


def serving_stream(family: Family) -> str:
    """The reloads of a family's models, and the checks of what they served."""
    return f"{_SERVING}{family}"


def stream_of(event: Event) -> str:
    """The stream that an event belongs to, where it does not come late."""
    match event:
        case (
            GameStarted()
            | RoundPlayed()
            | PredictionMade()
            | InferenceFellBack()
            | GameFinished()
            | GameAbandoned()
        ):
            return game_stream(event.game_id)
        case (
            CycleDecided()
            | RuleSet()
            | AliasesPlanned()
            | AliasesAssigned()
            | AliasPinned()
            | AliasUnpinned()
            | PlanApproved()
            | PlanRejected()
        ):
            return promotion_stream(event.model_type)
        case TrainingCompleted():
            return training_stream(event.model_type)
        case ModelsReloaded() | ParityChecked():
            return serving_stream(event.model_type)
        case CrossFamilySet():
            return CROSS_FAMILY_STREAM
        case LedgerAccepted() | ClockAccepted():
            return LEDGER_STREAM
        case _:
            assert_never(event)
