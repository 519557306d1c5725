"""Bring ledger and registry together: open plans are completed, aliases that somebody moved are adopted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gameplay.models.errors import ModelError, ModelUnavailable, RegistryUnavailable, StoreUnavailable
from gameplay.promotion.moves import Promotion
from ledger.vocabulary import Family


@dataclass
class Adoption:
    """What keeps families apart from their registry, and which home of the models did not answer."""

    problems: dict[Family, str] = field(default_factory=dict)
    registry: RegistryUnavailable | None = None
    store: StoreUnavailable | None = None

    @property
    def unreachable(self) -> RegistryUnavailable | StoreUnavailable | None:
        """Why the remaining families were not looked at."""
        return self.registry or self.store


def adopt_all(promotion: Promotion, families: Sequence[Family]) -> Adoption:
    """Settle and adopt, family by family, until a home does not answer.

    Each question to a home that hangs takes seconds, and the next family would wait as long for the same.
    """
    found = Adoption()
    for family in families:
        problem: str | None = str(found.unreachable) if found.unreachable else None
        if problem is None:
            problem = _adopt(promotion, family, found) or promotion.problems.get(family)
        if problem:
            found.problems[family] = problem
    return found


def _adopt(promotion: Promotion, family: Family, found: Adoption) -> str | None:
    try:
        promotion.complete(family)
        promotion.adopt(family)
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
