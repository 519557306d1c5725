"""A trainer outside this service reports that it has finished."""

from typing import Annotated

import anyio.to_thread
import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from gameplay.recording import record
from gameplay.service import service_of
from gameplay.web.access import require_internal
from gameplay.web.bodies import Line, answer, decode, read_body
from ledger.events import Share, TrainingCompleted
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


_decoder = msgspec.json.Decoder(TrainingBody)


async def complete(request: Request) -> Response:
    """POST /internal/training/complete."""
    service = service_of(request)
    require_internal(request, service.settings)
    given = decode(await read_body(request), _decoder)
    event = TrainingCompleted(
        model_type=given.model_type,
        alias=given.alias,
        status=given.status,
        source=given.source or "report",
        duration_seconds=given.duration_seconds,
        model_version=None,
        run_id=None,
        rows=None,
        training_accuracy=None,
        holdout_accuracy=given.accuracy,
        after_position=None,
        through_position=None,
        error=None,
    )
    await anyio.to_thread.run_sync(record, service.ledger, event)
    return answer({"success": True, **msgspec.structs.asdict(given)})
