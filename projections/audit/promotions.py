"""A family's promotion stream, read in order: its decisions, each with the state before it, and its moves.

A move is a plan with what ended it. At most one is open, and nothing is decided, planned or adopted meanwhile; so
whatever assigns aliases while one is open has to be its end.
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
    PlanApproved,
    RuleSet,
)
from ledger.evidence import ParityFound, Rule
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, Family
from projections.audit.parity import RunSeen, read_parity_checks
from projections.errors import ProjectionError
from projections.fold import decode
from projections.read_models import moves
from projections.read_models.counting import pair_of
from projections.read_models.moves import OpenPlan, Pin


class Move(Struct):
    """A plan, the aliases that it found, and the assignment that ended it."""

    planned: Entry
    plan: AliasesPlanned
    assignment: Assignment | None
    end: AliasesAssigned | None = None
    approved: bool = False
    overtaken: bool = False
    """Something else was decided or planned while it was open, and did not wait for an approval."""

    @property
    def waiting(self) -> OpenPlan | None:
        """The plan, while it waits for an approval."""
        if self.end is not None or self.approved or self.plan.approve_by_us is None:
            return None
        return moves.open_plan(self.plan, self.planned)


class Decided(Struct):
    """A recorded cycle, with the state that the stream gives before it."""

    entry: Entry
    event: CycleDecided
    assignment: Assignment | None
    swaps: int
    last_swap_position: int
    last_swap_us: int | None
    previous_position: int
    previous_cycle: int
    cycles_since_swap: int
    log_e_max: float
    rule: Rule | None
    """What the stream says the cycle had to decide by; None where no rule had been set."""
    window_position: int
    """Where the window of a rule begins that counts games as they were assigned."""
    pins: dict[str, Pin]
    waiting: OpenPlan | None
    """The plan that waited for an approval."""
    pair_position: int
    """Where the version behind Production or B last changed."""
    b_parity: ParityFound | None = None
    """The newest parity check of B's version, as far as the evidence was read."""
    move: Move | None = None
    swapped: bool = False


class Promotions(Struct):
    """What the stream holds, in its order; `strays` name a plan that was not open."""

    decided: list[Decided] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    strays: list[tuple[Entry, AliasesAssigned]] = field(default_factory=list)
    assignment: Assignment | None = None
    swaps: int = 0
    last_swap_position: int = 0
    last_swap_us: int | None = None
    previous_position: int = 0
    cycles_since_swap: int = 0
    log_e_max: float = 0.0
    """Of the looks in the rule's window; 0 where none recorded it, because E begins at 1."""
    rule: Rule | None = None
    window_position: int = 0
    pins: dict[str, Pin] = field(default_factory=dict)
    pair_position: int = 0
    runs: list[RunSeen] = field(default_factory=list)
    """The runs that assignments have named."""

    @property
    def latest(self) -> Decided | None:
        """The newest decision."""
        return self.decided[-1] if self.decided else None

    @property
    def open_move(self) -> Move | None:
        """The newest plan, if nothing has ended it."""
        return self.moves[-1] if self.moves and self.moves[-1].end is None else None


def read_promotions(ledger: Ledger, family: Family) -> Promotions:
    """The family's stream, read from its beginning. Raises ProjectionError."""
    stream = Promotions()
    for entry in ledger.read_stream(promotion_stream(family)):
        match decode(entry, ledger.codec):
            case CycleDecided() as event:
                _decide(stream, entry, event)
            case RuleSet() as event:
                stream.rule = event.rule
                if event.restarts_window:
                    stream.window_position, stream.log_e_max = entry.position, 0.0
            case AliasesPlanned() as event:
                _plan(stream, entry, event)
            case AliasesAssigned() as event:
                _assign(stream, entry, event)
            case AliasPinned() as event:
                stream.pins[event.alias] = moves.pin(event, entry)
            case AliasUnpinned() as event:
                stream.pins.pop(event.alias, None)
            case PlanApproved() as event:
                _approve(stream, event)
            case _:
                pass  # no service writes anything else here, and it says nothing of decisions
        stream.previous_position = entry.position
    _look_at_parity(ledger, family, stream)
    return stream


def _look_at_parity(ledger: Ledger, family: Family, stream: Promotions) -> None:
    checks = read_parity_checks(ledger, family, stream.runs)
    for one in stream.decided:
        if one.assignment is not None and one.event.evidence is not None:
            one.b_parity = checks.newest(one.assignment.B, one.event.evidence.through_position)


def assignment_after(entry: Entry, event: AliasesPlanned | AliasesAssigned) -> Assignment:
    """Where an event leads the aliases. Raises ProjectionError where it leaves one out, as no service would."""
    versions = {change.alias: change.after for change in event.assignments}
    if missing := [alias for alias in ALIASES if alias not in versions]:
        raise ProjectionError(entry.position, entry.type, f"it does not say what is behind {', '.join(missing)}")
    return Assignment(**versions)


def _decide(stream: Promotions, entry: Entry, event: CycleDecided) -> None:
    open_move = stream.open_move
    waiting = open_move.waiting if open_move else None
    if open_move is not None and waiting is None:
        open_move.overtaken = True
    stream.decided.append(
        Decided(
            entry=entry,
            event=event,
            assignment=stream.assignment,
            swaps=stream.swaps,
            last_swap_position=stream.last_swap_position,
            last_swap_us=stream.last_swap_us,
            previous_position=stream.previous_position,
            previous_cycle=stream.latest.event.cycle if stream.latest else 0,
            cycles_since_swap=stream.cycles_since_swap,
            log_e_max=stream.log_e_max,
            rule=stream.rule,
            window_position=stream.window_position,
            pins=dict(stream.pins),
            waiting=waiting,
            pair_position=stream.pair_position,
        )
    )
    stream.cycles_since_swap += 1
    if event.statistics is not None:
        stream.log_e_max = event.statistics.log_e_max


def _plan(stream: Promotions, entry: Entry, event: AliasesPlanned) -> None:
    if stream.open_move is not None:
        stream.open_move.overtaken = True
    move = Move(entry, event, stream.assignment)
    stream.moves.append(move)
    if stream.latest is not None and event.cycle == stream.latest.event.cycle and stream.latest.move is None:
        stream.latest.move = move


def _approve(stream: Promotions, event: PlanApproved) -> None:
    if stream.open_move is not None and stream.open_move.planned.version == event.plan:
        stream.open_move.approved = True


def _assign(stream: Promotions, entry: Entry, event: AliasesAssigned) -> None:
    stream.runs += [RunSeen(entry.position, run) for run in event.runs]
    if stream.open_move is not None:
        stream.open_move.end = event
    elif event.plan is not None:
        stream.strays.append((entry, event))
    if stream.latest is not None and event.cycle == stream.latest.event.cycle:
        stream.latest.swapped |= event.swapped
    before = pair_of(stream.assignment)
    stream.assignment = assignment_after(entry, event)
    changed = pair_of(stream.assignment) != before
    if event.swapped or changed:
        stream.pair_position = entry.position
    if event.swapped or (changed and stream.rule is not None and stream.rule.evidence == "version_pair"):
        stream.window_position, stream.log_e_max = entry.position, 0.0
    if event.swapped:
        stream.swaps += 1
        stream.last_swap_position = entry.position
        stream.last_swap_us = entry.recorded_us
        stream.cycles_since_swap = 0
