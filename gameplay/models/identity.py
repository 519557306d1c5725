"""What a version is: its run and its graph. Its number is a name that a registry may hand out again."""

from gameplay.models.artifacts import ModelFiles
from gameplay.models.errors import PointerTaken, VersionReused
from gameplay.models.registry import Registry
from gameplay.models.store import ModelStore
from ledger.events import VersionRun
from ledger.vocabulary import Family


def contradiction(known: VersionRun | None, found: VersionRun) -> str | None:
    """How a version differs from the one that the ledger knows by its number; None if it may be the same.

    A ledger from before runs were recorded may know none, and a registry does not say which graph it holds.
    """
    if known is None:
        return None
    if known.run_id != found.run_id:
        return f"it is run {found.run_id}, and the ledger knows it as run {known.run_id}"
    if None not in (known.graph_sha256, found.graph_sha256) and known.graph_sha256 != found.graph_sha256:
        return f"its graph is {found.graph_sha256}, and the ledger knows {known.graph_sha256}"
    return None


def stored(store: ModelStore, family: Family, version: int, known: VersionRun | None) -> ModelFiles:
    """The store's copy of the version that the ledger knows.

    Raises PointerTaken where it is another one; ModelMissing, ModelDamaged, StoreUnavailable.
    """
    files = store.get_model(family, version)
    if problem := contradiction(known, files.run):
        raise PointerTaken(family, version, problem)
    return files


def registered(registry: Registry, family: Family, version: int, known: VersionRun | None) -> ModelFiles:
    """The registry's files of the version that the ledger knows.

    Raises VersionReused where it is another one; VersionMissing, RegistryUnavailable.
    """
    files = registry.download(family, version)
    if problem := contradiction(known, files.run):
        raise VersionReused(family, version, problem)
    return files
