"""The models behind the aliases: show them, and load them again."""

from collections.abc import Sequence
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import NotFound
from gameplay.serving.reload import reload_models
from gameplay.serving.service import Service
from gameplay.web.bodies import answer, read_body
from gameplay.web.queries import flag
from gameplay.web.state import lanes_of, masked_of, service_of
from ledger.masking import Masking
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family


async def models(request: Request) -> Response:
    """GET /models."""
    service = service_of(request)
    service.require_caught_up()
    return answer(await lanes_of(request).reads(_models, service, masked_of(request)))


async def reload_all(request: Request) -> Response:
    """POST /models/reload."""
    service = service_of(request)
    await read_body(request)
    service.require_caught_up()
    return await _reload(request, FAMILIES, ALIASES)


async def reload_one(request: Request) -> Response:
    """POST /models/reload/{model_type}/{alias}."""
    service = service_of(request)
    family, alias = request.path_params["model_type"], request.path_params["alias"]
    if family not in FAMILIES or alias not in ALIASES:
        raise NotFound(f"there is no {alias} of {family}")
    await read_body(request)
    service.require_caught_up()
    return await _reload(request, (cast(Family, family),), (cast(Alias, alias),))


async def _reload(request: Request, families: Sequence[Family], aliases: Sequence[Alias]) -> Response:
    outcome = await lanes_of(request).reloads(
        reload_models,
        service_of(request).core,
        families,
        aliases,
        copy=flag(request, "sync_minio"),
        clean=flag(request, "clean"),
    )
    for errors in ("failed", "minio_errors", "registry_errors"):
        outcome[errors] = [*map(masked_of(request), outcome[errors])]
    return answer(outcome)


def _models(service: Service, masked: Masking) -> dict[str, Any]:
    sources, problems = service.base.models.sources(), service.problems()
    with service.base.families.current() as families:
        return {
            family: {
                "aliases": {
                    alias: {
                        "version": (version := families[family].aliases.get(alias)),
                        "run_id": families[family].runs.get(version or 0),
                        "loaded": (family, version) in sources,
                        "source": sources.get((family, version)) if version else None,
                        "training_accuracy": families[family].holdout_accuracies.get(version or 0),
                    }
                    for alias in ALIASES
                },
                "registry_mismatch": (problem := problems.get(family)) and masked(problem),
            }
            for family in FAMILIES
        }
