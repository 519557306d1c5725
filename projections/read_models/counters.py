"""Label tuples -> numbers: every counter and histogram of the contract, born at zero for every known label."""

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import (
    EVENT_TYPES,
    AliasesAssigned,
    CycleDecided,
    Event,
    GameFinished,
    InferenceFellBack,
    PredictionMade,
    RoundPlayed,
    TrainingCompleted,
)
from ledger.vocabulary import (
    ALIASES,
    DECISIONS,
    FALLBACK_REASONS,
    FAMILIES,
    MODEL_TYPE_OF_OPPONENT,
    PLAYED_ALIASES,
    REASON_CODES,
    TRAINING_STATUSES,
)
from projections.projection import Handler, Projection, on

TRAINING_BUCKETS_SECONDS = (10, 30, 60, 120, 300, 600, 1800, 3600)
DIFFICULTY = "standard"

ByOne = dict[str, int]
ByTwo = dict[tuple[str, str], int]
ByThree = dict[tuple[str, str, str], int]


def _by_alias() -> ByTwo:
    return {(family, alias): 0 for family in FAMILIES for alias in ALIASES}


def _by_played_alias() -> ByTwo:
    return {(family, alias): 0 for family in FAMILIES for alias in PLAYED_ALIASES}


def _by_decision() -> ByTwo:
    return {(family, decision): 0 for family in FAMILIES for decision in DECISIONS}


def _by_reason() -> ByThree:
    return {(f, decision, reason): 0 for f in FAMILIES for decision in DECISIONS for reason in REASON_CODES}


def _by_opponent() -> ByTwo:
    return {(policy, DIFFICULTY): 0 for policy in MODEL_TYPE_OF_OPPONENT}


def _by_action() -> ByThree:
    return {(policy, DIFFICULTY, model): 0 for policy, model in MODEL_TYPE_OF_OPPONENT.items()}


def _by_status() -> ByTwo:
    return {(family, status): 0 for family in FAMILIES for status in TRAINING_STATUSES}


def _by_fallback() -> ByThree:
    return {(f, alias, reason): 0 for f in FAMILIES for alias in ALIASES for reason in FALLBACK_REASONS}


class Durations(Struct):
    """A histogram: how many runs fell into each bucket of TRAINING_BUCKETS_SECONDS or beyond, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(TRAINING_BUCKETS_SECONDS) + 1))
    sum_seconds: float = 0.0


class Mover(Struct, gc=False):
    """The event that moved a counter last."""

    position: int
    recorded_us: int


class Counters(Struct):
    """Everything that only ever goes up, and what moved the promotion's counters last."""

    events: ByOne = field(default_factory=lambda: dict.fromkeys(EVENT_TYPES, 0))
    predictions: ByTwo = field(default_factory=_by_alias)
    correct: ByTwo = field(default_factory=_by_alias)
    alias_games: ByTwo = field(default_factory=_by_played_alias)
    alias_wins: ByTwo = field(default_factory=_by_played_alias)
    decisions: ByTwo = field(default_factory=_by_decision)
    reasons: ByThree = field(default_factory=_by_reason)
    reorders: ByOne = field(default_factory=lambda: dict.fromkeys(FAMILIES, 0))
    action_predictions: ByThree = field(default_factory=_by_action)
    action_wins: ByThree = field(default_factory=_by_action)
    action_losses: ByThree = field(default_factory=_by_action)
    action_ties: ByThree = field(default_factory=_by_action)
    games: ByTwo = field(default_factory=_by_opponent)
    game_wins: ByTwo = field(default_factory=_by_opponent)
    game_losses: ByTwo = field(default_factory=_by_opponent)
    trainings: ByTwo = field(default_factory=_by_status)
    training_durations: dict[str, Durations] = field(
        default_factory=lambda: {family: Durations() for family in FAMILIES}
    )
    fallbacks: ByThree = field(default_factory=_by_fallback)
    decision_movers: dict[tuple[str, str], Mover] = field(default_factory=dict)
    reorder_movers: dict[str, Mover] = field(default_factory=dict)

    def count_decision(self, family: str, decision: str, entry: Entry) -> None:
        """One more decision of a family."""
        self.decisions[family, decision] += 1
        self.decision_movers[family, decision] = Mover(entry.position, entry.recorded_us)


def _prediction_made(state: Counters, event: PredictionMade, _entry: Entry) -> None:
    if event.in_metrics:
        key = (event.model_type, event.alias)
        state.predictions[key] += 1
        if event.correct:
            state.correct[key] += 1


def _round_played(state: Counters, event: RoundPlayed, _entry: Entry) -> None:
    if event.in_metrics:
        key = (event.policy, event.difficulty, event.model_type)
        if event.probability_source == "model":
            state.action_predictions[key] += 1
        match event.result:  # the player's view; the counters are the bot's
            case "lose":
                state.action_wins[key] += 1
            case "win":
                state.action_losses[key] += 1
            case "draw":
                state.action_ties[key] += 1


def _game_finished(state: Counters, event: GameFinished, _entry: Entry) -> None:
    if event.in_metrics:
        key = (event.policy, event.difficulty)
        won, lost = event.winner == "bot", event.winner == "user"
        state.games[key] += 1
        state.game_wins[key] += won
        state.game_losses[key] += lost
        if event.alias is not None:
            state.alias_games[event.model_type, event.alias] += 1
            state.alias_wins[event.model_type, event.alias] += won


def _fell_back(state: Counters, event: InferenceFellBack, _entry: Entry) -> None:
    if event.in_metrics:
        state.fallbacks[event.model_type, event.alias, event.reason] += 1


def _cycle_decided(state: Counters, event: CycleDecided, entry: Entry) -> None:
    # A reorder is counted where it is executed; a report that decided nothing else must not count it twice.
    if event.decision != "alias_reorder" or not event.reordered:
        state.count_decision(event.model_type, event.decision, entry)
    state.reasons[event.model_type, event.decision, event.reason_code] += 1


def _aliases_assigned(state: Counters, event: AliasesAssigned, entry: Entry) -> None:
    if event.reordered:
        state.count_decision(event.model_type, "alias_reorder", entry)
        state.reorders[event.model_type] += 1
        state.reorder_movers[event.model_type] = Mover(entry.position, entry.recorded_us)


def _training_completed(state: Counters, event: TrainingCompleted, _entry: Entry) -> None:
    state.trainings[event.model_type, event.status] += 1
    if event.duration_seconds is not None:
        durations = state.training_durations[event.model_type]
        bucket = sum(event.duration_seconds > bound for bound in TRAINING_BUCKETS_SECONDS)
        durations.counts[bucket] += 1
        durations.sum_seconds += event.duration_seconds


def _nothing(_state: Counters, _event: Event, _entry: Entry) -> None:
    """Counted by its type alone."""


_HANDLERS: dict[str, Handler[Counters]] = dict.fromkeys(EVENT_TYPES, _nothing) | dict(
    (
        on(PredictionMade, _prediction_made),
        on(RoundPlayed, _round_played),
        on(GameFinished, _game_finished),
        on(InferenceFellBack, _fell_back),
        on(CycleDecided, _cycle_decided),
        on(AliasesAssigned, _aliases_assigned),
        on(TrainingCompleted, _training_completed),
    )
)


def projection(since_us: int) -> Projection[Counters]:
    """The counters over events recorded at `since_us` (microseconds since the epoch, UTC) or later."""

    def since(handler: Handler[Counters]) -> Handler[Counters]:
        def fold(state: Counters, event: Event, entry: Entry) -> None:
            if entry.recorded_us >= since_us:
                state.events[entry.type] += 1
                handler(state, event, entry)

        return fold

    handlers = tuple((event_type, since(handler)) for event_type, handler in _HANDLERS.items())
    return Projection("counters", 7, Counters, handlers, settings=f"since_us={since_us}")
