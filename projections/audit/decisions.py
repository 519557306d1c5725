"""Every promotion decision, derived again: games recounted from raw events, then the test, the verdict, the plan.

What a cycle decided is a function of its evidence and its rule, and the evidence a function of the log between
two recorded positions. So each decision can be made again, and must come out as it is recorded.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from ledger.events import AliasesAssigned, CycleDecided, Hits
from ledger.evidence import Tally
from ledger.store import Ledger
from ledger.vocabulary import FAMILIES, PLAYED_ALIASES, Family
from projections.audit.promotions import Decided, Move, Promotions, read_promotions
from projections.audit.recount import GameProblem, Span, SpanCount, recount
from projections.audit.replay import flatten, plain
from projections.audit.settled import RuleWindow, SettledSpan, recount_settled
from projections.decision.cycle import assignments, decide_cycle, is_cancellation, tickers_after
from projections.decision.evidence import gather, look_at_windows
from projections.decision.rules import KNOWN_RULES, RuleError, pooled_z_test
from projections.fold import Progress
from projections.read_models.assigned_games import SECOND_US, AssignedGames, Settled
from projections.read_models.counting import NO_GAMES, pair_of
from projections.read_models.history_fold import counts_of_evidence, counts_of_report
from projections.read_models.standings import Parity, PromotionState
from projections.read_models.tickers import Window
from projections.read_models.version_pairs import PairWindow

_DIGITS_LOST = 1e-12
"""Another machine's library may round a last digit otherwise; the decision itself has to be the same."""
_TOLERANCES = {"statistics.exact_p": 1e-5, "statistics.": 1e-9}
"""Beginning of a field -> how far it may be off: these are for people, and no rule reads them.

Earlier releases searched for the exact p by scipy, which stopped 1.5e-6 short of it for one table in 8,000.
"""

_WITH_STATISTICS = 2
"""Schema version of a cycle from which on it records its statistics and the verdict of every rule."""
_WITH_TIME = 3
"""And from which on it records its own time."""
_WITH_GUARDS = 4
"""And from which on it records what its guards looked at."""
_WITH_WINDOWS = 5
"""And from which on it records the games of either window."""
_WITH_PARITY = 7
"""And from which on it records the parity of B's version, and a report its windows."""
_FIRST_RULES = 2
"""How many rules there were when cycles began to record verdicts; later ones stand behind them."""


class Mismatch(msgspec.Struct, frozen=True):
    """A field of a decision that comes out otherwise."""

    field: str
    recorded: Any
    recomputed: Any


class Checked(msgspec.Struct, frozen=True):
    """One recorded decision beside what the events give."""

    position: int
    recorded_us: int
    event: CycleDecided
    mismatches: tuple[Mismatch, ...]
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether everything came out as it is recorded."""
        return not self.mismatches


class MoveProblem(NamedTuple):
    """An assignment of aliases that is not what its plan says, where no decision planned it."""

    position: int
    family: Family
    problem: str


class Audit(NamedTuple):
    """All decisions, by position, the games that contradict themselves, and moves that differ from their plan."""

    decisions: list[Checked]
    problems: list[GameProblem]
    moves: list[MoveProblem]

    @property
    def agrees(self) -> bool:
        """Whether there is nothing to find."""
        return not self.problems and not self.moves and all(one.agrees for one in self.decisions)


def check_decisions(
    ledger: Ledger,
    families: Sequence[Family] = FAMILIES,
    progress: Progress | None = None,
    derived: Progress | None = None,
) -> Audit:
    """Derive every decision of the families again.

    `progress` hears how many entries were read since, and `derived`, when all are, how many decisions are derived.
    Raises ProjectionError for an assignment that leaves an alias out.
    """
    streams = {family: read_promotions(ledger, family) for family in families}
    pending = [one for stream in streams.values() for one in stream.decided]
    decisions, found = _derive(ledger, pending, progress, derived)
    problems = [problem for problem in found if problem.family in families]
    moves = [problem for family, stream in streams.items() for problem in _check_moves(family, stream)]
    return Audit(sorted(decisions, key=lambda one: one.position), problems, moves)


def check_decision(ledger: Ledger, family: Family, position: int) -> tuple[Checked, list[GameProblem]]:
    """Derive the decision at a position again; also the family's games up to there that contradict themselves.

    What came later is not looked at, but for the end of its plan. Raises LookupError where there is no decision,
    and ProjectionError for an assignment that leaves an alias out.
    """
    stream = read_promotions(ledger, family)
    recorded = [one for one in stream.decided if one.entry.position == position]
    if not recorded:
        raise LookupError(f"position {position} is no decision of {family}")
    (checked,), found = _derive(ledger, recorded, through=position)
    return checked, [problem for problem in found if problem.family == family]


def _derive(
    ledger: Ledger,
    pending: Sequence[Decided],
    progress: Progress | None = None,
    derived: Progress | None = None,
    *,
    through: int | None = None,
) -> tuple[list[Checked], list[GameProblem]]:
    """The decisions checked, by one recount for all of them, which reads up to position `through`."""
    spans = [span for one in pending for span in (_span(one), _pair_span(one)) if span]
    counted = recount(ledger, spans, progress, through=through)
    settled = _recount_settled(ledger, pending)
    decisions = []
    for one in pending:
        since_swap, pair = _of(counted.counts, _span(one)), _of(counted.counts, _pair_span(one))
        decisions.append(_check(one, _Again(since_swap, pair, settled.get(one.entry.position))))
        if derived is not None:
            derived(1)
    return decisions, counted.problems


class _Again(NamedTuple):
    """What was counted again for one decision: since the swap, of the version pair, and what was settled."""

    since_swap: SpanCount | None
    pair: SpanCount | None
    settled: Settled | None


def _span(recorded: Decided) -> Span | None:
    """What to count finished games and predictions in: since the swap, whatever window the rule has."""
    event = recorded.event
    if event.evidence is None:
        return None
    finished = event.rule is None or (event.rule.settle_seconds is None and event.rule.evidence == "since_swap")
    after = event.evidence.after_position if finished else recorded.last_swap_position
    return Span(event.model_type, after, event.evidence.through_position)


def _pair_span(recorded: Decided) -> Span | None:
    """What to count the games of the version pair in, where the decision has recorded them."""
    event, pair = recorded.event, pair_of(recorded.assignment)
    if event.evidence is None or pair is None or recorded.entry.schema_version < _WITH_WINDOWS:
        return None
    return Span(event.model_type, recorded.pair_position, event.evidence.through_position, pair)


def _of(counts: Mapping[Span, SpanCount], span: Span | None) -> SpanCount | None:
    return None if span is None else counts[span]


def _recount_settled(ledger: Ledger, recorded: Sequence[Decided]) -> dict[int, Settled]:
    """Position of a decision -> what was settled, for those by a rule that counts games as they were assigned."""
    spans = {one.entry.position: span for one in recorded if (span := _settled_span(one))}
    counts = recount_settled(ledger, spans.values())
    return {position: counts[span] for position, span in spans.items()}


def _settled_span(recorded: Decided) -> SettledSpan | None:
    """What to count games in as they were assigned, for a rule that does so."""
    event = recorded.event
    if event.rule is None or event.rule.settle_seconds is None:
        return None
    if event.evidence is None or event.decided_us is None:
        return None
    rule, settle_us = event.rule, event.rule.settle_seconds * SECOND_US
    pair = pair_of(recorded.assignment) if rule.evidence == "version_pair" else None
    window = RuleWindow(event.model_type, recorded.window_position, recorded.swaps, settle_us, rule.players, pair)
    return SettledSpan(window, event.evidence.through_position, event.decided_us)


def _check(recorded: Decided, again: _Again) -> Checked:
    event = recorded.event
    mismatches = list(_check_positions(recorded))
    notes: list[str] = []
    # An outside decision is known by what it brings, and by having no rule of ours. A word in the event, such as
    # its trigger, must not decide whether the event is checked.
    if event.report is not None and event.rule is None:
        mismatches += _check_report(recorded, again)
        notes += _report_notes(event)
    else:
        mismatches += _check_own(recorded, again)
    if recorded.move is not None:
        mismatches += _check_move(recorded.move)
        notes += _move_notes(recorded.move)
    return Checked(recorded.entry.position, recorded.entry.recorded_us, event, tuple(mismatches), tuple(notes))


def _check_own(recorded: Decided, again: _Again) -> Iterator[Mismatch]:
    event, count, settled = recorded.event, again.since_swap, again.settled
    if event.trigger == "report":
        yield Mismatch("trigger", event.trigger, "schedule or manual: a report brings itself and no rule")
    if event.rule is None:
        yield Mismatch("rule.name", None, f"one of {', '.join(KNOWN_RULES)}")
        return
    if recorded.rule is not None:
        yield from _differences("rule", event.rule, recorded.rule)
    if recorded.assignment is None or count is None:
        yield Mismatch("evidence", "none", "a family without aliases cannot decide")
        return
    if event.rule.settle_seconds is not None and settled is None:
        yield Mismatch("decided_us", event.decided_us, "the cycle's time, from which the rule counts back")
        return
    try:
        decided, planned = decide_cycle(
            event.model_type,
            _promotion_state(recorded, count),
            _window(recorded, count),
            _pair(recorded, again.pair),
            event.rule,
            trigger=event.trigger,
            source=event.source,
            position=event.evidence.through_position if event.evidence else 0,
            decided_us=event.decided_us or 0,
            assigned=settled and _assigned(recorded, settled),
        )
    except RuleError as error:
        yield Mismatch(f"rule.{error.field}", error.found, error.expected)
        return
    if recorded.entry.schema_version < _WITH_STATISTICS:
        decided = structs.replace(decided, statistics=None, verdicts=())
    if recorded.entry.schema_version < _WITH_TIME:
        decided = structs.replace(decided, decided_us=None)
    if recorded.entry.schema_version < _WITH_GUARDS:
        decided = structs.replace(decided, watched=None)
    elif recorded.entry.schema_version < _WITH_PARITY and decided.watched is not None:
        decided = structs.replace(decided, watched=structs.replace(decided.watched, b_parity=None))
    if recorded.entry.schema_version < _WITH_WINDOWS:
        decided = structs.replace(decided, windows=None)
    # A rule that was added after the cycle had no verdict in it.
    of_then = decided.verdicts[: max(len(event.verdicts), _FIRST_RULES)]
    decided = structs.replace(decided, verdicts=of_then)
    yield from _differences("", event, decided)
    # A decision is about numbers; which run is behind each is what the plan adds from the ledger and the registry.
    plan = recorded.move and structs.replace(recorded.move.plan, runs=())
    yield from _differences("plan", plan, planned)


def _check_move(move: Move) -> Iterator[Mismatch]:
    """What ended a plan has to be what it said, or nothing at all where an operator has cancelled it."""
    if move.overtaken:
        yield Mismatch("completion", "later", "before anything else is decided or planned")
    if move.end is None:
        return
    if _is_cancelled(move):
        kept = move.assignment and assignments(move.assignment, move.assignment)
        yield from _differences("cancellation", move.end.assignments, kept)
        return
    completion = AliasesAssigned(
        model_type=move.plan.model_type,
        cause=move.plan.cause,
        cycle=move.plan.cycle,
        plan=move.planned.version,
        assignments=move.plan.assignments,
        runs=move.end.runs,
        swapped=move.plan.swapped,
        reordered=move.plan.reordered,
        actor=move.plan.actor,
        reason=move.plan.reason,
        key=move.plan.key,
        undoes=move.plan.undoes,
    )
    yield from _differences("completion", move.end, completion)
    planned = {run.version: run.run_id for run in move.plan.runs}
    for run in move.end.runs:
        if run.run_id != planned.get(run.version, run.run_id):
            yield Mismatch(f"completion.runs.{run.version}", run.run_id, planned[run.version])


def _move_notes(move: Move) -> Iterator[str]:
    if _is_cancelled(move):
        yield "its plan was cancelled"


def _is_cancelled(move: Move) -> bool:
    return move.end is not None and move.end.plan == move.planned.version and is_cancellation(move.end)


def _check_moves(family: Family, stream: Promotions) -> Iterator[MoveProblem]:
    """The moves that belong to no decision: a training's, an operator's."""
    with_decision = {one.move.planned.position for one in stream.decided if one.move is not None}
    for move in stream.moves:
        if move.planned.position not in with_decision:
            for one in _check_move(move):
                problem = f"{one.field} is {one.recorded}, the plan gives {one.recomputed}"
                yield MoveProblem(move.planned.position, family, problem)
    for entry, event in stream.strays:
        yield MoveProblem(entry.position, family, f"it completes version {event.plan}, which is no open plan")


def _check_positions(recorded: Decided) -> Iterator[Mismatch]:
    """The evidence must have been taken after whatever came before on the stream, and before the decision."""
    evidence = recorded.event.evidence
    decided_us = recorded.event.decided_us
    if decided_us is not None and decided_us > recorded.entry.recorded_us:
        yield Mismatch("decided_us", decided_us, f"{recorded.entry.recorded_us} or before")
    if evidence is None:
        return
    if not recorded.previous_position <= evidence.through_position < recorded.entry.position:
        expected = f"{recorded.previous_position} to {recorded.entry.position - 1}"
        yield Mismatch("evidence.through_position", evidence.through_position, expected)


def _check_report(recorded: Decided, again: _Again) -> Iterator[Mismatch]:
    """An outside automation decided; the ledger's own evidence and tickers beside it can be checked."""
    event, count = recorded.event, again.since_swap
    yield from _differences("trigger", event.trigger, "report")
    yield from _differences("reason_code", event.reason_code, "reported")
    yield from _differences("statistics", event.statistics, None)
    yield from _differences("verdicts", event.verdicts, ())
    yield from _differences("watched", event.watched, None)
    yield from _differences("cycle", event.cycle, recorded.previous_cycle + 1)
    yield from _differences("plan", recorded.move and recorded.move.plan, None)
    if recorded.assignment is None or count is None or event.evidence is None:
        yield from _differences("windows", event.windows, None)
        return
    window = _window(recorded, count)
    windows = look_at_windows(window, _pair(recorded, again.pair), recorded.assignment)
    with_windows = recorded.entry.schema_version >= _WITH_PARITY
    yield from _differences("windows", event.windows, windows if with_windows else None)
    through = event.evidence.through_position
    evidence = gather(window, _promotion_state(recorded, count), recorded.assignment, through)
    yield from _differences("evidence", event.evidence, evidence)
    tickers = tickers_after(window, "swap_production_b" if recorded.swapped else "retain_production")
    yield from _differences("tickers", event.tickers, tickers)


def _report_notes(event: CycleDecided) -> Iterator[str]:
    """Where a report differs from the ledger, or from its own test: for a person to judge."""
    reported = counts_of_report(event)
    if reported is None:
        return
    if event.evidence is not None:
        for name, said, own in zip(reported._fields, reported, counts_of_evidence(event), strict=True):
            if said is not None and said != own:
                yield f"{name}: reported {said}, counted {own}"
    match reported:
        case (int(won), int(played), int(b_won), int(b_played)) if event.z_statistic is not None:
            test = pooled_z_test(Tally(games=b_played, wins=b_won), Tally(games=played, wins=won))
        case _:
            return
    if test is not None and not math.isclose(test[0], event.z_statistic, rel_tol=1e-3, abs_tol=1e-3):
        yield f"z: reported {event.z_statistic:.4f}, the reported counts give {test[0]:.4f}"


def _promotion_state(recorded: Decided, count: SpanCount) -> PromotionState:
    return PromotionState(
        cycle=recorded.previous_cycle,
        swap_count=recorded.swaps,
        aliases=plain(recorded.assignment),
        records=count.records,
        parities=_parities(recorded),
        pins=recorded.pins,
        plan=recorded.waiting,
        log_e_max=recorded.log_e_max,
    )


def _parities(recorded: Decided) -> dict[int, Parity]:
    """The check of B's version, of a run that the state then need not know."""
    found, nothing = recorded.b_parity, Hits(correct=0, rows=0)
    if found is None or recorded.assignment is None:
        return {}
    checked = Parity(found.position, None, "", found.rounds, found.differences, nothing, None)
    return {recorded.assignment.B: checked}


def _assigned(recorded: Decided, settled: Settled) -> AssignedGames:
    """The window with everything settled: what is not is nothing to the decision."""
    return AssignedGames(recorded.window_position, 0, aliases=settled.aliases, versions=settled.versions)


def _window(recorded: Decided, count: SpanCount) -> Window:
    return Window(
        swap_count=recorded.swaps,
        since_position=recorded.last_swap_position,
        cycles=recorded.cycles_since_swap,
        last_swap_us=recorded.last_swap_us,
        scores={alias: count.tallies.get(alias, NO_GAMES) for alias in PLAYED_ALIASES},
        kinds=count.kinds,
        versions=count.versions,
        fallbacks={alias: count.fallbacks.get(alias, 0) for alias in PLAYED_ALIASES},
        splits=count.splits,
    )


def _pair(recorded: Decided, count: SpanCount | None) -> PairWindow:
    """The window of the version pair; without games for a decision that did not record it."""
    window = PairWindow(recorded.pair_position)
    return window if count is None else structs.replace(window, kinds=count.kinds)


def _differences(path: str, recorded: Any, recomputed: Any) -> Iterator[Mismatch]:
    if recorded == recomputed:
        return  # as nearly all are: to take an equal one apart would cost more than it did to make it
    before, after = flatten(plain(recorded), path), flatten(plain(recomputed), path)
    for key in dict.fromkeys((*before, *after)):
        one, other = before.get(key), after.get(key)
        if isinstance(one, float) and isinstance(other, float):
            if _are_close(key, one, other):
                continue
        elif one == other:
            continue
        yield Mismatch(key, one, other)


def _are_close(key: str, one: float, other: float) -> bool:
    for start, tolerance in _TOLERANCES.items():
        if key.startswith(start):
            return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return math.isclose(one, other, rel_tol=_DIGITS_LOST, abs_tol=0.0)
