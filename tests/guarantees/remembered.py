"""What the model remembers of games and families, and the words that it shares with the service."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

FAMILY_OF = {"brian": "feedforward_nn", "forrest": "xgboost", "logan": "multinomial_logistic"}
FAMILIES = tuple(FAMILY_OF.values())
POLICY_OF = {family: policy for policy, family in FAMILY_OF.items()}
ALIASES = ("Production", "B", "shadow1", "shadow2")
BEATS = {"rock": "scissors", "paper": "rock", "scissors": "paper"}
OPENING_ROUNDS = 3
TARGET = 10.0
WITHHELD = {
    "game.started": {"opening", "bot_seed"},
    "game.prediction_made": {"probabilities", "predicted", "correct"},
}
"""What of an unfinished game the feed must not show: type -> fields."""

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A name, and its labels in the order of their names."""


def series(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


@dataclass
class ExpectedGame:
    """A game, as its player's answers tell it."""

    policy: str
    alias: str | None
    versions: dict[str, int]
    swap_count: int
    counted: bool
    rounds: int = 0
    user: float = 0.0
    bot: float = 0.0
    fallback_affected: bool = False
    finished: bool = False
    last: tuple[dict[str, Any], dict[str, Any]] | None = None
    """The last request and its answer."""


@dataclass
class Record:
    """What one version has shown since the last swap."""

    games: int = 0
    wins: int = 0
    predictions: int = 0
    correct: int = 0


@dataclass
class ExpectedFamily:
    """A family's aliases and its evidence since the last swap."""

    versions: dict[str, int] = field(default_factory=lambda: dict(zip(ALIASES, (1, 2, 3, 4), strict=True)))
    swap_count: int = 0
    cycles: int = 0
    games: Counter[str] = field(default_factory=Counter)
    wins: Counter[str] = field(default_factory=Counter)
    records: dict[int, Record] = field(default_factory=dict)
    pending: "Move | None" = None
    z_and_p: tuple[float, float] | None = None
    decisions: list[str] = field(default_factory=list)
    """The rows of the history, the oldest first."""
    last_swap: tuple[dict[str, int], bool] | None = None
    """What an undo would bring back, and whether that begins a window."""
    pins: dict[str, "ExpectedPin"] = field(default_factory=dict)
    """By alias, with those that have expired unrecorded."""
    ranking: list[tuple[int, int]] = field(default_factory=list)
    """Version and predictions of each challenger in the last cycle's order, the best first; empty without one."""

    def record(self, version: int) -> Record:
        return self.records.setdefault(version, Record())


@dataclass(frozen=True)
class Move:
    """Where a plan moves a family's aliases; with `approve_by` an operator has to approve it before that."""

    versions: dict[str, int]
    swapped: bool
    reordered: bool
    approve_by: float | None = None


@dataclass(frozen=True)
class ExpectedPin:
    """A version that an alias keeps, until a time or for good."""

    version: int
    until: float | None

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True)
class Rules:
    """The parameters of the decision."""

    alpha: float
    minimum_games: int
    minimum_predictions: int
    approval_seconds: float
