"""The same events under another rule: which cycles would have decided otherwise, and what would have followed.

A game's outcome belongs to the model **version** that played it, under whichever alias. So the games stay usable
after the two histories have diverged, as long as the counterfactual Production and B are versions that did play.
Where they are not, there is nothing to count: from that position on the answer is a guess, and says so.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct, field, structs

from ledger.entries import Entry, Head
from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    Assignment,
    ClockAccepted,
    CrossFamilySet,
    CycleDecided,
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    LedgerAccepted,
    ParityChecked,
    PredictionMade,
    RuleSet,
    TrainingCompleted,
    VersionRun,
    wire_name,
)
from ledger.evidence import Tally
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES, Family, PlayedAlias
from projections.audit.counterfactual import Change, Grounds
from projections.audit.histories import Cycle, Histories, Period
from projections.audit.promotions import assignment_after
from projections.decision.cycle import is_cancellation, is_swap
from projections.decision.rules import DEFAULT, RuleError
from projections.errors import ProjectionError
from projections.fold import Progress, decode, walk
from projections.read_models.counting import NO_GAMES, is_evidence, one_more, ranks_challengers
from projections.read_models.moves import OpenPlan, open_plan, pin

_READ = (
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    CycleDecided,
    GameAbandoned,
    GameFinished,
    GameStarted,
    ParityChecked,
    PredictionMade,
    RuleSet,
    TrainingCompleted,
)


def what_if(
    ledger: Ledger,
    change: Change,
    families: Sequence[Family] = FAMILIES,
    progress: Progress | None = None,
    *,
    until: Head | None = None,
) -> list[Histories]:
    """The families' histories under the changed rule, up to `until`, or to the head. Writes nothing.

    Raises ProjectionError where a cycle cannot be decided, by a rule that this release does not know, and for an
    assignment that leaves an alias out.
    """
    states = {family: _counterfactual_state(ledger, family, change) for family in families}
    head = until or ledger.head()

    def take(event: Event, entry: Entry) -> None:
        assert not isinstance(event, CrossFamilySet | LedgerAccepted | ClockAccepted), "these are not read"
        if event.model_type != "scripted" and event.model_type in states:
            states[event.model_type].take(entry, event)

    walk(ledger, "what-if", dict.fromkeys(_READ, take), through=head.position, progress=progress)
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
    alias: PlayedAlias | None


class _Counterpart(NamedTuple):
    """What the counterfactual history had while the actual one had a certain assignment."""

    epoch: int
    assignment: Assignment


def _counterfactual_state(ledger: Ledger, family: Family, change: Change) -> "_CounterfactualState":
    """The family before its first event, with its own cycles: a report was decided by no rule of ours."""
    due, first_rule = [], None
    for entry in ledger.read_stream(promotion_stream(family)):
        event = decode(entry, ledger.codec)
        if isinstance(event, RuleSet):
            first_rule = first_rule or DEFAULT
        elif isinstance(event, CycleDecided) and event.rule is not None and event.evidence is not None:
            # Releases that recorded no change of the rule had it in each cycle.
            first_rule = first_rule or event.rule
            due.append(_Due(entry.position, event.evidence.through_position, entry.recorded_us, event))
    return _CounterfactualState(family, Grounds(change, first_rule or DEFAULT), due[::-1])


class _CounterfactualState(Struct):
    """One family: its counterfactual history, and the actual one as far as that depends on it."""

    family: Family
    grounds: Grounds
    due: list[_Due]
    """The cycles to come, the last first."""
    actual_assignment: Assignment | None = None
    actual_swaps: int = 0
    assignment: Assignment | None = None
    cycle: int = 0
    decided: tuple[CycleDecided, Assignment | None] | None = None
    """The cycle that has been decided and whose own position is not reached yet, with the assignment after it."""
    waiting: tuple[int, Assignment] | None = None
    """(cycle, assignment): the actual history makes the same move, and it takes effect in both at once."""
    open_plan: OpenPlan | None = None
    """The newest actual plan."""
    counterparts: dict[tuple[int, Assignment], _Counterpart] = field(default_factory=dict)
    games: dict[str, _Played] = field(default_factory=dict)
    of_programs: set[str] = field(default_factory=set)
    """The ids of the open games whose players are not human."""
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
            case GameStarted() | GameFinished() | GameAbandoned() | PredictionMade():
                self._play(entry, event)
            case RuleSet() | AliasPinned() | AliasUnpinned():
                self._set(entry, event)
            case TrainingCompleted() | ParityChecked():
                self._learn(entry, event)
            case CycleDecided():
                self._conclude(entry, event)
            case AliasesPlanned():
                self.open_plan = open_plan(event, entry)
                if self.waiting is not None and assignment_after(entry, event) != self.waiting[1]:
                    self._move(entry, self._take_waiting())
            case AliasesAssigned():
                self._assign(entry, event)
            case _:
                raise AssertionError(f"{entry.type} is not among the types that are read")

    def _play(self, entry: Entry, event: GameStarted | GameFinished | GameAbandoned | PredictionMade) -> None:
        match event:
            case GameStarted():
                if event.player_kind != "human":
                    self.of_programs.add(event.game_id)
                self._start(entry, event)
            case GameFinished():
                self.of_programs.discard(event.game_id)
                self._finish(entry, event)
            case GameAbandoned():
                self.of_programs.discard(event.game_id)
                self.games.pop(event.game_id, None)
                self.grounds.abandon(event)
            case PredictionMade():
                if ranks_challengers(event, entry):
                    self.grounds.predict(event, is_human=event.game_id not in self.of_programs)

    def _set(self, entry: Entry, event: RuleSet | AliasPinned | AliasUnpinned) -> None:
        """What holds for the cycles that come holds in both histories."""
        match event:
            case RuleSet():
                self.grounds.set_rule(entry, event)
            case AliasPinned():
                self.grounds.pins[event.alias] = pin(event, entry)
            case AliasUnpinned():
                self.grounds.pins.pop(event.alias, None)

    def _learn(self, entry: Entry, event: TrainingCompleted | ParityChecked) -> None:
        """What is known of a version, whatever is behind which alias."""
        match event:
            case ParityChecked():
                self.grounds.check(entry, event)
            case TrainingCompleted(model_version=int(version), run_id=str(run_id)):
                self.grounds.learn_runs([VersionRun(version=version, run_id=run_id, graph_sha256=None)])
            case _:
                pass  # a run that made no version

    def _start(self, entry: Entry, event: GameStarted) -> None:
        if event.assignment is None or event.model_version is None or self.assignment is None:
            return
        # A game may be recorded a moment after aliases moved under it: it belongs to what it started with.
        counterpart = _Counterpart(self.grounds.epoch, self.assignment)
        if (event.swap_count, event.assignment) != (self.actual_swaps, self.actual_assignment):
            counterpart = self.counterparts.get((event.swap_count, event.assignment), counterpart)
        behind: dict[int, PlayedAlias] = {
            counterpart.assignment.B: "B",
            counterpart.assignment.Production: "Production",
        }
        alias = behind.get(event.model_version)
        self.games[event.game_id] = _Played(counterpart.epoch, alias)
        if alias is not None and counterpart.epoch == self.grounds.epoch:
            self.grounds.start(entry, structs.replace(event, alias=alias, assignment=counterpart.assignment))

    def _finish(self, entry: Entry, event: GameFinished) -> None:
        played = self.games.pop(event.game_id, None)
        if played is None or event.model_version is None:
            return
        if is_evidence(event):
            tally = self.tallies.get(event.model_version, NO_GAMES)
            self.tallies[event.model_version] = one_more(tally, event)
            self.unused_games += played.alias is None
        if played.alias is not None and played.epoch == self.grounds.epoch:
            self.grounds.finish(entry, structs.replace(event, alias=played.alias))

    def _decide(self, due: _Due) -> None:
        """Decide a cycle again, with the counterfactual evidence at the position of the actual one."""
        if self.assignment is None:
            return
        decided_us = due.event.decided_us or due.recorded_us
        try:
            decided, planned = self.grounds.decide(
                due.event,
                self.cycle,
                self.assignment,
                through=due.through_position,
                decided_us=decided_us,
                waiting=self._waiting_plan(),
            )
        except RuleError as error:
            raise ProjectionError(due.position, wire_name(CycleDecided), str(error)) from error
        self.decided = decided, _after(planned) if planned else None

    def _waiting_plan(self) -> OpenPlan | None:
        """The plan of a move that both histories wait with, for an approval."""
        if self.waiting is None or self.open_plan is None or not self.open_plan.waits:
            return None
        return self.open_plan

    def _conclude(self, entry: Entry, event: CycleDecided) -> None:
        """Apply the decision at the cycle's own position."""
        self.cycle = event.cycle
        self.grounds.window.cycles += 1
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
        self.grounds.learn_runs(event.runs)
        if is_cancellation(event):
            # The plan is cancelled, and with it the counterfactual move that waits for it.
            self.waiting = None
            return
        before = self.actual_assignment
        if before is not None and self.assignment is not None:
            self.counterparts[self.actual_swaps, before] = _Counterpart(self.grounds.epoch, self.assignment)
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
        self.grounds.move(entry, after, swapped=is_swap(self.assignment, after) if swapped is None else swapped)
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
