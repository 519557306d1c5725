"""The models behind the aliases: what they are, and loading them anew."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import NotFound, Unavailable
from gameplay.serving.reload import reload_models
from gameplay.serving.service import Service
from gameplay.web.access import require_internal
from gameplay.web.bodies import answer, read_body
from gameplay.web.queries import flag
from gameplay.web.state import service_of
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family

TURN_SECONDS_MAX = 4.0
"""How long a reload waits for the one before it; with the time that it takes itself, less than thirty seconds."""


async def models(request: Request) -> Response:
    """GET /models."""
    service = service_of(request)
    service.require_caught_up()
    return answer(await anyio.to_thread.run_sync(_models, service))


async def reload_all(request: Request) -> Response:
    """POST /models/reload."""
    service = service_of(request)
    require_internal(request, service.core.settings)
    await read_body(request)
    service.require_caught_up()
    return await _reload(request, FAMILIES, ALIASES)


async def reload_one(request: Request) -> Response:
    """POST /models/reload/{model_type}/{alias}."""
    service = service_of(request)
    require_internal(request, service.core.settings)
    family, alias = request.path_params["model_type"], request.path_params["alias"]
    if family not in FAMILIES or alias not in ALIASES:
        raise NotFound(f"there is no {alias} of {family}")
    await read_body(request)
    service.require_caught_up()
    return await _reload(request, (cast(Family, family),), (cast(Alias, alias),))


async def _reload(request: Request, families: Sequence[Family], aliases: Sequence[Alias]) -> Response:
    service = service_of(request)
    wish = partial(
        reload_models,
        service.core,
        families,
        aliases,
        copy=flag(request, "sync_minio"),
        clean=flag(request, "clean"),
    )
    # One at a time: while the models' homes hang, a crowd of reloads would take every thread that the other routes
    # need, and none of them would be answered sooner.
    try:
        with anyio.fail_after(TURN_SECONDS_MAX):
            await service.reloading.acquire()
    except TimeoutError as error:
        raise Unavailable("another reload is under way; try again in a moment") from error
    try:
        return answer(await anyio.to_thread.run_sync(wish))
    finally:
        service.reloading.release()


def _models(service: Service) -> dict[str, Any]:
    sources = service.core.models.sources()
    with service.core.read_models.projector.current():
        families = service.core.read_models.standings.state.families
        return {
            family: {
                "aliases": {
                    alias: {
                        "version": (version := families[family].aliases.get(alias)),
                        "loaded": (family, version) in sources,
                        "source": sources.get((family, version)) if version else None,
                        "training_accuracy": families[family].holdout_accuracies.get(version or 0),
                    }
                    for alias in ALIASES
                },
                "registry_mismatch": service.core.promotion.problems.get(family),
            }
            for family in FAMILIES
        }
