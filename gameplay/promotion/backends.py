"""What follows the ledger when aliases move: the registry, the model store, and the versions in memory."""

from collections.abc import Callable, Iterable, Sequence

from gameplay.models.errors import ModelUnavailable, RegistryError, VersionMissing
from gameplay.models.registry import Registry
from gameplay.models.store import ModelStore
from gameplay.refusals import Unavailable
from ledger.events import AliasChange
from ledger.vocabulary import Alias, Family

Loader = Callable[[Family, int], object]
"""Makes a version ready to serve. Raises ModelUnavailable."""


class Backends:
    """The one way by which an alias is set outside the ledger."""

    def __init__(self, registry: Registry, store: ModelStore | None, load: Loader | None) -> None:
        self._registry = registry
        self._store = store
        self._load = load

    def apply(self, family: Family, wanted: Sequence[AliasChange]) -> None:
        """Set the aliases to these versions; each step may be done twice.

        Everything that may fail comes before the completion, and whether all versions exist before any alias is
        set. An alias that is not moved need not have its version any more: what is lost stays lost, and must not
        keep the others from moving. Raises RegistryError, StoreError, ModelUnavailable.
        """
        moved = [one for one in wanted if one.before != one.after]
        self.load(family, (change.after for change in moved))
        existing = [one for one in wanted if self._registry.exists(family, one.after)]
        for change in moved:
            if change not in existing:
                raise VersionMissing(family, change.after, f"{change.alias} cannot be set to it")
        for change in existing:
            self._registry.assign(family, change.alias, change.after)
        self.mark(family, existing)

    def mark(self, family: Family, wanted: Sequence[AliasChange]) -> None:
        """Write the model store's markers. Raises StoreError."""
        if self._store is not None:
            for change in wanted:
                self._store.set_marker(family, change.alias, change.after)

    def load(self, family: Family, versions: Iterable[int]) -> None:
        """Make versions ready to serve. Raises ModelUnavailable."""
        if self._load is not None:
            for version in versions:
                self._load(family, version)

    def aliases(self, family: Family) -> dict[Alias, int]:
        """The registry's aliases. Raises RegistryError."""
        return self._registry.aliases(family)

    def missing(self, family: Family, found: dict[Alias, int]) -> list[Alias]:
        """The aliases whose version the registry does not have. Raises RegistryError."""
        return [alias for alias, version in found.items() if not self._registry.exists(family, version)]

    def unservable(self, family: Family, versions: Iterable[int]) -> str | None:
        """What keeps a version from being served; loaded before an adoption, they keep no game waiting."""
        try:
            self.load(family, sorted(set(versions)))
        except ModelUnavailable as error:
            return str(error)
        return None

    def exists(self, family: Family, version: int) -> bool:
        """Whether the registry has a version that a caller has reported. Raises Unavailable when it is away."""
        try:
            return self._registry.exists(family, version)
        except RegistryError as error:
            problem = f"version {version} of {family} is new, and cannot be looked up: {error}"
            raise Unavailable(problem) from error
