"""Numbers in quotes.

MLflow's client gives a version as `"3"`, and automation passes it on: a body of `/internal/*` may quote its
numbers.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from ledger.decoders import convert
from ledger.errors import InvalidTextError
from ledger.numbers import parse_decimal

Body = TypeVar("Body")

_any_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class QuotedNumbersDecoder(Generic[Body]):
    """Decodes JSON as `type`, and takes a string that spells a number wherever a number is meant.

    msgspec's lax mode is no substitute: it also takes `"1e5"`, and `"true"` or 1 for a boolean.
    """

    def __init__(self, type: type[Body]) -> None:  # noqa: A002 - named as msgspec's decoders name it
        self.type = type
        self._kind = inspect.type_info(type)

    def decode(self, body: bytes) -> Body:
        """The body. Raises what `msgspec.json.Decoder.decode` raises."""
        return convert(unquote(_any_decoder.decode(body), self._kind), self.type)


def unquote(value: Any, kind: inspect.Type) -> Any:
    """The value, with numbers for the strings that spell one where `kind` means a number."""
    match kind, value:
        case (inspect.UnionType(), _):
            return _unquote_one_of(value, kind.types)
        case (inspect.FloatType(), str()):
            return _number(value)
        case (inspect.IntType(), str() | float()):
            return _whole(_number(value))
        case (inspect.VarTupleType() | inspect.ListType(), list()):
            return [unquote(one, kind.item_type) for one in value]
        case (inspect.StructType(), dict()):
            return _unquote_fields(value, {field.encode_name: field.type for field in kind.fields})
        case _:
            return value


def _unquote_one_of(value: Any, kinds: tuple[inspect.Type, ...]) -> Any:
    if isinstance(value, str) and any(isinstance(kind, inspect.StrType | inspect.LiteralType) for kind in kinds):
        return value  # text is meant as well, so it stays text
    for kind in kinds:
        value = unquote(value, kind)
    return value


def _unquote_fields(value: dict[str, Any], kinds: Mapping[str, inspect.Type]) -> dict[str, Any]:
    return {name: unquote(one, kinds[name]) if name in kinds else one for name, one in value.items()}


def _number(text: str | float) -> int | float | str:
    """The number that `text` spells; other text is left for the decoder to refuse with its place in the body."""
    if isinstance(text, float):
        return text
    try:
        number = parse_decimal(text)
    except InvalidTextError:
        return text
    return float(number) if "." in text else int(number)


def _whole(number: int | float | str) -> int | float | str:
    """3 for 3.0, as msgspec's JSON decoder has it: JSON knows one kind of number."""
    return int(number) if isinstance(number, float) and number.is_integer() else number
