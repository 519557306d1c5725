"""Aliases that an outside tool has moved in the registry become the ledger's."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from gameplay.models.errors import (
    ModelError,
    ModelUnavailable,
    RegistryUnavailable,
    StoreUnavailable,
    VersionReused,
)
from gameplay.promotion.applying import complete
from gameplay.promotion.assignments import assigned, merged
from gameplay.promotion.state import Promotion, StateAt
from gameplay.refusals import Refusal
from ledger.errors import LedgerError, OvertakenError
from ledger.events import AliasesAssigned, Assignment, VersionRun
from ledger.vocabulary import ALIASES, Alias, Family
from projections.decision.approval import waits
from projections.decision.cycle import assignments

log = logging.getLogger(__name__)


@dataclass
class Adoption:
    """What keeps families apart from their registry, and which of registry and model store did not answer."""

    problems: dict[Family, str] = field(default_factory=dict)
    registry: RegistryUnavailable | None = None
    store: StoreUnavailable | None = None

    @property
    def unreachable(self) -> RegistryUnavailable | StoreUnavailable | None:
        """Why the remaining families were not looked at."""
        return self.registry or self.store


def adopt_all(promotion: Promotion, families: Sequence[Family]) -> Adoption:
    """Complete and adopt, family by family, until registry or store does not answer; `watch` does the rest.

    Each question to a backend that hangs takes seconds, and the next family would wait as long for the same.
    """
    found = Adoption()
    promotion.to_adopt.update(families)
    for family in families:
        problem: str | None = str(found.unreachable) if found.unreachable else None
        if problem is None:
            problem = _complete_and_adopt(promotion, family, found) or promotion.problems.get(family)
        if problem:
            found.problems[family] = problem
    return found


def adopt(promotion: Promotion, family: Family) -> AliasesAssigned | None:
    """Record the registry's aliases where they differ from the ledger's and no plan is open.

    An inconsistent registry (an alias missing, a version that does not exist or cannot be served, half an
    exchange) is not adopted, nor is any while a plan awaits approval; `problems` says what is wrong. What cannot
    be looked at now is left to `watch`. Raises RegistryError, StoreError, ModelUnavailable.
    """
    promotion.to_adopt.add(family)
    with promotion.turn(family):
        if family in promotion.not_set_right:
            complete(promotion, family)  # what this process has set itself is no outside tool's move
        state = promotion.state(family)
        if state.promotion.plan and not state.promotion.plan.waits:
            return None
        promotion.to_adopt.discard(family)  # before the look: what moves during it may ask for another one
        try:
            return _adopt(promotion, state)
        except OvertakenError:
            promotion.to_adopt.add(family)
            return None
        except (ModelError, LedgerError):
            promotion.to_adopt.add(family)
            raise


def watch(promotion: Promotion, families: Sequence[Family]) -> None:
    """Look whether the registry still has what the ledger says, and go on with what a repair has made possible.

    Adopts aliases where that was asked for before and refused, or could not be done, and nowhere else: an outside
    tool may be in the middle of moving them, and reports it when it has done so. What one family lacks keeps no
    other waiting. Raises RegistryUnavailable, StoreUnavailable or ModelUnavailable where none can be looked at.
    """
    for family in families:
        try:
            _watch(promotion, family)
        except (ModelError, Refusal) as error:
            if _is_unreachable(error):
                raise
            if family not in promotion.problems:  # else it is logged where it was found
                log.warning("%s: ledger and registry could not be compared: %s", family, error)


def difference(promotion: Promotion, family: Family) -> str | None:
    """Why the registry's aliases could not be adopted as they are now; None if they could, or are the ledger's.

    Changes nothing. Raises RegistryError.
    """
    return _examine(promotion, promotion.state(family), promotion.backends.aliases(family))[1]


def bootstrap(promotion: Promotion, family: Family, first: Assignment) -> AliasesAssigned | None:
    """Give a family its first aliases. Raises RegistryError, StoreError, ModelUnavailable.

    There is nothing yet that a plan could move from: the registry is set, and its aliases are adopted. A crash in
    between leaves aliases that the next set-up adopts, or finds incomplete.
    """
    with promotion.turn(family):
        known = promotion.state(family).promotion.run
        promotion.backends.apply(family, assignments(None, first), known)
        return adopt(promotion, family)


def _adopt(promotion: Promotion, state: StateAt) -> AliasesAssigned | None:
    family, open_plan = state.family, state.promotion.plan
    found = promotion.backends.aliases(family)
    is_known = found == state.promotion.aliases
    runs, problem = _examine(promotion, state, found)
    if problem is None and open_plan and not is_known:
        problem = waits(open_plan)
    if problem is None and not is_known:
        try:
            # Loaded before they are adopted, they keep no game waiting.
            runs |= promotion.backends.load(family, runs)
        except ModelUnavailable as error:
            problem = str(error)
    if problem:
        _refuse(promotion, family, problem)
        return None
    if is_known:
        promotion.not_adopted.pop(family, None)
        return None
    before = state.promotion.assignment()
    after = Assignment(**{alias: found[alias] for alias in ALIASES})
    adopted = assigned(family, "registry" if before else "bootstrap", before, after, runs=runs)
    promotion.append(state, [adopted])
    promotion.not_adopted.pop(family, None)
    # Last, and not to be waited for: the aliases are as they are, and a sync sets the markers as well.
    promotion.backends.mark(family, adopted.assignments)
    return adopted


def _watch(promotion: Promotion, family: Family) -> None:
    if promotion.state(family).promotion.plan or family in promotion.not_set_right:
        complete(promotion, family)
    if family in promotion.to_adopt or family in promotion.not_adopted:
        adopt(promotion, family)
    elif problem := difference(promotion, family):
        _refuse(promotion, family, problem)


def _is_unreachable(error: Exception) -> bool:
    """Whether a backend does not answer: the next family would wait as long for the same."""
    if isinstance(error, ModelUnavailable):
        return error.registry is not None
    return isinstance(error, RegistryUnavailable | StoreUnavailable)


def _complete_and_adopt(promotion: Promotion, family: Family, found: Adoption) -> str | None:
    try:
        complete(promotion, family)
        adopt(promotion, family)
    except RegistryUnavailable as error:
        found.registry = error
        return str(error)
    except StoreUnavailable as error:
        found.store = error
        return str(error)
    except ModelUnavailable as error:
        found.registry = error.registry
        return promotion.problems.get(family, str(error))
    except (ModelError, Refusal) as error:
        return str(error)
    return None


def _examine(
    promotion: Promotion, state: StateAt, found: dict[Alias, int]
) -> tuple[dict[int, VersionRun], str | None]:
    """What is behind the registry's aliases, and why they cannot be adopted."""
    if not found and not state.promotion.aliases:
        return {}, None  # before the set-up
    if unset := [alias for alias in ALIASES if alias not in found]:
        return {}, f"{', '.join(unset)} not set"
    try:
        runs = promotion.backends.runs(state.family, set(found.values()), state.promotion.run)
    except VersionReused as error:
        return {}, str(error)
    if found == state.promotion.aliases:
        return runs, None
    if gone := [alias for alias, version in found.items() if version not in runs]:
        return {}, f"{', '.join(gone)} name a version that does not exist"
    if problem := merged(state.promotion.assignment(), Assignment(**found)):
        # A tool that exchanges two sets one alias after the other. Adopted half-way, it would be no exchange.
        return {}, f"{problem}, as in the middle of an exchange"
    return runs, None


def _refuse(promotion: Promotion, family: Family, problem: str) -> None:
    text = f"the registry's aliases are not adopted: {problem}"
    if promotion.not_adopted.get(family) != text:
        log.warning("%s: %s", family, text)
    promotion.not_adopted[family] = text
