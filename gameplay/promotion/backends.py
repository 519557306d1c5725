"""What follows the ledger when aliases move: the registry, the model store, and the versions in memory."""

from collections.abc import Callable, Collection, Iterable, Sequence

from gameplay.models.errors import RegistryError, VersionMissing, VersionReused
from gameplay.models.identity import contradiction
from gameplay.models.registry import Registry
from gameplay.models.store import ModelStore
from gameplay.refusals import Conflict, Unavailable
from ledger.events import AliasChange, VersionRun
from ledger.vocabulary import Alias, Family

Loader = Callable[[Family, int], VersionRun]
"""Makes a version ready to serve, and says what it is. Raises ModelUnavailable."""

Known = Callable[[int], VersionRun | None]
"""What the ledger knows of a version's run."""


class Backends:
    """The one way by which an alias is set outside the ledger."""

    def __init__(self, registry: Registry, store: ModelStore | None, load: Loader | None) -> None:
        self._registry = registry
        self._store = store
        self._load = load

    def apply(self, family: Family, wanted: Sequence[AliasChange], known: Known) -> dict[int, VersionRun]:
        """Set the aliases to these versions; each step may be done twice. What each version is.

        Everything that may fail comes before the completion, and whether all versions are there, each of the run
        that the ledger knows, before any alias is set. An alias that is not moved need not have its version any
        more: what is lost stays lost, and must not keep the others from moving. Raises RegistryError, StoreError,
        ModelUnavailable.
        """
        moved = [one for one in wanted if one.before != one.after]
        loaded = self.load(family, {change.after for change in moved})
        versions = {change.after for change in wanted}
        runs = self.runs(family, versions, lambda version: loaded.get(version) or known(version))
        for change in moved:
            if change.after not in runs:
                raise VersionMissing(family, change.after, f"{change.alias} cannot be set to it")
        existing = [change for change in wanted if change.after in runs]
        for change in existing:
            self._registry.assign(family, change.alias, change.after)
        self.mark(family, existing)
        return runs

    def mark(self, family: Family, wanted: Sequence[AliasChange]) -> None:
        """Write the model store's markers. Raises StoreError."""
        if self._store is not None:
            for change in wanted:
                self._store.set_marker(family, change.alias, change.after)

    def load(self, family: Family, versions: Iterable[int]) -> dict[int, VersionRun]:
        """Make versions ready to serve; what each is. Raises ModelUnavailable."""
        if self._load is None:
            return {}
        return {version: self._load(family, version) for version in versions}

    def aliases(self, family: Family) -> dict[Alias, int]:
        """The registry's aliases. Raises RegistryError."""
        return self._registry.aliases(family)

    def runs(self, family: Family, versions: Collection[int], known: Known) -> dict[int, VersionRun]:
        """What each of the versions is that the registry has.

        Raises VersionReused where the ledger knows another run behind the number, RegistryUnavailable.
        """
        found: dict[int, VersionRun] = {}
        for version, run_id in sorted(self._registry.runs(family, versions).items()):
            before = known(version)
            run = VersionRun(version=version, run_id=run_id, graph_sha256=before.graph_sha256 if before else None)
            if problem := contradiction(before, run):
                raise VersionReused(family, version, problem)
            found[version] = run
        return found

    def reported(
        self, family: Family, versions: Collection[int], known: Known, *, present: Collection[int] = ()
    ) -> dict[int, VersionRun]:
        """What each of the versions is that a caller has reported, and that the registry or `present` has.

        `present` are versions that the ledger knows behind an alias: a registry that is away does not make them
        doubtful. Raises Conflict where a number is another run's, Unavailable when a new version cannot be looked
        up.
        """
        try:
            return self.runs(family, versions, known)
        except VersionReused as error:
            raise Conflict(str(error)) from error
        except RegistryError as error:
            if new := sorted(set(versions) - set(present)):
                problem = f"version {new[0]} of {family} is new, and cannot be looked up: {error}"
                raise Unavailable(problem) from error
            return known_runs(versions, known)


def known_runs(versions: Iterable[int], known: Known) -> dict[int, VersionRun]:
    """What the ledger knows of these versions."""
    found = {version: known(version) for version in versions}
    return {version: run for version, run in found.items() if run}
