"""The closed sets of words that events, metrics and HTTP share.

Every label value of every metric and every name in a request comes from one of these sets, so no input
can create a series.
"""

from typing import Final, Literal, get_args

Move = Literal["rock", "paper", "scissors"]
Result = Literal["win", "lose", "draw"]
Winner = Literal["user", "bot", "tie"]
Difficulty = Literal["standard"]

Family = Literal["feedforward_nn", "xgboost", "multinomial_logistic"]
ModelType = Literal["feedforward_nn", "xgboost", "multinomial_logistic", "scripted"]
Alias = Literal["Production", "B", "shadow1", "shadow2"]
PlayedAlias = Literal["Production", "B"]

Policy = Literal["brian", "forrest", "logan"]
BotName = Literal["ace", "bob", "cal", "dan", "edd", "fox", "gus", "hal"]
Opponent = Literal["brian", "forrest", "logan", "ace", "bob", "cal", "dan", "edd", "fox", "gus", "hal"]
PlayerKind = Literal["human", "bot", "script"]

ProbabilitySource = Literal["opening", "model", "uniform", "scripted"]
FallbackReason = Literal["minio_miss", "mlflow_miss", "load_error", "predict_error"]

Decision = Literal["swap_production_b", "retain_production", "insufficient_data", "alias_reorder"]
ReasonCode = Literal[
    "better",
    "not_better",
    "too_few_games",
    "version_too_new",
    "zero_variance",
    "sample_ratio_mismatch",
    "cooling_down",
    "too_many_fallbacks",
    "parity_failed",
    "pinned",
    "awaiting_approval",
    "reported",
]
Trigger = Literal["schedule", "manual", "report"]
EvidenceWindow = Literal["since_swap", "version_pair"]
CountedPlayers = Literal["all", "human"]
PlanCause = Literal["promotion", "training", "manual"]
Cause = Literal["promotion", "training", "manual", "bootstrap", "report", "registry"]
UnpinCause = Literal["manual", "expired"]
RejectCause = Literal["manual", "expired"]
TrainingStatus = Literal["success", "failure"]

MOVES: Final[tuple[Move, ...]] = get_args(Move)
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)
ALIASES: Final[tuple[Alias, ...]] = get_args(Alias)
PLAYED_ALIASES: Final[tuple[PlayedAlias, ...]] = get_args(PlayedAlias)
PLAYER_KINDS: Final[tuple[PlayerKind, ...]] = get_args(PlayerKind)
CHALLENGERS: Final[tuple[Alias, ...]] = ("B", "shadow1", "shadow2")
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)
BOTS: Final[tuple[BotName, ...]] = get_args(BotName)
DECISIONS: Final[tuple[Decision, ...]] = get_args(Decision)
GUARD_REASONS: Final[tuple[ReasonCode, ...]] = (
    "sample_ratio_mismatch",
    "cooling_down",
    "too_many_fallbacks",
    "parity_failed",
)
"""The reason codes under which a guard holds a swap back."""
HELD_REASONS: Final[tuple[ReasonCode, ...]] = (*GUARD_REASONS, "pinned", "awaiting_approval")
"""Those, and the ones under which an operator's pin, or a plan that waits for one, does."""
VERDICTS: Final[tuple[Decision, ...]] = ("swap_production_b", "retain_production", "insufficient_data")
"""The decisions that a rule comes to; a reorder is beside them."""
REASON_CODES: Final[tuple[ReasonCode, ...]] = get_args(ReasonCode)
FALLBACK_REASONS: Final[tuple[FallbackReason, ...]] = get_args(FallbackReason)
TRAINING_STATUSES: Final[tuple[TrainingStatus, ...]] = get_args(TrainingStatus)

FAMILY_OF_POLICY: Final[dict[Policy, Family]] = {
    "brian": "feedforward_nn",
    "forrest": "xgboost",
    "logan": "multinomial_logistic",
}
POLICY_OF_FAMILY: Final[dict[Family, Policy]] = {family: policy for policy, family in FAMILY_OF_POLICY.items()}
MODEL_TYPE_OF_OPPONENT: Final[dict[Opponent, ModelType]] = {
    opponent: FAMILY_OF_POLICY.get(opponent, "scripted") for opponent in get_args(Opponent)
}
