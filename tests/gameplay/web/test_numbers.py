"""Wherever a body of `/internal/*` means a number, a string that spells one is as good, and nothing else is."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect
from starlette.testclient import TestClient

from gameplay.web.grafana import OptionsBody, QueryBody, VariableBody
from gameplay.web.numbers import QuotedNumbersDecoder
from gameplay.web.report_body import ReportBody
from gameplay.web.training import TrainingBody
from tests.gameplay.web_clients import REPORT_PATH, history, ok

BODIES: tuple[type[msgspec.Struct], ...] = (ReportBody, TrainingBody, QueryBody, OptionsBody, VariableBody)


class Numeric(NamedTuple):
    """A place for a number: the body's type, the way there, and what may stand there."""

    body: type[msgspec.Struct]
    way: tuple[str, ...]
    kind: inspect.IntType | inspect.FloatType

    def around(self, value: object) -> bytes:
        """A good body with `value` in this place."""
        return msgspec.json.encode(_around(inspect.type_info(self.body), self.way, value))

    def found(self, body: msgspec.Struct) -> object:
        """What a decoded body holds in this place."""
        found: Any = body
        for name in self.way:
            found = getattr(found, name)
            found = found[0] if isinstance(found, tuple) else found
        return found


def numbers_of(body: type[msgspec.Struct]) -> Iterator[Numeric]:
    for way, kind in _numbers(inspect.type_info(body), ()):
        yield Numeric(body, way, kind)


def _numbers(
    kind: inspect.Type, way: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], inspect.IntType | inspect.FloatType]]:
    match kind:
        case inspect.IntType() | inspect.FloatType():
            yield way, kind
        case inspect.UnionType():
            for one in kind.types:
                yield from _numbers(one, way)
        case inspect.VarTupleType():
            yield from _numbers(kind.item_type, way)
        case inspect.StructType():
            for field in kind.fields:
                yield from _numbers(field.type, (*way, field.encode_name))


def _around(kind: inspect.Type, way: tuple[str, ...], value: object) -> object:
    match kind:
        case inspect.UnionType():
            return _around(next(one for one in kind.types if not isinstance(one, inspect.NoneType)), way, value)
        case inspect.VarTupleType():
            return [_around(kind.item_type, way, value)]
        case inspect.StructType():
            needed = {field.encode_name: _some(field.type) for field in kind.fields if field.required}
            inner = next(field for field in kind.fields if field.encode_name == way[0])
            return needed | {way[0]: _around(inner.type, way[1:], value)}
        case _:
            return value


def _some(kind: inspect.Type) -> object:
    match kind:
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.IntType() | inspect.FloatType():
            return 1
        case _:
            raise AssertionError(f"{kind} is required, and this test knows no example of it")


NUMBERS = [number for body in BODIES for number in numbers_of(body)]
WHOLE_NUMBERS = [number for number in NUMBERS if isinstance(number.kind, inspect.IntType)]


def named(number: Numeric) -> str:
    return ".".join((number.body.__name__, *number.way))


def decode(number: Numeric, value: object) -> object:
    return number.found(QuotedNumbersDecoder(number.body).decode(number.around(value)))


def test_numbers_in_nested_lists_are_looked_at() -> None:
    assert {"ReportBody.alias_assignments.version", "ReportBody.p_value"} <= {named(one) for one in NUMBERS}


NO_NUMBERS = (
    *("", " ", "1 ", " 1", "1\n", "1\x00", "1_0", "1e0", "1E1", "0x1", "1.", ".", "+", "-", "--1", "1.0.0"),
    *("1,0", "NaN", "nan", "Infinity", "-inf", "1e999", "true", "false", "null", "None", "one", "v1", "1" * 5_000),
    *("\u00b9", "\uff11", "\u0661", "1\u0660", "\u22121", "-" + "9" * 40, "9" * 40 + ".5"),
    *(True, False, [1], {"1": 1}, ["1"]),
)


@pytest.mark.parametrize("number", NUMBERS, ids=named)
def test_a_string_that_spells_a_number_is_that_number(number: Numeric) -> None:
    for text in ("1", "+1", "01", "1.0"):
        assert decode(number, text) == decode(number, 1) == 1
        assert type(decode(number, text)) is type(decode(number, 1))


@pytest.mark.parametrize("number", NUMBERS, ids=named)
def test_whatever_else_is_no_number(number: Numeric) -> None:
    for value in NO_NUMBERS:
        with pytest.raises(msgspec.ValidationError, match=number.way[-1]):
            decode(number, value)


@pytest.mark.parametrize("number", WHOLE_NUMBERS, ids=named)
def test_a_whole_number_has_no_fraction_and_keeps_its_limits(number: Numeric) -> None:
    for value in ("1.5", 1.5, "0.1", "-1", "9007199254740993"):
        with pytest.raises(msgspec.ValidationError, match=number.way[-1]):
            decode(number, value)


@given(number=st.sampled_from(NUMBERS), value=st.one_of(st.integers(), st.floats(), st.booleans()))
def test_a_quoted_number_is_taken_or_refused_like_the_bare_one(number: Numeric, value: float) -> None:
    def outcome(given: object) -> object:
        try:
            return decode(number, given)
        except msgspec.ValidationError:
            return "refused"

    text = str(value)
    if "e" in text or text in ("nan", "inf", "-inf") or isinstance(value, bool):
        assert outcome(text) == "refused"
    else:
        assert outcome(text) == outcome(value)


def test_a_report_may_pass_on_the_versions_that_mlflow_gives(served: TestClient) -> None:
    swapped = [
        {"alias": "Production", "version": "2", "previous_version": "1"},
        {"alias": "B", "version": "1", "previous_version": "2"},
    ]
    report = {"model_type": "xgboost", "decision": "swap_production_b", "p_value": "0.01", "b_wins": "1"}

    ok(served.post(REPORT_PATH, json={**report, "b_total_games": "2", "alias_assignments": swapped}))

    (row,) = history(served, model_type="xgboost", decision="swap_production_b", limit=1, detail=1)
    assert (row["p_value"], row["b_wins"], row["b_total_games"]) == (0.01, 1, 2)
    aliases = ok(served.get("/models"))["xgboost"]["aliases"]
    assert (aliases["Production"]["version"], aliases["B"]["version"]) == (2, 1)
