"""Load the models anew when somebody asks for it: adopt the registry's aliases, fetch, and say what happened."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gameplay.core import Core
from gameplay.models.errors import ModelUnavailable
from gameplay.models.loaded import Key
from gameplay.promotion.adoption import adopt_all
from gameplay.serving.sync import Synced, sync
from ledger.events import FailedModel, LoadedModel, ModelsReloaded
from ledger.vocabulary import Alias, Family

SECONDS_MAX: Final = 25.0
"""After this nobody waits for a version; who asks is promised an answer within thirty seconds."""


@dataclass
class Outcome:
    """What a reload came to."""

    reloaded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    registry_errors: list[str] = field(default_factory=list)


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
    the registry cannot be looked at. A home that does not answer is asked once, and then no more for aliases or
    copies; so what is left of SECONDS_MAX when it comes to loading is some seconds at least.
    """
    ends_seconds = clock() + SECONDS_MAX
    adoption = adopt_all(core.promotion, families)
    outcome = Outcome(registry_errors=[f"{family}: {problem}" for family, problem in adoption.problems.items()])
    synced = Synced()
    if adoption.store is not None and (copy or clean):
        synced.errors.append(str(adoption.store))
    elif copy or clean:
        synced = sync(core, families, aliases, clean=clean, registry_error=adoption.registry)
    standings = {family: core.promotion.state(family).promotion.aliases for family in families}
    chosen = {family: {alias: standings[family].get(alias) for alias in aliases} for family in families}
    wanted = [(family, version) for family in families for version in chosen[family].values() if version]
    sources = core.models.preload(wanted, seconds_max=max(0.0, ends_seconds - clock()))
    for family in families:
        core.ledger.record(_reloaded(family, chosen[family], sources, outcome))
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
