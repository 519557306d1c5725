"""Aliases that an outside tool has moved in the registry become the ledger's."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from gameplay.models.errors import ModelError, ModelUnavailable, RegistryUnavailable, StoreUnavailable
from gameplay.promotion.applying import complete
from gameplay.promotion.assignments import assigned
from gameplay.promotion.state import Promotion
from ledger.errors import OvertakenError
from ledger.events import AliasesAssigned, Assignment
from ledger.vocabulary import ALIASES, Alias, Family

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
    """Complete and adopt, family by family, until registry or store does not answer.

    Each question to a backend that hangs takes seconds, and the next family would wait as long for the same.
    """
    found = Adoption()
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
    exchange) is not adopted; `problems` says what is wrong with it. Raises RegistryError, StoreError.
    """
    with promotion.lock:
        state = promotion.state(family)
        if state.promotion.plan:
            return None
        found = promotion.backends.aliases(family)
        promotion.not_adopted.pop(family, None)
        if found == state.promotion.aliases:
            return None
        before = state.promotion.assignment()
        if problem := _inconsistency(promotion, family, before, found):
            promotion.not_adopted[family] = f"the registry's aliases are not adopted: {problem}"
            log.warning("%s: %s", family, promotion.not_adopted[family])
            return None
        after = Assignment(**{alias: found[alias] for alias in ALIASES})
        adopted = assigned(family, "registry" if before else "bootstrap", before, after)
        try:
            promotion.append(state, [adopted])
        except OvertakenError:
            return None
        # Last, and not to be waited for: the aliases are as they are, and a sync sets the markers as well.
        promotion.backends.mark(family, adopted.assignments)
        return adopted


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
    except ModelError as error:
        return str(error)
    return None


def _inconsistency(
    promotion: Promotion, family: Family, before: Assignment | None, found: dict[Alias, int]
) -> str | None:
    if unset := [alias for alias in ALIASES if alias not in found]:
        return f"{', '.join(unset)} not set"
    if gone := promotion.backends.missing(family, found):
        return f"{', '.join(gone)} name a version that does not exist"
    if before and before.Production != before.B and found["Production"] == found["B"]:
        # A tool that exchanges them sets one alias after the other. Adopted half-way, it would be no swap.
        return f"Production and B are both version {found['B']}, as in the middle of an exchange"
    return promotion.backends.unservable(family, found.values())
