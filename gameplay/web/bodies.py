"""Request bodies in, JSON out: read up to a limit, decoded strictly, refused before anything is written."""

import re
from typing import Annotated, Any, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gameplay.refusals import Invalid, Refusal, TooLarge
from ledger.codec import DECODE_ERRORS

BODY_BYTES_MAX = 1 << 20

Body = TypeVar("Body", covariant=True)

_ONE_LINE = r"\A[^\x00-\x1f\x7f]*\Z"

Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=_ONE_LINE)]
"""One line of text: a name, a key, a source."""

MaybeLine = Annotated[str, Meta(max_length=200, pattern=_ONE_LINE)]
"""One line of text that may be empty."""

Prose = Annotated[str, Meta(max_length=4_000, pattern=r"\A[^\x00]*\Z")]
"""A few sentences."""


class Decoder(Protocol[Body]):
    """What reads a body: msgspec's decoder, or the one that takes quoted numbers as well."""

    @property
    def type(self) -> "type[Body]":
        """What a body becomes."""
        ...

    def decode(self, body: bytes, /) -> Body:
        """Raises DECODE_ERRORS."""
        ...


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


def decode(body: bytes, decoder: Decoder[Body]) -> Body:
    """The body as the decoder's type. Raises Refusal for what is no JSON, Invalid for a wrong value."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Invalid(_explained(str(error), decoder.type)) from error
    except DECODE_ERRORS as error:
        raise Refusal(f"the body is no JSON object: {error}") from error


_PATTERN = re.compile(r"`str` matching regex .* - at ")
_FIELD = re.compile(r"Invalid enum value .* - at `\$\.(\w+)`").fullmatch


def _explained(problem: str, body: type) -> str:
    """The decoder's sentence, with the words that there are, and without its regular expressions."""
    if found := _FIELD(problem):
        hint = get_type_hints(body).get(found[1])
        closed = [part for part in (hint, *get_args(hint)) if get_origin(part) is Literal]
        words = [word for part in closed for word in get_args(part)]
        return f"{problem}: write one of {', '.join(words)}" if words else problem
    return _PATTERN.sub("text without control characters - at ", problem)


_encode = msgspec.json.Encoder().encode


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(_encode(content), status, headers, media_type="application/json")
