"""POST /internal/mlflow/webhook: MLflow announces that an alias has moved. Its signature stands for the token."""

import base64
import hashlib
import hmac
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gameplay.models.artifacts import REGISTERED_NAMES
from gameplay.refusals import NotFound, Unauthorized
from gameplay.web.bodies import answer, decode, read_body
from gameplay.web.deliveries import FRESH_SECONDS
from gameplay.web.state import deliveries_of, service_of
from ledger.decoders import json_decoder
from ledger.errors import InvalidTextError
from ledger.numbers import parse_whole
from ledger.vocabulary import Family

ENTITY = "model_version_alias"

_FAMILIES: dict[str, Family] = {name: family for family, name in REGISTERED_NAMES.items()}


class Delivery(msgspec.Struct):
    """What MLflow sends; what it says of the alias is a hint, and is not believed."""

    entity: str
    action: str
    data: dict[str, Any]


_decoder = json_decoder(Delivery)


async def mlflow_webhook(request: Request) -> Response:
    """POST /internal/mlflow/webhook."""
    service = service_of(request)
    secret = service.core.settings.mlflow_webhook_secret
    if secret is None:
        raise NotFound("set RPS_MLFLOW_WEBHOOK_SECRET to let MLflow announce what it moves")
    deliveries, body = deliveries_of(request), await read_body(request)
    delivery_id = _verified(request, body, secret, deliveries.clock())
    delivery = decode(body, _decoder)
    family = _FAMILIES.get(str(delivery.data.get("name"))) if delivery.entity == ENTITY else None
    accepted = family is not None and deliveries.is_new(delivery_id)
    if accepted and family is not None:
        service.hints.hint(family)
    return answer({"accepted": accepted, "model_type": family})


def _verified(request: Request, body: bytes, secret: str, now: float) -> str:
    """The id of a delivery that MLflow has signed a moment ago. Raises Unauthorized."""
    delivery_id, timestamp, signature = (
        _header(request, name) for name in ("Delivery-Id", "Timestamp", "Signature")
    )
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256))
    if not hmac.compare_digest(signature.encode("latin-1"), b"v1," + expected):
        raise Unauthorized("X-MLflow-Signature is not this body's, by the secret in RPS_MLFLOW_WEBHOOK_SECRET")
    try:
        sent_at = parse_whole(timestamp)
    except InvalidTextError as error:
        raise Unauthorized(f"X-MLflow-Timestamp {timestamp!r} is no time in seconds") from error
    if abs(now - sent_at) > FRESH_SECONDS:
        raise Unauthorized(f"X-MLflow-Timestamp is more than {FRESH_SECONDS // 60} minutes away from now")
    return delivery_id


def _header(request: Request, name: str) -> str:
    found = request.headers.getlist(f"X-MLflow-{name}")
    if len(found) != 1 or not found[0]:
        raise Unauthorized(f"this needs one header X-MLflow-{name}: it is for MLflow's webhooks")
    return found[0]
