"""/decisions/<position>: why a cycle decided as it did, with everything that it rests on."""

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import NotFound
from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, look_through
from gameplay.web.console.event_page import entry_at, position_of
from gameplay.web.console.family_cards import Difference, Rate, rate
from gameplay.web.console.formulas import steps_of
from gameplay.web.console.games_behind import GamesBehind, games_behind
from gameplay.web.console.pages import respond
from gameplay.web.queries import one, whole
from ledger.entries import Entry
from ledger.events import (
    AliasChange,
    AliasesAssigned,
    AliasesPlanned,
    CycleDecided,
    PlanApproved,
    PlanRejected,
)
from ledger.evidence import Arm
from ledger.sealing.seals import seal_over
from ledger.store import Ledger
from ledger.times import show_time
from ledger.vocabulary import ALIASES, Decision, Family, ReasonCode, Trigger
from projections.decision.cycle import is_cancellation
from projections.decision.intervals import newcombe
from projections.decision.look import LEVEL

BACK_MAX = 200
"""So many events of its stream are looked through for what came before a cycle."""


class ArmShown(Struct, frozen=True, kw_only=True):
    """One side of the comparison: games of the alias since the swap, and of the version itself."""

    alias: str
    version: int
    window: Rate
    own: Rate


class EvidenceShown(Struct, frozen=True, kw_only=True):
    """What was compared, and the positions it was counted between (after, through)."""

    after: int
    through: int
    production: ArmShown
    b: ArmShown
    difference: Difference | None


class Placed(Struct, frozen=True, kw_only=True):
    """An alias before and after the cycle; the ranking is of its version before."""

    alias: str
    before: int | None
    after: int | None
    rank: int | None
    accuracy: Rate | None


class Answered(Struct, frozen=True, kw_only=True):
    """What an operator said to a plan that waited, `approved` or `rejected`; `expired` where none did in time."""

    position: int
    answer: str
    actor: str | None
    reason: str | None


class Carried(Struct, frozen=True, kw_only=True):
    """The plan of a cycle and what became of it: `open`, `waiting` for approval, `carried out` or `cancelled`."""

    planned_position: int
    swapped: bool
    reordered: bool
    status: str
    approve_by: str | None
    answered: Answered | None
    completed_position: int | None
    completed: str | None


class SealShown(Struct, frozen=True, kw_only=True):
    """The first signed checkpoint that covers the decision."""

    size: int
    checkpoint: str


class DecisionPage(Struct, frozen=True, kw_only=True):
    """A decision. Null where a report, or an older release, has not recorded something."""

    as_of: AsOf
    position: int
    recorded: str
    family: Family
    cycle: int
    trigger: Trigger
    source: str
    decision: Decision
    reason_code: ReasonCode
    reason: str
    decided: str | None
    rule: dict[str, Any] | None
    evidence: EvidenceShown | None
    formula: tuple[str, ...]
    z_statistic: float | None
    p_value: float | None
    statistics: dict[str, Any] | None
    verdicts: list[dict[str, Any]]
    watched: dict[str, Any] | None
    aliases: tuple[Placed, ...]
    plan: Carried | None
    report: dict[str, Any] | None
    sealed: SealShown | None
    previous_position: int | None
    next_position: int | None
    games: GamesBehind


async def decision(request: Request) -> Response:
    """GET /decisions/{position}."""
    position, before = position_of(request), one(request, "games_before")
    games_before = None if before is None else whole(request, "games_before", 0, 1, 2**53)
    page = await look_through(request, partial(build, position=position, games_before=games_before))
    return respond(request, "decision.html", page)


def build(service: Service, as_of: AsOf, *, position: int, games_before: int | None) -> DecisionPage:
    """The decision at a position. Raises NotFound where there is none."""
    ledger = service.core.ledger
    entry, event = decision_at(ledger, as_of, position)
    around = _Around(ledger, as_of, entry, event)
    seal = seal_over(ledger, position)
    return DecisionPage(
        as_of=as_of,
        position=position,
        recorded=show_time(entry.recorded_us),
        family=event.model_type,
        cycle=event.cycle,
        trigger=event.trigger,
        source=event.source,
        decision=event.decision,
        reason_code=event.reason_code,
        reason=event.reason,
        decided=None if event.decided_us is None else show_time(event.decided_us),
        rule=msgspec.to_builtins(event.rule),
        evidence=_evidence(event),
        formula=steps_of(event.rule, event.evidence) if event.rule and event.evidence else (),
        z_statistic=event.z_statistic,
        p_value=event.p_value,
        statistics=msgspec.to_builtins(event.statistics),
        verdicts=msgspec.to_builtins(event.verdicts),
        watched=msgspec.to_builtins(event.watched),
        aliases=around.placed(),
        plan=around.carried(),
        report=msgspec.to_builtins(event.report),
        sealed=SealShown(size=seal.size, checkpoint=seal.checkpoint.decode(errors="replace")) if seal else None,
        previous_position=around.previous,
        next_position=around.following,
        games=games_behind(ledger, event, games_before),
    )


def decision_at(ledger: Ledger, as_of: AsOf, position: int) -> tuple[Entry, CycleDecided]:
    """The cycle at a position. Raises NotFound."""
    entry = entry_at(ledger, as_of, position)
    event = ledger.decode(entry)
    if not isinstance(event, CycleDecided):
        raise NotFound(f"position {position} is no decision but {entry.type}: /events/{position} shows it")
    return entry, event


class _Around:
    """What stands before and after a cycle on its family's stream."""

    def __init__(self, ledger: Ledger, as_of: AsOf, entry: Entry, event: CycleDecided) -> None:
        self._event = event
        self.previous: int | None = None
        self.following: int | None = None
        self._assignment: tuple[AliasChange, ...] = ()
        self._plan: tuple[Entry, AliasesPlanned] | None = None
        self._answer: tuple[Entry, PlanApproved | PlanRejected] | None = None
        self._end: tuple[Entry, AliasesAssigned] | None = None
        first = max(entry.version - BACK_MAX, 0)
        for each in ledger.read_stream(entry.stream, first, entry.version - 1):
            self._take_before(each, ledger.decode(each))
        for each in ledger.read_stream(entry.stream, entry.version, entry.version + BACK_MAX):
            if each.position > as_of.position or self.following is not None:
                break
            self._take_after(each, ledger.decode(each))

    def _take_before(self, entry: Entry, event: Any) -> None:
        if isinstance(event, CycleDecided):
            self.previous = entry.position
        elif isinstance(event, AliasesAssigned):
            self._assignment = event.assignments

    def _take_after(self, entry: Entry, event: Any) -> None:
        if isinstance(event, CycleDecided):
            self.following = entry.position
        elif isinstance(event, AliasesPlanned) and event.cycle == self._event.cycle:
            self._plan = entry, event
        elif isinstance(event, PlanApproved | PlanRejected):
            if self._plan is not None and event.plan == self._plan[0].version:
                self._answer = entry, event
        elif isinstance(event, AliasesAssigned) and self._ends(event):
            self._end = entry, event

    def _ends(self, event: AliasesAssigned) -> bool:
        of_plan = self._plan is not None and event.plan == self._plan[0].version
        return of_plan or event.cycle == self._event.cycle

    def placed(self) -> tuple[Placed, ...]:
        """Every alias before and after, with its place in the ranking."""
        before = {each.alias: each.after for each in self._assignment}
        changes = self._end[1].assignments if self._end else self._plan[1].assignments if self._plan else ()
        if not before:
            before = {each.alias: each.before for each in changes if each.before is not None}
        after = {each.alias: each.after for each in changes} or before
        ranked = {each.alias: each for each in self._event.ranking}
        return tuple(
            Placed(
                alias=alias,
                before=before.get(alias),
                after=after.get(alias),
                rank=ranked[alias].rank if alias in ranked else None,
                accuracy=rate(ranked[alias].correct, ranked[alias].predictions) if alias in ranked else None,
            )
            for alias in ALIASES
        )

    def carried(self) -> Carried | None:
        """The plan and its end."""
        if self._plan is None:
            return None
        entry, plan = self._plan
        status = "open" if plan.approve_by_us is None or self._answer else "waiting"
        if self._end is not None:
            status = "cancelled" if is_cancellation(self._end[1]) else "carried out"
        return Carried(
            planned_position=entry.position,
            swapped=plan.swapped,
            reordered=plan.reordered,
            status=status,
            approve_by=None if plan.approve_by_us is None else show_time(plan.approve_by_us),
            answered=_answered(*self._answer) if self._answer else None,
            completed_position=self._end[0].position if self._end else None,
            completed=show_time(self._end[0].recorded_us) if self._end else None,
        )


def _answered(entry: Entry, event: PlanApproved | PlanRejected) -> Answered:
    if isinstance(event, PlanApproved):
        answer = "approved"
    else:
        answer = "expired" if event.cause == "expired" else "rejected"
    return Answered(position=entry.position, answer=answer, actor=event.actor, reason=event.reason)


def _evidence(event: CycleDecided) -> EvidenceShown | None:
    evidence = event.evidence
    if evidence is None:
        return None
    b, production = evidence.b.window, evidence.production.window
    interval = newcombe(b, production, LEVEL)
    difference = None
    if interval is not None:
        value = b.wins / b.games - production.wins / production.games
        difference = Difference(value=value, lower=interval.lower, upper=interval.upper)
    return EvidenceShown(
        after=evidence.after_position,
        through=evidence.through_position,
        production=_arm("Production", evidence.production),
        b=_arm("B", evidence.b),
        difference=difference,
    )


def _arm(alias: str, arm: Arm) -> ArmShown:
    return ArmShown(
        alias=alias,
        version=arm.version,
        window=rate(arm.window.wins, arm.window.games),
        own=rate(arm.own.wins, arm.own.games),
    )
