"""Request bodies, read within limits and decoded strictly; answers as JSON."""

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Final, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gameplay.refusals import Invalid, Refusal, TooLarge, TooSlow
from gameplay.web.state import limits_of
from ledger.codec import DECODE_ERRORS
from ledger.errors import InvalidTextError
from ledger.numbers import parse_whole

Body = TypeVar("Body", covariant=True)

WHOLE_BODY: Final = "rps.whole_body"
"""In the scope of a request on our server: its body, where all of it has come in one packet with the header."""

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
    def type(self) -> "type[Body]": ...

    def decode(self, body: bytes, /) -> Body:
        """Raises DECODE_ERRORS."""
        ...


async def read_body(request: Request) -> bytes:
    """The whole body. Raises TooLarge and TooSlow at the application's limits, without reading the rest of it."""
    limits = limits_of(request)
    # What is there needs no deadline, which is half of what reading costs.
    whole: bytes | None = request.scope.get(WHOLE_BODY)
    if whole is not None:
        if len(whole) > limits.body_bytes:
            raise _too_large(limits.body_bytes)
        return whole
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _read(request, limits.body_bytes)
    except TimeoutError as error:
        raise TooSlow(f"the body has not arrived within {limits.body_seconds:g} seconds") from error
    except ClientDisconnect as error:
        raise Refusal("the client went away before its request was complete") from error


async def _read(request: Request, limit: int) -> bytes:
    with suppress(InvalidTextError):  # whatever is announced, what comes is counted
        if parse_whole(request.headers.get("content-length", "")) > limit:
            raise _too_large(limit)
    body = bytearray()
    is_whole = False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        is_whole = not message.get("more_body", False)
    return bytes(body)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes")


def decode(body: bytes, decoder: Decoder[Body]) -> Body:
    """The body as the decoder's type. Raises Refusal for what is no JSON, Invalid for a wrong value."""
    try:
        decoded = decoder.decode(body)
        _names.decode(body.decode())  # it may nest too deep for this one, though not for the decoder
    except msgspec.ValidationError as error:
        raise Invalid(_explained(str(error), decoder.type)) from error
    except DECODE_ERRORS as error:
        raise Refusal(f"the body is no JSON object: {error}") from error
    return decoded


def _once(members: list[tuple[str, Any]]) -> None:
    """Refuse an object that says two things under one name: the decoder would take the last one."""
    names = [name for name, _ in members]
    if len(set(names)) < len(names):
        raise Refusal(f"the body names {max(names, key=names.count)!r} twice in one object")


# The numbers stay text: what they are worth is the decoder's business.
_names = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str)


_PATTERN = re.compile(r"`str` matching regex .* - at ")
_FIELD = re.compile(r"Invalid enum value .* - at `\$\.(\w+)`").fullmatch


def _explained(problem: str, body: type) -> str:
    """The decoder's sentence, plus the words of a closed set, minus its regular expressions."""
    if found := _FIELD(problem):
        hint = get_type_hints(body).get(found[1])
        closed = [part for part in (hint, *get_args(hint)) if get_origin(part) is Literal]
        words = [word for part in closed for word in get_args(part)]
        return f"{problem}: write one of {', '.join(words)}" if words else problem
    return _PATTERN.sub("text without control characters - at ", problem)


_encode = msgspec.json.Encoder().encode


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(_encode(content), status, headers, media_type="application/json")
