"""The header by which a caller may send a request twice and have it done once."""

from starlette.requests import Request

from gameplay.promotion.operator.orders import KEY_LENGTH_MAX
from gameplay.refusals import Refusal


def idempotency_key(request: Request) -> str | None:
    """The header `Idempotency-Key`, if there is one. Raises Refusal."""
    keys = request.headers.getlist("idempotency-key")
    if len(keys) > 1:
        raise Refusal(f"Idempotency-Key is given {len(keys)} times; give it once")
    if keys and not 1 <= len(keys[0]) <= KEY_LENGTH_MAX:
        raise Refusal(f"Idempotency-Key must have 1 to {KEY_LENGTH_MAX} characters")
    return keys[0] if keys else None
