"""Request bodies in, JSON out: read up to a limit, decoded strictly, refused before anything is written."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gameplay.refusals import Invalid, Refusal, TooLarge
from ledger.codec import DECODE_ERRORS

BODY_BYTES_MAX = 1 << 20

Body = TypeVar("Body")

Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
"""One line of text: a name, a key, a source."""

Prose = Annotated[str, Meta(max_length=4_000, pattern=r"\A[^\x00]*\Z")]
"""A few sentences."""


async def read_body(request: Request) -> bytes:
    """The whole body. Raises TooLarge over BODY_BYTES_MAX, without reading the rest of it."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                raise TooLarge(f"the body is larger than {BODY_BYTES_MAX} bytes")
    except ClientDisconnect as error:
        raise Refusal("the client went away before its request was complete") from error
    return body


def decode(body: bytes, decoder: "msgspec.json.Decoder[Body]") -> Body:
    """The body as the decoder's type. Raises Refusal for what is no JSON, Invalid for a wrong value."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from error
    except DECODE_ERRORS as error:
        raise Refusal(f"the body is no JSON object: {error}") from error


_encode = msgspec.json.Encoder().encode


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(_encode(content), status, headers, media_type="application/json")
