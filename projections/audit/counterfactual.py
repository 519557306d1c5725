"""What a family's cycles would decide by under another rule: its windows in the counterfactual history.

The events are the actual ones, with the alias that their version would have been behind. They go through the same
windows that a service keeps, so that nothing changed gives the history itself.
"""

from collections.abc import Iterable

from msgspec import Struct, field, structs

from ledger.entries import Entry
from ledger.events import (
    AliasesPlanned,
    Assignment,
    CycleDecided,
    GameAbandoned,
    GameFinished,
    GameStarted,
    ParityChecked,
    PredictionMade,
    RuleSet,
    VersionRun,
)
from ledger.evidence import Rule
from ledger.vocabulary import PLAYED_ALIASES, CountedPlayers, EvidenceWindow
from projections.decision.cycle import decide_cycle, versions_of
from projections.decision.rules import ANYTIME_SIGN, SETTLE_SECONDS, restarts_window
from projections.read_models.assigned_games import AssignedGames, window_of
from projections.read_models.counting import intended_share, is_evidence, pair_of
from projections.read_models.moves import OpenPlan, Pin
from projections.read_models.standings import Parity, PromotionState, Record, parity_of
from projections.read_models.tickers import Window
from projections.read_models.version_pairs import PairWindow


class Change(Struct, frozen=True):
    """What to change in the rule that each cycle was decided by; None: nothing. Its guards and pins stay."""

    name: str | None = None
    alpha: str | None = None
    minimum_games: int | None = None
    minimum_predictions: int | None = None
    settle_seconds: int | None = None
    evidence: EvidenceWindow | None = None
    players: CountedPlayers | None = None

    def applied(self, rule: Rule) -> Rule:
        """The rule with the changes. Another rule comes with its own way of counting games."""
        changes = {key: value for key, value in structs.asdict(self).items() if value is not None}
        if self.players is not None:
            changes["ranking_players"] = self.players
        changed = structs.replace(rule, **changes)
        if changed.name != ANYTIME_SIGN:
            return structs.replace(changed, settle_seconds=None)
        if changed.name != rule.name:
            return structs.replace(changed, settle_seconds=self.settle_seconds or SETTLE_SECONDS)
        return changed


class Grounds(Struct):
    """One family; `actual_rule` is the one that the ledger had in force."""

    change: Change
    actual_rule: Rule
    window: Window = field(default_factory=Window)
    pair: PairWindow = field(default_factory=PairWindow)
    assigned: AssignedGames | None = None
    records: dict[int, Record] = field(default_factory=dict)
    pins: dict[str, Pin] = field(default_factory=dict)
    """What an operator has pinned: the alias is held in this history, too, at whatever is behind it here."""
    runs: dict[int, str] = field(default_factory=dict)
    parities: dict[int, Parity] = field(default_factory=dict)
    """Version -> its newest parity check: a version is the same in either history."""

    def __post_init__(self) -> None:
        self.assigned = window_of(self.change.applied(self.actual_rule), 0)

    @property
    def epoch(self) -> int:
        """How many swaps there would have been."""
        return self.window.swap_count

    def start(self, entry: Entry, event: GameStarted) -> None:
        """Take in a game of the present window; alias and assignment are the counterfactual ones."""
        if not event.in_metrics or event.alias is None:
            return
        split = self.window.splits.setdefault(intended_share(event), dict.fromkeys(PLAYED_ALIASES, 0))
        split[event.alias] += 1
        of_pair = pair_of(event.assignment) == self.pair.pair
        if of_pair:
            self.pair.playing[event.game_id] = None
        if self.assigned is not None and (of_pair or self.assigned.evidence == "since_swap"):
            self.assigned.start(event, entry.recorded_us, event.alias)

    def finish(self, entry: Entry, event: GameFinished) -> None:
        """Take in how a game of the present window ended."""
        assert event.alias is not None
        assert event.model_version is not None
        if self.assigned is not None:
            self.assigned.finish(event, entry.recorded_us)
        self.pair.finish(event)
        if is_evidence(event):
            self.window.count(event)
            self.records.setdefault(event.model_version, Record()).add_game(event)
        elif event.in_metrics:
            self.window.fallbacks[event.alias] += 1

    def abandon(self, event: GameAbandoned) -> None:
        """A game that was left is no finished game of any window."""
        self.pair.playing.pop(event.game_id, None)

    def predict(self, event: PredictionMade, *, is_human: bool) -> None:
        """Take in a prediction that ranks challengers."""
        self.records.setdefault(event.model_version, Record()).add_prediction(event, is_human=is_human)

    def learn_runs(self, runs: Iterable[VersionRun]) -> None:
        """Take in which runs versions came of."""
        self.runs.update((run.version, run.run_id) for run in runs)

    def check(self, entry: Entry, event: ParityChecked) -> None:
        """Take in a parity check."""
        self.parities[event.version] = parity_of(entry, event)

    def set_rule(self, entry: Entry, event: RuleSet) -> None:
        """Take over a change of the actual rule. It restarts the window where it changes the other rule too."""
        before, after = self.actual_rule, event.rule
        self.actual_rule = after
        # Earlier releases restarted it even for a guard: what they did is what is to be repeated.
        needless = not restarts_window(before, after)
        changes_ours = restarts_window(self.change.applied(before), self.change.applied(after))
        if event.restarts_window and (needless or changes_ours):
            self.assigned = window_of(self.change.applied(after), entry.position)

    def move(self, entry: Entry, after: Assignment, *, swapped: bool) -> None:
        """The aliases change."""
        changed = pair_of(after) != self.pair.pair
        if swapped:
            self.window = Window(
                swap_count=self.window.swap_count + 1,
                since_position=entry.position,
                last_swap_us=entry.recorded_us,
            )
            self.records = {}
        if swapped or changed:
            self.pair = PairWindow(entry.position, self.window.swap_count, pair_of(after))
        if self.assigned is not None and (swapped or (changed and self.assigned.evidence == "version_pair")):
            self.assigned = self.assigned.again(entry.position)

    def decide(
        self,
        actual: CycleDecided,
        cycle: int,
        assignment: Assignment,
        *,
        through: int,
        decided_us: int,
        waiting: OpenPlan | None = None,
    ) -> tuple[CycleDecided, AliasesPlanned | None]:
        """What the changed rule decides in place of an actual cycle, while a plan may wait. Raises RuleError."""
        assert actual.rule is not None
        aliases: dict[str, int] = dict(versions_of(assignment).items())
        promotion = PromotionState(
            cycle=cycle,
            aliases=aliases,
            records=self.records,
            runs=self.runs,
            parities=self.parities,
            pins=self.pins,
            plan=waiting,
        )
        return decide_cycle(
            actual.model_type,
            promotion,
            self.window,
            self.pair,
            self.change.applied(actual.rule),
            trigger=actual.trigger,
            source=actual.source,
            position=through,
            decided_us=decided_us,
            assigned=self.assigned,
        )
