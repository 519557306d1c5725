"""Load the models anew when somebody asks for it: adopt the registry's aliases, fetch, and say what happened."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gameplay.core import Core
from gameplay.errors import ModelUnavailable, RegistryError, RegistryUnavailable, StoreError
from gameplay.models import Key
from gameplay.recording import record
from gameplay.sync import Synced, sync
from ledger.events import FailedModel, LoadedModel, ModelsReloaded
from ledger.vocabulary import Alias, Family


@dataclass
class Outcome:
    """What a reload came to."""

    reloaded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    registry_errors: list[str] = field(default_factory=list)


def reload_models(
    core: Core, families: Sequence[Family], aliases: Sequence[Alias], *, copy: bool = False, clean: bool = False
) -> dict[str, Any]:
    """Reload the given aliases; with `copy` or `clean`, bring the model store in order before that.

    Running games keep the versions that they started with.
    """
    outcome = Outcome()
    _adopt(core, families, outcome)
    synced = sync(core, families, aliases, clean=clean) if copy or clean else Synced()
    standings = {family: core.promotion.moment(family).standing.aliases for family in families}
    chosen = {family: {alias: standings[family].get(alias) for alias in aliases} for family in families}
    wanted = [(family, version) for family in families for version in chosen[family].values() if version]
    sources = core.models.preload(wanted)
    for family in families:
        record(core.ledger, _reloaded(family, chosen[family], sources, outcome))
    answer = {
        "success": not outcome.failed,
        "reloaded": outcome.reloaded,
        "failed": outcome.failed,
        "minio_synced": len(synced.copied),
        "minio_skipped": len(synced.kept),
        "minio_errors": synced.errors,
        "registry_errors": outcome.registry_errors,
        "message": f"{len(outcome.reloaded)} reloaded, {len(outcome.failed)} failed",
    }
    return {**answer, "minio_removed": synced.removed} if clean else answer


def _adopt(core: Core, families: Sequence[Family], outcome: Outcome) -> None:
    # The aliases that the ledger knows are loaded all the same; the caller hears of the rest.
    unreachable: RegistryUnavailable | None = None
    for family in families:
        problem: str | None = None
        try:
            if unreachable is None and core.promotion.settle(family):
                core.promotion.adopt(family)
            problem = core.promotion.problems.get(family)
        except RegistryUnavailable as error:
            unreachable = error  # asking again for the next family would take as long again
        except (RegistryError, StoreError) as error:
            problem = str(error)
        if unreachable or problem:
            outcome.registry_errors.append(f"{family}: {unreachable or problem}")


def _reloaded(
    family: Family,
    versions: dict[Alias, int | None],
    sources: dict[Key, str | ModelUnavailable],
    outcome: Outcome,
) -> ModelsReloaded:
    loaded: list[LoadedModel] = []
    failed: list[FailedModel] = []
    for alias, version in versions.items():
        source = sources[family, version] if version else "the alias names no version yet"
        if version is None or isinstance(source, ModelUnavailable):
            failed.append(FailedModel(alias=alias, version=version, reason=str(source)[:4_000]))
        else:
            loaded.append(LoadedModel(alias=alias, version=version, source=source))
    outcome.reloaded += [f"{family}/{model.alias}" for model in loaded]
    outcome.failed += [f"{family}/{model.alias}: {model.reason}" for model in failed]
    return ModelsReloaded(model_type=family, loaded=tuple(loaded), failed=tuple(failed))
