"""The model store as the aliases want it: the versions behind them, sound and marked; nothing else, if asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gameplay.core import Core
from gameplay.models.errors import (
    ModelDamaged,
    ModelMissing,
    PointerTaken,
    RegistryUnavailable,
    StoreUnavailable,
    VersionMissing,
    VersionReused,
)
from gameplay.models.identity import registered, stored
from ledger.events import VersionRun
from ledger.vocabulary import Alias, Family


@dataclass
class Synced:
    """What a sync did. A version is named `family/vN`."""

    copied: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def sync(
    core: Core,
    families: Sequence[Family],
    aliases: Sequence[Alias],
    *,
    clean: bool = False,
    registry_error: RegistryUnavailable | None = None,
) -> Synced:
    """Copy what the store lacks from the registry, and mark it; a copy whose digest is wrong is replaced.

    `clean` also removes every version that no alias names, no open plan leads to, no open game is played with, and
    that is none of the newest that were trained after those behind the aliases, whatever `aliases` says; and what
    writers that died have left behind. With `registry_error`, a registry that has just not answered is not asked.
    """
    synced = Synced()
    wanted, trained = core.wanted_versions(), core.trained_versions()
    try:
        for family in families:
            promotion_state = core.promotion.state(family).promotion
            chosen = {
                alias: promotion_state.aliases[alias] for alias in aliases if alias in promotion_state.aliases
            }
            for version in sorted(set(chosen.values())):
                _sync_version(core, family, version, synced, registry_error)
            for alias, version in chosen.items():
                core.store.set_marker(family, alias, version)
            core.store.sweep_markers(family)
            if clean:
                _clean(core, family, wanted[family] | trained[family], synced)
        if clean:
            core.store.remove_leftovers()
    except (RegistryUnavailable, StoreUnavailable) as error:
        # One time-out is enough: asking on, version by version, would keep the caller for minutes.
        synced.errors.append(str(error))
    return synced


def _sync_version(
    core: Core, family: Family, version: int, synced: Synced, registry_error: RegistryUnavailable | None
) -> None:
    name, known = _name(family, version), core.promotion.known_run(family, version)
    try:
        if _is_sound(core, family, version, known):
            synced.kept.append(name)
            return
        if registry_error is not None:
            raise registry_error
        core.store.put_model(family, registered(core.registry, family, version, known))
        core.store.get_model(family, version)  # what is there now is what was meant: its digest says so
    except (VersionMissing, VersionReused, PointerTaken, ModelDamaged, ModelMissing) as error:
        synced.errors.append(f"{name}: {error}")
    else:
        synced.copied.append(name)


def _is_sound(core: Core, family: Family, version: int, known: VersionRun | None) -> bool:
    """Whether the store has the version as it was put. Raises PointerTaken where its number is another run's."""
    try:
        stored(core.store, family, version, known)
    except (ModelMissing, ModelDamaged):
        return False
    return True


def _clean(core: Core, family: Family, keep: set[int], synced: Synced) -> None:
    if not keep:
        return  # without aliases nothing is known of what may go
    for version in sorted(core.store.versions(family).keys() - keep):
        core.store.remove(family, version)
        synced.removed.append(_name(family, version))


def _name(family: Family, version: int) -> str:
    return f"{family}/v{version}"
