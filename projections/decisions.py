"""Every promotion decision, derived anew: games recounted from raw events, then the test, the verdict, the plan.

What a cycle decided is a function of its evidence and its rule, and the evidence a function of the log between
two recorded positions. So each decision can be made again, and must come out as it is recorded.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ledger.events import AliasesAssigned, AliasesPlanned, CycleDecided, Event, Evidence, Lineup, Tally
from ledger.store import Entry, Ledger
from ledger.vocabulary import FAMILIES, PLAYED_ALIASES, Family
from projections.cycle import decide_cycle, tickers_after
from projections.evidence import gather
from projections.recount import Count, GameProblem, Span, Tallied, recount
from projections.replay import flatten, plain
from projections.rules import Z_TEST, pooled_z_test
from projections.standings import Record, Standing
from projections.tickers import Score, Window

KNOWN_RULES = frozenset({Z_TEST})
_DIGITS_LOST = 1e-12
"""Another machine's library may round a last digit otherwise; the decision itself has to be the same."""


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


class Audit(NamedTuple):
    """All decisions, by position, and the games that contradict themselves."""

    decisions: list[Checked]
    problems: list[GameProblem]

    @property
    def agrees(self) -> bool:
        """Whether there is nothing to find."""
        return not self.problems and all(one.agrees for one in self.decisions)


def check_decisions(
    ledger: Ledger,
    families: Sequence[Family] = FAMILIES,
    progress: Callable[[int], None] | None = None,
) -> Audit:
    """Derive every decision of the families anew; `progress` hears how many entries were read since."""
    pending = [one for family in families for one in _recorded_decisions(ledger, family)]
    counted = recount(ledger, [one.span for one in pending if one.span], progress)
    decisions = [_check(one, counted.counts.get(one.span) if one.span else None) for one in pending]
    problems = [problem for problem in counted.problems if problem.family in families]
    return Audit(sorted(decisions, key=lambda one: one.position), problems)


class _Recorded(NamedTuple):
    """A decision as the family's stream tells it, with what the stream says stood before it."""

    entry: Entry
    event: CycleDecided
    lineup: Lineup | None
    swaps: int
    last_swap_position: int
    previous_position: int
    previous_cycle: int
    cycles_since_swap: int
    plan: AliasesPlanned | None
    swapped: bool

    @property
    def span(self) -> Span | None:
        evidence = self.event.evidence
        if evidence is None:
            return None
        return Span(self.event.model_type, evidence.after_position, evidence.through_position)


def _recorded_decisions(ledger: Ledger, family: Family) -> Iterator[_Recorded]:
    entries = ledger.read_stream(f"promotion-{family}")
    events = [ledger.decode(entry) for entry in entries]
    lineup: Lineup | None = None
    swaps = last_swap = previous = cycle = cycles = 0
    for index, (entry, event) in enumerate(zip(entries, events, strict=True)):
        if isinstance(event, CycleDecided):
            plan, swapped = _consequences(event, events[index + 1 :])
            yield _Recorded(entry, event, lineup, swaps, last_swap, previous, cycle, cycles, plan, swapped)
            cycle, cycles = event.cycle, cycles + 1
        elif isinstance(event, AliasesAssigned):
            lineup = Lineup(**{one.alias: one.after for one in event.assignments})
            if event.swapped:
                swaps, last_swap, cycles = swaps + 1, entry.position, 0
        previous = entry.position


def _consequences(decided: CycleDecided, later: Iterable[Event]) -> tuple[AliasesPlanned | None, bool]:
    """The plan that was recorded with a decision, and whether it led to a swap."""
    plan: AliasesPlanned | None = None
    for event in later:
        match event:
            case CycleDecided():
                break
            case AliasesPlanned() if event.cycle == decided.cycle:
                plan = event
            case AliasesAssigned() if event.cycle == decided.cycle:
                return plan, event.swapped
            case _:
                continue
    return plan, False


def _check(recorded: _Recorded, count: Count | None) -> Checked:
    event = recorded.event
    mismatches = list(_check_positions(recorded))
    notes: tuple[str, ...] = ()
    if event.trigger == "report":
        mismatches += _check_report(recorded, count)
        notes = tuple(_report_notes(event))
    elif event.rule is None or event.rule.name not in KNOWN_RULES:
        name = event.rule.name if event.rule else None
        mismatches.append(Mismatch("rule.name", name, f"one of {', '.join(sorted(KNOWN_RULES))}"))
    elif recorded.lineup is None or count is None:
        mismatches.append(Mismatch("evidence", "none", "a family without aliases cannot decide"))
    else:
        decided, planned = decide_cycle(
            event.model_type,
            _standing(recorded, count),
            _window(recorded, count),
            event.rule,
            trigger=event.trigger,
            source=event.source,
            position=event.evidence.through_position if event.evidence else 0,
        )
        mismatches += _differences("", event, decided)
        mismatches += _differences("plan", recorded.plan, planned)
    return Checked(recorded.entry.position, recorded.entry.recorded_us, event, tuple(mismatches), notes)


def _check_positions(recorded: _Recorded) -> Iterator[Mismatch]:
    """The evidence must have been taken after whatever came before on the stream, and before the decision."""
    evidence = recorded.event.evidence
    if evidence is None:
        return
    if not recorded.previous_position <= evidence.through_position < recorded.entry.position:
        expected = f"{recorded.previous_position} to {recorded.entry.position - 1}"
        yield Mismatch("evidence.through_position", evidence.through_position, expected)


def _check_report(recorded: _Recorded, count: Count | None) -> Iterator[Mismatch]:
    """The decision was somebody else's; the ledger's own evidence and tickers beside it can be checked."""
    event = recorded.event
    yield from _differences("cycle", event.cycle, recorded.previous_cycle + 1)
    if recorded.lineup is None or count is None or event.evidence is None:
        return
    window = _window(recorded, count)
    through = event.evidence.through_position
    evidence = gather(window, _standing(recorded, count), recorded.lineup, through)
    yield from _differences("evidence", event.evidence, evidence)
    tickers = tickers_after(window, "swap_production_b" if recorded.swapped else "retain_production")
    yield from _differences("tickers", event.tickers, tickers)


def _report_notes(event: CycleDecided) -> Iterator[str]:
    """Where a report differs from the ledger, or from its own test: for a person to judge."""
    report = event.report
    if report is None:
        return
    names = ("production_wins", "production_total_games", "b_wins", "b_total_games")
    told = [getattr(report, name) for name in names]
    if event.evidence is not None:
        own = _counts(event.evidence)
        for name, said, counted in zip(names, told, own, strict=True):
            if said is not None and said != counted:
                yield f"{name}: reported {said}, counted {counted}"
    if None in told or event.z_statistic is None:
        return
    test = pooled_z_test(Tally(games=told[3], wins=told[2]), Tally(games=told[1], wins=told[0]))
    if test is not None and not math.isclose(test[0], event.z_statistic, rel_tol=1e-3, abs_tol=1e-3):
        yield f"z: reported {event.z_statistic:.4f}, the reported counts give {test[0]:.4f}"


def _counts(evidence: Evidence) -> tuple[int, int, int, int]:
    production, b = evidence.production.window, evidence.b.window
    return production.wins, production.games, b.wins, b.games


def _standing(recorded: _Recorded, count: Count) -> Standing:
    aliases = plain(recorded.lineup)
    records: dict[int, Record] = {}
    for version in {*count.version_games, *count.predictions}:
        games = count.version_games.get(version, Tallied())
        predictions = count.predictions.get(version, Tallied())
        records[version] = Record(predictions.total, predictions.good, games.total, games.good)
    return Standing(cycle=recorded.previous_cycle, swap_count=recorded.swaps, aliases=aliases, records=records)


def _window(recorded: _Recorded, count: Count) -> Window:
    scores: dict[str, Score] = {}
    for alias in PLAYED_ALIASES:
        games = count.alias_games.get(alias, Tallied())
        scores[alias] = Score(games.total, games.good)
    return Window(
        swap_count=recorded.swaps,
        since_position=recorded.last_swap_position,
        cycles=recorded.cycles_since_swap,
        scores=scores,
    )


def _differences(path: str, recorded: Any, recomputed: Any) -> Iterator[Mismatch]:
    before, after = flatten(plain(recorded), path), flatten(plain(recomputed), path)
    for key in dict.fromkeys((*before, *after)):
        one, other = before.get(key), after.get(key)
        if isinstance(one, float) and isinstance(other, float):
            if math.isclose(one, other, rel_tol=_DIGITS_LOST, abs_tol=0.0):
                continue
        elif one == other:
            continue
        yield Mismatch(key, one, other)
