"""What can happen: a closed union of frozen facts, each under an explicit wire name.

Events are past tense, self-contained (a projection never looks anything up) and hold no personal data. Scores
and points are integers in tenths of a point, so that a sum of them is exact. Changing the shape of an event
means a new schema version and an upcast in `ledger.codec`.
"""

from typing import get_args

from msgspec import field

from ledger.evidence import (
    Evidence,
    RankedChallenger,
    Rule,
    RuleVerdict,
    Statistics,
    Tickers,
    Watched,
    Windows,
)
from ledger.facts import (
    Count,
    Digest,
    Fact,
    Identifier,
    Probabilities,
    Round,
    Seconds,
    Share,
    Tenths,
    Text,
    Version,
)
from ledger.reported import Report
from ledger.vocabulary import (
    Alias,
    Cause,
    Decision,
    Difficulty,
    FallbackReason,
    Family,
    ModelType,
    Move,
    Opponent,
    PlanCause,
    PlayedAlias,
    PlayerKind,
    ProbabilitySource,
    ReasonCode,
    RejectCause,
    Result,
    TrainingStatus,
    Trigger,
    UnpinCause,
    Winner,
)


class Points(Fact, frozen=True, kw_only=True):
    """What each move is worth in one round, in tenths of a point."""

    rock: Tenths
    paper: Tenths
    scissors: Tenths


class Assignment(Fact, frozen=True, kw_only=True):
    """The version behind every alias of a family at one position."""

    Production: Version
    B: Version
    shadow1: Version
    shadow2: Version


class GameStarted(Fact, frozen=True, kw_only=True, tag="game.started", tag_field="type"):
    """A player sat down. The game keeps alias, versions and swap count to its end.

    `assignment_probability` is that of the alias which the game got, so that evidence can be weighed by it.
    A scripted bot's moves follow from `bot_seed`. For a policy it only keeps the opening from being guessed by the
    event's hash, and is None in games of before.
    """

    game_id: Identifier
    player_kind: PlayerKind
    player_id: Identifier
    policy: Opponent
    model_type: ModelType
    alias: PlayedAlias | None
    model_version: Version | None
    assignment: Assignment | None = field(name="lineup")
    swap_count: Count
    assignment_probability: Share
    difficulty: Difficulty
    opening: Identifier | None
    bot_seed: Count | None
    in_metrics: bool = field(name="counted")


class RoundPlayed(Fact, frozen=True, kw_only=True, tag="game.round_played", tag_field="type"):
    """One round with its outcome; `result` is the player's view."""

    game_id: Identifier
    round: Round
    user_move: Move
    bot_move: Move
    result: Result
    points: Points
    user_delta_tenths: Tenths
    bot_delta_tenths: Tenths
    user_score_tenths: Tenths
    bot_score_tenths: Tenths
    policy: Opponent
    difficulty: Difficulty
    model_type: ModelType
    alias: PlayedAlias | None
    model_version: Version | None
    probability_source: ProbabilitySource
    in_metrics: bool = field(name="counted")


class PredictionMade(Fact, frozen=True, kw_only=True, tag="game.prediction_made", tag_field="type"):
    """What one alias expected the player to do; `served` marks the one that chose the bot's move."""

    game_id: Identifier
    round: Round
    model_type: Family
    alias: Alias
    model_version: Version
    probabilities: Probabilities
    predicted: Move
    actual: Move
    correct: bool
    served: bool
    in_metrics: bool = field(name="counted")


class InferenceFellBack(Fact, frozen=True, kw_only=True, tag="game.inference_fell_back", tag_field="type"):
    """One step down the fallback chain of one prediction."""

    game_id: Identifier
    round: Round
    model_type: Family
    alias: Alias
    model_version: Version | None
    reason: FallbackReason
    detail: Text
    served: bool
    in_metrics: bool = field(name="counted")


class GameFinished(Fact, frozen=True, kw_only=True, tag="game.finished", tag_field="type"):
    """A game came to its end. `fallback_affected`: a fallback chose a move, so the game is no evidence."""

    game_id: Identifier
    player_kind: PlayerKind
    policy: Opponent
    difficulty: Difficulty
    model_type: ModelType
    alias: PlayedAlias | None
    model_version: Version | None
    swap_count: Count
    winner: Winner
    user_score_tenths: Tenths
    bot_score_tenths: Tenths
    rounds: Round
    fallback_affected: bool = field(name="degraded")
    in_metrics: bool = field(name="counted")


class GameAbandoned(Fact, frozen=True, kw_only=True, tag="game.abandoned", tag_field="type"):
    """The player did not go on for `idle_seconds`."""

    game_id: Identifier
    player_kind: PlayerKind
    policy: Opponent
    difficulty: Difficulty
    model_type: ModelType
    alias: PlayedAlias | None
    model_version: Version | None
    swap_count: Count
    rounds: Count
    idle_seconds: Count
    in_metrics: bool = field(name="counted")


class CycleDecided(Fact, frozen=True, kw_only=True, tag="promotion.cycle_decided", tag_field="type"):
    """One promotion cycle: what was compared, by which rule, with which outcome.

    `rule` and `evidence` are null only for a report made before the ledger knew the family's aliases, or
    where the rule is the reporter's own. `reordered`: this cycle also moves challengers. `statistics` is null and
    `verdicts` empty in a report, and in cycles of releases that did not record them. `decided_us` is the cycle's
    own time, from which a rule's `settle_seconds` are counted back, and `watched` what its guards look at; both
    are null in a report and before. `windows` are the games behind either kind of evidence, in a report too; null
    before. `decision` is the rule's own verdict unless a guard has held a swap back.
    """

    model_type: Family
    cycle: Version
    trigger: Trigger
    source: Identifier
    decided_us: Count | None
    rule: Rule | None
    evidence: Evidence | None
    watched: Watched | None
    windows: Windows | None
    z_statistic: float | None
    p_value: Share | None
    statistics: Statistics | None
    verdicts: tuple[RuleVerdict, ...]
    decision: Decision
    reason_code: ReasonCode
    reason: Text
    ranking: tuple[RankedChallenger, ...]
    reordered: bool
    tickers: Tickers
    report: Report | None = None


class RuleSet(Fact, frozen=True, kw_only=True, tag="promotion.rule_set", tag_field="type"):
    """From here on the family's cycles decide by this rule. `actor`: who set it, `settings` where a start did.

    `restarts_window`: the test itself has changed, so that its evidence begins here.
    """

    model_type: Family
    rule: Rule
    restarts_window: bool
    actor: Identifier


class AliasChange(Fact, frozen=True, kw_only=True):
    """One alias with its version before (null: none) and after."""

    alias: Alias
    before: Version | None
    after: Version


class VersionRun(Fact, frozen=True, kw_only=True):
    """What a version is: the run that it came of, and the SHA-256 of its graph where that has been seen.

    A registry that lost a model counts from 1 again, so the number alone does not say which model is meant.
    """

    version: Version
    run_id: Identifier
    graph_sha256: Identifier | None


class AliasesPlanned(Fact, frozen=True, kw_only=True, tag="promotion.aliases_planned", tag_field="type"):
    """The aliases as they shall be; open until an `AliasesAssigned` names its stream version.

    `runs` has the versions after the change whose run is known. With the cause `manual` an operator has ordered
    it: `actor` and `reason` say who and why, `key` is the caller's own for the order, and `undoes` is the position
    of the assignment that an undo takes back. All four are null for every other cause. One with `approve_by_us`
    is carried out when it has been approved, until then.
    """

    model_type: Family
    cause: PlanCause
    cycle: Version | None
    assignments: tuple[AliasChange, ...]
    runs: tuple[VersionRun, ...]
    swapped: bool
    reordered: bool
    actor: Identifier | None = None
    reason: Text | None = None
    key: Identifier | None = None
    undoes: Version | None = None
    approve_by_us: Count | None = None


class AliasesAssigned(Fact, frozen=True, kw_only=True, tag="promotion.aliases_assigned", tag_field="type"):
    """The aliases as they now are; `plan` is the stream version of the plan that this completes.

    `runs` has the versions after the change whose run is known. `actor`, `reason`, `key` and `undoes` are those of
    the plan, or of the operator who has cancelled it.
    """

    model_type: Family
    cause: Cause
    cycle: Version | None
    plan: Version | None
    assignments: tuple[AliasChange, ...]
    runs: tuple[VersionRun, ...]
    swapped: bool
    reordered: bool
    actor: Identifier | None = None
    reason: Text | None = None
    key: Identifier | None = None
    undoes: Version | None = None


class AliasPinned(Fact, frozen=True, kw_only=True, tag="promotion.alias_pinned", tag_field="type"):
    """An operator holds the version behind an alias, against cycles, reorders and trainings.

    It is held until `expires_us`, or without that until it is unpinned. A later pin of the alias takes its place.
    """

    model_type: Family
    alias: Alias
    version: Version
    expires_us: Count | None
    actor: Identifier
    reason: Text
    key: Identifier | None


class AliasUnpinned(Fact, frozen=True, kw_only=True, tag="promotion.alias_unpinned", tag_field="type"):
    """The alias is held no more; `version` was. `actor` and `reason` are null where the pin has expired."""

    model_type: Family
    alias: Alias
    version: Version
    cause: UnpinCause
    actor: Identifier | None
    reason: Text | None
    key: Identifier | None


class PlanApproved(Fact, frozen=True, kw_only=True, tag="promotion.plan_approved", tag_field="type"):
    """An operator lets the open plan be carried out; `plan` is its stream version."""

    model_type: Family
    plan: Version
    actor: Identifier
    reason: Text
    key: Identifier | None


class PlanRejected(Fact, frozen=True, kw_only=True, tag="promotion.plan_rejected", tag_field="type"):
    """The open plan is not carried out: an operator has said so, or has not approved it in time.

    The assignment that closes it comes next on the stream. `actor` and `reason` are null where it has expired.
    """

    model_type: Family
    plan: Version
    cause: RejectCause
    actor: Identifier | None
    reason: Text | None
    key: Identifier | None


class TrainingCompleted(Fact, frozen=True, kw_only=True, tag="training.completed", tag_field="type"):
    """A trainer run, good or bad; the positions say which events its data came from."""

    model_type: Family
    alias: Alias | None
    status: TrainingStatus
    source: Identifier
    duration_seconds: Seconds | None
    model_version: Version | None
    run_id: Identifier | None
    rows: Count | None
    training_accuracy: Share | None
    holdout_accuracy: Share | None
    after_position: Count | None
    through_position: Count | None
    error: Text | None


class LoadedModel(Fact, frozen=True, kw_only=True):
    """A version that is ready to serve, and where it came from."""

    alias: Alias
    version: Version
    source: Identifier


class FailedModel(Fact, frozen=True, kw_only=True):
    """A version that could not be loaded, and why."""

    alias: Alias
    version: Version | None
    reason: Text


class ModelsReloaded(Fact, frozen=True, kw_only=True, tag="serving.models_reloaded", tag_field="type"):
    """A caller asked for a reload. A start loads models without an event."""

    model_type: Family
    loaded: tuple[LoadedModel, ...]
    failed: tuple[FailedModel, ...]


class Hits(Fact, frozen=True, kw_only=True):
    """How many of so many predictions were the player's actual move."""

    correct: Count
    rows: Count


class ParityChecked(Fact, frozen=True, kw_only=True, tag="serving.parity_checked", tag_field="type"):
    """The last games that a version played against a bot were computed again, and compared with what was served.

    Of a version that has played none of them, so were its predictions beside. `differences` are those of what it
    predicted, of the games that it played, and of the rows that it learned from. `live` is how it predicted the
    bot, `held_out` how it did in training, where its MLflow run `run_id` has `metric`; these two are null where
    nothing like these games was held out, or too little, `run_id` where the ledger does not know it.
    """

    model_type: Family
    version: Version
    run_id: Identifier | None
    player: Identifier
    games: Count
    rounds: Count
    differences: Count
    live: Hits
    held_out: Hits | None
    metric: Identifier | None


class CrossFamilySet(Fact, frozen=True, kw_only=True, tag="serving.cross_family_set", tag_field="type"):
    """From here on this share of the games of these players is predicted by the other families, too.

    It holds for games whose start comes later in the ledger. `actor` and `reason` are null where the settings of a
    process that started say so.
    """

    share: Share
    players: tuple[PlayerKind, ...]
    actor: Identifier | None
    reason: Text | None


class KnownLedger(Fact, frozen=True, kw_only=True):
    """What a copy outside the database knew of a ledger: its id, and a position with its chain hash."""

    ledger_id: Identifier
    position: Count
    chain_hash: Digest


class LedgerAccepted(Fact, frozen=True, kw_only=True, tag="ledger.accepted", tag_field="type"):
    """An operator has said that the ledger goes on from this database, whatever the copies outside knew.

    `position` and `chain_hash` are the head before this event; `known` is null where no copy outside was there.
    `archived` is how many signed checkpoints of the archive do not belong to this history, and were set aside.
    """

    ledger_id: Identifier
    position: Count
    chain_hash: Digest
    known: KnownLedger | None
    archived: Count
    reason: Text


class ClockAccepted(Fact, frozen=True, kw_only=True, tag="ledger.clock_accepted", tag_field="type"):
    """An operator has said that the time of a clock that had jumped is to stand.

    `clock_us` is that time, `head_us` the time of the event before.
    """

    clock_us: Count
    head_us: Count
    reason: Text


Event = (
    GameStarted
    | RoundPlayed
    | PredictionMade
    | InferenceFellBack
    | GameFinished
    | GameAbandoned
    | CycleDecided
    | RuleSet
    | AliasesPlanned
    | AliasesAssigned
    | AliasPinned
    | AliasUnpinned
    | PlanApproved
    | PlanRejected
    | TrainingCompleted
    | ModelsReloaded
    | ParityChecked
    | CrossFamilySet
    | LedgerAccepted
    | ClockAccepted
)

EVENT_CLASSES: tuple[type[Event], ...] = get_args(Event)


def wire_name(event_class: type[Fact]) -> str:
    """The name under which events of this class are stored."""
    tag = event_class.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


EVENT_TYPES: tuple[str, ...] = tuple(wire_name(event_class) for event_class in EVENT_CLASSES)
