"""The same events under another rule: which cycles would have decided otherwise, and what would have followed.

A game's outcome belongs to the model **version** that played it, under whichever alias. So the games stay usable
after the two histories have diverged, as long as the counterfactual Production and B are versions that did play.
Where they are not, there is nothing to count: from that position on the answer is a guess, and says so.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct, field, structs

from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    Assignment,
    ClockAccepted,
    CycleDecided,
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    LedgerAccepted,
    PredictionMade,
    wire_name,
)
from ledger.evidence import Rule, Tally
from ledger.store import Entry, Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES, Family
from projections.audit.histories import Cycle, Histories, Period
from projections.audit.promotions import assignment_after
from projections.decision.cycle import decide_cycle, is_cancellation, is_swap
from projections.decision.rules import RuleError
from projections.errors import ProjectionError
from projections.fold import Progress, Reader, decode, walk
from projections.read_models.counting import NO_GAMES, is_evidence, one_more, ranks_challengers
from projections.read_models.standings import PromotionState, Record
from projections.read_models.tickers import Window

_READ = (
    AliasesAssigned,
    AliasesPlanned,
    CycleDecided,
    GameAbandoned,
    GameFinished,
    GameStarted,
    PredictionMade,
)


class Change(Struct, frozen=True):
    """What to change in the rule that each cycle was decided by; None: nothing."""

    name: str | None = None
    alpha: str | None = None
    minimum_games: int | None = None
    minimum_predictions: int | None = None

    def applied(self, rule: Rule) -> Rule:
        """The rule with the changes, without guards. By any rule finished games are counted."""
        changes = {key: value for key, value in structs.asdict(self).items() if value is not None}
        return structs.replace(rule, **changes, settle_seconds=None, guards=None)


def what_if(
    ledger: Ledger,
    change: Change,
    families: Sequence[Family] = FAMILIES,
    progress: Progress | None = None,
) -> list[Histories]:
    """The families' histories under the changed rule. Writes nothing.

    Raises ProjectionError where a cycle cannot be decided, by a rule that this release does not know, and for an
    assignment that leaves an alias out.
    """
    states = {family: _CounterfactualState(family, change, _cycles(ledger, family)) for family in families}
    head = ledger.head()

    def take(event: Event, entry: Entry) -> None:
        assert not isinstance(event, LedgerAccepted | ClockAccepted), "they are not among those that are read"
        if event.model_type != "scripted" and event.model_type in states:
            states[event.model_type].take(entry, event)

    walk(ledger, Reader("what-if", take), _READ, through=head.position, progress=progress)
    return [state.histories(head.recorded_us) for state in states.values()]


class _Due(NamedTuple):
    """A cycle that is to be decided again, with the events up to `through_position`."""

    position: int
    through_position: int
    recorded_us: int
    event: CycleDecided


class _Played(NamedTuple):
    """An open game in the counterfactual history; no alias: there its version would not have played it."""

    epoch: int
    alias: str | None


class _Counterpart(NamedTuple):
    """What the counterfactual history had while the actual one had a certain assignment."""

    epoch: int
    assignment: Assignment


def _cycles(ledger: Ledger, family: Family) -> list[_Due]:
    """The family's own cycles, the last first; what an outside automation decided is no rule of ours."""
    due = []
    for entry in ledger.read_stream(promotion_stream(family)):
        event = decode(entry, ledger.codec)
        if isinstance(event, CycleDecided) and event.rule is not None and event.evidence is not None:
            due.append(_Due(entry.position, event.evidence.through_position, entry.recorded_us, event))
    return due[::-1]


class _CounterfactualState(Struct):
    """One family: its counterfactual history, and the actual one as far as that depends on it."""

    family: Family
    change: Change
    due: list[_Due]
    actual_assignment: Assignment | None = None
    actual_swaps: int = 0
    assignment: Assignment | None = None
    window: Window = field(default_factory=Window)
    records: dict[int, Record] = field(default_factory=dict)
    cycle: int = 0
    decided: tuple[CycleDecided, Assignment | None] | None = None
    """The cycle that has been decided and whose own position is not reached yet, with the assignment after it."""
    waiting: tuple[int, Assignment] | None = None
    """(cycle, assignment): the actual history makes the same move, and it takes effect in both at once."""
    counterparts: dict[tuple[int, Assignment], _Counterpart] = field(default_factory=dict)
    games: dict[str, _Played] = field(default_factory=dict)
    tallies: dict[int, Tally] = field(default_factory=dict)
    cycles: list[Cycle] = field(default_factory=list)
    actual_periods: list[Period] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    parted_position: int | None = None
    exact_until: int | None = None
    unused_games: int = 0

    def take(self, entry: Entry, event: Event) -> None:
        """Fold one event of the family into both histories."""
        if self.due and self.due[-1].through_position < entry.position:
            self._decide(self.due.pop())
        match event:
            case GameStarted():
                self._start(event)
            case GameFinished():
                self._finish(event)
            case GameAbandoned():
                self.games.pop(event.game_id, None)
            case PredictionMade():
                if ranks_challengers(event, entry):
                    self.records.setdefault(event.model_version, Record()).add(event)
            case CycleDecided():
                self._conclude(entry, event)
            case AliasesPlanned():
                if self.waiting is not None and assignment_after(entry, event) != self.waiting[1]:
                    self._move(entry, self._take_waiting())
            case AliasesAssigned():
                self._assign(entry, event)
            case _:
                raise AssertionError(f"{entry.type} is not among the types that are read")

    def _start(self, event: GameStarted) -> None:
        if event.assignment is None or event.model_version is None or self.assignment is None:
            return
        # A game may be recorded a moment after aliases moved under it: it belongs to what it started with.
        counterpart = _Counterpart(self.window.swap_count, self.assignment)
        if (event.swap_count, event.assignment) != (self.actual_swaps, self.actual_assignment):
            counterpart = self.counterparts.get((event.swap_count, event.assignment), counterpart)
        behind = {counterpart.assignment.B: "B", counterpart.assignment.Production: "Production"}
        self.games[event.game_id] = _Played(counterpart.epoch, behind.get(event.model_version))

    def _finish(self, event: GameFinished) -> None:
        played = self.games.pop(event.game_id, None)
        if played is None or event.model_version is None or not is_evidence(event):
            return
        self.tallies[event.model_version] = one_more(self.tallies.get(event.model_version, NO_GAMES), event)
        if played.alias is None:
            self.unused_games += 1
        elif played.epoch == self.window.swap_count:
            self.window.scores[played.alias] = one_more(self.window.scores[played.alias], event)
            self.records.setdefault(event.model_version, Record()).add(event)

    def _decide(self, due: _Due) -> None:
        """Decide a cycle again, with the counterfactual evidence at the position of the actual one."""
        if self.assignment is None:
            return
        assert due.event.rule is not None
        promotion = PromotionState(cycle=self.cycle, aliases=_by_alias(self.assignment), records=self.records)
        try:
            decided, planned = decide_cycle(
                self.family,
                promotion,
                self.window,
                self.change.applied(due.event.rule),
                trigger=due.event.trigger,
                source=due.event.source,
                position=due.through_position,
                decided_us=due.event.decided_us or due.recorded_us,
            )
        except RuleError as error:
            raise ProjectionError(due.position, wire_name(CycleDecided), str(error)) from error
        self.decided = decided, _after(planned) if planned else None

    def _conclude(self, entry: Entry, event: CycleDecided) -> None:
        """Apply the decision at the cycle's own position."""
        self.cycle = event.cycle
        self.window.cycles += 1
        if self.decided is None:
            return
        decided, after = self.decided
        self.decided = None
        exact = self.exact_until is None
        self.cycles.append(Cycle(entry.position, entry.recorded_us, self.family, event, decided, exact))
        if after is None:
            return
        moves_too = event.decision == "swap_production_b" or event.reordered
        if moves_too and self.assignment == self.actual_assignment:
            self.waiting = event.cycle, after
        else:
            self._move(entry, after)

    def _assign(self, entry: Entry, event: AliasesAssigned) -> None:
        if is_cancellation(event):
            # The plan is cancelled, and with it the counterfactual move that waits for it.
            self.waiting = None
            return
        before = self.actual_assignment
        if before is not None and self.assignment is not None:
            self.counterparts[self.actual_swaps, before] = _Counterpart(self.window.swap_count, self.assignment)
        self.actual_assignment = assignment_after(entry, event)
        self.actual_swaps += event.swapped
        self.actual_periods.append(_period(entry, self.actual_assignment))
        if event.cause == "promotion":
            if self.waiting is not None:
                self._move(entry, self._take_waiting())
        else:
            self._follow(entry, event, before)
        self._compare(entry)

    def _follow(self, entry: Entry, event: AliasesAssigned, before: Assignment | None) -> None:
        """A change that no rule decided happens in both histories: a training's, an operator's, a report's."""
        assert self.actual_assignment is not None
        if self.assignment is None or self.assignment == before or event.swapped:
            after = self.actual_assignment
        else:
            moved = {one.alias: one.after for one in event.assignments if one.before != one.after}
            versions = _by_alias(self.assignment) | moved
            doubled = len(set(versions.values())) < len(versions)
            after = self.actual_assignment if doubled else Assignment(**versions)
        swapped = event.swapped or is_swap(self.assignment, after)
        self._move(entry, after, swapped=swapped)

    def _take_waiting(self) -> Assignment:
        assert self.waiting is not None
        _, after = self.waiting
        self.waiting = None
        return after

    def _move(self, entry: Entry, after: Assignment, *, swapped: bool | None = None) -> None:
        """Change the counterfactual aliases."""
        if swapped if swapped is not None else is_swap(self.assignment, after):
            self.window = Window(
                swap_count=self.window.swap_count + 1,
                since_position=entry.position,
                last_swap_us=entry.recorded_us,
            )
            self.records = {}
        self.assignment = after
        self.periods.append(_period(entry, after))
        self._compare(entry)

    def _compare(self, entry: Entry) -> None:
        ours, theirs = self.assignment, self.actual_assignment
        if ours is None or theirs is None or ours == theirs:
            return
        if self.parted_position is None and self.waiting is None:
            self.parted_position = entry.position
        if self.exact_until is None and {ours.Production, ours.B} != {theirs.Production, theirs.B}:
            self.exact_until = entry.position

    def histories(self, last_us: int) -> Histories:
        """Both histories, up to the time of the last event."""
        return Histories(
            model_type=self.family,
            cycles=tuple(self.cycles),
            actual_periods=tuple(self.actual_periods),
            counterfactual_periods=tuple(self.periods),
            parted_position=self.parted_position,
            exact_until=self.exact_until,
            unused_games=self.unused_games,
            tallies=self.tallies,
            last_us=last_us,
        )


def _after(planned: AliasesPlanned) -> Assignment:
    return Assignment(**{one.alias: one.after for one in planned.assignments})


def _by_alias(assignment: Assignment) -> dict[str, int]:
    return {alias: getattr(assignment, alias) for alias in ALIASES}


def _period(entry: Entry, assignment: Assignment) -> Period:
    return Period(entry.position, entry.recorded_us, assignment.Production, assignment.B)
