"""The same events under another rule: which cycles would have decided otherwise, and what would have followed.

Outcomes belong to model **versions**: a game that version 2 won is a game that version 2 won, whichever alias it
played under. So the games stay usable after the two histories have parted, as long as the versions that would
have stood behind Production and B are those that really played. Where they are not, there is nothing to
count: from that position on the answer is a guess, and says so.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct, field, structs

from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    Assignment,
    CycleDecided,
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    PredictionMade,
    Rule,
    wire_name,
)
from ledger.store import Entry, Ledger
from ledger.streams import is_shadow, promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES, Family
from projections.audit.outcome import Cycle, Outcome, Reign, Score
from projections.audit.promotions import assignment_after
from projections.decision.cycle import decide_cycle, is_swap, is_withdrawal
from projections.decision.rules import RuleError
from projections.errors import ProjectionError
from projections.fold import Progress, Reader, decode, walk
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
        """The rule with the changes."""
        changes = {key: value for key, value in structs.asdict(self).items() if value is not None}
        return structs.replace(rule, **changes)


def what_if(
    ledger: Ledger,
    change: Change,
    families: Sequence[Family] = FAMILIES,
    progress: Progress | None = None,
) -> list[Outcome]:
    """The families' histories under the changed rule. Writes nothing.

    Raises ProjectionError where a cycle cannot be decided, by a rule that this release does not know, and for an
    assignment that leaves an alias out.
    """
    worlds = {family: _World(family, change, _cycles(ledger, family)) for family in families}
    head = ledger.head()

    def take(event: Event, entry: Entry) -> None:
        if event.model_type != "scripted" and event.model_type in worlds:
            worlds[event.model_type].take(entry, event)

    walk(ledger, Reader("what-if", take), _READ, through=head.position, progress=progress)
    return [world.outcome(head.recorded_us) for world in worlds.values()]


class _Due(NamedTuple):
    """A cycle that is to be decided again, with the events up to `through_position`."""

    position: int
    through_position: int
    event: CycleDecided


class _Played(NamedTuple):
    """A game that is going on, as the other history sees it; no alias: its version would not have played."""

    epoch: int
    alias: str | None


class _Twin(NamedTuple):
    """What the other history had when the real one had a certain lineup."""

    epoch: int
    assignment: Assignment


def _cycles(ledger: Ledger, family: Family) -> list[_Due]:
    """The family's own cycles, the last first; what an outside automation decided is no rule of ours."""
    due = []
    for entry in ledger.read_stream(promotion_stream(family)):
        event = decode(entry, ledger.codec)
        if isinstance(event, CycleDecided) and event.rule is not None and event.evidence is not None:
            due.append(_Due(entry.position, event.evidence.through_position, event))
    return due[::-1]


class _World(Struct):
    """One family: the real history as far as it matters, and the other one."""

    family: Family
    change: Change
    due: list[_Due]
    actual_lineup: Assignment | None = None
    actual_swaps: int = 0
    assignment: Assignment | None = None
    window: Window = field(default_factory=Window)
    records: dict[int, Record] = field(default_factory=dict)
    cycle: int = 0
    decided: tuple[CycleDecided, Assignment | None] | None = None
    """The cycle that has been decided and whose own position is not reached yet, with the lineup it leads to."""
    waiting: tuple[int, Assignment] | None = None
    """(cycle, lineup): the same move is under way in the real history, and takes effect when it does there."""
    twins: dict[tuple[int, Assignment], _Twin] = field(default_factory=dict)
    games: dict[str, _Played] = field(default_factory=dict)
    scores: dict[int, Score] = field(default_factory=dict)
    cycles: list[Cycle] = field(default_factory=list)
    actual_reigns: list[Reign] = field(default_factory=list)
    reigns: list[Reign] = field(default_factory=list)
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
                if event.in_metrics and not is_shadow(entry.stream):
                    record = self.records.setdefault(event.model_version, Record())
                    record.predictions += 1
                    record.correct += event.correct
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
        twin = _Twin(self.window.swap_count, self.assignment)
        if (event.swap_count, event.assignment) != (self.actual_swaps, self.actual_lineup):
            twin = self.twins.get((event.swap_count, event.assignment), twin)
        behind = {twin.assignment.B: "B", twin.assignment.Production: "Production"}
        self.games[event.game_id] = _Played(twin.epoch, behind.get(event.model_version))

    def _finish(self, event: GameFinished) -> None:
        played = self.games.pop(event.game_id, None)
        if played is None or event.model_version is None or event.fallback_affected or not event.in_metrics:
            return
        won = event.winner == "bot"
        wins, games = self.scores.get(event.model_version, (0, 0))
        self.scores[event.model_version] = Score(wins + won, games + 1)
        if played.alias is None:
            self.unused_games += 1
        elif played.epoch == self.window.swap_count:
            score = self.window.scores[played.alias]
            score.games += 1
            score.wins += won
            record = self.records.setdefault(event.model_version, Record())
            record.games += 1
            record.wins += won

    def _decide(self, due: _Due) -> None:
        """Decide a cycle again, with what the other history has when the real one took its evidence."""
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
            )
        except RuleError as error:
            raise ProjectionError(due.position, wire_name(CycleDecided), str(error)) from error
        self.decided = decided, _after(planned) if planned else None

    def _conclude(self, entry: Entry, event: CycleDecided) -> None:
        """The cycle's own position: what was decided takes its course."""
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
        if moves_too and self.assignment == self.actual_lineup:
            self.waiting = event.cycle, after
        else:
            self._move(entry, after)

    def _assign(self, entry: Entry, event: AliasesAssigned) -> None:
        if is_withdrawal(event):
            # The move that is under way will not come, nor will the one that was to take effect with it.
            self.waiting = None
            return
        before = self.actual_lineup
        if before is not None and self.assignment is not None:
            self.twins[self.actual_swaps, before] = _Twin(self.window.swap_count, self.assignment)
        self.actual_lineup = assignment_after(entry, event)
        self.actual_swaps += event.swapped
        self.actual_reigns.append(_reign(entry, self.actual_lineup))
        if event.cause == "promotion":
            if self.waiting is not None:
                self._move(entry, self._take_waiting())
        else:
            self._follow(entry, event, before)
        self._compare(entry)

    def _follow(self, entry: Entry, event: AliasesAssigned, before: Assignment | None) -> None:
        """What came from outside the rule happens in both histories: a training, a hand, a report."""
        assert self.actual_lineup is not None
        if self.assignment is None or self.assignment == before or event.swapped:
            after = self.actual_lineup
        else:
            moved = {one.alias: one.after for one in event.assignments if one.before != one.after}
            versions = _by_alias(self.assignment) | moved
            doubled = len(set(versions.values())) < len(versions)
            after = self.actual_lineup if doubled else Assignment(**versions)
        swapped = event.swapped or is_swap(self.assignment, after)
        self._move(entry, after, swapped=swapped)

    def _take_waiting(self) -> Assignment:
        assert self.waiting is not None
        _, after = self.waiting
        self.waiting = None
        return after

    def _move(self, entry: Entry, after: Assignment, *, swapped: bool | None = None) -> None:
        """The other history's aliases change."""
        if swapped if swapped is not None else is_swap(self.assignment, after):
            self.window = Window(
                swap_count=self.window.swap_count + 1,
                since_position=entry.position,
                last_swap_us=entry.recorded_us,
            )
            self.records = {}
        self.assignment = after
        self.reigns.append(_reign(entry, after))
        self._compare(entry)

    def _compare(self, entry: Entry) -> None:
        ours, theirs = self.assignment, self.actual_lineup
        if ours is None or theirs is None or ours == theirs:
            return
        if self.parted_position is None and self.waiting is None:
            self.parted_position = entry.position
        if self.exact_until is None and {ours.Production, ours.B} != {theirs.Production, theirs.B}:
            self.exact_until = entry.position

    def outcome(self, last_us: int) -> Outcome:
        """What came of it."""
        return Outcome(
            model_type=self.family,
            cycles=tuple(self.cycles),
            actual_reigns=tuple(self.actual_reigns),
            other_reigns=tuple(self.reigns),
            parted_position=self.parted_position,
            exact_until=self.exact_until,
            unused_games=self.unused_games,
            scores=self.scores,
            last_us=last_us,
        )


def _after(planned: AliasesPlanned) -> Assignment:
    return Assignment(**{one.alias: one.after for one in planned.assignments})


def _by_alias(assignment: Assignment) -> dict[str, int]:
    return {alias: getattr(assignment, alias) for alias in ALIASES}


def _reign(entry: Entry, assignment: Assignment) -> Reign:
    return Reign(entry.position, entry.recorded_us, assignment.Production, assignment.B)
