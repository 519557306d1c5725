"""Where each family stands: its aliases, what each version has shown since the last swap, the open plan.

Games and predictions are kept by **version**, so that a challenger moved behind another alias takes its own
record along and nobody else's.
"""

from msgspec import Struct, field

from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    Assignment,
    CycleDecided,
    GameFinished,
    Lineup,
    PredictionMade,
    TrainingCompleted,
    wire_name,
)
from ledger.store import Entry
from ledger.vocabulary import ALIASES, FAMILIES, SHADOW_PREFIX, PlanCause
from projections.projection import Handler, Projection
from projections.read_models.tickers import is_evidence

ACCURACIES_KEPT = 100


class Record(Struct):
    """What one version has shown since the last swap."""

    predictions: int = 0
    correct: int = 0
    games: int = 0
    wins: int = 0


class Evaluation(Struct):
    """When the last cycle was, and its test; null where there was none."""

    evaluated_us: int
    z_statistic: float | None
    p_value: float | None


class OpenPlan(Struct):
    """A plan that no assignment has completed yet; `version` is its stream version."""

    version: int
    cause: PlanCause
    cycle: int | None
    assignments: tuple[Assignment, ...]
    swapped: bool
    reordered: bool


class Standing(Struct):
    """One family. `aliases` is empty until the family's first assignment."""

    stream_version: int = 0
    cycle: int = 0
    swap_count: int = 0
    aliases: dict[str, int] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)
    holdout_accuracies: dict[int, float] = field(default_factory=dict)
    plan: OpenPlan | None = None
    evaluation: Evaluation | None = None
    ranks: dict[str, int] = field(default_factory=dict)
    """Challenger -> place at the last ranking, before any move that followed; 1 is next in line."""
    adopted_swap: bool = False
    """The newest change of an alias was a swap that the registry told of, and no report has claimed it yet."""

    def lineup(self) -> Lineup | None:
        """The version behind every alias; None until all four are known."""
        return Lineup(**self.aliases) if all(alias in self.aliases for alias in ALIASES) else None

    def record(self, version: int) -> Record:
        """What the version has shown since the last swap; zeros if nothing."""
        return self.records.get(version) or Record()


class Standings(Struct):
    """The standing of each family."""

    families: dict[str, Standing] = field(default_factory=lambda: {family: Standing() for family in FAMILIES})


def _prediction_made(state: Standings, event: PredictionMade, entry: Entry) -> None:
    # Challengers are ranked by what they predicted in their own family's games: what was predicted beside other
    # games is of a share that somebody chose by a flag, and would weigh differently from day to day.
    if event.counted and not entry.stream.startswith(SHADOW_PREFIX):
        records = state.families[event.model_type].records
        record = records.get(event.model_version)
        if record is None:
            record = records[event.model_version] = Record()
        record.predictions += 1
        record.correct += event.correct


def _game_finished(state: Standings, event: GameFinished, _entry: Entry) -> None:
    standing = state.families.get(event.model_type)
    if standing is None or event.model_version is None or not is_evidence(event, standing.swap_count):
        return
    record = standing.records.setdefault(event.model_version, Record())
    record.games += 1
    record.wins += event.winner == "bot"


def _cycle_decided(state: Standings, event: CycleDecided, entry: Entry) -> None:
    standing = state.families[event.model_type]
    standing.stream_version = entry.version
    standing.cycle = event.cycle
    if event.report is not None:
        standing.adopted_swap = False
    standing.evaluation = Evaluation(entry.recorded_us, event.z_statistic, event.p_value)
    ranking = event.report.alias_rankings if event.report else event.ranking
    if ranking:
        standing.ranks = {ranked.alias: ranked.rank for ranked in ranking}


def _aliases_planned(state: Standings, event: AliasesPlanned, entry: Entry) -> None:
    standing = state.families[event.model_type]
    standing.stream_version = entry.version
    standing.plan = OpenPlan(
        entry.version, event.cause, event.cycle, event.assignments, event.swapped, event.reordered
    )


def _aliases_assigned(state: Standings, event: AliasesAssigned, entry: Entry) -> None:
    standing = state.families[event.model_type]
    standing.stream_version = entry.version
    standing.aliases = {assignment.alias: assignment.after for assignment in event.assignments}
    if standing.plan is not None and event.plan == standing.plan.version:
        standing.plan = None
    if event.swapped:
        standing.swap_count += 1
        standing.records.clear()
    standing.adopted_swap = event.swapped and event.cause == "registry"


def _training_completed(state: Standings, event: TrainingCompleted, _entry: Entry) -> None:
    if event.model_version is not None and event.holdout_accuracy is not None:
        standing = state.families[event.model_type]
        standing.holdout_accuracies[event.model_version] = event.holdout_accuracy
        _forget_oldest(standing)


def _forget_oldest(standing: Standing) -> None:
    """Keep the accuracies of what is behind an alias and of the newest, so that the state does not grow for ever.

    A version that is behind no alias now may come back: somebody rolls back to it.
    """
    accuracies, behind = standing.holdout_accuracies, set(standing.aliases.values())
    idle = sorted(version for version in accuracies if version not in behind)
    for version in idle[:-ACCURACIES_KEPT]:
        del accuracies[version]


def projection() -> Projection[Standings]:
    """The standings."""
    handlers: dict[str, Handler[Standings]] = {
        wire_name(PredictionMade): _prediction_made,
        wire_name(GameFinished): _game_finished,
        wire_name(CycleDecided): _cycle_decided,
        wire_name(AliasesPlanned): _aliases_planned,
        wire_name(AliasesAssigned): _aliases_assigned,
        wire_name(TrainingCompleted): _training_completed,
    }
    return Projection("standings", 2, Standings, handlers)
