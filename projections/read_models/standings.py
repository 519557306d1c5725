"""The promotion state of each family: its aliases, what each version has shown since the last swap, the open plan.

Games and predictions are kept by **version**, so that a challenger that moves to another alias takes its own
record along, and no other.
"""

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    Assignment,
    CycleDecided,
    GameAbandoned,
    GameFinished,
    GameStarted,
    Hits,
    ParityChecked,
    PlanApproved,
    PlanRejected,
    PredictionMade,
    RuleSet,
    TrainingCompleted,
    VersionRun,
)
from ledger.evidence import ParityFound, Rule, Tally
from ledger.vocabulary import ALIASES, FAMILIES, CountedPlayers, Decision, ReasonCode
from projections.projection import Projection, on
from projections.read_models import moves
from projections.read_models.counting import (
    NO_GAMES,
    is_evidence_since,
    one_more,
    pair_after,
    ranks_challengers,
)
from projections.read_models.moves import LastSwap, OpenPlan, Pin

VERSIONS_KEPT = 100


class Record(Struct):
    """What one version has shown since the last swap."""

    predictions: int = 0
    correct: int = 0
    games: int = 0
    wins: int = 0
    human: Tally = NO_GAMES
    """Of these games, those of human players."""
    human_predictions: int = 0
    human_correct: int = 0
    """Of these predictions, those of human players' moves."""

    @property
    def tally(self) -> Tally:
        """Its games and wins."""
        return Tally(games=self.games, wins=self.wins)

    def hits(self, players: CountedPlayers) -> Hits:
        """How it predicted the moves of these players."""
        if players == "all":
            return Hits(correct=self.correct, rows=self.predictions)
        return Hits(correct=self.human_correct, rows=self.human_predictions)

    def add_game(self, event: GameFinished) -> None:
        """Take in a game that it played."""
        self.games += 1
        self.wins += event.winner == "bot"
        if event.player_kind == "human":
            self.human = one_more(self.human, event)

    def add_prediction(self, event: PredictionMade, *, is_human: bool) -> None:
        """Take in a prediction that it made, of a human player's move or another's."""
        self.predictions += 1
        self.correct += event.correct
        if is_human:
            self.human_predictions += 1
            self.human_correct += event.correct


class Evaluation(Struct):
    """When the last cycle was, and what it found; null or empty where it found nothing of the kind."""

    evaluated_us: int
    z_statistic: float | None
    p_value: float | None
    log_e: float | None
    games_needed: int | None
    decisions: dict[str, Decision]
    """Rule -> what it would decide."""
    reason_code: ReasonCode


class Parity(Struct):
    """What the newest parity check of a version found; `position` is where that is recorded."""

    position: int
    run_id: str | None
    player: str
    rounds: int
    differences: int
    live: Hits
    held_out: Hits | None


class PromotionState(Struct):
    """One family. `aliases` is empty until the family's first assignment."""

    stream_version: int = 0
    cycle: int = 0
    swap_count: int = 0
    aliases: dict[str, int] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)
    holdout_accuracies: dict[int, float] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)
    """Version -> the run that it came of, of every version that the ledger knows one for."""
    graphs: dict[int, str] = field(default_factory=dict)
    """Version -> the SHA-256 of its graph, of versions that were assigned since that is recorded."""
    parities: dict[int, Parity] = field(default_factory=dict)
    """Version -> its newest parity check."""
    plan: OpenPlan | None = None
    pins: dict[str, Pin] = field(default_factory=dict)
    """Alias -> the version that is held behind it. One that has expired stays until that is recorded."""
    last_swap: LastSwap | None = None
    evaluation: Evaluation | None = None
    log_e_max: float = 0.0
    """The largest ln E of the looks in the rule's window: E begins at 1."""
    rule: Rule | None = None
    """What the cycles decide by; None until it is set."""
    ranks: dict[str, int] = field(default_factory=dict)
    """Challenger -> place at the last ranking, before any move that followed; 1 is next in line."""
    adopted_swap: bool = False
    """A swap found in the registry has brought Production and B where they are; no report has claimed it yet."""

    def assignment(self) -> Assignment | None:
        """The version behind every alias; None until all four are known."""
        return Assignment(**self.aliases) if all(alias in self.aliases for alias in ALIASES) else None

    def run(self, version: int) -> VersionRun | None:
        """What the ledger knows of a version's run; None if nothing."""
        run_id = self.runs.get(version)
        if run_id is None:
            return None
        return VersionRun(version=version, run_id=run_id, graph_sha256=self.graphs.get(version))

    def parity(self, version: int | None) -> Parity | None:
        """The newest check of a version, unless its number now means another run."""
        found = self.parities.get(version) if version is not None else None
        return found if found is not None and found.run_id == self.runs.get(version or 0) else None

    def parity_found(self, version: int) -> ParityFound | None:
        """What a guard looks at of that check."""
        found = self.parity(version)
        if found is None:
            return None
        return ParityFound(position=found.position, rounds=found.rounds, differences=found.differences)

    def is_pin_broken(self, alias: str) -> bool:
        """Whether another version than the pinned one is behind a pinned alias: an outside tool has moved it."""
        return alias in self.pins and self.aliases.get(alias) != self.pins[alias].version

    def record(self, version: int) -> Record:
        """What the version has shown since the last swap; zeros if nothing."""
        return self.records.get(version) or Record()


class PromotionStates(Struct):
    """The promotion state of each family."""

    families: dict[str, PromotionState] = field(
        default_factory=lambda: {family: PromotionState() for family in FAMILIES}
    )
    of_programs: dict[str, None] = field(default_factory=dict)
    """The ids of the open games whose players are not human: a prediction does not say whose move it is of."""


def _game_started(state: PromotionStates, event: GameStarted, _entry: Entry) -> None:
    if event.player_kind != "human" and event.model_type in state.families:
        state.of_programs[event.game_id] = None


def _game_abandoned(state: PromotionStates, event: GameAbandoned, _entry: Entry) -> None:
    state.of_programs.pop(event.game_id, None)


def _prediction_made(state: PromotionStates, event: PredictionMade, entry: Entry) -> None:
    if ranks_challengers(event, entry):
        records = state.families[event.model_type].records
        record = records.get(event.model_version)
        if record is None:
            record = records[event.model_version] = Record()
        record.add_prediction(event, is_human=event.game_id not in state.of_programs)


def _game_finished(state: PromotionStates, event: GameFinished, _entry: Entry) -> None:
    state.of_programs.pop(event.game_id, None)
    promotion = state.families.get(event.model_type)
    if promotion is None or event.model_version is None or not is_evidence_since(event, promotion.swap_count):
        return
    promotion.records.setdefault(event.model_version, Record()).add_game(event)


def _cycle_decided(state: PromotionStates, event: CycleDecided, entry: Entry) -> None:
    promotion = state.families[event.model_type]
    promotion.stream_version = entry.version
    promotion.cycle = event.cycle
    if event.report is not None:
        promotion.adopted_swap = False
    promotion.evaluation = _evaluation(event, entry.recorded_us)
    if event.statistics is not None:
        promotion.log_e_max = event.statistics.log_e_max
    ranking = event.report.alias_rankings if event.report else event.ranking
    if ranking:
        promotion.ranks = {ranked.alias: ranked.rank for ranked in ranking}


def _evaluation(event: CycleDecided, evaluated_us: int) -> Evaluation:
    statistics = event.statistics
    return Evaluation(
        evaluated_us=evaluated_us,
        z_statistic=event.z_statistic,
        p_value=event.p_value,
        log_e=statistics.log_e if statistics else None,
        games_needed=statistics.games_needed if statistics else None,
        decisions={verdict.rule: verdict.decision for verdict in event.verdicts},
        reason_code=event.reason_code,
    )


def _rule_set(state: PromotionStates, event: RuleSet, entry: Entry) -> None:
    promotion = state.families[event.model_type]
    promotion.stream_version = entry.version
    promotion.rule = event.rule
    if event.restarts_window:
        promotion.log_e_max = 0.0


def _aliases_planned(state: PromotionStates, event: AliasesPlanned, entry: Entry) -> None:
    promotion = state.families[event.model_type]
    promotion.stream_version = entry.version
    promotion.plan = moves.open_plan(event, entry)


def _aliases_assigned(state: PromotionStates, event: AliasesAssigned, entry: Entry) -> None:
    promotion = state.families[event.model_type]
    promotion.stream_version = entry.version
    pair_before = promotion.aliases.get("Production"), promotion.aliases.get("B")
    promotion.aliases = {change.alias: change.after for change in event.assignments}
    promotion.last_swap = moves.last_swap(event, entry) or promotion.last_swap
    for run in event.runs:
        promotion.runs[run.version] = run.run_id
        if run.graph_sha256 is not None:
            promotion.graphs[run.version] = run.graph_sha256
    if promotion.plan is not None and event.plan == promotion.plan.version:
        promotion.plan = None
    if event.swapped:
        promotion.swap_count += 1
        promotion.records.clear()
    keeps_pair = pair_after(event) == pair_before
    by_pair = promotion.rule is not None and promotion.rule.evidence == "version_pair"
    if event.swapped or (by_pair and not keeps_pair):
        promotion.log_e_max = 0.0
    if event.swapped or not keeps_pair:
        promotion.adopted_swap = event.swapped and event.cause == "registry"


def _alias_pinned(state: PromotionStates, event: AliasPinned, entry: Entry) -> None:
    promotion = state.families[event.model_type]
    promotion.stream_version = entry.version
    promotion.pins[event.alias] = moves.pin(event, entry)


def _alias_unpinned(state: PromotionStates, event: AliasUnpinned, entry: Entry) -> None:
    promotion = state.families[event.model_type]
    promotion.stream_version = entry.version
    promotion.pins.pop(event.alias, None)


def _plan_approved(state: PromotionStates, event: PlanApproved, entry: Entry) -> None:
    promotion = state.families[event.model_type]
    promotion.stream_version = entry.version
    if promotion.plan is not None and promotion.plan.version == event.plan:
        promotion.plan.approved = True


def _plan_rejected(state: PromotionStates, event: PlanRejected, entry: Entry) -> None:
    """It is closed by the assignment that follows."""
    state.families[event.model_type].stream_version = entry.version


def _training_completed(state: PromotionStates, event: TrainingCompleted, _entry: Entry) -> None:
    promotion = state.families[event.model_type]
    if event.model_version is not None and event.run_id is not None:
        promotion.runs[event.model_version] = event.run_id
    if event.model_version is not None and event.holdout_accuracy is not None:
        promotion.holdout_accuracies[event.model_version] = event.holdout_accuracy
        _drop_oldest(promotion)


def _parity_checked(state: PromotionStates, event: ParityChecked, entry: Entry) -> None:
    # None is dropped, however old: a guard asks for that of whatever comes back behind B, and an audit finds it.
    state.families[event.model_type].parities[event.version] = parity_of(entry, event)


def parity_of(entry: Entry, event: ParityChecked) -> Parity:
    """What a check found, as it is kept."""
    return Parity(
        position=entry.position,
        run_id=event.run_id,
        player=event.player,
        rounds=event.rounds,
        differences=event.differences,
        live=event.live,
        held_out=event.held_out,
    )


def _drop_oldest(promotion: PromotionState) -> None:
    """Keep what is known of versions behind an alias and of the newest, so that the state does not grow for ever.

    A version that is behind no alias now may come back: an operator rolls back to it.
    """
    known, behind = promotion.holdout_accuracies, set(promotion.aliases.values())
    idle = sorted(version for version in known if version not in behind)
    for version in idle[:-VERSIONS_KEPT]:
        del known[version]


def projection() -> Projection[PromotionStates]:
    """The promotion states."""
    handlers = (
        on(GameStarted, _game_started),
        on(PredictionMade, _prediction_made),
        on(GameFinished, _game_finished),
        on(GameAbandoned, _game_abandoned),
        on(CycleDecided, _cycle_decided),
        on(RuleSet, _rule_set),
        on(AliasesPlanned, _aliases_planned),
        on(AliasesAssigned, _aliases_assigned),
        on(AliasPinned, _alias_pinned),
        on(AliasUnpinned, _alias_unpinned),
        on(PlanApproved, _plan_approved),
        on(PlanRejected, _plan_rejected),
        on(TrainingCompleted, _training_completed),
        on(ParityChecked, _parity_checked),
    )
    return Projection("standings", 11, PromotionStates, handlers)
