"""Reload models when a caller asks for it: adopt the registry's aliases, fetch, and say what happened."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gameplay.core import Core
from gameplay.models.errors import ModelUnavailable
from gameplay.models.loaded import Key
from gameplay.promotion.adoption import adopt_all
from gameplay.serving.sync import Synced, sync
from ledger.events import FailedModel, LoadedModel, ModelsReloaded
from ledger.vocabulary import Alias, Family

SECONDS_MAX: Final = 25.0
"""After this no version is waited for: the caller is promised an answer within thirty seconds."""


def reload_models(
    core: Core,
    families: Sequence[Family],
    aliases: Sequence[Alias],
    *,
    copy: bool = False,
    clean: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Reload the given aliases; with `copy` or `clean`, bring the model store in order before that.

    Running games keep the versions that they started with. The aliases that the ledger knows are loaded although
    the registry cannot be looked at. A backend that does not answer is asked once, and then no more for aliases or
    copies; so what is left of SECONDS_MAX when it comes to loading is some seconds at least.
    """
    ends_seconds = clock() + SECONDS_MAX
    adoption = adopt_all(core.promotion, families)
    synced = Synced()
    if adoption.store is not None and (copy or clean):
        synced.errors.append(str(adoption.store))
    elif copy or clean:
        synced = sync(core, families, aliases, clean=clean, registry_error=adoption.registry)
    versions = {family: core.promotion.state(family).promotion.aliases for family in families}
    chosen = {family: {alias: versions[family].get(alias) for alias in aliases} for family in families}
    wanted = [(family, version) for family in families for version in chosen[family].values() if version]
    sources = core.models.preload(wanted, seconds_max=max(0.0, ends_seconds - clock()))
    events = [_event(family, chosen[family], sources) for family in families]
    for event in events:
        core.ledger.record(event)
    answer = _answer(events, synced, [f"{family}: {problem}" for family, problem in adoption.problems.items()])
    return {**answer, "minio_removed": synced.removed} if clean else answer


def _event(
    family: Family, versions: Mapping[Alias, int | None], sources: Mapping[Key, str | ModelUnavailable]
) -> ModelsReloaded:
    loaded: list[LoadedModel] = []
    failed: list[FailedModel] = []
    for alias, version in versions.items():
        source = sources[family, version] if version else "the alias names no version yet"
        if version is None or isinstance(source, ModelUnavailable):
            failed.append(FailedModel(alias=alias, version=version, reason=str(source)[:4_000]))
        else:
            loaded.append(LoadedModel(alias=alias, version=version, source=source))
    return ModelsReloaded(model_type=family, loaded=tuple(loaded), failed=tuple(failed))


def _answer(events: Sequence[ModelsReloaded], synced: Synced, registry_errors: Sequence[str]) -> dict[str, Any]:
    reloaded = [f"{event.model_type}/{model.alias}" for event in events for model in event.loaded]
    failed = [f"{event.model_type}/{model.alias}: {model.reason}" for event in events for model in event.failed]
    return {
        "success": not failed,
        "reloaded": reloaded,
        "failed": failed,
        "minio_synced": len(synced.copied),
        "minio_skipped": len(synced.kept),
        "minio_errors": synced.errors,
        "registry_errors": registry_errors,
        "message": f"{len(reloaded)} reloaded, {len(failed)} failed",
    }
