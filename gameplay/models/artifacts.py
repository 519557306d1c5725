"""What a trained version is made of, wherever it is kept: an ONNX graph and a card that describes it."""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from gameplay.game.features import FEATURE_NAMES
from ledger.events import VersionRun
from ledger.vocabulary import Alias, Family

REGISTERED_NAMES: Final[dict[Family, str]] = {
    "feedforward_nn": "rps_bot_feedforward",
    "xgboost": "rps_bot_xgboost",
    "multinomial_logistic": "rps_bot_mnlogit",
}
"""The name of each family in the model registry and in the model store."""


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


FEATURES_DIGEST: Final = digest("\n".join(FEATURE_NAMES).encode())
"""Of the feature names in their order: a model must not meet another order than it learned."""


class Score(msgspec.Struct, frozen=True):
    """Rows, and how many of them were predicted correctly: what an interval around the accuracy needs."""

    correct: int
    rows: int

    @property
    def accuracy(self) -> float | None:
        """The share of correct rows; None without rows."""
        return self.correct / self.rows if self.rows else None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Which rounds of the ledger a version learned from: the same values give the same rows, bit for bit."""

    after_position: int
    through_position: int
    since_us: int
    legacy_stride: int
    limit_games: int | None
    games: int
    rows: int
    rows_digest: str


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a version when it has been trained, before a registry gives it a number.

    `training`, `validation` and `holdout` are the 60/20/20 of the games in time. `by_opponent` splits the hold-out
    rows by player: a bot's name, `human` or `script`; `own_by_opponent` takes of these the games that the family's
    own policy played, and `rehearsal` is of games in memory that the version itself played, which is how it will
    meet the player. `folds` are the scores of the cross-validation, empty where there was none; `code_version` and
    `libraries` say what computed it. `difference_max` is how far the graph's probabilities were from the
    estimator's, at most, on the hold-out rows.
    """

    family: Family
    alias: Alias
    onnx_digest: str
    features_digest: str
    hyperparameters: dict[str, int | float | list[int]]
    source: Source
    training: Score
    validation: Score
    holdout: Score
    by_opponent: dict[str, Score]
    own_by_opponent: dict[str, Score] = {}
    rehearsal: dict[str, Score] = {}
    folds: tuple[Score, ...] = ()
    code_version: str = ""
    libraries: dict[str, str] = {}
    difference_max: float | None = None


class ModelFiles(NamedTuple):
    """A registered version, with all that serving needs."""

    version: int
    run_id: str
    card: ModelCard
    onnx: bytes

    @property
    def run(self) -> VersionRun:
        """What the version is, whatever its number says."""
        return VersionRun(version=self.version, run_id=self.run_id, graph_sha256=self.card.onnx_digest)


class Origin(NamedTuple):
    """When a fit began, since the epoch, as part of what, and by whom and from which commit, where that shows."""

    began_ms: int
    trainer: str
    user: str | None
    git_commit: str | None


class TrainedModel(NamedTuple):
    """A version that is ready to be registered.

    `attachments` are further files of its run, by name; `curves` what the fit went through, a value for each epoch
    or tree.
    """

    card: ModelCard
    onnx: bytes
    attachments: dict[str, bytes]
    curves: Mapping[str, Sequence[float]] = MappingProxyType({})
    origin: Origin | None = None


class Registered(NamedTuple):
    """Where a trained model landed in the registry."""

    version: int
    run_id: str
