"""Moving aliases: decide, plan, apply, complete; safe to run again after a crash at any point.

Every change goes the same way on the family's `promotion-` stream. What shall be is written down in absolute
versions before the registry is touched, so whoever comes next (the next cycle, the next start, another
process) carries it on from the plan, and never from a difference read back from the registry.
"""

import copy
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from gameplay.models.errors import ModelUnavailable, RegistryError, StoreError, VersionMissing
from gameplay.models.registry import Registry
from gameplay.models.store import ModelStore
from gameplay.refusals import Conflict, Unavailable
from ledger.errors import ConflictError
from ledger.events import AliasChange, AliasesAssigned, AliasesPlanned, Assignment, CycleDecided, Event, Rule
from ledger.store import Ledger, Receipt
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, Alias, Cause, Family, PlanCause, Trigger
from projections.decision.cycle import assignments, decide_cycle, is_swap, plan
from projections.read_models.all import ReadModels
from projections.read_models.standings import OpenPlan, PromotionState
from projections.read_models.tickers import Window

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 10


Loader = Callable[[Family, int], object]
"""Makes a version ready to serve. Raises ModelUnavailable."""


class StateAt(NamedTuple):
    """A family at one position of the ledger."""

    family: Family
    position: int
    promotion: PromotionState
    window: Window

    def assignment(self) -> Assignment:
        """The family's aliases. Raises Conflict while it has none."""
        assignment = self.promotion.assignment()
        if assignment is None:
            raise Conflict(f"{self.family} has no aliases yet: `rps setup` trains its first models")
        return assignment


class Promotion:
    """The promotion of all families. One thread at a time; other processes are met at the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        read_models: ReadModels,
        registry: Registry,
        *,
        rule: Rule,
        store: ModelStore | None = None,
        load: Loader | None = None,
    ) -> None:
        self.rule = rule
        self._not_completed: dict[Family, str] = {}
        self._not_adopted: dict[Family, str] = {}
        self._ledger = ledger
        self._read_models = read_models
        self._registry = registry
        self._store = store
        self._load = load
        self._lock = threading.RLock()

    @property
    def problems(self) -> dict[Family, str]:
        """What keeps the registry's aliases and the ledger's apart: an open plan, or aliases that are not adopted.

        Another process may have ended the plan that could not be completed here.
        """
        standings = self._read_models.standings.state.families
        plans = {family: text for family, text in self._not_completed.items() if standings[family].plan}
        return {**self._not_adopted, **plans}

    def cycle(self, family: Family, *, trigger: Trigger, source: str) -> CycleDecided | None:
        """One cycle: evidence, verdict, plan, apply, complete. None while an older plan cannot be completed.

        What was decided stays decided when the registry cannot be reached: the plan is left open and is carried
        on by the next cycle or start. Raises Conflict while the family has no aliases.
        """
        with self._lock:
            for _ in range(ATTEMPTS_MAX):
                if not self.settle(family):
                    return None
                state = self.state(family)
                if state.promotion.plan:
                    continue  # another process has planned since
                decided, planned = self._decide(family, state, trigger, source)
                batch: list[Event] = [decided] if planned is None else [decided, planned]
                if self._append(family, batch, state) is None:
                    continue
                self.settle(family)
                return decided
            raise Conflict(f"{family}: other processes kept moving its aliases; try again")

    def preview(self, family: Family) -> tuple[CycleDecided, AliasesPlanned | None]:
        """What a cycle would decide now. Writes nothing. Raises Conflict where a cycle could not decide."""
        state = self.state(family)
        if state.promotion.plan:
            raise Conflict(f"{family} has an open plan; it is completed before anything new is decided")
        return self._decide(family, state, "manual", "dry run")

    def move(self, family: Family, after: Assignment, *, cause: PlanCause) -> bool:
        """Lead the aliases to a lineup by plan, apply, complete; False when the plan is still open.

        Raises Conflict while an older plan cannot be completed.
        """
        return self._move(family, lambda _before: after, cause)

    def assign(self, family: Family, versions: Mapping[Alias, int], *, cause: PlanCause) -> bool:
        """As `move`, for some aliases only; the others stay as they are when it comes to it, not as they were."""

        def lead(before: Assignment) -> Assignment:
            return Assignment(**{alias: versions.get(alias, getattr(before, alias)) for alias in ALIASES})

        return self._move(family, lead, cause)

    def _move(self, family: Family, lead: Callable[[Assignment], Assignment], cause: PlanCause) -> bool:
        with self._lock:
            for _ in range(ATTEMPTS_MAX):
                if not self.settle(family):
                    raise Conflict(f"{family} has an open plan that cannot be completed; is the registry up?")
                state = self.state(family)
                if state.promotion.plan:
                    continue  # another process has planned since
                before = state.assignment()
                after = lead(before)
                if before == after:
                    return True
                planned = plan(cause, family, before, after)
                if self._append(family, [planned], state) is not None:
                    return self.settle(family)
            raise Conflict(f"{family}: other processes kept moving its aliases; try again")

    def settle(self, family: Family) -> bool:
        """Complete the family's open plan, if it has one. False when it cannot be completed now."""
        try:
            self.complete(family)
        except (RegistryError, StoreError, ModelUnavailable):
            return False  # `problems` says why
        return True

    def complete(self, family: Family) -> None:
        """Complete the family's open plan, if it has one.

        Raises RegistryError, StoreError or ModelUnavailable when that cannot be done now; `problems` says so too.
        """
        with self._lock:
            state, overtaken = self.state(family), False
            while (open_plan := state.promotion.plan) or overtaken:
                try:
                    self._apply(family, open_plan.assignments if open_plan else _as_they_are(state))
                except (RegistryError, StoreError, ModelUnavailable) as error:
                    what = f"plan {open_plan.version} stays open" if open_plan else "its aliases are out of date"
                    self._not_completed[family] = f"{what}: {error}"
                    log.warning("%s: %s: %s", family, what, error)
                    raise
                if open_plan:
                    # A conflict means that another process has completed it, and may have moved the aliases on
                    # since: then what was set just now is out of date, and must be set right again.
                    completion = _completion(family, open_plan)
                    overtaken = self._append(family, [completion], state) is None
                    state = self.state(family)
                else:
                    applied, state = state, self.state(family)
                    overtaken = state.promotion.stream_version != applied.promotion.stream_version
            self._not_completed.pop(family, None)

    def withdraw(self, family: Family) -> AliasesAssigned | None:
        """Close the family's open plan without carrying it out; None when there is none.

        For a plan that can never be completed, because a version of it is gone for good. Whatever was set of it
        already is set back. Raises RegistryError or StoreError; then the plan is still open.
        """
        with self._lock:
            overtaken = False
            for _ in range(ATTEMPTS_MAX):
                state = self.state(family)
                open_plan = state.promotion.plan
                if open_plan is None and not overtaken:
                    return None
                self._apply(family, _as_they_are(state))
                if open_plan is None:
                    # Another process has carried the plan out, and what was set back before is set right again.
                    if self.state(family).promotion.stream_version == state.promotion.stream_version:
                        return None
                    continue
                unmoved = assigned(family, "manual", state.assignment(), state.assignment())
                withdrawn = structs.replace(unmoved, plan=open_plan.version)
                if self._append(family, [withdrawn], state) is not None:
                    self._not_completed.pop(family, None)
                    return withdrawn
                overtaken = True
            raise Conflict(f"{family}: other processes kept moving its aliases; try again")

    def adopt(self, family: Family) -> AliasesAssigned | None:
        """Record the registry's aliases where they differ from the ledger's and no plan is open.

        An inconsistent registry (an alias missing, a version that does not exist or cannot be served, half an
        exchange) is not adopted; `problems` says what is wrong with it. Raises RegistryError, StoreError.
        """
        with self._lock:
            state = self.state(family)
            if state.promotion.plan:
                return None
            found = self._registry.aliases(family)
            self._not_adopted.pop(family, None)
            if found == state.promotion.aliases:
                return None
            before = state.promotion.assignment()
            if problem := self._inconsistency(family, before, found) or self._unservable(family, found):
                self._not_adopted[family] = f"the registry's aliases are not adopted: {problem}"
                log.warning("%s: %s", family, self._not_adopted[family])
                return None
            after = Assignment(**{alias: found[alias] for alias in ALIASES})
            adopted = assigned(family, "registry" if before else "bootstrap", before, after)
            if self._append(family, [adopted], state) is None:
                return None
            # Last, and not to be waited for: the aliases are as they are, and a sync sets the markers as well.
            self._mark(family, adopted.assignments)
            return adopted

    def exists(self, family: Family, version: int) -> bool:
        """Whether the registry has a version that somebody told of. Raises Unavailable when it is away."""
        try:
            return self._registry.exists(family, version)
        except RegistryError as error:
            problem = f"version {version} of {family} is new, and cannot be looked up: {error}"
            raise Unavailable(problem) from error

    def state(self, family: Family) -> StateAt:
        """The family as it stands at the head."""
        with self._read_models.projector.current() as position:
            return StateAt(
                family,
                position,
                copy.deepcopy(self._read_models.standings.state.families[family]),
                copy.deepcopy(self._read_models.tickers.state.windows[family]),
            )

    def _decide(
        self, family: Family, state: StateAt, trigger: Trigger, source: str
    ) -> tuple[CycleDecided, AliasesPlanned | None]:
        state.assignment()
        return decide_cycle(
            family,
            state.promotion,
            state.window,
            self.rule,
            trigger=trigger,
            source=source,
            position=state.position,
        )

    def _apply(self, family: Family, wanted: Sequence[AliasChange]) -> None:
        """Lead the registry to these versions; each step may be done twice.

        Everything that may fail comes before the completion, and whether all versions exist before any alias is
        set. An alias that is not moved need not have its version any more: what is lost stays lost, and must not
        keep the others from moving.
        """
        moved = [one for one in wanted if one.before != one.after]
        if self._load is not None:
            for change in moved:
                self._load(family, change.after)
        existing = [one for one in wanted if self._registry.exists(family, one.after)]
        for change in moved:
            if change not in existing:
                raise VersionMissing(family, change.after, f"{change.alias} cannot be set to it")
        for change in existing:
            self._registry.assign(family, change.alias, change.after)
        self._mark(family, existing)

    def _mark(self, family: Family, wanted: Sequence[AliasChange]) -> None:
        if self._store is not None:
            for change in wanted:
                self._store.set_marker(family, change.alias, change.after)

    def _inconsistency(self, family: Family, before: Assignment | None, found: dict[Alias, int]) -> str | None:
        missing = [alias for alias in ALIASES if alias not in found]
        if missing:
            return f"{', '.join(missing)} not set"
        gone = [alias for alias in ALIASES if not self._registry.exists(family, found[alias])]
        if gone:
            return f"{', '.join(gone)} name a version that does not exist"
        if before and before.Production != before.B and found["Production"] == found["B"]:
            # Whoever exchanges them sets one alias after the other. Adopted half-way, it would be no swap.
            return f"Production and B are both version {found['B']}, as in the middle of an exchange"
        return None

    def _unservable(self, family: Family, found: dict[Alias, int]) -> str | None:
        """What keeps a version from being served; loaded before they are adopted, they keep no game waiting."""
        if self._load is not None:
            for version in sorted(set(found.values())):
                try:
                    self._load(family, version)
                except ModelUnavailable as error:
                    return str(error)
        return None

    def _append(self, family: Family, batch: list[Event], state: StateAt) -> Receipt | None:
        """Append at the version that was looked at; None when somebody else has appended since."""
        try:
            return self._ledger.append(promotion_stream(family), batch, state.promotion.stream_version)
        except ConflictError:
            return None


def assigned(
    family: Family, cause: Cause, before: Assignment | None, after: Assignment, *, cycle: int | None = None
) -> AliasesAssigned:
    """Aliases that are so already, without a plan."""
    return AliasesAssigned(
        model_type=family,
        cause=cause,
        cycle=cycle,
        plan=None,
        assignments=assignments(before, after),
        swapped=is_swap(before, after),
        reordered=False,
    )


def _as_they_are(state: StateAt) -> tuple[AliasChange, ...]:
    return assignments(state.assignment(), state.assignment())


def _completion(family: Family, open_plan: OpenPlan) -> AliasesAssigned:
    return AliasesAssigned(
        model_type=family,
        cause=open_plan.cause,
        cycle=open_plan.cycle,
        plan=open_plan.version,
        assignments=open_plan.assignments,
        swapped=open_plan.swapped,
        reordered=open_plan.reordered,
    )
