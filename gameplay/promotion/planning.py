"""Decide and plan: what shall be is written down in absolute versions before anything outside is touched."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

from msgspec.structs import replace

from gameplay.promotion.applying import settle
from gameplay.promotion.approval import without_expired
from gameplay.promotion.assignments import merged, with_versions
from gameplay.promotion.backends import known_runs
from gameplay.promotion.pins import against, expire, expired, holding_at
from gameplay.promotion.state import Promotion, StateAt
from gameplay.refusals import Conflict
from ledger.appends import Receipt
from ledger.errors import DuplicateError, OvertakenError
from ledger.events import AliasesPlanned, Assignment, CycleDecided, Event
from ledger.ids import keyed_id, new_id, new_ids
from ledger.vocabulary import Alias, Family, PlanCause, Trigger
from projections.decision.cycle import decide_cycle, plan, versions_of
from projections.decision.rules import DEFAULT, RuleError

ROUTE: Final = "promotion/cycle"


def cycle(
    promotion: Promotion,
    family: Family,
    *,
    trigger: Trigger,
    source: str,
    tick: datetime | None = None,
    key: str | None = None,
) -> CycleDecided | None:
    """One cycle: evidence, verdict, plan, apply, complete. None while an older plan cannot be completed.

    What was decided stays decided when the registry cannot be reached: the plan is left open and is carried on by
    the next cycle or start. `tick` is the firing of a schedule that the cycle is for: one process decides it, the
    others get None. Under a caller's `key` the cycle is decided once, and the same call again gets that decision.
    Raises Conflict while the family has no aliases or its rule is one that this release does not know, and for a
    key of another call.
    """
    once = None
    if tick is not None:
        once = partial(keyed_id, "promotion-cycle", f"{family} {tick.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    elif key is not None:
        once = partial(keyed_id, ROUTE, f"{family} {key}")
    with promotion.turn(family):
        decided, is_new = promotion.retry(family, lambda: _cycle(promotion, family, trigger, source, once))
    if decided is None or is_new:
        return decided
    if tick is not None:
        return None
    if (decided.trigger, decided.source) != (trigger, source):
        raise Conflict(f"{family}: the key {key!r} belongs to cycle {decided.cycle}, of {decided.source!r}")
    return decided


def preview(promotion: Promotion, family: Family) -> tuple[CycleDecided, AliasesPlanned | None]:
    """What a cycle would decide now. Writes nothing. Raises Conflict where a cycle could not decide."""
    state = without_expired(promotion.state(family))
    if state.promotion.plan and not state.promotion.plan.waits:
        raise Conflict(f"{family} has an open plan; it is completed before anything new is decided")
    return _decide(state, "manual", "dry run")


class Moved(NamedTuple):
    """Whether a plan is completed, and the aliases that stay where they are because they are pinned."""

    completed: bool
    pinned: frozenset[Alias] = frozenset()


def move(promotion: Promotion, family: Family, after: Assignment, *, cause: PlanCause) -> bool:
    """Move all four aliases by plan, apply, complete; False when the plan is still open.

    Raises Conflict while an older plan cannot be completed, or where one of them is pinned.
    """

    def choose(state: StateAt) -> Assignment:
        if problem := against(state, versions_of(after)):
            raise Conflict(f"{family}: {problem}; nothing is moved")
        return after

    return _move(promotion, family, choose, cause)


def assign(promotion: Promotion, family: Family, versions: Mapping[Alias, int], *, cause: PlanCause) -> Moved:
    """As `move`, for some aliases only; the others stay as they are when it comes to it, not as they were.

    So does each that is pinned.
    """
    pinned: set[Alias] = set()

    def choose(state: StateAt) -> Assignment:
        pinned.clear()
        pinned.update(holding_at(state).keys() & versions.keys())
        free = {alias: version for alias, version in versions.items() if alias not in pinned}
        return with_versions(state.assignment(), free)

    completed = _move(promotion, family, choose, cause)
    return Moved(completed, frozenset(pinned))


def _cycle(
    promotion: Promotion, family: Family, trigger: Trigger, source: str, once: Callable[[int], str] | None
) -> tuple[CycleDecided | None, bool]:
    """What was decided, and whether it was now: `once` gives the ids of a cycle that is decided only once."""
    is_settled = settle(promotion, family)
    if once and (entry := promotion.ledger.find(once(0))):
        event = promotion.ledger.decode(entry)
        assert isinstance(event, CycleDecided)
        return event, False
    if not is_settled:
        return None, False
    expire(promotion, family)
    state = promotion.state(family)
    if (open_plan := state.promotion.plan) and not open_plan.waits:
        raise OvertakenError(f"{family}: another process has planned to move its aliases")
    decided, planned = _decide(state, trigger, source)
    batch: list[Event] = [decided] if planned is None else [decided, with_runs(planned, state)]
    try:
        promotion.append(state, batch, ids=[*map(once, range(len(batch)))] if once else None)
    except DuplicateError as error:  # another process has decided it since the look
        raise OvertakenError(str(error)) from error
    settle(promotion, family)
    return decided, True


def _move(promotion: Promotion, family: Family, choose: Callable[[StateAt], Assignment], cause: PlanCause) -> bool:
    with promotion.turn(family):
        return promotion.retry(family, lambda: _move_once(promotion, family, choose, cause))


def _move_once(
    promotion: Promotion, family: Family, choose: Callable[[StateAt], Assignment], cause: PlanCause
) -> bool:
    if not settle(promotion, family):
        raise Conflict(f"{family} has an open plan that cannot be completed; is the registry up?")
    state = promotion.state_to_plan_from(family)
    before = state.assignment()
    after = choose(state)
    if before == after:
        return True
    if problem := merged(before, after):
        raise Conflict(f"{family}: {problem}, which were on two; nothing is moved")
    append_move(promotion, state, with_runs(plan(cause, family, before, after), state))
    return settle(promotion, family)


def append_move(promotion: Promotion, state: StateAt, move: Event, event_id: str | None = None) -> Receipt:
    """Append a move, after the end of each pin that had expired by then. Raises OvertakenError, DuplicateError."""
    ended = expired(state)
    return promotion.append(state, [*ended, move], ids=[*new_ids(len(ended)), event_id or new_id()])


def with_runs(planned: AliasesPlanned, state: StateAt) -> AliasesPlanned:
    """The plan with what the ledger knows of the versions in it."""
    runs = known_runs({change.after for change in planned.assignments}, state.promotion.run)
    return replace(planned, runs=tuple(runs[version] for version in sorted(runs)))


def _decide(state: StateAt, trigger: Trigger, source: str) -> tuple[CycleDecided, AliasesPlanned | None]:
    state.assignment()
    try:
        return decide_cycle(
            state.family,
            state.promotion,
            state.window,
            state.pair,
            state.promotion.rule or DEFAULT,
            trigger=trigger,
            source=source,
            position=state.position,
            decided_us=state.now_us,
            assigned=state.assigned,
        )
    except RuleError as error:
        raise Conflict(f"{state.family}: {error}; a process of another release has set this rule") from error
