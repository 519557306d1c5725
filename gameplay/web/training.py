"""A trainer outside this service reports that it has finished."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from gameplay.promotion.adoption import adopt_all
from gameplay.refusals import Invalid
from gameplay.serving.service import Service
from gameplay.training.runs import runs_of
from gameplay.web.bodies import Line, answer, decode, read_body
from gameplay.web.numbers import QuotedNumbersDecoder
from gameplay.web.state import lanes_of, service_of
from ledger.events import TrainingCompleted, VersionRun
from ledger.facts import Share, Version
from ledger.vocabulary import Alias, Family, TrainingStatus

# A year. Without a limit, two absurd reports would add up to an infinite histogram for ever.
Duration = Annotated[float, Meta(ge=0.0, le=31_622_400.0)]


class TrainingBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /internal/training/complete`."""

    model_type: Family
    status: TrainingStatus
    duration_seconds: Duration | None = None
    alias: Alias | None = None
    source: Line | None = None
    accuracy: Share | None = None
    model_version: Version | None = None


_decoder = QuotedNumbersDecoder(TrainingBody)


async def complete(request: Request) -> Response:
    """POST /internal/training/complete."""
    service = service_of(request)
    given = decode(await read_body(request), _decoder)
    version = await lanes_of(request).outside(_complete, service, given)
    return answer({"success": True, **msgspec.structs.asdict(given), "model_version": version})


def _complete(service: Service, given: TrainingBody) -> int | None:
    """Record the report; the version that it is about, None when that is not known.

    Raises Invalid for a version that does not exist (its number would stand above all that come, for ever),
    Conflict for a number that is another run's by now, and Unavailable when that cannot be asked.
    """
    version = given.model_version
    run = None if version is None else _reported_run(service, given.model_type, version)
    version = version or _meant(service, given)
    event = TrainingCompleted(
        model_type=given.model_type,
        alias=given.alias,
        status=given.status,
        source=given.source or "report",
        duration_seconds=given.duration_seconds,
        model_version=version,
        run_id=run.run_id if run else None,
        rows=None,
        training_accuracy=None,
        holdout_accuracy=given.accuracy,
        after_position=None,
        through_position=None,
        error=None,
    )
    service.core.ledger.record(event)
    return version


def _reported_run(service: Service, family: Family, version: int) -> VersionRun:
    promotion = service.core.promotion
    known = promotion.state(family).promotion.run
    if run := promotion.backends.reported(family, {version}, known).get(version):
        return run
    raise Invalid(f"there is no version {version} of {family}")


def _meant(service: Service, given: TrainingBody) -> int | None:
    """The version behind the alias, if it is new: an outside trainer has moved the alias in the registry.

    A version of which the ledger knows a run belongs to that run: no guess overwrites its accuracy.
    """
    if given.status != "success" or given.alias is None or given.accuracy is None:
        return None
    service.require_caught_up()
    # Without the registry the aliases are what they were, and the guess is that of before.
    adopt_all(service.core.promotion, (given.model_type,))
    version = service.core.promotion.state(given.model_type).promotion.aliases.get(given.alias)
    return None if version in runs_of(service.core.ledger, given.model_type) else version
