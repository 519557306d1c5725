"""The two outer seams, in memory: a registry and a store that can be taken away and given back."""

from collections.abc import Collection, Mapping

from gameplay.models.artifacts import ModelFiles, Registered, TrainedModel
from gameplay.models.errors import RegistryUnavailable, StoreUnavailable, VersionMissing
from gameplay.models.store import ModelStore
from ledger.vocabulary import Alias, Family


class FakeRegistry:
    """A registry that keeps everything in dictionaries; while `down`, every call fails."""

    def __init__(self) -> None:
        self.down = False
        self.owned_by: str | None = None
        self.kept: dict[tuple[Family, int], ModelFiles] = {}
        self.named: dict[Family, dict[Alias, int]] = {}
        self.described: dict[Family, str] = {}
        self.tagged: dict[tuple[Family, int], dict[str, str]] = {}
        self.registered = 0
        self.downloads: list[tuple[Family, int]] = []

    def keep(self, family: Family, files: ModelFiles) -> None:
        """Have a version, as if it had been registered."""
        self.kept[family, files.version] = files

    def aliases(self, family: Family) -> dict[Alias, int]:
        self._reach()
        return dict(self.named.get(family, {}))

    def assign(self, family: Family, alias: Alias, version: int) -> None:
        self._reach()
        self._find(family, version)
        self.named.setdefault(family, {})[alias] = version

    def runs(self, family: Family, versions: Collection[int]) -> dict[int, str]:
        self._reach()
        return {
            version: self.kept[family, version].run_id for version in versions if (family, version) in self.kept
        }

    def versions(self, family: Family) -> dict[int, str]:
        self._reach()
        return {version: files.run_id for (kept, version), files in self.kept.items() if kept == family}

    def register(self, family: Family, run: TrainedModel) -> Registered:
        self._reach()
        version = 1 + max((number for kept, number in self.kept if kept == family), default=0)
        self.registered += 1
        files = ModelFiles(version, f"{family}-run-{self.registered}", run.card, run.onnx)
        self.keep(family, files)
        return Registered(version, files.run_id)

    def discard(self, family: Family, landed: Registered) -> None:
        self._reach()
        del self.kept[family, landed.version]

    def lose(self, family: Family) -> None:
        """Have the family's model deleted: versions count from 1 again."""
        self.kept = {key: files for key, files in self.kept.items() if key[0] != family}
        self.named.pop(family, None)

    def download(self, family: Family, version: int) -> ModelFiles:
        self.downloads.append((family, version))
        self._reach()
        return self._find(family, version)

    def annotate(self, family: Family, text: str, tags: Mapping[int, Mapping[str, str]]) -> None:
        self._reach()
        self.described[family] = text
        for version, found in tags.items():
            if (family, version) in self.kept:
                self.tagged.setdefault((family, version), {}).update(found)

    def owner(self) -> str | None:
        self._reach()
        return self.owned_by

    def set_owner(self, ledger_id: str) -> None:
        self._reach()
        self.owned_by = ledger_id

    def _find(self, family: Family, version: int) -> ModelFiles:
        if (family, version) not in self.kept:
            raise VersionMissing(family, version, "never registered")
        return self.kept[family, version]

    def _reach(self) -> None:
        if self.down:
            raise RegistryUnavailable("answer", "it is down")


class SwitchedStore:
    """A real store behind a switch; while `down`, every call fails."""

    def __init__(self, store: ModelStore) -> None:
        self.down = False
        self._store = store

    def put_model(self, family: Family, files: ModelFiles) -> None:
        self._reach().put_model(family, files)

    def get_model(self, family: Family, version: int) -> ModelFiles:
        return self._reach().get_model(family, version)

    def set_marker(self, family: Family, alias: Alias, version: int) -> None:
        self._reach().set_marker(family, alias, version)

    def sweep_markers(self, family: Family) -> None:
        self._reach().sweep_markers(family)

    def versions(self, family: Family) -> dict[int, str]:
        return self._reach().versions(family)

    def remove(self, family: Family, version: int) -> None:
        self._reach().remove(family, version)

    def remove_leftovers(self) -> None:
        self._reach().remove_leftovers()

    def _reach(self) -> ModelStore:
        if self.down:
            raise StoreUnavailable("answer", "it is down")
        return self._store
