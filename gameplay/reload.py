"""Load the models anew when somebody asks for it: adopt the registry's aliases, fetch, and say what happened."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gameplay.core import Core
from gameplay.errors import ModelUnavailable, RegistryError, StoreError
from gameplay.recording import record
from ledger.events import FailedModel, LoadedModel, ModelsReloaded
from ledger.vocabulary import Alias, Family


@dataclass
class Outcome:
    """What a reload came to."""

    reloaded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    synced: int = 0
    skipped: int = 0
    errors: list[str] = field(default_factory=list)


def reload_models(core: Core, families: Sequence[Family], aliases: Sequence[Alias], sync: bool) -> dict[str, Any]:
    """Reload the given aliases; with `sync`, copy what the model store lacks from the registry first.

    Running games keep the versions that they started with.
    """
    outcome = Outcome()
    for family in families:
        _adopt(core, family, outcome)
        lineup = core.promotion.moment(family).standing.aliases
        versions = {alias: lineup.get(alias) for alias in aliases}
        if sync:
            _sync(core, family, {version for version in versions.values() if version}, outcome)
        record(core.ledger, _reload(core, family, versions, outcome))
    return {
        "success": not outcome.failed,
        "reloaded": outcome.reloaded,
        "failed": outcome.failed,
        "minio_synced": outcome.synced,
        "minio_skipped": outcome.skipped,
        "minio_errors": outcome.errors,
        "message": f"{len(outcome.reloaded)} reloaded, {len(outcome.failed)} failed",
    }


def _adopt(core: Core, family: Family, outcome: Outcome) -> None:
    try:
        if core.promotion.settle(family):
            core.promotion.adopt(family)
    except RegistryError as error:
        # The aliases that the ledger knows are loaded all the same; the caller hears of the rest.
        outcome.errors.append(f"{family}: {error}")


def _sync(core: Core, family: Family, versions: set[int], outcome: Outcome) -> None:
    try:
        kept = core.store.versions(family)
        for version in sorted(versions):
            if version in kept:
                outcome.skipped += 1
            else:
                core.store.put_model(family, core.registry.download(family, version))
                outcome.synced += 1
    except (RegistryError, StoreError) as error:
        outcome.errors.append(f"{family}: {error}")


def _reload(core: Core, family: Family, versions: dict[Alias, int | None], outcome: Outcome) -> ModelsReloaded:
    loaded: list[LoadedModel] = []
    failed: list[FailedModel] = []
    for alias, version in versions.items():
        if version is None:
            failed.append(FailedModel(alias=alias, version=None, reason="the alias names no version yet"))
            continue
        try:
            source = core.models.load(family, version)
        except ModelUnavailable as error:
            failed.append(FailedModel(alias=alias, version=version, reason=str(error)[:4_000]))
        else:
            loaded.append(LoadedModel(alias=alias, version=version, source=source))
    outcome.reloaded += [f"{family}/{model.alias}" for model in loaded]
    outcome.failed += [f"{family}/{model.alias}: {model.reason}" for model in failed]
    return ModelsReloaded(model_type=family, loaded=tuple(loaded), failed=tuple(failed))
